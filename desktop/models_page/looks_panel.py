"""Where does the model look? The evidence of its explanations by part of the page, and a way out of a shortcut."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLayout, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.theme import GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import Bar, button, label
from engine.counting import counted
from engine.looks import ENOUGH_ITEMS, Looks, line, percent, title

HEADING = "Where does the model look?"
MASK = "models.mask"
MOST_PARTS = 8
NOTHING = (
    "Nothing is known yet. Explanations of what this model looks at are made as items are reviewed; "
    "for a model that is not the champion: secondlook looks WORKSPACE --model ID --explain 50."
)
AFTERWARDS = (
    "The new model may score lower where held-out items share the shortcut. "
    "It is kept then, and can be promoted by hand."
)


class LooksPanel(QFrame):
    """A card with one bar a part, the largest first; below it the warning of a shortcut and the button that masks it.

    The bars' text is also the panel's accessible description.
    """

    def __init__(self, looks: Looks, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.setAccessibleName(HEADING)
        self.setAccessibleDescription(line(looks.shares, MOST_PARTS))
        column = QVBoxLayout(self)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(GAP)
        column.addWidget(label(HEADING, "strong", self))
        column.addWidget(label(_basis(looks), "quiet", self, wrap=True))
        if looks.shares:
            column.addLayout(self._bars(looks.shares, theme))
        if looks.shortcut is not None:
            column.addSpacing(GAP)
            column.addWidget(label(looks.shortcut.sentence, "strong", self, wrap=True))
            column.addLayout(self._way_out(actions))
            column.addWidget(label(AFTERWARDS, "caption", self, wrap=True))

    def _bars(self, shares: Mapping[str, float], theme: ThemeManager) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(WIDE)
        grid.setVerticalSpacing(HALF)
        for number, (part, share) in enumerate(list(shares.items())[:MOST_PARTS]):
            bar = Bar(theme, parent=self)
            bar.setFixedSize(30 * GAP, GAP + HALF)
            bar.set_share(share)
            bar.setAccessibleName(f"{title(part)} {percent(share)}")
            grid.addWidget(label(title(part), "", self), number, 0)
            grid.addWidget(bar, number, 1, Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label(percent(share), "", self), number, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(3, 1)
        return grid

    def _way_out(self, actions: ActionRegistry) -> QLayout:
        row = QHBoxLayout()
        mask = button(actions.title(MASK), "", self)
        mask.setToolTip(actions.tooltip(MASK))
        mask.clicked.connect(actions.action(MASK).trigger)
        row.addWidget(mask)
        row.addStretch(1)
        return row


def mask_title(looks: Looks) -> str:
    """Return what the action is called for a model with a shortcut, "" for one without."""
    return f"Retrain with the {title(looks.shortcut.region)} masked" if looks.shortcut is not None else ""


def _basis(looks: Looks) -> str:
    if not looks.items:
        return NOTHING
    items = counted(looks.items, "explained item")
    few = f" These are few: a shortcut is looked for from {ENOUGH_ITEMS} on." if looks.items < ENOUGH_ITEMS else ""
    return f"Shares of the evidence, the mean over {items}; what cannot be told from zero does not count.{few}"
