"""`secondlook pretrain` on a workspace and on files, and a retrain on what it leaves."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")

TINY = (
    *("--vocabulary", "400", "--layers", "1", "--width", "16", "--heads", "2", "--max-tokens", "24"),
    *("--epochs", "2", "--batch-size", "8", "--set", "held_out=0.1", "--set", "threads=1", "--set", "precision=fp32"),
)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path) -> Path:
    """48 tweets of 24 authors; half of them are labelled, and every other one is toxic and says so."""
    path = tmp_path / "w.secondlook"
    rows = [
        {
            "id": f"t{number}",
            "kind": "tweet",
            "author": f"author{number // 2}",
            "text": f"{'φύγετε από εδώ' if number % 2 else 'καλημέρα 😀 σε όλους'} {number}",
            **({"labels": {"toxicity": "toxic" if number % 2 else "non-toxic"}} if number < 36 else {}),
        }
        for number in range(48)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"ο καιρός είναι καλός {number}\n" for number in range(40)), encoding="utf-8")
    return path


def test_a_workspaces_encoder_can_be_named_by_its_recipes(
    secondlook: Runner, workspace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = secondlook("pretrain", workspace, *TINY)
    assert ended.status == 0, ended.err
    for part in ("word frequencies alone", "perplexity", "--set text.backbone=encoders/pretrained", "[text]"):
        assert part in ended.out
    assert "48 read, 48 of them different" in ended.out
    monkeypatch.chdir(tmp_path)
    (options,) = (line for line in ended.out.splitlines() if "secondlook retrain" in line)
    chosen = options.split(str(workspace))[1].split()
    small = ("--set", "image.backbone=none", "--set", "training.epochs=1", "--set", "training.threads=1")
    trained = secondlook("retrain", workspace, *chosen, *small, "--json")
    assert trained.status == 0, trained.err
    with Workspace.open(workspace) as ws:
        card = ws.models.get(trained.json["model"]).card
    assert 'backbone = "encoders/pretrained"' in card.recipe
    assert card.network["text"]["backbone"] == str((workspace / "encoders" / "pretrained").absolute())
    assert (workspace / "models" / card.id / "text" / "tokenizer.json").is_file()
    explained = secondlook("explain", workspace, "t0", "--json")
    assert explained.status == 0, explained.err
    text = "καλημέρα 😀 σε όλους 0"
    tokens = explained.json["tokens"]
    assert [token["text"] for token in tokens] == text.split()
    assert all(text[token["start"] : token["end"]] == token["text"] for token in tokens)


def test_json_has_the_card(secondlook: Runner, file: Path, tmp_path: Path) -> None:
    document = secondlook("pretrain", file, "--out", tmp_path / "enc", *TINY, "--json").json
    assert document["folder"] == str(tmp_path / "enc")
    assert document["card"]["source"] == "texts.txt"
    assert document["card"]["texts"] == {"read": 40, "distinct": 40, "train": 36, "held_out": 4}
    assert len(document["card"]["fingerprint"]) == 64


def test_events_are_json_lines(secondlook: Runner, file: Path, tmp_path: Path) -> None:
    ended = secondlook("pretrain", file, "--out", tmp_path / "enc", *TINY, "--events", "jsonl")
    kinds = [json.loads(line)["type"] for line in ended.out.splitlines()]
    assert kinds[0] == "runstarted"
    assert kinds[-1] == "encoderready"
    assert kinds.count("epochended") == 2
    assert secondlook("pretrain", file, "--out", "x", "--events", "jsonl", "--json").status == 2


def test_an_interrupted_run_ends_in_words_and_goes_on(
    secondlook: Runner, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    from engine.training.pretraining.run import _Run

    ended = _Run._epoch_ended

    def interrupt(self: _Run, loss: float) -> None:
        ended(self, loss)
        signal.raise_signal(signal.SIGINT)

    command = ("pretrain", file, "--out", tmp_path / "enc", *TINY)
    with monkeypatch.context() as patched:
        patched.setattr(_Run, "_epoch_ended", interrupt)
        broken = secondlook(*command)
    assert broken.status == 130
    assert "the same command goes on" in broken.err
    assert not (tmp_path / "enc").exists()
    again = secondlook(*command)
    assert again.status == 0, again.err
    assert "going on after epoch 1" in again.err
    assert signal.getsignal(signal.SIGINT) is handler


def test_bad_input_is_said_in_words(secondlook: Runner, workspace: Path, file: Path, tmp_path: Path) -> None:
    single = tmp_path / "one.txt"
    single.write_text("only this\n")
    picture = tmp_path / "picture.txt"
    picture.write_bytes(b"\x89PNG\x00\xff")
    existing = tmp_path / "existing"
    existing.mkdir()
    new = tmp_path / "new"
    cases: tuple[tuple[tuple[Any, ...], str], ...] = (
        ((file,), "Give one with --out FOLDER"),
        ((file, "--name", "x"), "Give one with --out FOLDER"),
        ((workspace, "--name", "a/b"), "cannot be an encoder's name"),
        ((workspace, "--name", "a", "--out", new), "Give one of them"),
        ((single, "--out", new), "at least 20 different texts, and there is 1 text"),
        ((picture, "--out", new), "no text in UTF-8"),
        ((tmp_path / "gone.txt", "--out", new), "no workspace or file"),
        ((file, "--out", existing), "exists already"),
        ((file, "--out", new, "--from", tmp_path / "gone"), "no encoder folder"),
        ((file, "--out", new, "--from", tmp_path / "gone", "--layers", "3"), "layers belongs to a new encoder"),
        ((file, "--out", new, "--set", "epoch=3"), "Did you mean 'epochs'?"),
        ((file, "--out", new, "--width", "30", "--heads", "4"), "multiple of heads"),
    )
    for arguments, words in cases:
        ended = secondlook("pretrain", *arguments)
        assert ended.status == 2, (arguments, ended.err)
        assert words in ended.err, (arguments, ended.err)
        assert "Traceback" not in ended.err
    assert not new.exists()
    assert not list(tmp_path.glob(".new*"))
