"""A refit learns from what reviewers crossed out, and is compared without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine.models.predictor import Predictor
from engine.models.vector_store import VectorStore
from engine.training.refit import Progress, refit
from engine.training.refit.parts import Vectors, looked_at_versions
from engine.training.run import train
from engine.training.versions import Others, hidden
from engine.types import CrossedOut, ItemContent, Mark, TrainingItem

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.training.conftest import RunMaker

FILLER = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter")
EVIDENCE = {"warm": ("ember", "blaze"), "cold": ("frost", "icicle")}
SIDES = ("train", "train", "val", "train", "test", "train")


def offers(*, told: bool, fair: bool = False) -> list[TrainingItem]:
    """Items whose label the word "offer" gives away, and in three of five another; with `fair` "offer" says nothing.

    With `told` some have it crossed out.
    """
    draw = np.random.default_rng(2 + fair)
    made = []
    for number in range(144):
        label = ("warm", "cold")[number % 2]
        planted = draw.random() < 0.5 if fair else label == "warm"
        words = [
            *draw.choice(FILLER, 3),
            draw.choice(EVIDENCE[label] if number // 2 % 5 < 3 else FILLER),
            *(["offer"] if planted else []),
        ]
        text = " ".join([*draw.permutation(words).tolist(), *(f"{letter}{number}" for letter in "uvwx")])
        start, side = text.find("offer"), SIDES[number // 2 % 6]
        mark = CrossedOut(kind=Mark.WORD, field="text", start=start, end=start + 5)
        made.append(
            TrainingItem(
                content=ItemContent(id=f"i{number}", kind="tweet", text=text),
                labels={"mood": (label,)},
                group=f"g{number}",
                split=side,
                crossed_out=(mark,) if told and planted and side == "train" and number % 3 == 0 else (),
            )
        )
    return made


@pytest.fixture
def relying(make_run: RunMaker, recipe: str) -> Predictor:
    """A champion that has learned the shortcut, with the vectors of all items kept."""
    run = make_run(offers(told=False), recipe.replace("hidden = [16]", "hidden = []"), name="first")
    train(run, emit=lambda _: None, cancelled=lambda: False)
    model = Predictor.load(make_run.adopt(run), "cpu")
    model.store = VectorStore.of(model.loaded, make_run.root / "features")
    model.predict([one.content for one in offers(told=True)])
    return model


def right(model: Predictor) -> float:
    """The share of items that are judged rightly where the word says nothing."""
    items = offers(told=False, fair=True)
    verdicts = {one.item: one.label for one in model.predict([one.content for one in items]) if one.task == "mood"}
    return sum(verdicts[one.content.id] == one.labels["mood"][0] for one in items) / len(items)


def test_heads_lose_what_was_crossed_out_and_take_over(make_run: RunMaker, recipe: str, relying: Predictor) -> None:
    found = {}
    for told in (False, True):
        run = make_run(offers(told=told), recipe, parent="first", name=f"refit-{told}")
        result = refit(run, lambda _folder: relying)
        found[told] = right(Predictor.load(make_run.adopt(run), "cpu"))
    assert found[True] > found[False] + 0.1
    assert result.outcome.better, result.outcome.reason
    assert "12 of these items are compared with what reviewers crossed out hidden" in result.outcome.reason


def test_no_backbone_runs_the_second_time(
    make_run: RunMaker, recipe: str, relying: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []
    first = refit(make_run(offers(told=True), recipe, parent="first"), lambda _folder: relying, progress=told.append)
    looked = [one.done for one in told if one.stage == "features"]
    assert looked[0] == 0
    assert looked[-1] == told[0].total > 144

    def refuse(*_: object) -> None:
        raise AssertionError("a backbone was run")

    monkeypatch.setattr(type(relying._scorer), "text_vectors", refuse)
    kept = Predictor.load(make_run.models / "first", "cpu")
    kept.store = VectorStore.of(kept.loaded, make_run.root / "features")
    again = refit(make_run(offers(told=True), recipe, parent="first"), lambda _folder: kept)
    assert again.card.metrics["test"]["mood"].macro_f1 == pytest.approx(first.card.metrics["test"]["mood"].macro_f1)


def test_vectors_of_a_version_are_those_of_a_file_with_its_pixels(
    make_run: RunMaker, image_recipe: str, tmp_path: Path
) -> None:
    run = make_run(make_run.items(24, captures=True), image_recipe.replace("epochs = 4", "epochs = 1"), name="first")
    train(run, emit=lambda _: None, cancelled=lambda: False)
    model = Predictor.load(make_run.adopt(run), "cpu")
    model.store = VectorStore.of(model.loaded, None)
    pixels = np.random.default_rng(5).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for number in range(2):
        Image.fromarray(pixels[number]).save(tmp_path / f"{number}.png")
    mark = CrossedOut(kind=Mark.REGION, boxes=((0.0, 0.0, 12.0, 32.0),))
    items = [
        TrainingItem(
            content=ItemContent(id=str(number), kind="tweet", text="sand", capture=str(tmp_path / f"{number}.png")),
            labels={"mood": (("warm", "cold")[number],)},
            group=str(number),
            crossed_out=() if number else (mark,),
        )
        for number in range(2)
    ]
    version = hidden(items[0], Others(items))
    square = version.square(model.spec.image)
    assert square is not None
    Image.fromarray(square).save(tmp_path / "expected.png")
    (_, text, image), *_ = model.vectors_stream([items[0].content])
    plain = Vectors(text, image)
    *_, (_, found) = looked_at_versions(model, [version], [0], plain)
    written = msgspec.structs.replace(items[0].content, capture=str(tmp_path / "expected.png"))
    (_, _, expected), *_ = Predictor.load(make_run.models / "first", "cpu").vectors_stream([written])
    assert found is not None
    assert found.image[0].tolist() == pytest.approx(expected[0].tolist(), abs=1e-5)
    assert found.text.equal(plain.text), "what it shares with its item is not looked at again"
    assert not found.image.equal(plain.image)
    ((known, again),) = looked_at_versions(model, [version], [0], plain)
    assert known == 1
    assert again is not None
    assert again.image[0].tolist() == pytest.approx(expected[0].tolist(), abs=2e-3), "kept in half precision"
