"""Check a screenshot and bring it into the one form a workspace keeps: PNG, 8 bits a channel, not animated.

An 8-bit PNG is kept byte for byte. JPEG, WebP, BMP, GIF, CMYK and 16-bit images become 8-bit RGB PNG. The size is
checked on the header, before anything is decoded, so that a decompression bomb costs nothing.
"""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.paper import on_paper
from engine.types import Struct

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 64_000_000
MOST_BYTES = 32 << 20
LONGEST_SIDE = 32_767
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}
_BIT_DEPTH = 24  # offset of the bit depth in a PNG file (PNG specification, 11.2.1 IHDR)
_PNG_END = b"IEND\xaeB`\x82"

# What pillow raises on broken files, as seen by feeding it mutated ones; anything else is a bug that must be seen.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
    zlib.error,
    MemoryError,
)


class CaptureError(InputError):
    """A screenshot cannot be used; the message says why and does not name the file."""


class Capture(Struct, frozen=True, kw_only=True):
    """A checked screenshot: PNG bytes, its pixels, and what had to be changed ("" for nothing)."""

    png: bytes
    width: int
    height: int
    changed: str = ""


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep pillow's Python warnings (large or odd images) to itself while the block runs; ours are row errors.

    Enter it once around a whole import: warning filters belong to the process, not to a thread.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_capture(path: Path) -> Capture:
    """Return the checked screenshot of a file; raises `CaptureError`."""
    try:
        if not path.is_file():
            raise CaptureError("it is not a file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CaptureError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error
    return check_capture(raw, path.suffix)


def check_capture(raw: bytes, suffix: str | None = ".png") -> Capture:
    """Return the checked screenshot of these bytes; `suffix` is what its name claims to be, None where it has no name.

    Raises `CaptureError`.
    """
    from PIL import Image, UnidentifiedImageError

    if not raw:
        raise CaptureError("the file is empty")
    if len(raw) > MOST_BYTES:
        raise CaptureError(f"the file is larger than {MOST_BYTES >> 20} MB")
    try:
        with Image.open(io.BytesIO(raw), formats=_FORMATS) as image:
            return _checked(image, raw, None if suffix is None else suffix.lower())
    except Image.DecompressionBombError as error:
        raise CaptureError(f"it has more than {MOST_PIXELS // 1_000_000} million pixels") from error
    except UnidentifiedImageError as error:
        raise CaptureError("it is no PNG, JPEG, WebP, BMP or GIF image, or its start is damaged") from error
    except _BROKEN as error:
        raise CaptureError(f"the image is damaged or cut short ({error})") from error


def _checked(image: Image.Image, raw: bytes, suffix: str | None) -> Capture:
    width, height = image.size
    if width * height > MOST_PIXELS:
        limit = MOST_PIXELS // 1_000_000
        raise CaptureError(f"it has {width} × {height} pixels; more than {limit} million are refused")
    if max(width, height) > LONGEST_SIDE:
        raise CaptureError(f"it is {width} × {height} pixels; a side longer than {LONGEST_SIDE} is refused")
    if getattr(image, "is_animated", False):
        raise CaptureError("it is animated; save the one frame that counts")
    changed = _what_to_change(image, raw)
    misnamed = suffix is not None and _SUFFIXES.get(suffix, suffix) != image.format
    note = f"its name ends in {suffix or 'nothing'} but it is {image.format}" if misnamed else ""
    if not changed:
        _verify(raw)
        image.load()
        return Capture(png=raw, width=width, height=height, changed=note)
    image.load()
    converted = _to_rgb(image, raw)
    notes = "; ".join(part for part in (note, f"converted from {changed} to 8-bit RGB PNG") if part)
    return Capture(png=_as_png(converted), width=converted.width, height=converted.height, changed=notes)


def _what_to_change(image: Image.Image, raw: bytes) -> str:
    """Return what the image is where it is anything but an 8-bit PNG, in words; else ""."""
    if image.format != "PNG":
        return f"CMYK {image.format}" if image.mode == "CMYK" else str(image.format)
    return "16-bit PNG" if raw[_BIT_DEPTH] > 8 else ""


def _verify(raw: bytes) -> None:
    """Check every chunk's checksum and the file's end, which decoding alone forgives and other readers do not."""
    from PIL import Image

    if _PNG_END not in raw:
        raise OSError("its end is missing")
    with Image.open(io.BytesIO(raw), formats=("PNG",)) as image:
        image.verify()


def _to_rgb(image: Image.Image, raw: bytes) -> Image.Image:
    from PIL import ImageOps

    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if raw[:4] != b"\x89PNG":
        image = ImageOps.exif_transpose(image)
    return on_paper(image)


def _as_png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=4)  # half the time of the default for 1 % more bytes
    return written.getvalue()
