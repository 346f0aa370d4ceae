"""Whole runs: what is learned, going on bit for bit, and ends that lose nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import safetensors.torch
import torch

from engine.errors import CancelledError, InputError, StorageError, TrainingError
from engine.service.protocol import EpochEnded, RunFailed, RunProgress, RunStarted
from engine.training import state
from engine.training.pretraining import loop as loops
from engine.training.pretraining.card import CARD, PretrainingCard
from engine.training.pretraining.events import EncoderReady

if TYPE_CHECKING:
    from tests.engine.training.pretraining.conftest import Pretrain

Weights = Callable[[Path], dict[str, torch.Tensor]]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether all weights are equal, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_encoder_learns_to_predict_hidden_words(run: Pretrain) -> None:
    card = run(given={"epochs": 25, "held_out": 0.3})
    assert card.learned
    assert card.after.perplexity < 0.7 * card.unigram.perplexity
    assert card.after.accuracy > card.unigram.accuracy
    assert len(card.epochs) == 25
    assert card.texts.held_out == 18
    kept = msgspec.json.decode((run.root / "encoder" / CARD).read_bytes(), type=PretrainingCard)
    assert kept == card
    assert set(kept.versions) == {"torch", "transformers", "tokenizers", "safetensors"}
    files = {path.name for path in (run.root / "encoder").iterdir()}
    assert files == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", CARD}
    assert [path.name for path in run.root.iterdir()] == ["encoder"]


def test_an_encoder_that_learned_nothing_is_not_said_to_have(run: Pretrain) -> None:
    card = run(given={"epochs": 1, "learning_rate": 1e-5})
    assert not card.learned
    assert card.before.loss == pytest.approx(card.unigram.loss, abs=0.1)
    assert card.after.loss == pytest.approx(card.before.loss, abs=0.05)


def test_events_tell_the_whole_run(run: Pretrain) -> None:
    card = run()
    (started,) = run.of(RunStarted)
    assert started.items == {"train": 54, "held out": 6}
    assert [event.epoch for event in run.of(EpochEnded)] == [1, 2]
    assert [event.val_loss for event in run.of(EpochEnded)] == [one.loss for one in card.epochs]
    last = run.of(RunProgress)[-1]
    assert last.done == last.total
    assert run.events[-1] == EncoderReady(folder=str(run.root / "encoder"), card=card)


def test_the_same_seed_gives_the_same_encoder_and_another_one_another(run: Pretrain, weights: Weights) -> None:
    run("a")
    run("b")
    run("c", {"seed": 1})
    assert same(weights(run.root / "a"), weights(run.root / "b"))
    assert not same(weights(run.root / "a"), weights(run.root / "c"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_goes_on_bit_for_bit(
    run: Pretrain, weights: Weights, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    given = {"precision": precision}
    monkeypatch.setattr("engine.training.pretraining.run.PROGRESS_SECONDS", -1.0)
    run("whole", given)
    run.until = lambda event: isinstance(event, RunProgress) and event.done in {3, 9}
    for _ in range(2):
        with pytest.raises(CancelledError, match="goes on from here"):
            run("parts", given)
        assert not (run.root / "parts").exists()
        assert run.events[-1] == RunFailed(run="parts", message=run.events[-1].message, cancelled=True)  # type: ignore[union-attr]
        run.texts = ["other texts do not matter any more"]
    run.until = lambda _: False
    card = run("parts", given)
    assert same(weights(run.root / "whole"), weights(run.root / "parts"))
    assert len(card.epochs) == 2
    assert card.texts.train == 54


def test_a_killed_run_goes_on_bit_for_bit(run: Pretrain, weights: Weights, tmp_path: Path) -> None:
    """kill -9 in the middle of an epoch, with a checkpoint every step."""
    (tmp_path / "texts.txt").write_text("\n".join(run.texts), encoding="utf-8")
    given = {"checkpoint_seconds": 0.0, "epochs": 3}
    run("whole", given)
    script = _KILLED.format(given=json.dumps(_tiny() | given), out=str(run.root / "killed"), texts=run.texts)
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=120, cwd=Path.cwd())
    assert ended.returncode == -signal.SIGKILL
    assert not (run.root / "killed").exists()
    run("killed", given)
    (started, *_) = [event for event in run.of(RunStarted) if event.run == "killed"]
    assert started.epoch == 1
    assert same(weights(run.root / "whole"), weights(run.root / "killed"))


_KILLED = """
import json, os, signal, torch
from pathlib import Path
from engine.service.protocol import RunProgress
from engine.training.pretraining import run
run.PROGRESS_SECONDS = -1.0
def hear(event):
    if isinstance(event, RunProgress) and event.done == 11:
        os.kill(os.getpid(), signal.SIGKILL)
run.pretrain(run.Wanted(lambda: {texts!r}, "texts.txt", Path({out!r}), json.loads({given!r})), emit=hear)
"""


def _tiny() -> dict[str, Any]:
    from tests.engine.training.pretraining.conftest import TINY

    return TINY


def test_an_unfinished_run_that_asks_for_something_else_is_named(run: Pretrain) -> None:
    run.until = lambda event: isinstance(event, EpochEnded)
    with pytest.raises(CancelledError):
        run()
    run.until = lambda _: False
    with pytest.raises(InputError) as caught:
        run(given={"mask": 0.3}, source="others.txt")
    for part in ("mask was 0.15, now 0.3", "'texts.txt', now of 'others.txt'", "--anew"):
        assert part in str(caught.value)
    assert run(given={"mask": 0.3}, source="others.txt", anew=True).settings.mask == 0.3


def test_divergence_stops_with_the_last_good_checkpoint_and_a_lower_rate_goes_on(
    run: Pretrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = loops.PretrainingLoop._part

    def poisoned(self: loops.PretrainingLoop, *rest: Any) -> float:
        loss = part(self, *rest)
        return float("nan") if self.steps_done == 9 else loss

    with monkeypatch.context() as patched:
        patched.setattr(loops.PretrainingLoop, "_part", poisoned)
        with pytest.raises(TrainingError, match=r"no longer a number in epoch 2, step 3\. .* lower --learning-rate"):
            run(given={"checkpoint_seconds": 0.0})
    assert not (run.root / "encoder").exists()
    card = run(given={"checkpoint_seconds": 0.0, "learning_rate": 0.001})
    assert run.of(RunStarted)[-1].epoch == 1
    assert card.rates == ((0, 0.01), (9, 0.001))
    assert card.after.loss < card.before.loss


def test_a_full_disk_in_a_checkpoint_loses_nothing(
    run: Pretrain, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("whole")
    written = 0
    save = safetensors.torch.save_file

    def full(tensors: dict[str, torch.Tensor], path: Path, *rest: Any) -> None:
        nonlocal written
        written += 1
        if written > 4:
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(tensors, path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(state, "save_file", full)
        with pytest.raises(StorageError, match=r"cannot be written .*No space left.*Free some space"):
            run("full", {"checkpoint_seconds": 0.0})
    assert not (run.root / "full").exists()
    run("full", {"checkpoint_seconds": 0.0})
    assert run.of(RunStarted)[-1].epoch == 0
    assert same(weights(run.root / "whole"), weights(run.root / "full"))


def test_a_damaged_unfinished_run_is_said_in_words(run: Pretrain) -> None:
    run.until = lambda event: isinstance(event, RunProgress)
    with pytest.raises(CancelledError):
        run()
    (unfinished,) = (path for path in run.root.iterdir() if path.is_dir())
    (unfinished / "asked.json").write_text("{")
    with pytest.raises(StorageError, match=r"is damaged: .* --anew"):
        run()


def test_a_folder_that_is_there_is_never_touched(run: Pretrain) -> None:
    (run.root / "encoder").mkdir(parents=True)
    with pytest.raises(InputError, match="exists already"):
        run()
    assert list((run.root / "encoder").iterdir()) == []


def test_an_encoder_is_continued_with_its_own_preparation(run: Pretrain, weights: Weights) -> None:
    first = run("first", {"epochs": 12, "emoji": "keep"})
    given = {name: value for name, value in _tiny().items() if name in {"epochs", "batch_size", "held_out", "threads"}}
    from dataclasses import replace

    from engine.training.pretraining.run import Wanted, pretrain

    wanted = Wanted(lambda: run.texts, "texts.txt", run.root / "second", given, str(run.root / "first"))
    second = pretrain(replace(wanted))
    assert second.settings.emoji == "keep"
    assert second.settings.max_tokens == 16
    assert second.before.loss == pytest.approx(first.after.loss, rel=0.15)
    assert not same(weights(run.root / "first"), weights(run.root / "second"))
    assert second.encoder == str(run.root / "first")


def test_running_out_of_gpu_memory_halves_the_batch_and_goes_on(run: Pretrain, monkeypatch: pytest.MonkeyPatch) -> None:
    part = loops.PretrainingLoop._part
    sizes: list[int] = []

    def small(self: loops.PretrainingLoop, batch: Any, tokens: int) -> float:
        if len(batch.ids) > 4:
            raise torch.OutOfMemoryError
        sizes.append(len(batch.ids))
        return part(self, batch, tokens)

    with monkeypatch.context() as patched:
        patched.setattr(loops.PretrainingLoop, "_part", small)
        halved = run("halved", {"dropout": 0.0, "epochs": 1})
    assert max(sizes) == 4
    whole = run("whole", {"dropout": 0.0, "epochs": 1})
    assert halved.after.loss == pytest.approx(whole.after.loss, rel=1e-3)
