"""Verdicts: the same however items come together, whole, calibrated, and stopped when asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from engine.errors import CancelledError, NotFoundError
from engine.models.predictor import Predictor
from engine.models.scorer import Scorer
from engine.models.spec import NetworkSpec
from engine.types import ItemContent

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]
Encoder = Callable[[NetworkSpec], NetworkSpec]


@pytest.fixture(params=["cnn", "encoder"])
def predictor(request: pytest.FixtureRequest, spec: NetworkSpec, make_model: MakeModel) -> Predictor:
    if request.param == "encoder":
        text = msgspec.structs.replace(spec.text, backbone=request.getfixturevalue("encoder_folder"))
        spec = msgspec.structs.replace(spec, text=text)
    return Predictor.load(make_model(spec), "cpu")


def test_verdicts_come_in_order_for_the_tasks_that_apply(predictor: Predictor, make_items: MakeItems) -> None:
    verdicts = predictor.predict(make_items(5))
    assert [(one.item, one.task) for one in verdicts] == [
        ("i0", "toxicity"),
        *[("i1", "toxicity"), ("i1", "reason")],
        ("i2", "toxicity"),
        *[("i3", "toxicity"), ("i3", "reason")],
        ("i4", "toxicity"),
    ]


def test_verdicts_keep_their_promises(predictor: Predictor, make_items: MakeItems) -> None:
    for one in predictor.predict(make_items(12)):
        values = one.probabilities
        assert one.model == "m1"
        assert one.probability == values[one.label] == max(values.values())
        if one.task == "toxicity":
            assert sum(values.values()) == pytest.approx(1.0, abs=1e-12)
            assert one.labels == (one.label,)
        else:
            assert one.labels == tuple(label for label, value in values.items() if value >= 0.5)


def test_company_does_not_change_a_verdict(predictor: Predictor, make_items: MakeItems) -> None:
    items = make_items(30)
    together = predictor.predict(items)
    alone = [one for item in items for one in predictor.predict([item])]
    backwards = [one for part in predictor.predict_stream(reversed(items), batch=7) for one in part]
    expected = _table(together)
    assert np.ptp([value for key, value in expected.items() if "toxicity" in key]) > 0.01
    for other in (alone, backwards):
        found = _table(other)
        assert found.keys() == expected.keys()
        assert max(abs(found[key] - expected[key]) for key in found) < 1e-5


def test_prepared_screenshots_give_the_same_verdicts(predictor: Predictor, make_items: MakeItems) -> None:
    items = make_items(20)
    expected = _table(predictor.predict(items))
    prepared = [(item, predictor.prepare(item)) for item in items]
    parts = list(predictor.predict_prepared(iter(prepared), batch=8))
    assert [len({one.item for one in part}) for part in parts] == [8, 8, 4]
    found = _table([one for part in parts for one in part])
    assert found == pytest.approx(expected, abs=1e-5)
    squares = [square for _, square in prepared if square is not None]
    assert {square.shape for square in squares} == {(32, 32, 3)}
    turned = [(item, None if square is None else 255 - square) for item, square in prepared]
    other = _table([one for part in predictor.predict_prepared(turned) for one in part])
    assert max(abs(other[key] - expected[key]) for key in expected) > 1e-3


def test_several_cores_give_the_same_verdicts(predictor: Predictor, make_items: MakeItems) -> None:
    items = make_items(40)
    expected = predictor.predict(items)
    torch.set_num_threads(3)
    try:
        found = [one for part in predictor.predict_stream(items, batch=12) for one in part]
    finally:
        torch.set_num_threads(1)
    assert [(one.item, one.task) for one in found] == [(one.item, one.task) for one in expected]
    assert _table(found) == pytest.approx(_table(expected), abs=1e-5)


def test_a_failure_in_a_worker_is_told(
    predictor: Predictor, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Scorer, "_image", fail)
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            predictor.predict(make_items(40))
    finally:
        torch.set_num_threads(1)


def test_the_predictor_says_what_its_network_says(predictor: Predictor, make_items: MakeItems) -> None:
    """The vectors that explanations are made of lead to the very verdict."""
    for item in make_items(8):
        text = predictor.text_vectors([predictor.text_of(item)])
        pixels = predictor.pixels(item)
        image = (
            predictor.missing_image[None] if pixels is None else predictor.image_vectors(torch.from_numpy(pixels)[None])
        )
        values = predictor.probabilities("toxicity", text, image)
        assert values.shape == (1, 2)
        verdict = predictor.predict([item])[0]
        np.testing.assert_allclose(values[0], list(verdict.probabilities.values()), atol=1e-6)


def test_blank_text_is_the_missing_vector(predictor: Predictor) -> None:
    vectors = predictor.text_vectors(["", "river", "  \n"])
    assert torch.equal(vectors[0], predictor.missing_text)
    assert torch.equal(vectors[2], predictor.missing_text)
    assert not torch.equal(vectors[1], predictor.missing_text)


def test_a_text_is_read_to_its_last_word_up_to_the_most_tokens(predictor: Predictor, spec: NetworkSpec) -> None:
    assert predictor.reads_all("river")
    assert predictor.reads_all(" ")
    assert not predictor.reads_all("river " * (spec.text.max_tokens + 1))


def test_one_damaged_capture_does_not_fail_the_batch(
    predictor: Predictor, make_items: MakeItems, caplog: pytest.LogCaptureFixture
) -> None:
    items = make_items(4)
    assert items[1].capture is not None
    Path(items[1].capture).write_bytes(b"\x89PNG broken")
    with caplog.at_level(logging.WARNING):
        verdicts = predictor.predict(items)
    assert len(verdicts) == 6
    assert "i1" in caplog.text
    blind = predictor.predict([msgspec.structs.replace(items[1], capture=None)])
    assert _table(blind) == pytest.approx({key: value for key, value in _table(verdicts).items() if key[0] == "i1"})


def test_pixels_are_channels_first_in_zero_to_one(predictor: Predictor, make_items: MakeItems) -> None:
    pixels = predictor.pixels(make_items(1)[0])
    assert pixels is not None
    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == np.float32
    assert 0.0 <= pixels.min() < pixels.max() <= 1.0
    assert predictor.pixels(ItemContent(id="x", kind="tweet", text="hi")) is None


def test_temperature_softens_but_never_changes_the_label(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems
) -> None:
    items = make_items(10)
    sharp = Predictor.load(make_model(spec, "sharp"), "cpu").predict(items)
    soft = Predictor.load(make_model(spec, "soft", {"toxicity": 4.0}), "cpu").predict(items)
    for one, other in zip(sharp, soft, strict=True):
        assert one.label == other.label
        if one.task == "toxicity":
            odds = np.log(one.probability / (1 - one.probability))
            assert np.log(other.probability / (1 - other.probability)) == pytest.approx(odds / 4, abs=1e-6)
        else:
            assert one.probabilities == pytest.approx(other.probabilities)


def test_cancelling_stops_between_batches_and_reads_no_further(predictor: Predictor, make_items: MakeItems) -> None:
    taken = 0

    def endless() -> Iterator[ItemContent]:
        nonlocal taken
        while True:
            for item in make_items(8):
                taken += 1
                yield item

    done: list[int] = []
    stream = predictor.predict_stream(endless(), batch=4, cancelled=lambda: len(done) >= 2)
    with pytest.raises(CancelledError):
        done.extend(len(part) for part in stream)
    assert len(done) == 2
    assert taken <= 4 * 5


def test_nothing_gives_nothing(predictor: Predictor) -> None:
    assert predictor.predict([]) == []
    assert predictor.text_vectors([]).shape[0] == 0
    assert predictor.image_vectors(torch.zeros(0, 3, 32, 32)).shape[0] == 0


def test_an_unknown_task_gets_a_hint(predictor: Predictor) -> None:
    with pytest.raises(NotFoundError, match="toxicity"):
        predictor.probabilities("toxcity", predictor.missing_text[None], predictor.missing_image[None])


def test_it_says_where_it_runs(predictor: Predictor) -> None:
    assert predictor.device_name == "CPU, 1 thread, fp32"


@pytest.mark.parametrize("part", ["text", "image"])
def test_networks_with_one_part_score(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, part: str
) -> None:
    gone = msgspec.structs.replace(getattr(spec, part), backbone="none")
    predictor = Predictor.load(make_model(msgspec.structs.replace(spec, **{part: gone})), "cpu")
    assert len(predictor.predict(make_items(6))) == 9


def _table(verdicts: list) -> dict[tuple[str, str, str], float]:  # type: ignore[type-arg]
    return {(one.item, one.task, label): value for one in verdicts for label, value in one.probabilities.items()}
