"""A box for a number with its noun behind it: "1 page a minute", "20 pages a minute"."""

from __future__ import annotations

from PySide6.QtWidgets import QSpinBox

from desktop.theme import GAP
from engine.counting import fit


def number_box(least: int, most: int, one: str, several: str = "", *, step: int = 1) -> QSpinBox:
    """Return a box for `least` to `most`; behind the number stands `one`, or `several` where that fits it."""
    box = QSpinBox()
    box.setRange(least, most)
    box.setSingleStep(step)
    box.lineEdit().setTextMargins(GAP - 1, 0, 0, 0)
    box.valueChanged.connect(lambda value: box.setSuffix(f" {fit(value, one, several or one)}"))
    box.setSuffix(f" {fit(box.value(), one, several or one)}")
    return box
