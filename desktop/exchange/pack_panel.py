"""What goes into a review pack: a panel that asks, all on the keyboard."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets import KeyCap, Overlay, button, label
from engine.counting import fit
from engine.intake.pack.choosing import MOST_ITEMS, Choice
from engine.triage import queues

_LIMIT = 200


class PackPanel(Overlay):
    """Call `open`. `chosen(Choice)` says what is to be packed; the place for the file is still to be asked for."""

    chosen = Signal(object)

    def __init__(self, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self.queue = QComboBox(self.panel)
        self.queue.addItem("All items", "")
        for one in queues():
            self.queue.addItem(one.title, one.name)
        self.limit = QSpinBox(self.panel)
        self.limit.setRange(0, MOST_ITEMS)
        self.limit.setSpecialValueText("No limit")
        self.limit.lineEdit().setTextMargins(GAP - 1, 0, 0, 0)
        self.limit.valueChanged.connect(lambda number: self.limit.setSuffix(fit(number, " item", " items")))
        self.limit.setValue(_LIMIT)
        self.limit.setSingleStep(50)
        self.blind = QCheckBox("Without earlier decisions and labels, so that the reviewer judges alone", self.panel)
        self.explained = QCheckBox("With the explanations that are stored", self.panel)
        self.explained.setChecked(True)
        self.go_on = button("Choose a file…", "primary", self.panel)
        self.leave = button("Cancel", "plain", self.panel)
        self._lay_out()
        self.leave.clicked.connect(self.put_away)
        self.go_on.clicked.connect(self.choose)

    def open(self) -> None:
        super().open()
        self.queue.setFocus(Qt.FocusReason.OtherFocusReason)

    def choose(self) -> None:
        """Hand out what was chosen."""
        alone = self.blind.isChecked()
        choice = Choice(
            queue=str(self.queue.currentData()),
            limit=self.limit.value(),
            truths=not alone,
            decisions=not alone,
            explanations=self.explained.isChecked(),
        )
        self.put_away()
        self.chosen.emit(choice)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes on wherever the keyboard is, but on the button that cancels."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            (self.leave if self.leave.hasFocus() else self.go_on).click()
        else:
            super().keyPressEvent(event)

    def _lay_out(self) -> None:
        words = (
            "A zip file with screenshots, verdicts and tasks. Its reviewer opens it in Second Look without a network"
        )
        intro = label(f"{words}, and sends a pack back to be merged.", "quiet", self.panel, wrap=True)
        form = QFormLayout()
        form.setSpacing(PAD)
        for name, field in (("Items of", self.queue), ("At most", self.limit)):
            words_of = label(name, "", self.panel)
            words_of.setBuddy(field)
            field.setAccessibleName(name)
            form.addRow(words_of, field)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(KeyCap(("Esc",), self.theme, self.panel))
        foot.addWidget(self.leave)
        foot.addWidget(KeyCap(("Enter",), self.theme, self.panel))
        foot.addWidget(self.go_on)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(WIDE, PAD, WIDE, PAD)
        column.setSpacing(PAD)
        column.addWidget(label("Make a review pack", "heading", self.panel))
        column.addWidget(intro)
        column.addLayout(form)
        column.addWidget(self.blind)
        column.addWidget(self.explained)
        column.addLayout(foot)
        self.panel.setFixedWidth(64 * GAP)
