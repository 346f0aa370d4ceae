"""Scoring without torch beside the predictor in full precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import CancelledError
from engine.models.bulk import scorer as module
from engine.models.bulk.loading import make
from engine.models.bulk.scorer import BulkScorer
from engine.models.images import prepare_capture
from engine.models.predictor import Predictor
from engine.models.proof import Ranges
from engine.models.spec import NetworkSpec
from engine.models.vector_store import VectorStore
from engine.types import ItemContent, Verdict

MakeItems = Callable[[int], list[ItemContent]]


@pytest.fixture
def folder(with_encoder: NetworkSpec, make_model: Callable[..., Path]) -> Path:
    return make_model(with_encoder, temperatures={"toxicity": 3.0})


@pytest.fixture
def scorer(folder: Path, ranges: Ranges, monkeypatch: pytest.MonkeyPatch) -> BulkScorer:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    made = make(folder, ranges)
    assert made is not None
    return made


def table(verdicts: list[Verdict]) -> dict[tuple[str, str, str], float]:
    return {(one.item, one.task, label): value for one in verdicts for label, value in one.probabilities.items()}


def streamed(scorer: BulkScorer, items: list[ItemContent]) -> list[Verdict]:
    return [one for part in scorer.predict_stream(items) for one in part]


def test_verdicts_are_near_full_precision_also_where_a_part_is_missing(
    folder: Path, scorer: BulkScorer, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    items = make_items(30)
    expected = Predictor.load(folder, "cpu").predict(items)
    found = streamed(scorer, items)
    assert [(one.item, one.task, one.model) for one in found] == [(one.item, one.task, one.model) for one in expected]
    assert "torch" in scorer.device_name
    pairs = [(value, table(found)[key]) for key, value in table(expected).items()]
    assert len(pairs) > 60
    assert np.mean([abs(one - other) for one, other in pairs]) < 0.02


def test_a_blank_text_and_no_screenshot_are_the_learned_vectors(folder: Path, scorer: BulkScorer) -> None:
    nothing = ItemContent(id="i", kind="tweet", text=" ", capture=None)
    found = table(streamed(scorer, [nothing]))
    assert found == pytest.approx(table(Predictor.load(folder, "cpu").predict([nothing])), abs=1e-5)


def test_prepared_screenshots_give_the_same(scorer: BulkScorer, make_items: MakeItems) -> None:
    items = make_items(10)
    prepared = [(item, prepare_capture(item, scorer.spec.image)) for item in items]
    found = [one for part in scorer.predict_prepared(iter(prepared)) for one in part]
    assert table(found) == pytest.approx(table(streamed(scorer, items)))


def test_items_whose_screenshot_cannot_be_read_are_named(
    folder: Path, scorer: BulkScorer, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    whole = make_items(10)
    gone = ItemContent(id="gone", kind="tweet", text="a calm river", capture=str(folder / "gone.png"))
    bare = ItemContent(id="bare", kind="tweet", text="a calm river")
    for predictor in (scorer, Predictor.load(folder, "cpu")):
        named: list[str] = []
        parts = predictor.predict_stream([*whole, gone, bare], unread=lambda one: named.append(one.id))  # noqa: B023
        assert len([one for part in parts for one in part]) > len(whole)
        assert named == ["gone"]


def test_an_item_says_the_same_in_other_company(scorer: BulkScorer, make_items: MakeItems) -> None:
    items = make_items(20)
    assert table(streamed(scorer, items[::-1])) == pytest.approx(table(streamed(scorer, items)), abs=2e-3)


def test_vectors_are_kept_and_items_known_are_not_looked_at(
    scorer: BulkScorer, make_items: MakeItems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = make_items(24)
    scorer.store = VectorStore.kept(scorer.widths, "ab" * 32, tmp_path / "features")
    first = table(streamed(scorer, items[:12]))
    scorer.keep_vectors()
    scorer.store = VectorStore.kept(scorer.widths, "ab" * 32, tmp_path / "features")
    assert len(scorer.store) == 12
    looked: list[str] = []
    tokens = scorer._backbones.tokens
    assert tokens is not None
    encode = tokens.encode

    def noted(texts: list[str]) -> list[list[int]]:
        looked.extend(texts)
        return encode(texts)

    monkeypatch.setattr(tokens, "encode", noted)
    again = table(streamed(scorer, items[::-1]))
    assert len(looked) <= 12
    assert {key: again[key] for key in first} == pytest.approx(first, abs=2e-3)  # kept in half precision


def test_it_can_be_cancelled(scorer: BulkScorer, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    done: list[list[Verdict]] = []

    def score() -> None:
        for part in scorer.predict_stream(make_items(20), cancelled=lambda: len(done) >= 2):
            done.append(part)  # noqa: PERF402  it asks between two parts

    with pytest.raises(CancelledError):
        score()
    assert len(done) == 2
