"""Where a list of addresses is made: pasted, or from a file; checked as it changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry, caps_of
from desktop.capture_page.buttons import ActionButton
from desktop.capture_page.options import Options
from desktop.capture_page.words import bad_lines, count_words
from desktop.children.capture_jobs import Checked
from desktop.children.writer import JobFailure
from desktop.settings import Settings
from desktop.theme import GAP, PAD, WIDE, ThemeManager, fixed
from desktop.widgets import ElidedLabel, Icon, KeyCap, button, frame, label, scroll_area, set_role

if TYPE_CHECKING:
    from engine.intake.capture.addresses import AddressList

PAUSE_MS = 150
"""Typing is not interrupted by checks."""
_WIDTH = 88 * GAP
_LINES = 5
INTRODUCTION = (
    "Paste addresses, one a line, or drop a file of them on this page: text, CSV or JSON lines. "
    "Each page becomes an item, with its picture and what it says."
)
NONE_YET, CHECKING = "No addresses yet", "Checking…"
PLACEHOLDER = "https://…\nhttps://…"

Check = Callable[[str, Path | None, str, Callable[[Checked | JobFailure], None]], None]
"""Checks pasted text, or a file where there is one, with a profile, and gives the answer to a function."""


class Compose(QWidget):
    """`wanted(AddressList, CaptureOptions)` when a list is to be captured; `ready(bool)` whether one could be."""

    wanted = Signal(object, object)
    ready = Signal(bool)

    def __init__(
        self,
        check: Check,
        settings: Settings,
        theme: ThemeManager,
        actions: ActionRegistry,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._check = check
        self._file: Path | None = None
        self._found: AddressList | None = None
        self._start_wanted = False
        self.addresses = _editor(self)
        self.file_card, self.file_name = frame("card", self), ElidedLabel("", "strong", self)
        self.count, self.problems = label(NONE_YET, "quiet", self), label("", "danger", self, wrap=True)
        self.options = Options(settings.store, theme, actions, self)
        self.start_button = ActionButton("capture.start", actions, self, "Start", "primary")
        self._lay_out(theme, actions)
        self._checking = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._checking.timeout.connect(self.check)
        self.addresses.textChanged.connect(self._changed)
        self.options.changed.connect(self._changed)
        self.setFocusProxy(self.addresses)

    def take_file(self, file: Path | None) -> None:
        """Take the addresses of a file from now on; None returns to what is pasted."""
        self._file = file
        self.file_card.setVisible(file is not None)
        self.addresses.setVisible(file is None)
        self.file_name.setText("" if file is None else file.name)
        self.file_card.setToolTip("" if file is None else str(file))
        if self.isVisible():
            (self.addresses if file is None else self.start_button).setFocus()
        self._found = None
        self.check()

    def clear(self) -> None:
        """Make room for another list."""
        self.addresses.clear()
        self.take_file(None)

    def check(self) -> None:
        """Check what is there now."""
        self._checking.stop()
        text = self.addresses.toPlainText()
        if self._file is None and not text.strip():
            self._found = None
            self._say(NONE_YET, "")
            return
        if self.count.text() == NONE_YET:
            self.count.setText(CHECKING)
        self._check(text, self._file, self.options.value.profile, self._on_checked)

    def start(self) -> None:
        """Ask for the capture; a list that is still being checked starts once it is."""
        if self._checking.isActive():
            self._start_wanted = True
            self.check()
        elif self._found is not None and self._found.addresses:
            found, options = self._found, self.options.value
            self.options.keep()
            self.wanted.emit(found, options)

    def stop(self) -> None:
        """End the page's own work."""
        self._checking.stop()

    def _changed(self) -> None:
        self._checking.start()

    def _on_checked(self, answer: Checked | JobFailure) -> None:
        wanted, self._start_wanted = self._start_wanted, False
        if isinstance(answer, JobFailure):
            self._found = None
            self._say("", answer.message)
            return
        self._found = answer.found
        self._say(count_words(answer.found, answer.there), bad_lines(answer.found, _LINES))
        if wanted:
            self.start()

    def _say(self, count: str, problems: str) -> None:
        self.count.setText(count)
        self.problems.setText(problems)
        self.problems.setVisible(bool(problems))
        set_role(self.count, "strong" if self._found is not None and self._found.addresses else "quiet")
        self.ready.emit(self._found is not None and bool(self._found.addresses))

    def _lay_out(self, theme: ThemeManager, actions: ActionRegistry) -> None:
        body = QWidget()
        middle = QWidget(body)
        middle.setMaximumWidth(_WIDTH)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, WIDE, 0, WIDE)
        column.setSpacing(GAP)
        column.addWidget(label("Capture pages", "display", middle))
        column.addWidget(label(INTRODUCTION, "quiet", middle, wrap=True))
        column.addSpacing(GAP)
        column.addWidget(self.addresses, 1)
        column.addWidget(self.file_card)
        self._lay_out_file(theme)
        column.addWidget(self.count)
        column.addWidget(self.problems)
        column.addSpacing(GAP)
        column.addWidget(self.options)
        column.addSpacing(GAP)
        column.addLayout(self._foot(theme, actions, middle))
        column.addStretch(0)
        around = QHBoxLayout(body)
        around.setContentsMargins(WIDE, 0, WIDE, 0)
        around.addStretch(1)
        around.addWidget(middle, 100)
        around.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll_area(body, self))
        self.problems.hide()

    def _lay_out_file(self, theme: ThemeManager) -> None:
        row = QHBoxLayout(self.file_card)
        row.setContentsMargins(PAD, PAD, PAD, PAD)
        row.setSpacing(GAP)
        row.addWidget(Icon("folder", theme, 24, "quiet", self.file_card))
        row.addWidget(self.file_name, 1)
        back = button("Paste addresses instead", "plain", self.file_card)
        back.clicked.connect(lambda: self.take_file(None))
        row.addWidget(back)
        self.file_card.hide()

    def _foot(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(ActionButton("capture.choose", actions, parent, "Choose a file…"))
        row.addStretch(1)
        row.addWidget(KeyCap(caps_of(actions.specs["capture.start"].keys[0]), theme, parent))
        row.addWidget(self.start_button)
        return row


def _editor(parent: QWidget) -> QPlainTextEdit:
    made = QPlainTextEdit(parent)
    made.setFont(fixed())
    made.setPlaceholderText(PLACEHOLDER)
    made.setAccessibleName("Addresses")
    made.setAccessibleDescription(INTRODUCTION)
    made.setTabChangesFocus(True)
    made.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    made.setMinimumHeight(18 * GAP)
    made.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    # A file that is dropped here is a list to read, not a path to paste: the window takes it.
    made.setAcceptDrops(False)
    made.viewport().setAcceptDrops(False)
    return made
