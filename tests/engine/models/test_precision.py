"""Fewer bits only where the verdicts stay the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import ResNet, resnet18, resnet50

from engine.models import checkpoint, likeness, precision, processor, proof
from engine.models.int8 import Calibration, Int8ResNet
from engine.models.likeness import Likeness, alike
from engine.models.precision import Probe
from engine.models.predictor import Predictor
from engine.models.proof import Ranges
from engine.models.spec import HeadSpec, NetworkSpec
from engine.models.vector_store import VectorStore
from engine.types import ItemContent, Verdict

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]
Table = NDArray[np.float64]

SINGLE = HeadSpec(task="t", labels=("a", "b"))
MULTI = HeadSpec(task="t", labels=("a", "b"), multi=True)


def calibrated(network: nn.Module, *parts: torch.Tensor) -> Ranges:
    calibration = Calibration(network.state_dict())
    for pixels in parts:
        calibration.see(pixels)
    return calibration.ranges


@pytest.mark.parametrize("builder", [resnet18, resnet50])
def test_an_8_bit_resnet_is_near_the_float_one(builder: Callable[..., ResNet]) -> None:
    torch.manual_seed(0)
    network = builder(weights=None)
    network.fc = nn.Identity()
    pixels = torch.nn.functional.interpolate(torch.randn(48, 3, 8, 8), size=(64, 64), mode="bilinear")
    network.train()
    with torch.no_grad():
        for _ in range(8):
            network(pixels[:32])  # running statistics as after training
    network.eval()
    with torch.inference_mode():
        quantised = Int8ResNet(network.state_dict(), calibrated(network, pixels[:16], pixels[16:32]))
        expected, found = network(pixels[32:]), quantised(pixels[32:])
        assert found.shape == expected.shape
        assert float((expected - found).norm() / expected.norm()) < 0.1
        torch.testing.assert_close(quantised(pixels[32:33]), found[:1])


def test_a_calibration_tells_of_all_that_it_saw() -> None:
    torch.manual_seed(0)
    network = resnet18().eval()
    pixels = torch.randn(8, 3, 32, 32)
    ranges = calibrated(network, pixels[:6], pixels[6:])
    np.testing.assert_allclose(ranges, calibrated(network, pixels), rtol=1e-4, atol=1e-4)
    assert not np.allclose(ranges, calibrated(network, pixels[:6]), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="zip"):
        Int8ResNet(network.state_dict(), ranges[:-1])


@pytest.mark.parametrize(
    ("flips", "shift", "same"), [(0, 0.0, True), (1, 0.0, True), (3, 0.0, False), (0, 0.009, True), (0, 0.02, False)]
)
def test_agreement_is_counted(flips: int, shift: float, same: bool) -> None:
    first = np.full(400, 0.8)
    reference = np.stack([first, 1 - first], axis=1)
    first = first - shift
    first[:flips] = 0.499
    found = alike(reference, np.stack([first, 1 - first], axis=1), SINGLE, ["tweet"] * 400)
    assert found.enough is same
    assert found.agreement == pytest.approx(1 - flips / 400)
    assert found.difference == pytest.approx((shift * (400 - flips) + (0.8 - 0.499) * flips) / 400)


def test_every_label_of_a_multi_label_task_is_an_answer() -> None:
    reference, kinds = np.full((150, 2), 0.501), ["tweet"] * 150
    other = reference.copy()
    other[0, 0] = 0.499
    assert alike(reference, other, MULTI, kinds).enough
    other[1, 1] = 0.499
    assert not alike(reference, other, MULTI, kinds).enough
    assert alike(reference, reference, MULTI, kinds).enough


@pytest.mark.parametrize(
    ("products", "flipped", "agreement"),
    [(100, "product", 0.98), (100, "tweet", 1.0), (31, "tweet", 0.99), (31, "product", 0.99), (0, "tweet", 0.99)],
)
def test_only_answers_that_somebody_sees_are_counted(products: int, flipped: str, agreement: float) -> None:
    """Two flips among 200 items: 2 of 100 products, or none of them; 31 products are too few to judge by."""
    kinds = ["product"] * products + ["tweet"] * (200 - products)
    reference = np.tile([0.6, 0.4], (200, 1))
    other = reference.copy()
    first = kinds.index(flipped)
    other[first : first + 2] = [0.4, 0.6]
    head = HeadSpec(task="t", labels=("a", "b"), applies_to=("product",))
    found = alike(reference, other, head, kinds)
    assert found.agreement == pytest.approx(agreement)
    assert found.difference == pytest.approx(0.2 * (1 - agreement))
    for_all = alike(reference, other, SINGLE, kinds)
    assert for_all.agreement == pytest.approx(0.99)


@pytest.fixture
def small_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "PROBE_ITEMS", 64)


@pytest.fixture
def all_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_int8", lambda: True)
    monkeypatch.setattr(precision, "has_bf16", lambda: True)


@pytest.mark.usefixtures("small_probe", "all_instructions")
@pytest.mark.parametrize(
    ("backbone", "arithmetic"), [("cnn", {"int8 image, fp32 text"}), ("encoder", {"int8 image, bf16 text"})]
)
def test_after_the_probe_verdicts_stay_the_same(
    spec: NetworkSpec,
    make_model: MakeModel,
    make_items: MakeItems,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    backbone: str,
    arithmetic: set[str],
) -> None:
    if backbone == "encoder":
        text = msgspec.structs.replace(spec.text, backbone=request.getfixturevalue("encoder_folder"))
        spec = msgspec.structs.replace(spec, text=text)
    predictor = Predictor.load(make_model(spec), "cpu")
    monkeypatch.setattr(likeness, "AGREEMENT", 0.8)  # a random network sits on the fence, a trained one does not
    monkeypatch.setattr(likeness, "DIFFERENCE", 0.05)
    items = make_items(64)
    before = predictor.predict(items)
    assert predictor.device_name.endswith("fp32")
    after = predictor.predict(items)
    assert predictor.device_name.split(", ", 2)[2] in arithmetic
    assert 0 < _difference(before, after) < 0.05
    alone = [one for item in items[:8] for one in predictor.predict([item])]
    assert _difference(alone, after[: len(alone)]) < 1e-3


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_arithmetic_that_disagrees_is_never_used(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor.load(make_model(spec), "cpu")
    items = make_items(64)
    before = predictor.predict(items)
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(0.99, 0.0))
    for _ in range(4):
        assert _difference(before, predictor.predict(items)) < 1e-6
    assert predictor.device_name.endswith("fp32")
    assert predictor.settled
    again = Predictor.load(predictor.loaded.source or Path(), "cpu")
    assert again.settled  # it is not looked for again
    assert again.device_name.endswith("fp32")
    assert _difference(before, again.predict(items)) < 1e-6


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_too_few_screenshots_settle_nothing_for_later(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems
) -> None:
    folder = make_model(spec)
    predictor = Predictor.load(folder, "cpu")
    items = [msgspec.structs.replace(item, capture=None) for item in make_items(64)]
    for _ in predictor.settle(items):
        pass
    assert predictor.settled
    assert not Predictor.load(folder, "cpu").settled


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_small_requests_check_a_little_each(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    predictor = Predictor.load(make_model(spec), "cpu")
    items = make_items(64)
    predictor.predict(items)
    names = []
    for start in range(0, 64, 4):
        predictor.predict(items[start : start + 4])
        names.append(predictor.device_name.partition("thread, ")[2])
    little = names.count("fp32")
    assert 8 < little < 14
    assert names == ["fp32"] * little + ["int8 image, fp32 text"] * (16 - little)


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_arithmetic_is_chosen_by_items_that_were_scored_already(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    folder, items = make_model(spec), make_items(70)
    predictor = Predictor.load(folder, "cpu")
    predictor.predict(items[:10])
    assert list(predictor.settle(items[:31])) == []  # too few
    before = predictor.settled
    assert not before
    assert len(list(predictor.settle(items))) > 16
    assert predictor.settled
    assert predictor.device_name.endswith("int8 image, fp32 text")
    found = proof.read(folder, predictor.card)
    assert found is not None
    assert found.items == 64
    assert list(predictor.settle(items)) == []
    assert Predictor.load(folder, "cpu").settled


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_a_few_items_choose_for_explanations_alone(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    folder, items = make_model(spec), make_items(70)
    predictor = Predictor.load(folder, "cpu")
    squares = [square for item in items[:8] if (square := predictor.pixels(item)) is not None]
    pixels = torch.from_numpy(np.stack(squares))
    exact, before = predictor.image_vectors(pixels), predictor.predict(items[:20])
    for _ in predictor.settle(items[:40]):
        pass
    assert predictor.device_name.endswith("int8 image, fp32 text")
    assert not torch.equal(predictor.image_vectors(pixels), exact)
    assert _difference(before, predictor.predict(items[:20])) < 1e-6  # scored as before
    assert list(predictor.settle(items[:40])) == []  # once is enough
    sibling = predictor.sharing(checkpoint.load(folder, torch.device("cpu")))
    assert sibling.device_name == predictor.device_name
    assert sibling.scorer.name.endswith("fp32")
    assert Predictor.load(folder, "cpu").device_name.endswith("fp32")  # nothing is kept
    for _ in range(2):
        predictor.predict(items)
    assert predictor.settled
    assert _difference(before, predictor.predict(items[:20])) > 0
    assert Predictor.load(folder, "cpu").settled


@pytest.mark.usefixtures("small_probe", "all_instructions")
@pytest.mark.parametrize(("disagreeing", "arithmetic"), [(0, "int8 image, fp32 text"), (40, "fp32"), (64, "fp32")])
def test_a_few_items_must_agree_alone_and_with_versions_of_them(
    spec: NetworkSpec,
    make_model: MakeModel,
    make_items: MakeItems,
    monkeypatch: pytest.MonkeyPatch,
    disagreeing: int,
    arithmetic: str,
) -> None:
    seen = set()

    def alike(reference: Table, other: Table, head: HeadSpec, kinds: list[str]) -> Likeness:
        assert len(reference) == len(other) == len(kinds)
        seen.add(len(kinds))
        return Likeness(0.99 if len(kinds) == disagreeing else 1.0, 0.0)

    monkeypatch.setattr(precision, "alike", alike)
    predictor, items = Predictor.load(make_model(spec), "cpu"), make_items(40)
    assert len(list(predictor.settle(items))) > 32
    assert predictor.device_name.partition("thread, ")[2] == arithmetic
    assert seen == {40, 64}


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_versions_do_not_make_up_for_missing_screenshots(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    predictor, items = Predictor.load(make_model(spec), "cpu"), make_items(36)
    few = [msgspec.structs.replace(item, capture=None) if at % 6 else item for at, item in enumerate(items)]
    for _ in predictor.settle(few):
        pass
    assert predictor.device_name.endswith("fp32")


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_what_many_items_chose_stays_where_a_few_were_still_at_it(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    predictor, items = Predictor.load(make_model(spec), "cpu"), make_items(64)
    steps = predictor.settle(items[:40])
    for _ in range(34):
        next(steps)
    for _ in range(2):
        predictor.predict(items)
    assert predictor.settled
    chosen = predictor.arithmetic
    assert list(steps) == []
    assert predictor.arithmetic is chosen


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_what_explanations_see_faster_is_not_kept_as_what_scoring_sees(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    predictor, items = Predictor.load(make_model(spec), "cpu"), make_items(40)
    predictor.store = VectorStore(len(predictor.missing_text), len(predictor.missing_image))
    vectors = torch.zeros(1, len(predictor.missing_text)), torch.zeros(1, len(predictor.missing_image))
    predictor.remember(items[0], predictor.pixels(items[0]), *vectors)
    assert items[0] in predictor.store
    for _ in predictor.settle(items):
        pass
    predictor.remember(items[1], predictor.pixels(items[1]), *vectors)
    assert items[1] not in predictor.store


@pytest.mark.usefixtures("small_probe", "all_instructions")
def test_a_choice_that_scoring_began_is_finished(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "alike", lambda *_: Likeness(1.0, 0.0))
    predictor = Predictor.load(make_model(spec), "cpu")
    predictor.predict(make_items(64))
    before = predictor.settled
    assert not before
    for _ in predictor.settle(()):
        pass
    assert predictor.settled
    assert predictor.device_name.endswith("int8 image, fp32 text")


@pytest.mark.usefixtures("small_probe")
def test_a_cpu_without_the_instructions_stays_in_full_precision(
    spec: NetworkSpec, make_model: MakeModel, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "cpu_features", frozenset)
    predictor = Predictor.load(make_model(spec), "cpu")
    predictor.predict(make_items(64))
    predictor.predict(make_items(2))
    assert predictor.device_name.endswith("fp32")


def test_a_probe_knows_when_it_is_full() -> None:
    probe = Probe()
    fullness = []
    for _ in range(2):
        probe.add(["a"] * 150, ["tweet"] * 150, [None] * 150, torch.zeros(150, 3), torch.ones(150, 2))
        fullness.append(probe.full)
    assert fullness == [False, True]
    assert [tuple(one.shape) for one in probe.vectors] == [(300, 3), (300, 2)]


def _difference(some: list[Verdict], others: list[Verdict]) -> float:
    pairs = zip(some, others, strict=True)
    return float(
        np.mean([abs(a.probabilities[label] - b.probabilities[label]) for a, b in pairs for label in a.probabilities])
    )
