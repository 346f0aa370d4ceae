"""What training does with bad input, bad numbers and bad disks: clear words, nothing lost, the champion untouched."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import InputError, StorageError, TrainingError
from engine.models import checkpoint
from engine.service.protocol import EpochEnded, RunFailed, RunStarted
from engine.training import state
from engine.training.losses import TaskLosses
from engine.training.recipe import load_recipe
from engine.training.run import train
from engine.types import TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import Listener, RunMaker

Same = Callable[[Path, Path], bool]
replace = msgspec.structs.replace


def saying(items: list[TrainingItem], text: Callable[[int, str], str]) -> list[TrainingItem]:
    return [
        replace(one, content=replace(one.content, text=text(number, one.content.text)))
        for number, one in enumerate(items)
    ]


@pytest.mark.parametrize("blank", ["", " \n\u00a0", "\u200b"])
def test_some_empty_texts_are_no_trouble(make_run: RunMaker, blank: str) -> None:
    items = saying(make_run.items(), lambda number, text: blank if number % 5 == 0 else text)
    card, _ = train(make_run(items), emit=lambda _: None, cancelled=lambda: False)
    assert card.metrics["test"]["mood"].n > 0


def test_nothing_to_look_at_at_all_is_refused(make_run: RunMaker) -> None:
    items = saying(make_run.items(), lambda *_: "")
    with pytest.raises(TrainingError, match=r"None of the \d+ items that train has a text"):
        train(make_run(items), emit=lambda _: None, cancelled=lambda: False)


def test_a_label_with_a_single_item_is_counted_in_the_error(make_run: RunMaker) -> None:
    items = [item for item in make_run.items() if item.labels["mood"] == ("cold",)]
    warm = replace(items[0], content=replace(items[0].content, id="w"), labels={"mood": ("warm",)}, group="w")
    with pytest.raises(TrainingError, match=r"'mood'.*too few|'mood'.*all of its training items"):
        train(make_run([*items, warm]), emit=lambda _: None, cancelled=lambda: False)


def spoil(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Make the loss no number from the given call on that has a gradient."""
    forward, calls = TaskLosses.forward, iter(range(10**6))

    def spoiled(self: TaskLosses, *inputs: Any) -> torch.Tensor:
        loss = forward(self, *inputs)
        return loss * float("nan") if loss.requires_grad and next(calls) >= after else loss

    monkeypatch.setattr(TaskLosses, "forward", spoiled)


def test_a_run_that_diverges_late_ends_with_the_best_epoch_before(
    make_run: RunMaker, recipe: str, monkeypatch: pytest.MonkeyPatch, listener: type[Listener]
) -> None:
    steps = 4  # 32 items train, 8 at a time
    spoil(monkeypatch, after=2 * steps + 2)
    folder, heard = make_run(), listener()
    card, outcome = train(folder, emit=heard, cancelled=lambda: False)
    assert [event.epoch for event in heard.events if isinstance(event, EpochEnded)] == [1, 2]
    assert "Training diverged: the loss is no longer a number in epoch 3, step 3." in outcome.reason
    assert "The model is that of epoch" in outcome.reason
    assert "training.learning_rate (now 0.02)" in outcome.reason
    monkeypatch.undo()
    weights = checkpoint.load(folder / "candidate").network.state_dict()
    assert all(bool(weight.isfinite().all()) for weight in weights.values())
    assert card.metrics["test"]["mood"].n > 0


def test_a_diverging_run_leaves_the_champion_alone(
    make_run: RunMaker, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_run()
    train(first, emit=lambda _: None, cancelled=lambda: False)
    champion = make_run.adopt(first)
    before = {path.name: path.read_bytes() for path in champion.iterdir() if path.is_file()}
    spoil(monkeypatch, after=0)
    folder = make_run(parent=first.name)
    with pytest.raises(TrainingError, match="no longer a number in epoch 1, step 1"):
        train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert {path.name: path.read_bytes() for path in champion.iterdir() if path.is_file()} == before
    assert not (folder / "candidate").exists()


def test_a_validation_loss_that_is_no_number_is_never_the_best(
    make_run: RunMaker, monkeypatch: pytest.MonkeyPatch, listener: type[Listener]
) -> None:
    forward, calls = TaskLosses.forward, iter(range(100))

    def spoiled(self: TaskLosses, *inputs: Any) -> torch.Tensor:
        loss = forward(self, *inputs)
        return loss if loss.requires_grad or next(calls) < 1 else loss * float("inf")

    monkeypatch.setattr(TaskLosses, "forward", spoiled)
    heard = listener()
    _, outcome = train(make_run(), emit=heard, cancelled=lambda: False)
    assert "on the validation items after epoch 2. The model is that of epoch 1." in outcome.reason


def test_a_full_disk_in_the_middle_of_a_checkpoint_loses_nothing(
    make_run: RunMaker,
    recipe: str,
    same_weights: Same,
    listener: type[Listener],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight checkpoints are written, the ninth meets a full disk, then somebody makes room."""
    often = recipe + "checkpoint_seconds = 0.0\n"
    whole, broken = make_run(recipe=often), make_run(recipe=often)
    train(whole, emit=lambda _: None, cancelled=lambda: False)
    calls = iter(range(100))

    def fills_up(tensors: dict[str, torch.Tensor], path: Path, header: dict[str, str]) -> None:
        if next(calls) < 8:
            save_file(tensors, path, header)
            return
        path.write_bytes(b"half of a checkp")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "save_file", fills_up)
    heard = listener()
    with pytest.raises(StorageError) as caught:
        train(broken, emit=heard, cancelled=lambda: False)
    assert str(broken / "checkpoint") in caught.value.message
    assert "No space left on device" in caught.value.message
    assert "It needs" in caught.value.way_out
    assert " MB free" in caught.value.way_out
    failed = heard.events[-1]
    assert isinstance(failed, RunFailed)
    assert not failed.bug
    left = sorted(path.name for path in (broken / "checkpoint").iterdir())
    assert left == ["start", "state.safetensors"]
    monkeypatch.setattr(state, "save_file", save_file)
    second = listener()
    train(broken, emit=second, cancelled=lambda: False)
    started = second.events[0]
    assert isinstance(started, RunStarted)
    assert started.epoch == 1
    assert same_weights(whole / "candidate", broken / "candidate")


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Lets no file of this process grow beyond a size, as a quota does; what writes it gets a real error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_model_that_does_not_fit_on_the_disk_is_no_bug_of_ours(
    make_run: RunMaker, same_weights: Same, small_files: Callable[[int], None]
) -> None:
    """The library that writes the weights has errors of its own."""
    folder, whole = make_run(), make_run()
    train(whole, emit=lambda _: None, cancelled=lambda: False)
    small_files(4_000)
    with pytest.raises(StorageError, match=r"cannot be written to .*start") as caught:
        train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert "Free some space" in caught.value.way_out
    small_files(resource.RLIM_INFINITY)
    train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert same_weights(whole / "candidate", folder / "candidate")


def test_every_mistake_of_a_recipe_is_told_at_once() -> None:
    text = """
[data]
levl = "author"
level = "authors"
positive = "toxic"
[training]
soft_label = true
half_life_days = -3
label_smoothing = 0.9
sed = 1
[trainig]
"""
    with pytest.raises(InputError) as caught:
        load_recipe(text)
    for words in (
        "has no setting 'levl' (did you mean 'level'?)",
        "data.level is 'authors': use one of item, author (did you mean 'author'?)",
        "data.positive is 'toxic'",
        "has no setting 'soft_label' (did you mean 'soft_labels'?)",
        "training.half_life_days is -3.0: it must be from 0 to 36500",
        "training.label_smoothing is 0.9",
        "has no setting 'sed' (did you mean 'seed'?)",
        "no section [trainig] (did you mean 'training'?)",
    ):
        assert words in caught.value.message, words
