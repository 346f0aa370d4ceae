"""A refit from its run folder to a model that is used as any other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from safetensors.torch import load_file

from engine.errors import CancelledError, TrainingError
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.models.vector_store import VectorStore
from engine.training.refit import Progress, refit
from engine.training.run import train
from engine.training.start import champion_start
from engine.types import TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

Prepared = tuple[Path, Predictor]


@pytest.fixture
def champion(make_run: RunMaker, recipe: str) -> Predictor:
    """A model that was trained on half of the items, with its vectors kept."""
    run = make_run(make_run.items()[:24], recipe, name="first")
    train(run, emit=lambda _: None, cancelled=lambda: False)
    model = Predictor.load(make_run.adopt(run), "cpu")
    model.store = VectorStore.of(model.loaded, make_run.root / "features")
    return model


@pytest.fixture
def corrected(make_run: RunMaker) -> list[TrainingItem]:
    """Reviewers say that dry sand is cold; what the first half's items were trained on stays as it was."""

    def teach(item: TrainingItem, number: int) -> TrainingItem:
        if "sand" not in item.content.text:
            return item
        return msgspec.structs.replace(item, labels={"mood": ("cold",)}, decisions=(1000 + number,))

    return [teach(item, number) for number, item in enumerate(make_run.items(80))]


def heads(recipe: str, form: str) -> str:
    return f'{recipe}\n[refit]\nhead = "{form}"\n'


@pytest.mark.parametrize("form", ["linear", "hidden"])
def test_corrections_change_the_verdicts(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem], form: str
) -> None:
    run = make_run(corrected, heads(recipe, form), parent="first", name="refit-1")
    sand = [item.content for item in corrected if "sand" in item.content.text]
    before = [one.label for one in champion.predict(sand) if one.task == "mood"]
    assert before.count("warm") == len(sand)
    result = refit(run, lambda _folder: champion)
    assert result.outcome.better
    assert "Better: macro-F1" in result.outcome.reason
    model = Predictor.load(make_run.adopt(run), "cpu")
    after = [one.label for one in model.predict(sand) if one.task == "mood"]
    assert after.count("cold") == len(sand)
    assert {one.model for one in model.predict(sand)} == {"refit-1"}


def test_the_card_says_what_it_is(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    run = make_run(corrected, heads(recipe, "linear"), parent="first", name="refit-1")
    result = refit(run, lambda _folder: champion)
    card = checkpoint.read_card(run / "candidate")
    assert card == result.card
    assert (card.id, card.base, card.parent) == ("refit-1", "first", "first")
    assert card.network["fusion"]["hidden"] == []
    assert card.metrics["test"]["mood"].macro_f1 > card.champion_metrics["test"]["mood"].macro_f1
    assert len(card.fingerprint) == 64
    assert any(number >= 1000 for number in card.decisions)
    assert result.answers == sum(number > max(champion.card.decisions) for number in card.decisions)
    assert card.counts["train/mood/cold"] > 0
    splits = msgspec.json.decode((run / "candidate" / "splits.json").read_bytes(), type=dict[str, str])
    first = msgspec.json.decode((make_run.models / "first" / "splits.json").read_bytes(), type=dict[str, str])
    assert set(splits) == {item.content.id for item in corrected}
    assert set(first) < set(splits)


def test_scores_are_those_of_the_saved_model(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    from engine.training.evaluate import evaluate

    run = make_run(corrected, recipe, parent="first", name="refit-1")
    result = refit(run, lambda _folder: champion)
    splits = msgspec.json.decode((run / "candidate" / "splits.json").read_bytes(), type=dict[str, str])
    held_out = [item for item in corrected if splits[item.content.id] == "test"]
    measured = evaluate(Predictor.load(make_run.adopt(run), "cpu"), held_out)
    for task, scores in measured.items():
        assert scores.macro_f1 == pytest.approx(result.card.metrics["test"][task].macro_f1)
        assert scores.ece == pytest.approx(result.card.metrics["test"][task].ece, abs=5e-3)


def test_no_backbone_runs_where_vectors_are_kept(
    make_run: RunMaker,
    recipe: str,
    champion: Predictor,
    corrected: list[TrainingItem],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    champion.predict([item.content for item in corrected])

    def refuse(*_: object) -> None:
        raise AssertionError("a backbone was run")

    monkeypatch.setattr(type(champion._scorer), "text_vectors", refuse)
    run = make_run(corrected, recipe, parent="first", name="refit-1")
    assert refit(run, lambda _folder: champion).outcome.model == "refit-1"


def test_missing_vectors_are_computed_with_progress_and_kept(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    told: list[Progress] = []
    run = make_run(corrected, recipe, parent="first", name="refit-1")
    refit(run, lambda _folder: champion, progress=told.append)
    assert [one.done for one in told if one.stage == "features"] == [0, 16, 32, 48, 64, 80]
    assert told[1].text == "Looking at labelled items, 16 of 80"
    assert next(one.stage for one in told if one.stage != "features") == "fit"
    kept = VectorStore.of(champion.loaded, make_run.root / "features")
    assert all(item.content in kept for item in corrected)


def test_without_a_store_it_works_too(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    champion.store = None
    run = make_run(corrected, recipe, parent="first", name="refit-1")
    assert refit(run, lambda _folder: champion).outcome.better


def test_a_refit_of_a_refit_stands_on_the_first_model(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    first = make_run(corrected, heads(recipe, "linear"), parent="first", name="refit-1")
    refit(first, lambda _folder: champion)
    second = make_run(corrected, heads(recipe, "auto"), parent=make_run.adopt(first).name, name="refit-2")
    result = refit(second, lambda folder: Predictor.load(folder, "cpu"))
    assert (result.card.parent, result.card.base) == ("refit-1", "first")
    assert result.outcome.better
    assert "As good as the champion" in result.outcome.reason
    assert "It has learned from more answers, so it takes over." in result.outcome.reason
    shutil.rmtree(make_run.models / "refit-1")
    assert Predictor.load(make_run.adopt(second), "cpu").card.id == "refit-2"


def test_an_attempt_that_was_killed_is_replaced(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    run = make_run(corrected, recipe, parent="first", name="refit-1")
    (run / "candidate").mkdir()
    (run / ".candidate.part").mkdir()
    refit(run, lambda _folder: champion)
    assert checkpoint.load(run / "candidate", models=make_run.models).card.id == "refit-1"
    assert not (run / ".candidate.part").exists()


def test_a_full_training_goes_on_from_the_backbones_of_a_linear_refit(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    run = make_run(corrected, heads(recipe, "linear"), parent="first", name="refit-1")
    refit(run, lambda _folder: champion)
    start = champion_start(champion.spec, make_run.adopt(run))
    assert start is not None
    weights = load_file(make_run.models / "first" / "weights.safetensors")
    ours = start.network.state_dict()
    assert all((ours[name] == weights[name]).all() for name in weights)


def test_it_can_be_cancelled(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem]
) -> None:
    run = make_run(corrected, recipe, parent="first", name="refit-1")
    asked = iter([False, False, True])
    with pytest.raises(CancelledError):
        refit(run, lambda _folder: champion, cancelled=lambda: next(asked))
    assert not (run / "candidate").exists()


def test_without_a_champion_there_is_nothing_to_refit(make_run: RunMaker, recipe: str) -> None:
    with pytest.raises(TrainingError, match="There is no model yet"):
        refit(make_run(), never)


def never(_folder: Path) -> Predictor:
    raise AssertionError("no model is needed for this")


Bend = Callable[[Predictor], None]


def stitch(model: Predictor) -> None:
    spec = model.loaded.network.spec
    text = msgspec.structs.replace(spec.text, backbone="cross-stitch")
    model.loaded.network.spec = msgspec.structs.replace(spec, text=text)


def average(model: Predictor) -> None:
    spec = model.loaded.network.spec
    fusion = msgspec.structs.replace(spec.fusion, kind="late")
    model.loaded.network.spec = msgspec.structs.replace(spec, fusion=fusion)


@pytest.mark.parametrize(("bend", "why"), [(stitch, "encoders of their own"), (average, "late fusion")])
def test_networks_without_a_joint_layer_say_so(
    make_run: RunMaker, recipe: str, champion: Predictor, corrected: list[TrainingItem], bend: Bend, why: str
) -> None:
    bend(champion)
    with pytest.raises(TrainingError, match=rf"first cannot be refitted\..*{why}.*A full training run learns"):
        refit(make_run(corrected, recipe, parent="first"), lambda _folder: champion)
