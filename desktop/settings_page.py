"""The settings, on a page of its own: every change holds at once, there is nothing to save."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop.settings import Settings
from desktop.theme import GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import button, frame, label, number_box, scroll_area

_WIDTH = 84 * GAP
_CONTROL = 26 * GAP
_THEMES = {"system": "System", "light": "Light", "dark": "Dark"}
_Row = tuple[str, str, QWidget]


class SettingsPage(QWidget):
    """Cards of rows: a title, what it means, and the control at the right. `left()` asks for the page before."""

    left = Signal()

    def __init__(self, settings: Settings, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings, self._theme = settings, theme
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Settings")
        self._make_controls()
        self._lay_out()
        self.refresh()
        self._connect()

    def refresh(self) -> None:
        """Show what the settings hold now."""
        settings = self._settings
        for mode, choice in self.themes.items():
            choice.setChecked(mode == settings.theme)
        self.reviewer.setText(settings.reviewer)
        for name, box in self._boxes.items():
            box.setChecked(getattr(settings, name))
        self.opacity.setValue(settings.heatmap_opacity)
        self.retrain_after.setValue(settings.retrain_after)
        self.refit_after.setValue(settings.refit_after)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def _make_controls(self) -> None:
        self.themes = {mode: self._segment(mode, title) for mode, title in _THEMES.items()}
        self.reviewer = QLineEdit()
        self._boxes = {name: QCheckBox() for name in ("blur", "grey", "heatmap", "tokens")}
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(10, 100)
        self.refit_after, self.retrain_after = _corrections(), _corrections()
        self.done = button("Done", "primary", self)

    def _segment(self, mode: str, title: str) -> QPushButton:
        made = button(title, "segment")
        made.setProperty("end", {"system": "left", "dark": "right"}.get(mode, ""))
        made.setCheckable(True)
        return made

    def _connect(self) -> None:
        settings = self._settings
        for mode, choice in self.themes.items():
            choice.clicked.connect(lambda _=False, mode=mode: setattr(settings, "theme", mode))
        for name, box in self._boxes.items():
            box.toggled.connect(lambda on, name=name: setattr(settings, name, on))
        self.reviewer.editingFinished.connect(self._name_reviewer)
        self.opacity.valueChanged.connect(lambda value: setattr(settings, "heatmap_opacity", value))
        self.retrain_after.valueChanged.connect(lambda value: setattr(settings, "retrain_after", value))
        self.refit_after.valueChanged.connect(lambda value: setattr(settings, "refit_after", value))
        self.done.clicked.connect(self.left)

    def _name_reviewer(self) -> None:
        """Take the name in the field; an empty one is none, and the one that stands comes back."""
        if name := self.reviewer.text().strip():
            self._settings.reviewer = name
        self.reviewer.setText(self._settings.reviewer)

    def _cards(self) -> dict[str, Sequence[_Row]]:
        return {
            "Appearance": (("Theme", "System follows your desktop, also when it changes at dusk.", self._theme_row()),),
            "Captures": (
                ("Blur at first", "Every capture starts blurred; B shows it clearly.", self._boxes["blur"]),
                ("Without colour", "Grey pictures are easier to bear for hours.", self._boxes["grey"]),
            ),
            "Explanations": (
                ("Heatmap", "Shown when an item appears; H switches it.", self._boxes["heatmap"]),
                ("Token highlights", "Shown when an item appears; T switches them.", self._boxes["tokens"]),
                ("Heatmap opacity", "How strongly it covers the capture.", self.opacity),
            ),
            "Decisions and learning": (
                ("Reviewer", "The name that your decisions are recorded under.", self.reviewer),
                (
                    "Learn by itself after",
                    "Takes a second: the model sees as before, but answers anew.",
                    self.refit_after,
                ),
                ("Retrain by itself after", "Takes minutes or more, and learns to see anew.", self.retrain_after),
            ),
        }

    def _theme_row(self) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        group = QButtonGroup(self)
        for choice in self.themes.values():
            group.addButton(choice)
            row.addWidget(choice, 1)
        return holder

    def _lay_out(self) -> None:
        body = QWidget()
        column = QVBoxLayout()
        column.setContentsMargins(0, WIDE, 0, WIDE)
        column.setSpacing(GAP)
        head = QHBoxLayout()
        head.addWidget(label("Settings", "display", body))
        head.addStretch(1)
        head.addWidget(self.done)
        column.addLayout(head)
        for title, rows in self._cards().items():
            column.addSpacing(PAD)
            column.addWidget(label(title, "section", body))
            column.addWidget(self._card(rows, body))
        column.addStretch(1)
        middle = QWidget(body)
        middle.setFixedWidth(_WIDTH)
        middle.setLayout(column)
        around = QHBoxLayout(body)
        around.setContentsMargins(PAD, 0, PAD, 0)
        around.addWidget(middle, 0, Qt.AlignmentFlag.AlignHCenter)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(scroll_area(body, self))

    def _card(self, rows: Sequence[_Row], parent: QWidget) -> QWidget:
        card = frame("card", parent)
        column = QVBoxLayout(card)
        column.setContentsMargins(PAD, GAP, PAD, GAP)
        column.setSpacing(0)
        for number, (title, words, control) in enumerate(rows):
            if number:
                line = frame("line", card)
                line.setFixedHeight(1)
                column.addWidget(line)
            column.addLayout(self._row(title, words, control, card))
        return card

    def _row(self, title: str, words: str, control: QWidget, parent: QWidget) -> QHBoxLayout:
        control.setAccessibleName(title)
        control.setAccessibleDescription(words)
        text = QVBoxLayout()
        text.setSpacing(HALF // 2)
        name = label(title, "", parent)
        name.setBuddy(control)
        text.addWidget(name)
        text.addWidget(label(words, "caption", parent))
        row = QHBoxLayout()
        row.setContentsMargins(0, GAP + 2, 0, GAP + 2)
        row.setSpacing(WIDE)
        row.addLayout(text, 1)
        if not isinstance(control, QCheckBox):
            control.setFixedWidth(_CONTROL)
        row.addWidget(control, 0, Qt.AlignmentFlag.AlignVCenter)
        return row


def _corrections() -> QSpinBox:
    box = number_box(0, 10_000, "correction", "corrections")
    box.setSpecialValueText("Never")
    return box
