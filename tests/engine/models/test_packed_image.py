"""Screenshots through the graph of bulk scoring beside a network of torch: the same vectors, whoever asks and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.models import checkpoint, precision, processor
from engine.models.bulk import runtime
from engine.models.bulk.loading import resnet_of
from engine.models.encoders import full_precision, with_packed_image
from engine.models.packed_image import PackedImage
from engine.models.predictor import Predictor
from engine.models.proof import Ranges
from engine.models.scorer import Scorer
from engine.models.spec import NetworkSpec
from engine.models.weights import Arrays
from engine.types import ItemContent

MakeModel = Callable[..., Path]
Squares = list[NDArray[np.uint8]]

pytest.importorskip("openvino", reason="the extra secondlook[fast] is not installed")


@pytest.fixture
def ranges() -> Ranges:
    return ((-3.0, 3.0), *[(-6.0, 6.0)] * 20, *[(0.0, 8.0)] * 8)


@pytest.fixture
def folder(make_model: MakeModel, spec: NetworkSpec) -> Path:
    return make_model(spec)


@pytest.fixture
def packed(folder: Path, ranges: Ranges) -> PackedImage:
    spec = checkpoint.load(folder, torch.device("cpu")).network.spec
    return PackedImage(resnet_of(Arrays(folder / checkpoint.WEIGHTS, "image."), ranges, spec))


@pytest.fixture
def squares(folder: Path) -> Squares:
    size = checkpoint.load(folder, torch.device("cpu")).network.spec.image.size
    return list(np.random.default_rng(0).integers(0, 256, (10, size, size, 3), dtype=np.uint8))


def pixels_of(squares: Squares) -> torch.Tensor:
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255


def test_pixels_are_read_as_the_bytes_they_are(packed: PackedImage, squares: Squares) -> None:
    expected = packed.squares(squares)
    assert expected.std(dim=0).max() > 0
    torch.testing.assert_close(packed(pixels_of(squares)), expected, rtol=0, atol=0)
    torch.testing.assert_close(packed(pixels_of(squares) + 0.4 / 255), expected, rtol=0, atol=0)


def test_what_is_too_bright_or_too_dark_is_white_or_black(packed: PackedImage, squares: Squares) -> None:
    size = squares[0].shape[0]
    ends = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, size, size)
    torch.testing.assert_close(packed(ends * 3 - 1), packed(ends), rtol=0, atol=0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_scorer_gives_them_in_any_number_at_a_time(
    folder: Path, packed: PackedImage, ranges: Ranges, squares: Squares, threads: int
) -> None:
    loaded = checkpoint.load(folder, torch.device("cpu"))
    network = loaded.network.eval()
    graph = resnet_of(Arrays(folder / checkpoint.WEIGHTS, "image."), ranges, network.spec)
    encoders = with_packed_image(full_precision(network), graph, ranges)
    assert (encoders.image_name, encoders.text_name, encoders.ranges) == ("int8", "fp32", ranges)
    scorer = Scorer(network, loaded.tokenizer, {}, encoders, torch.device("cpu"))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        of_pixels, of_squares = scorer.image_vectors(pixels_of(squares)), scorer.square_vectors([*squares, None])
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(of_pixels, packed.squares(squares), rtol=0, atol=0)
    torch.testing.assert_close(of_squares[:-1], of_pixels, rtol=0, atol=0)
    torch.testing.assert_close(of_squares[-1], network.missing_image.detach())
    assert scorer.image_vectors(pixels_of(squares)[:0]).shape == (0, network.image_features)


@pytest.mark.parametrize("with_graphs", [True, False])
def test_what_is_proven_is_what_the_next_process_runs(
    monkeypatch: pytest.MonkeyPatch,
    make_model: MakeModel,
    make_items: Callable[[int], list[ItemContent]],
    spec: NetworkSpec,
    *,
    with_graphs: bool,
) -> None:
    for module in (precision, processor, runtime):
        monkeypatch.setattr(module, "has_int8", lambda: True)
    monkeypatch.setattr(runtime, "usable", lambda: with_graphs)
    monkeypatch.setattr("engine.models.likeness.PROBE_ITEMS", 64)
    monkeypatch.setattr("engine.models.likeness.Likeness.enough", property(lambda _self: True))
    folder, items = make_model(spec), make_items(112)
    first = Predictor.load(folder, "cpu")
    for start in range(0, 112, 16):
        first.predict(items[start : start + 16])
    assert "int8 image" in first.device_name
    second = Predictor.load(folder, "cpu")
    assert second.device_name == first.device_name
    for predictor in (first, second):
        assert (predictor._scorer.encoders.squares is not None) is with_graphs
    pixels = pixels_of([square for square in map(first.prepare, items[:4]) if square is not None])
    torch.testing.assert_close(second.image_vectors(pixels), first.image_vectors(pixels), rtol=0, atol=0)
