"""The window's typeface: the system's own where it names one, else the first good one that is installed."""

from __future__ import annotations

from functools import cache

from PySide6.QtGui import QFont, QFontDatabase

from desktop.theme.tokens import TYPE

FALLBACKS = ("Inter", "Noto Sans", "DejaVu Sans")
GENERIC = {"", "Sans", "Sans Serif", "sans-serif"}
"""Names that say nothing: a desktop without settings of its own reports one of them."""


def families() -> list[str]:
    """Return the families to try, best first; the later ones fill in scripts that the first does not cover."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).family()
    own = [] if system in GENERIC else [system]
    return [*own, *(family for family in FALLBACKS if family != system)]


@cache
def font(size: int = TYPE.body, *, bold: bool = False) -> QFont:
    """Return the window's font at a size of the type scale, in device-independent pixels.

    Made once, so painters may call it freely: never change the one returned. It is the same in every theme and at
    every scale of the screen; `forget` makes it anew where the system's own font is another.
    """
    made = QFont()
    made.setFamilies(families())
    made.setPixelSize(size)
    if bold:
        made.setWeight(QFont.Weight.DemiBold)
    return made


def fixed(size: int = TYPE.body) -> QFont:
    """Return the fixed-width font at a size of the type scale."""
    made = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    made.setPixelSize(size)
    return made


def forget() -> None:
    """Make fonts anew from now on: the system's font, or what is installed, is another."""
    font.cache_clear()
