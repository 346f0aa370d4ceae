from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.intake.captures import MOST_BYTES, CaptureError, check_capture, quiet_pillow, read_capture


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, data: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_an_eight_bit_png_is_kept_byte_for_byte(picture: Any, mode: str) -> None:
    raw = picture(mode=mode)
    capture = check_capture(raw)
    assert (capture.png, capture.width, capture.height, capture.changed) == (raw, 40, 30, "")


@pytest.mark.parametrize(
    ("kind", "mode", "suffix", "words"),
    [
        ("JPEG", "RGB", ".jpg", "converted from JPEG"),
        ("JPEG", "CMYK", ".jpeg", "converted from CMYK JPEG"),
        ("WEBP", "RGBA", ".webp", "converted from WEBP"),
        ("BMP", "RGB", ".bmp", "converted from BMP"),
        ("GIF", "P", ".gif", "converted from GIF"),
        ("JPEG", "RGB", ".png", "its name ends in .png but it is JPEG; converted from JPEG"),
    ],
)
def test_other_kinds_become_rgb_png(picture: Any, kind: str, mode: str, suffix: str, words: str) -> None:
    capture = check_capture(picture(kind, mode), suffix)
    assert capture.changed.startswith(words)
    with Image.open(io.BytesIO(capture.png)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (40, 30))


def test_a_png_with_another_name_is_kept_and_remarked_on(picture: Any) -> None:
    capture = check_capture(picture(), ".jpg")
    assert capture.png == picture()
    assert "its name ends in .jpg but it is PNG" in capture.changed


def test_sixteen_bit_grey_keeps_its_tones() -> None:
    tones = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    written = io.BytesIO()
    Image.fromarray(tones).save(written, "PNG")
    capture = check_capture(written.getvalue())
    assert "16-bit PNG" in capture.changed
    with Image.open(io.BytesIO(capture.png)) as image:
        assert np.abs(np.asarray(image)[..., 0].astype(int) - (tones >> 8)).max() <= 1


def test_sixteen_bit_colour_becomes_eight_bit() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32768, 0) * 4 for _ in range(3))
    capture = check_capture(png(4, 3, rows, depth=16))
    assert "16-bit PNG" in capture.changed
    with Image.open(io.BytesIO(capture.png)) as image:
        assert image.getpixel((0, 0)) == (255, 128, 0)


def test_transparency_of_converted_images_shows_white_paper() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(written, "WEBP", lossless=True)
    with Image.open(io.BytesIO(check_capture(written.getvalue(), ".webp").png)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_are_refused(picture: Any, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (shade, shade, shade)) for shade in (0, 90, 200)]
    written = io.BytesIO()
    frames[0].save(written, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(CaptureError, match="animated"):
        check_capture(written.getvalue())


@pytest.mark.parametrize("side", [8_001, 9_500, 20_000, 60_000])
def test_a_bomb_is_refused_from_its_header(side: int) -> None:
    bomb = png(side, side, b"\0" * 1000)
    tracemalloc.start()
    with quiet_pillow(), pytest.raises(CaptureError, match="million"):
        check_capture(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_ribbon_is_refused() -> None:
    with pytest.raises(CaptureError, match="a side longer than"):
        check_capture(png(40_000, 2))


@pytest.mark.parametrize("left_out", [1, 4, 12, 13, 40, 80])
def test_a_cut_png_is_refused(picture: Any, left_out: int) -> None:
    with pytest.raises(CaptureError):
        check_capture(picture()[:-left_out])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP"])
def test_a_cut_image_of_another_kind_is_refused(picture: Any, kind: str) -> None:
    raw = picture(kind)
    with pytest.raises(CaptureError):
        check_capture(raw[: len(raw) // 2])


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"", "empty"), (b"hello", "no PNG"), (b"<svg/>", "no PNG"), (b"\0" * (MOST_BYTES + 1), "larger than 32 MB")],
)
def test_what_is_no_image_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(CaptureError, match=words):
        check_capture(raw)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        read_capture(tmp_path / "none.png")
    with pytest.raises(CaptureError, match="not a file"):
        read_capture(tmp_path)
    with pytest.raises(CaptureError):
        read_capture(tmp_path / ("x" * 5000))


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF"]), data=st.data())
def test_a_mutated_image_is_read_or_refused_and_nothing_else(picture: Any, kind: str, data: st.DataObject) -> None:
    raw = bytearray(picture(kind, size=(12, 9)))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    with quiet_pillow():
        try:
            capture = check_capture(bytes(raw[:cut] if data.draw(st.booleans()) else raw))
        except CaptureError:
            return
        with Image.open(io.BytesIO(capture.png)) as image:
            image.load()
            assert image.size == (capture.width, capture.height)
