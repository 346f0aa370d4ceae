"""The same page is recognised however it was saved; another page, a frame or a blank page is not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.similarity import pictures
from engine.similarity.pictures import Fingerprint, alike, fingerprint

Draw = Callable[[int], Image.Image]


def saved(picture: Image.Image, path: Path) -> Fingerprint:
    picture.save(path, quality=60)  # which PNG files do not ask for
    found = fingerprint(path)
    assert found is not None
    return found


def test_the_same_page_saved_anew_is_recognised(page: Draw, tmp_path: Path) -> None:
    original = page(1)
    copies = [
        saved(original, tmp_path / "a.png"),
        saved(original, tmp_path / "b.jpg"),
        saved(original.crop((1, 0, 300, 300)), tmp_path / "c.png"),
        saved(original.crop((0, 0, 299, 299)), tmp_path / "d.png"),
        saved(original.resize((450, 450), Image.Resampling.BICUBIC), tmp_path / "e.png"),
    ]
    assert {(0, other) for other in range(1, 5)} <= {pair[:2] for pair in alike(copies)}


def test_pages_that_share_a_frame_are_told_apart(page: Draw, tmp_path: Path) -> None:
    prints = [saved(page(number), tmp_path / f"{number}.png") for number in range(12)]
    assert alike(prints) == []


def test_a_page_of_another_shape_is_another_page(page: Draw, tmp_path: Path) -> None:
    tall = page(1).resize((300, 330))
    assert alike([saved(page(1), tmp_path / "a.png"), saved(tall, tmp_path / "b.png")]) == []


@pytest.mark.parametrize("colour", ["white", "black", "#d55e00"])
def test_a_blank_page_has_no_fingerprint(colour: str, tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), colour).save(tmp_path / "a.png")
    assert fingerprint(tmp_path / "a.png") is None


def test_a_file_that_is_no_picture_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        assert fingerprint(tmp_path / "a.png") is None
    assert "a.png" in caplog.text


def test_distances_over_several_chunks_are_those_of_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_CHUNK", 7)
    hashes = np.where(np.random.default_rng(0).random((40, pictures.BITS)) < 0.5, 1, -1)
    hashes[20:] = hashes[:20]
    hashes[20:, :5] *= -1
    pairs, bits = pictures._near(hashes.astype(np.float32))
    brute = {
        (one, other): int((hashes[one] != hashes[other]).sum())
        for one in range(40)
        for other in range(one + 1, 40)
        if (hashes[one] != hashes[other]).sum() <= pictures.NEAR_BITS
    }
    assert {(int(a), int(b)): int(bit) for (a, b), bit in zip(pairs, bits, strict=True)} == brute
    assert len(brute) == 20
