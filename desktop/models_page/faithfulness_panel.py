"""Can the explanations be trusted? What hiding the parts that they name does to verdicts, beside parts at random."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from desktop.models_page.summary import when
from desktop.theme import GAP, HALF, PAD, WIDE, fixed
from desktop.widgets import label
from engine.counting import counted
from engine.evidence import is_clear
from engine.trust import ENOUGH_ITEMS
from engine.types import Faithfulness, Spread

HEADING = "Can the explanations be trusted?"
NOT_MEASURED = "Not measured yet. Measure it with:"
ITEM_BY_ITEM = "item by item, the difference is more than twice its standard error"
"""What `is_clear` asks. The table's ± may overlap all the same: items differ more than methods on one item do."""
RANDOM, THE_DESKS = "random", "lime"
CHECKS = {
    "deletion": (
        "Parts hidden",
        "low is good",
        "while the strongest parts of the screenshot are hidden, one by one",
    ),
    "insertion": ("Parts shown", "high is good", "while nothing but its strongest parts is shown"),
    "comprehensiveness": ("Words taken out", "high is good", "lost without the strongest words"),
    "sufficiency": ("Words alone", "low is good", "lost where only the strongest words are left"),
}
"""Each check's heading, which way is good, and what of the label's probability it is."""
TITLES = {
    THE_DESKS: "LIME, as on the desk",
    "ig": "Integrated gradients",
    "gradcam": "Grad-CAM",
    "gradient": "Gradients",
    "occlusion": "One left out at a time",
    "attention": "Attention",
    RANDOM: "At random",
}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FaithfulnessPanel(QFrame):
    """A card with a row for each method and a column for each check, or the command that measures them.

    What is concluded is also the panel's accessible description.
    """

    def __init__(self, found: Faithfulness | None, workspace: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.setAccessibleName(HEADING)
        column = QVBoxLayout(self)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(GAP)
        column.addWidget(label(HEADING, "strong", self))
        said = NOT_MEASURED if found is None else conclusion(found)
        self.setAccessibleDescription(said)
        column.addWidget(label(said, "quiet" if found is None else "", self, wrap=True))
        if found is None:
            column.addWidget(_command(workspace, self))
            return
        checks = [name for name in CHECKS if any(name in row.scores for row in found.rows)]
        column.addLayout(self._table(found, checks))
        for text in (meaning(checks), basis(found), *found.notes):
            column.addWidget(label(text, "caption", self, wrap=True))

    def _table(self, found: Faithfulness, checks: Sequence[str]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(WIDE)
        grid.setVerticalSpacing(HALF)
        for column, name in enumerate(checks, start=1):
            heading, good, _ = CHECKS[name]
            grid.addWidget(label(heading, "section", self), 0, column, _RIGHT)
            grid.addWidget(label(good, "caption", self), 1, column, _RIGHT)
        for number, row in enumerate(found.rows, start=2):
            grid.addWidget(label(title(row.method), "", self), number, 0)
            for column, name in enumerate(checks, start=1):
                shown = _figure(row.scores.get(name), self)
                shown.setAccessibleName(f"{CHECKS[name][0]}, {title(row.method)}: {shown.text()}")
                grid.addWidget(shown, number, column, _RIGHT)
        grid.setColumnStretch(len(checks) + 1, 1)
        return grid


def conclusion(found: Faithfulness) -> str:
    """Return in one or two sentences how the desk's method, or the first that was measured, does beside chance."""
    if found.items < ENOUGH_ITEMS:
        return f"Too few to tell: measured on {counted(found.items, 'item')}. More are measured with --items."
    row = next((row for row in found.rows if row.method == THE_DESKS), None) or found.rows[0]
    results = [_beside_chance(one) for one in row.advantage.values()]
    better, worse = results.count("better"), results.count("worse")
    name = "" if row.method == THE_DESKS else f" ({title(row.method)})"
    if results and better == len(results):
        return f"Yes{name}: clearly better than naming parts at random in every check: {ITEM_BY_ITEM}."
    checks = counted(len(results), "check")
    if worse:
        return f"No{name}: clearly worse than naming parts at random in {worse} of {checks}: {ITEM_BY_ITEM}."
    if better:
        return f"In part{name}: clearly better than naming parts at random in {better} of {checks}: {ITEM_BY_ITEM}."
    few = " Measuring more items may tell." if found.items < 100 else ""
    return f"Not shown{name}: no check can be told from naming parts at random.{few}"


def meaning(checks: Sequence[str]) -> str:
    """Return what the columns are."""
    each = "; ".join(f"{CHECKS[name][0].lower()}: {CHECKS[name][2]}" for name in checks)
    return f"Percentage points of the label's probability. {each[:1].upper()}{each[1:]}."


def basis(found: Faithfulness) -> str:
    """Return what the figures rest on."""
    return f"The mean over {counted(found.items, 'held-out item')} ± its standard error. Measured {when(found.at)}."


def title(method: str) -> str:
    """Return what a column is called."""
    return TITLES.get(method, method)


def _beside_chance(one: Spread) -> str:
    """A difference that is known from one item alone says nothing."""
    if one.error is None or not is_clear(one.mean, one.error):
        return "same"
    return "better" if one.mean > 0 else "worse"


def _figure(one: Spread | None, parent: QWidget) -> QLabel:
    if one is None:
        return label("–", "quiet", parent)
    error = f" ± {100 * one.error:.0f}" if one.error is not None else ""
    return label(f"{round(100 * one.mean)}{error}".replace("-", "−"), "", parent)


def _command(workspace: Path, parent: QWidget) -> QLineEdit:
    made = QLineEdit(f"secondlook explain-eval {shlex.quote(str(workspace))}", parent)
    made.setReadOnly(True)
    made.setFont(fixed())
    made.setCursorPosition(0)
    made.setAccessibleName("Command that measures it")
    return made
