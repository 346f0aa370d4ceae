"""`secondlook score` on a workspace with a tiny model."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engine.cli.score import score_workspace
from engine.errors import CancelledError
from engine.models import checkpoint, proof
from engine.models.bulk import runtime
from engine.models.likeness import Likeness
from engine.models.network import build
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.taxonomy import preset
from engine.types import Action, Item, ModelCard
from engine.workspace import NewDecision, Workspace

ITEMS = 70


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with 70 tweets, every third with a screenshot, and no model."""
    path = tmp_path / "w.secondlook"
    with Workspace.create(path, preset("tweets")) as ws:
        ws.items.add(
            (
                Item(id=f"t{number}", kind="tweet", text=f"tweet {number}", author=f"a{number}"),
                _png(number) if number % 3 == 0 else None,
            )
            for number in range(ITEMS)
        )
    return path


@pytest.fixture
def champion(folder: Path, tmp_path: Path) -> str:
    """Register and promote a random tiny model."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with Workspace.open(folder) as ws:
        task = ws.taxonomy.task("toxicity")
        spec = NetworkSpec(
            heads=(HeadSpec(task=task.name, labels=task.label_names, applies_to=task.applies_to),),
            text=TextSpec(width=8, filters=4, vocabulary=400),
            image=ImageSpec(size=32),
        )
        card = ModelCard(id="tiny", created="", recipe="", tasks={task.name: task.label_names}, network=to_plain(spec))
        tokenizer = tokenizer_for(spec, ["tweet 1"] * 4)
        checkpoint.save(tmp_path / "candidate", build(spec, tokenizer), card, tokenizer)
        ws.models.register(card, tmp_path / "candidate")
        ws.models.promote("tiny", "the first")
    return card.id


def test_every_item_gets_a_verdict_once(secondlook: Callable[..., Any], folder: Path, champion: str) -> None:
    ended = secondlook("score", folder, "--json")
    assert ended.status == 0, ended.err
    assert ended.json["model"] == champion
    assert ended.json["scored"] == ITEMS
    assert ended.json["items_per_second"] > 0
    assert ended.json["peak_rss_mb"] > 0
    with Workspace.open(folder, read_only=True) as ws:
        assert ws.items.count_without_verdict(champion) == 0
        assert ws.verdicts.of("t69")["toxicity"].model == champion
    again = secondlook("score", folder, "--model", champion, "--json")
    assert again.json["scored"] == 0


def verdicts(folder: Path) -> dict[str, float]:
    with Workspace.open(folder, read_only=True) as ws:
        return {f"t{number}": ws.verdicts.of(f"t{number}")["toxicity"].probability for number in range(ITEMS)}


def test_items_judged_without_their_screenshots_are_told(
    secondlook: Callable[..., Any], folder: Path, champion: str
) -> None:
    with Workspace.open(folder) as ws:
        gone, cut = (ws.captures.path_of(ws.items.get(item).capture or "") for item in ("t0", "t3"))
        other = ws.captures.path_of(ws.items.get("t6").capture or "")
    whole = gone.read_bytes(), cut.read_bytes()
    gone.unlink()
    cut.write_bytes(other.read_bytes())
    ended = secondlook("score", folder, "--json")
    assert ended.json["unread"] == ["t0", "t3"]
    assert "2 items, such as 't0', were judged without their screenshots, which cannot be read" in ended.err
    nothing_new = secondlook("score", folder, "--json").json
    assert (nothing_new["unread"], nothing_new["scored"]) == ([], 0)
    before = verdicts(folder)
    gone.write_bytes(whole[0])
    cut.write_bytes(whole[1])
    again = secondlook("score", folder, "--again", "--json").json
    assert (again["unread"], again["scored"]) == ([], ITEMS)
    changed = {item for item, probability in verdicts(folder).items() if abs(probability - before[item]) > 1e-4}
    assert changed == {"t0", "t3"}


def test_an_evaluation_without_some_screenshots_tells_so(
    secondlook: Callable[..., Any], folder: Path, champion: str
) -> None:
    def decision(item: str) -> NewDecision:
        return NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ann")

    with Workspace.open(folder) as ws:
        ws.decisions.record([decision(item) for item in ("t0", "t1", "t3")])
        ws.items.set_splits(dict.fromkeys(("t0", "t1", "t3"), "test"))
        ws.captures.path_of(ws.items.get("t3").capture or "").unlink()
    for level in ("item", "author"):
        ended = secondlook("evaluate", folder, "--level", level, "--json")
        assert ended.json["unread"] == ["t3"]
        assert "1 item, such as 't3', was judged without its screenshot, which cannot be read" in ended.err


def test_without_a_model_it_says_how_to_get_one(secondlook: Callable[..., Any], folder: Path) -> None:
    ended = secondlook("score", folder)
    assert ended.status == 2
    assert "secondlook retrain" in ended.err


def test_an_unknown_model_is_the_users_mistake(secondlook: Callable[..., Any], folder: Path, champion: str) -> None:
    ended = secondlook("score", folder, "--model", "tinny")
    assert ended.status == 2
    assert champion in ended.err


def test_a_damaged_model_is_one_sentence(secondlook: Callable[..., Any], folder: Path, champion: str) -> None:
    with Workspace.open(folder, read_only=True) as ws:
        (ws.models.folder(champion) / checkpoint.WEIGHTS).write_bytes(b"no")
    ended = secondlook("score", folder)
    assert ended.status == 2
    assert "damaged" in ended.err
    assert "Traceback" not in ended.err


def test_what_was_scored_before_a_stop_stays(folder: Path, champion: str) -> None:
    seen: list[tuple[int, int]] = []
    with Workspace.open(folder) as ws:
        with pytest.raises(CancelledError):
            score_workspace(ws, progress=lambda *at: seen.append(at), cancelled=lambda: bool(seen))
        assert seen == [(64, ITEMS)]
        assert ws.items.count_without_verdict(champion) == ITEMS - 64
        report = score_workspace(ws)
    assert (report.model, report.scored) == (champion, ITEMS - 64)


WITHOUT_TORCH = """
import sys
from pathlib import Path
from engine.cli.score import score_workspace
from engine.workspace import Workspace
with Workspace.open(Path(sys.argv[1])) as ws:
    scored = score_workspace(ws).scored
print(scored, sorted({"torch", "transformers", "torchvision"} & set(sys.modules)))
"""


def test_a_model_that_is_proven_is_scored_without_torch(folder: Path, tmp_path: Path) -> None:
    if not runtime.usable():
        pytest.skip("OpenVINO is not installed, or this CPU does not multiply 8-bit integers fast")
    with Workspace.open(folder) as ws:
        task = ws.taxonomy.task("toxicity")
        head = HeadSpec(task=task.name, labels=task.label_names, applies_to=task.applies_to)
        spec = NetworkSpec(heads=(head,), text=TextSpec(backbone="none"), image=ImageSpec(size=32))
        card = ModelCard(id="eyes", created="", recipe="", tasks={task.name: task.label_names}, network=to_plain(spec))
        checkpoint.save(tmp_path / "candidate", build(spec, None), card, None)
        ws.models.register(card, tmp_path / "candidate")
        ws.models.promote("eyes", "the first")
        ranges = ((-3.0, 3.0), *[(-6.0, 6.0)] * 20, *[(0.0, 8.0)] * 8)
        alike = {task.name: Likeness(1.0, 0.0)}
        proof.write(ws.models.folder("eyes"), card, ("fp32", "int8"), 200, alike, ranges=ranges, kind=proof.BULK)
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(folder)], check=True, capture_output=True, text=True
    )
    assert ended.stdout.split(maxsplit=1) == [str(ITEMS), "[]\n"]
    with Workspace.open(folder, read_only=True) as ws:
        assert ws.items.count_without_verdict("eyes") == 0
    assert len(list((folder / "features").glob("*.vectors"))) == 1


def _png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), (number * 3 % 256, 90, 160)).save(buffer, format="PNG")
    return buffer.getvalue()
