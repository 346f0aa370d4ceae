"""Image jobs for the pool: decode a capture, fit it to the view, blur it, make a thumbnail. No widget here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPainter

from engine.errors import InputError
from engine.workspace.captures import read_unchanged

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Job = Callable[[], QImage | None]
"""Work for the pool; None where there is no picture to be had."""


@dataclass(frozen=True)
class Veil:
    """How captures are softened: blurred, without colour, both, or not at all."""

    blurred: bool = False
    grey: bool = False


PIXEL_LIMIT = 16_000_000
"""Captures beyond this many pixels are kept smaller (64 MB at 4 bytes a pixel)."""

_BLUR_SIDE = 96
_BLUR_RADIUS = 4
_SMOOTH = Qt.TransformationMode.SmoothTransformation
_IGNORE = Qt.AspectRatioMode.IgnoreAspectRatio


def decode(path: Path) -> QImage:
    """Return the capture as an opaque 32-bit image.

    Raises `InputError` where the file cannot be read, or is not the one that was imported.
    """
    try:
        buffer = QBuffer()
        buffer.setData(read_unchanged(path))
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    reader = QImageReader(buffer)
    size = reader.size()
    pixels = size.width() * size.height()
    if pixels > PIXEL_LIMIT:
        reader.setScaledSize(size * (PIXEL_LIMIT / pixels) ** 0.5)
    image = reader.read()
    if image.isNull():
        raise _unreadable(path, reader.errorString())
    return _on_paper(image) if image.hasAlphaChannel() else image.convertToFormat(QImage.Format.Format_RGB32)


def _on_paper(image: QImage) -> QImage:
    """Return the picture on white, as models look at it (`engine.paper`)."""
    paper = QImage(image.size(), QImage.Format.Format_RGB32)
    paper.fill(Qt.GlobalColor.white)
    painter = QPainter(paper)
    painter.drawImage(0, 0, image)
    painter.end()
    return paper


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(
        f"The capture {path.name} cannot be read: {reason}.",
        "Bring the file back from a backup, or import the item's screenshot again.",
    )


def fit(image: QImage, size: QSize) -> QImage:
    """Return `image` at `size` device pixels, smoothly scaled."""
    return image if image.size() == size else image.scaled(size, _IGNORE, _SMOOTH)


def blur(image: QImage, size: QSize) -> QImage:
    """Return `image` at `size`, blurred beyond reading and recognising: three box blurs over a small copy."""
    import numpy as np

    small = image.scaled(QSize(_BLUR_SIDE, _BLUR_SIDE), Qt.AspectRatioMode.KeepAspectRatio, _SMOOTH)
    small = small.convertToFormat(QImage.Format.Format_RGB32)
    view = np.frombuffer(small.constBits(), dtype=np.uint8).reshape(small.height(), small.bytesPerLine())
    pixels = view[:, : small.width() * 4].reshape(small.height(), small.width(), 4).astype(np.float32)
    for _ in range(3):
        pixels = _box(_box(pixels, 0), 1)
    data = pixels.round().astype(np.uint8).tobytes()
    blurred = QImage(data, small.width(), small.height(), small.width() * 4, QImage.Format.Format_RGB32)
    return blurred.scaled(size, _IGNORE, _SMOOTH).copy()


def _box(pixels: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    import numpy as np

    pad = [(0, 0)] * 3
    pad[axis] = (_BLUR_RADIUS + 1, _BLUR_RADIUS)
    sums = np.cumsum(np.pad(pixels, pad, mode="edge"), axis=axis, dtype=np.float32)
    width = 2 * _BLUR_RADIUS + 1
    upper = np.take(sums, np.arange(width, sums.shape[axis]), axis=axis)
    lower = np.take(sums, np.arange(sums.shape[axis] - width), axis=axis)
    result: NDArray[np.float32] = (upper - lower) / np.float32(width)
    return result


def veiled(image: QImage, size: QSize | None, veil: Veil) -> QImage:
    """Return `image` at `size` (its own where that is None) under the veil."""
    wanted = size if size is not None else image.size()
    shown = blur(image, wanted) if veil.blurred else fit(image, wanted)
    return grey(shown) if veil.grey else shown


def thumbnail(path: Path, side: int, veil: Veil) -> QImage:
    """Return a square of `side` device pixels: the capture's top, cropped to fill, under the veil."""
    image = decode(path)
    edge = min(image.width(), image.height())
    square = image.copy((image.width() - edge) // 2, 0, edge, edge)
    return _rounded(veiled(square, QSize(side, side), veil), side / 10)


def _rounded(image: QImage, radius: float) -> QImage:
    result = QImage(image.size(), QImage.Format.Format_ARGB32_Premultiplied)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(image)
    painter.drawRoundedRect(QRectF(result.rect()), radius, radius)
    painter.end()
    return result


def grey(image: QImage) -> QImage:
    """Return `image` without colour, still 32 bits a pixel (the fastest to paint)."""
    return image.convertToFormat(QImage.Format.Format_Grayscale8).convertToFormat(QImage.Format.Format_RGB32)
