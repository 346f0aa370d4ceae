"""Crossing out: the reviewer says that a word or a region is the wrong reason, with keys or the mouse.

No mode: one key steps through what the shown explanation rests on, strongest first, another crosses the current part
out or takes that back. What is crossed out waits for the item's next decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAction
from PySide6.QtWidgets import QMenu

from desktop.review.capture_view import CaptureView
from desktop.review.heatmap import segment_at
from desktop.review.parts import Part, covers, marks_of, name_of, parts_of, regions_at
from desktop.review.text_view import TextView
from engine.errors import InputError
from engine.trust import weight_words
from engine.types import CrossedOut, Explanation, Item, Mark
from engine.workspace.marks import key_of

NOTHING = "There is nothing to cross out", "no explanation yet, and no regions of the page"


class CrossingOut(QObject):
    """`toggled(mark)` asks to cross a part out, or to take that back; `show_marks` then says what is crossed out."""

    toggled = Signal(object)

    def __init__(
        self, capture: CaptureView, text: TextView, say: Callable[[str, str], object], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._capture, self._text, self._say = capture, text, say
        self._item: Item | None = None
        self._explanation: Explanation | None = None
        self._parts: list[Part] | None = None
        self._place = -1
        self._marks: tuple[CrossedOut, ...] = ()
        for view, asked in ((capture, self._capture_menu), (text, self._text_menu)):
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            view.customContextMenuRequested.connect(asked)

    def show_item(self, item: Item | None, explanation: Explanation | None) -> None:
        """Begin anew with another item, or another explanation of the same one."""
        self._item, self._explanation = item, explanation
        self._parts, self._place = None, -1
        self._say("", "")
        self._draw()

    def show_marks(self, marks: Sequence[CrossedOut]) -> None:
        """Show what is crossed out now."""
        self._marks = tuple(marks)
        self._draw()

    @property
    def current(self) -> CrossedOut | None:
        """The part that is stepped to, as it would be stored (a word's first occurrence); None while there is none."""
        return next(iter(self._current()), None)

    def _current(self) -> tuple[CrossedOut, ...]:
        if self._item is None or self._place < 0 or not self._known():
            return ()
        try:
            return marks_of(self._known()[self._place], self._explanation, self._item)
        except InputError:
            return ()

    def step(self, by: int) -> None:
        """Go to the next (+1) or previous (-1) of what the explanation rests on; behind the last comes the first."""
        parts = self._known()
        if not parts:
            self._tell(*NOTHING)
            return
        self._place = (self._place + by) % len(parts) if self._place >= 0 else (0 if by > 0 else len(parts) - 1)
        self._draw()
        self._tell(*self._words())

    def cross_out(self) -> None:
        """Cross the current part out wherever it stands, or take that back; without one, step to the strongest."""
        marks = self._current()
        if not marks:
            self.step(1)
            return
        self._toggle(marks)
        self._tell(*self._words())

    def _toggle(self, marks: Sequence[CrossedOut]) -> None:
        for mark in [one for one in marks if not self._holds(one)] or marks:
            self.toggled.emit(mark)

    def describe(self) -> str:
        """Return the current part in words: which one, its weight, and what the key does to it."""
        return " · ".join(filter(None, self._words()))

    def _words(self) -> tuple[str, str]:
        """Return which part it is with its weight, and what the key does."""
        marks = self._current()
        if not marks:
            return "", ""
        part = self._known()[self._place]
        weight = "" if isinstance(part, str) else f" {weight_words(part.weight, None)}"
        does = "crossed out" if all(map(self._holds, marks)) else "Delete crosses out"
        return f"{_called(marks)}{weight} · {self._place + 1}/{len(self._known())}", does

    def _known(self) -> list[Part]:
        if self._parts is None:
            self._parts = parts_of(self._explanation, self._item) if self._item is not None else []
        return self._parts

    def _holds(self, mark: CrossedOut) -> bool:
        return key_of(mark) in map(key_of, self._marks)

    def _tell(self, words: str, below: str = "") -> None:
        self._say(words, below)
        if words:
            spoken = " · ".join(filter(None, (words, below)))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self._capture, spoken))

    def _draw(self) -> None:
        mark = self.current
        regions = [one.boxes for one in self._marks if one.kind is Mark.REGION]
        words = [one for one in self._marks if one.kind is Mark.WORD]
        on_text = mark is not None and mark.kind is Mark.WORD
        self._capture.show_marks(regions, mark.boxes if mark is not None and not on_text else ())
        self._text.show_marks(words, mark if on_text else None)

    # --- the mouse --------------------------------------------------------------------------------------------

    def _capture_menu(self, at: QPoint) -> None:
        item, explanation = self._item, self._explanation
        if item is None or item.capture is None:
            return
        x, y = self._capture.share_at(at)
        here = [one for one in self._marks if covers(one.boxes, x * item.width, y * item.height)]
        menu = QMenu(self._capture)
        for mark in here:
            self._add(menu, (mark,))
        try:
            segment = segment_at(explanation, x, y) if explanation is not None else None
            parts: list[Part] = [segment] if segment is not None else []
            parts += regions_at(item, x, y)
            for part in parts:
                marks = marks_of(part, explanation, item)
                if not all(map(self._holds, marks)):
                    self._add(menu, marks)
        except InputError as error:
            self._tell(str(error))
        _pop_up(menu, self._capture.mapToGlobal(at))

    def _text_menu(self, at: QPoint) -> None:
        menu = self._text.createStandardContextMenu()
        token = self._text.word_at(at)
        if token is not None and self._item is not None:
            first = menu.actions()[0] if menu.actions() else None
            added = self._add(menu, marks_of(token, self._explanation, self._item))
            if first is not None:
                menu.insertAction(first, added)
                menu.insertSeparator(first)
        _pop_up(menu, self._text.viewport().mapToGlobal(at))

    def _add(self, menu: QMenu, marks: tuple[CrossedOut, ...]) -> QAction:
        does = "Take back" if all(map(self._holds, marks)) else "Cross out"
        action = menu.addAction(f"{does} {_called(marks)}")
        action.triggered.connect(lambda: self._toggle(marks))
        return action


def _called(marks: Sequence[CrossedOut]) -> str:
    """Return what a part is called, and how often it stands there where that is more than once."""
    return name_of(marks[0]) + (f" {len(marks)}×" if len(marks) > 1 else "")


def _pop_up(menu: QMenu, at: QPoint) -> None:
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if menu.isEmpty():
        menu.deleteLater()
    else:
        menu.popup(at)
