"""Runs over item sets that are labelled for different tasks: taking turns, resuming, weights, misspelt tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import CancelledError, InputError
from engine.models.predictor import Predictor
from engine.models.spec import HeadSpec
from engine.service.protocol import RunProgress
from engine.training.callbacks import Cancel
from engine.training.data import Examples
from engine.training.device import choose_device
from engine.training.loop import Callback, Loop, Scores
from engine.training.losses import TaskLosses
from engine.training.recipe import load_recipe
from engine.training.run import train
from engine.training.start import fresh_start
from engine.types import TrainingItem

if TYPE_CHECKING:
    from engine.service.protocol import TrainerEvent
    from tests.engine.training.conftest import Listener, RunMaker

Same = Callable[[Path, Path], bool]
HEADS = (HeadSpec(task="mood", labels=("warm", "cold")), HeadSpec(task="why", labels=("fire", "sun"), multi=True))


@pytest.fixture
def alternating(recipe: str) -> str:
    return recipe.replace("[text]", '[text]\nbackbone = "cross-stitch"\nhidden = 8\nlayers = 1') + (
        'batches = "alternating"\nloss = "focal"\nfocal_gamma = 1\nclass_balance_beta = 0.9\n[tasks]\nwhy = 0.5\n'
    )


def sets(make_run: RunMaker, count: int = 72) -> list[TrainingItem]:
    """Two thirds of the items answer one task, the warm ones among the others the other task."""
    items = [
        msgspec.structs.replace(item, labels={task: item.labels[task]})
        for number, item in enumerate(make_run.items(count))
        if (task := "why" if number % 6 in {0, 2} else "mood") in item.labels
    ]
    assert {frozenset(item.labels) for item in items} == {frozenset({"mood"}), frozenset({"why"})}
    return items


def test_two_item_sets_train_one_cross_stitched_network(
    make_run: RunMaker, listener: type[Listener], alternating: str
) -> None:
    folder = make_run(sets(make_run), alternating.replace("epochs = 4", "epochs = 8"))
    card, outcome = train(folder, emit=listener(), cancelled=lambda: False)
    assert outcome.better
    assert card.metrics["test"]["mood"].macro_f1 > 0.9 > card.metrics["test"]["mood"].majority_macro_f1
    assert card.metrics["test"]["why"].macro_f1 > 0.9 > card.metrics["test"]["why"].majority_macro_f1
    back = Predictor.load(folder / "candidate", "cpu")
    assert load_recipe(back.card.recipe).tasks == {"why": 0.5}


def test_a_cancelled_run_of_alternating_batches_resumes_to_the_very_same_weights(
    make_run: RunMaker, listener: type[Listener], same_weights: Same, alternating: str
) -> None:
    whole, halves = (make_run(sets(make_run), alternating) for _ in range(2))
    train(whole, emit=listener(), cancelled=lambda: False)
    for stop in (3, 12):
        heard = listener(until=beyond(stop))
        with pytest.raises(CancelledError):
            train(halves, emit=heard, cancelled=heard.cancelled)
    train(halves, emit=listener(), cancelled=lambda: False)
    assert same_weights(whole / "candidate", halves / "candidate")


def beyond(step: int) -> Callable[[TrainerEvent], bool]:
    """Holds from the event on that tells of this step."""
    return lambda event: isinstance(event, RunProgress) and event.done >= step


def test_a_misspelt_task_weight_ends_the_run_before_it_begins(
    make_run: RunMaker, listener: type[Listener], recipe: str
) -> None:
    folder = make_run(recipe=f"{recipe}[tasks]\nmod = 2\n")
    with pytest.raises(InputError, match="Did you mean 'mood'"):
        train(folder, emit=listener(), cancelled=lambda: False)
    assert not (folder / "checkpoint").exists()


class Seen(Callback):
    """Which rows' tasks each step had."""

    def __init__(self, examples: Examples) -> None:
        self.steps: list[set[str]] = []
        self._examples = examples

    def step_ended(self) -> None:
        rows = self.loop._batches(self.loop.position.epoch)[self.loop.position.step - 1]
        found = self._examples.targets_at(rows)
        self.steps.append({task for task, target in found.items() if not target.isnan().all()})


@pytest.mark.parametrize(("batches", "most"), [("alternating", 1), ("mixed", 2)])
def test_an_alternating_batch_has_one_set_only_and_every_item_comes_once(
    make_run: RunMaker, alternating: str, batches: str, most: int
) -> None:
    recipe = load_recipe(alternating, [f"training.batches={batches}", "training.epochs=1"])
    items = sets(make_run)
    spec = recipe.network(HEADS)
    start = fresh_start(spec, (item.content.text for item in items), 0)
    examples = Examples(items, spec, start.tokenizer, cache_bytes=0, check=lambda: None)
    seen, device = Seen(examples), choose_device(threads=1)
    loop = Loop(
        start.network.to(device.torch),
        examples,
        TaskLosses(HEADS).to(device.torch),
        recipe.training,
        device,
        validate=lambda: Scores(1.0, {}),
        callbacks=(Cancel(lambda: False), seen),
    )
    loop.run()
    assert len(seen.steps) == loop.steps
    assert max(map(len, seen.steps)) == most
    assert sorted(row for batch in loop._batches(0) for row in batch) == list(range(len(items)))
