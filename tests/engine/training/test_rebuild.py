"""A model trained again from its card has the same weights; what is missing or different is told."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import CancelledError, TrainingError
from engine.models import checkpoint
from engine.service.protocol import EpochEnded
from engine.training.rebuild import WORK, Rebuilt, Workshop, rebuild
from engine.training.run import train
from engine.types import ModelCard, TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import Listener, RunMaker

replace = msgspec.structs.replace


def trained(make_run: RunMaker, recipe: str, items: list[TrainingItem] | None = None, parent: str = "") -> ModelCard:
    """Train a run and make its candidate a model."""
    folder = make_run(items, recipe, parent=parent)
    card, _ = train(folder, emit=lambda _: None, cancelled=lambda: False)
    make_run.adopt(folder)
    return card


def shop(root: Path, *cards: ModelCard) -> Workshop:
    return Workshop(
        runs=root / "runs", models=root / "models", captures=root / "captures", cards={card.id: card for card in cards}
    )


def rebuilt(root: Path, *cards: ModelCard) -> Rebuilt:
    """Rebuild the last one."""
    found = rebuild(cards[-1].id, shop(root, *cards), emit=lambda _: None, cancelled=lambda: False)
    assert not (root / "runs" / cards[-1].id / WORK).exists()
    return found


@pytest.fixture
def named_captures(make_run: RunMaker) -> Callable[[], list[TrainingItem]]:
    """Items whose screenshots lie as a workspace has them: in a folder of two digits, named by their SHA-256."""

    def make() -> list[TrainingItem]:
        items = []
        for item in make_run.items(captures=True):
            if item.content.capture is not None:
                data = Path(item.content.capture).read_bytes()
                digest = hashlib.sha256(data).hexdigest()
                path = make_run.root / "captures" / digest[:2] / f"{digest}.png"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
                item = replace(item, content=replace(item.content, capture=str(path)))  # noqa: PLW2901
            items.append(item)
        return items

    return make


def test_the_same_weights_come_out_even_elsewhere(
    make_run: RunMaker, image_recipe: str, named_captures: Callable[[], list[TrainingItem]], tmp_path: Path
) -> None:
    card = trained(make_run, image_recipe, named_captures())
    assert (card.threads, card.precision, card.origin) == (1, card.device.split(", ")[-1], "")
    assert card.weights == checkpoint.weights_digest(make_run.models / card.id)
    assert card.versions["processor"]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("runs", "models", "captures"):
        (make_run.root / name).rename(moved / name)
    found = rebuilt(moved, card)
    assert found.identical
    assert (found.largest_difference, found.differing, found.reasons) == (0.0, 0, ())
    assert found.tensors == len(checkpoint.load(moved / "models" / card.id).network.state_dict())


def test_a_model_that_started_from_another_rebuilds_that_one_first(make_run: RunMaker, recipe: str) -> None:
    first = trained(make_run, recipe)
    second = trained(make_run, recipe.replace("epochs = 4", "epochs = 1"), parent=first.id)
    assert second.origin == first.id
    assert rebuilt(make_run.root, first, second).identical
    shutil.rmtree(make_run.models / first.id)
    found = rebuilt(make_run.root, first, second)
    assert found.identical
    assert f"{first.id}, which is gone and was trained again, with the same weights." in found.reasons[0]
    shutil.rmtree(make_run.root / "runs" / first.id)
    with pytest.raises(TrainingError, match=rf"{first.id} cannot be rebuilt: the folder of its run is gone"):
        rebuilt(make_run.root, first, second)


def test_a_champion_that_was_only_compared_with_is_not_needed(make_run: RunMaker, recipe: str) -> None:
    first = trained(make_run, recipe)
    second = trained(make_run, recipe.replace("filters = 16", "filters = 12"), parent=first.id)
    assert (second.parent, second.origin) == (first.id, "")
    shutil.rmtree(make_run.models / first.id)
    assert rebuilt(make_run.root, second).identical


def test_other_weights_are_measured(make_run: RunMaker, recipe: str) -> None:
    card, other = trained(make_run, recipe), trained(make_run, recipe + "seed = 7\n")
    shutil.rmtree(make_run.models / card.id)
    (make_run.models / other.id).rename(make_run.models / card.id)
    found = rebuilt(
        make_run.root, replace(card, versions=card.versions | {"torch": "1.0"}, device="CPU, 9 threads, fp32")
    )
    assert not found.identical
    assert found.largest_difference is not None
    assert found.largest_difference > 1e-3
    assert found.differing
    assert any(reason.startswith("torch was 1.0 when the model was trained") for reason in found.reasons)
    assert any("9 threads" in reason for reason in found.reasons)


def test_weights_that_are_gone_are_known_by_their_digest(make_run: RunMaker, recipe: str) -> None:
    card = trained(make_run, recipe)
    shutil.rmtree(make_run.models / card.id)
    found = rebuilt(make_run.root, card)
    assert (found.identical, found.largest_difference) == (True, None)
    assert "own weights are gone" in found.reasons[0]
    assert not rebuilt(make_run.root, replace(card, weights="0" * 64)).identical


def test_an_interrupted_rebuild_goes_on(make_run: RunMaker, recipe: str, listener: type[Listener]) -> None:
    card = trained(make_run, recipe)
    heard = listener(until=lambda event: isinstance(event, EpochEnded) and event.epoch == 2)
    with pytest.raises(CancelledError):
        rebuild(card.id, shop(make_run.root, card), emit=heard, cancelled=heard.cancelled)
    second = listener()
    found = rebuild(card.id, shop(make_run.root, card), emit=second, cancelled=lambda: False)
    assert found.identical
    assert [event.epoch for event in second.events if isinstance(event, EpochEnded)] == [3, 4]


def test_a_changed_snapshot_is_refused(make_run: RunMaker, recipe: str) -> None:
    card = trained(make_run, recipe)
    snapshot = make_run.root / "runs" / card.id / "snapshot.jsonl"
    snapshot.write_bytes(snapshot.read_bytes() + snapshot.read_bytes().splitlines()[0])
    with pytest.raises(TrainingError, match=r"the snapshot or the recipe in .* is not what it was"):
        rebuilt(make_run.root, card)


def test_screenshots_that_changed_are_named(
    make_run: RunMaker, image_recipe: str, named_captures: Callable[[], list[TrainingItem]]
) -> None:
    items = named_captures()
    card = trained(make_run, image_recipe, items)
    gone = [item for item in items if item.content.capture is not None][:2]
    Path(gone[0].content.capture or "").unlink()
    Path(gone[1].content.capture or "").write_bytes(b"something else")
    with pytest.raises(TrainingError, match=r"2 screenshots .* gone or damaged, such as that of item 'i1'"):
        rebuilt(make_run.root, card)


def test_a_refit_names_the_model_to_rebuild(make_run: RunMaker, recipe: str) -> None:
    card = replace(trained(make_run, recipe), base="first-model")
    with pytest.raises(TrainingError, match="Rebuild first-model"):
        rebuilt(make_run.root, card)
