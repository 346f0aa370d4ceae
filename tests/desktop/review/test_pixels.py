from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QImage

from desktop.review import pixels
from engine.errors import InputError
from engine.workspace.captures import Captures


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    image = QImage(200, 120, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    for x in range(0, 200, 4):
        for y in range(120):
            image.setPixelColor(x, y, QColor("black"))
            image.setPixelColor(x + 1, y, QColor("black"))
    image.setPixelColor(0, 0, QColor("red"))
    path = tmp_path / "stripes.png"
    assert image.save(str(path))
    return path


def spread(image: QImage) -> float:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    raw = np.frombuffer(bytes(grey.constBits()), dtype=np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return float(raw[40:-40, 40 : grey.width() - 40].std())


def test_a_blurred_capture_has_the_size_but_no_detail_left(stripes: Path) -> None:
    image = pixels.decode(stripes)
    blurred = pixels.blur(image, QSize(400, 240))
    assert blurred.size() == QSize(400, 240)
    assert spread(image) > 80
    assert spread(blurred) < 3
    assert blurred.pixelColor(200, 120).lightness() == pytest.approx(127, abs=12)


def test_a_blur_keeps_a_flat_colour(tmp_path: Path) -> None:
    image = QImage(30, 90, QImage.Format.Format_RGB32)
    image.fill(QColor(10, 120, 200))
    assert pixels.blur(image, QSize(10, 30)).pixelColor(5, 15) == QColor(10, 120, 200)


def test_a_thumbnail_is_the_top_of_the_capture_as_a_square(stripes: Path) -> None:
    image = pixels.thumbnail(stripes, 48, pixels.Veil())
    assert image.size() == QSize(48, 48)
    assert image.pixelColor(0, 0).alpha() < 128
    assert image.pixelColor(24, 24).alpha() == 255


@pytest.mark.parametrize(("opacity", "seen"), [(0, 255), (128, 127), (255, 0)])
def test_what_is_transparent_lies_on_white(tmp_path: Path, opacity: int, seen: int) -> None:
    """The model sees it so; otherwise a cut-out product would stand on black, with what is drawn there."""
    picture = QImage(20, 10, QImage.Format.Format_ARGB32)
    picture.fill(QColor(0, 0, 0, opacity))
    assert picture.save(str(tmp_path / "a.png"))
    decoded = pixels.decode(tmp_path / "a.png")
    assert not decoded.hasAlphaChannel()
    assert decoded.pixelColor(3, 3).red() == pytest.approx(seen, abs=1)


def test_what_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG but not really")
    with pytest.raises(InputError, match=r"broken\.png"):
        pixels.decode(broken)
    with pytest.raises(InputError, match=r"gone\.png"):
        pixels.decode(tmp_path / "gone.png")


def test_a_capture_that_was_exchanged_is_not_shown(stripes: Path, tmp_path: Path) -> None:
    """Its name is the digest of what was imported: another post's picture would be taken for this one's."""
    kept = Captures(tmp_path / "captures")
    path = kept.path_of(kept.store(stripes.read_bytes()))
    assert pixels.decode(path).width() == 200
    other = QImage(10, 10, QImage.Format.Format_RGB32)
    other.fill(QColor("blue"))
    assert other.save(str(path))
    with pytest.raises(InputError, match="its file is not the one that was imported"):
        pixels.decode(path)


def test_a_huge_capture_is_kept_small_enough(stripes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "PIXEL_LIMIT", 6000)
    image = pixels.decode(stripes)
    assert image.width() * image.height() <= 6000
    assert image.width() / image.height() == pytest.approx(200 / 120, rel=0.05)


def test_grey_takes_the_colour_out(stripes: Path) -> None:
    colour = pixels.grey(pixels.decode(stripes)).pixelColor(0, 0)
    assert colour.red() == colour.green() == colour.blue()
