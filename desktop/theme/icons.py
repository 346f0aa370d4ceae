"""Line icons: SVG files of `resources/icons` drawn in any colour, crisp at every scale of the screen."""

from __future__ import annotations

from functools import cache
from typing import cast

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

import resources

SIZES = (16, 24)
"""Pixels of an icon are drawn once per size, for the finest screen there is, so none is ever blown up."""


@cache
def _source(name: str) -> str:
    return resources.path("icons", f"{name}.svg").read_text(encoding="utf-8")


@cache
def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))


def paint_icon(painter: QPainter, rect: QRectF, name: str, colour: str) -> None:
    """Draw an icon into a square of any size; raises FileNotFoundError for a name that does not exist."""
    _renderer(name, colour).render(painter, rect)


def pixmap(name: str, colour: str, size: int = 24, ratio: float = 1.0) -> QPixmap:
    """Return a transparent pixmap of `size` device-independent pixels for a screen of this scale."""
    renderer = _renderer(name, colour)
    image = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, image.width(), image.height()))
    painter.end()
    image.setDevicePixelRatio(ratio)
    return image


def icon(name: str, colour: str, off: str = "") -> QIcon:
    """Return an icon in one colour; `off` is its colour where it is disabled. Needs a running QGuiApplication."""
    return _icon(name, colour, off, cast("QGuiApplication", QGuiApplication.instance()).devicePixelRatio())


@cache
def _icon(name: str, colour: str, off: str, ratio: float) -> QIcon:
    made = QIcon()
    for mode, shade in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, off or colour)):
        for size in SIZES:
            made.addPixmap(pixmap(name, shade, size, ratio), mode)
    return made
