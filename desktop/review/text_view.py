"""The item's title and text with its token highlights, on the heatmap's scale and in its hues."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from PySide6.QtCore import QEvent, QLineF, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextCharFormat,
    QTextCursor,
    QTextLine,
    QTextOption,
)
from PySide6.QtWidgets import QFrame, QTextEdit, QWidget

from desktop.review.heatmap import scale_of, strength
from desktop.review.places import Places
from desktop.theme import TYPE, ThemeManager, colour
from desktop.theme.diverging import Diverging
from engine.evidence import is_clear
from engine.trust import weight_words
from engine.types import CrossedOut, Explanation, Item, TokenWeight

_FAINT = 0.04
"""Strengths below this get no background: a page of faint tints reads as noise."""


class TextView(QTextEdit):
    """Read-only; text can be selected and copied. `hovered(words)` names the word under the pointer and its weight."""

    hovered = Signal(str)

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._explanation: Explanation | None = None
        self._shown = True
        self._starts: list[int] = []
        self._spans: list[tuple[int, int, TokenWeight]] = []
        self._places = Places("", "")
        self._crossed: list[tuple[int, int]] = []
        self._current: tuple[int, int] | None = None
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        look = f"font-size: {TYPE.reading}px; border: none; background: transparent; padding: 0 8px;"
        self.setStyleSheet(f"TextView {{ {look} }}")  # named, so that the view's own menu keeps its background
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setUndoRedoEnabled(False)
        self.setAccessibleName("Title and text")
        self.viewport().setMouseTracking(True)
        theme.changed.connect(self._highlight)

    def show_item(self, item: Item, explanation: Explanation | None) -> None:
        """Show an item's title and text, highlighted where there is an explanation."""
        self._places = Places(item.title, item.text)
        self.setPlainText(self._places.shown)
        self._embolden_title()
        self.show_explanation(explanation)

    def show_explanation(self, explanation: Explanation | None) -> None:
        """Highlight the same text by another explanation, or not at all."""
        self._explanation = explanation
        tokens = explanation.tokens if explanation is not None else ()
        spans = ((*self._places.span(token), token) for token in tokens if self._places.holds(token))
        self._spans = sorted(spans, key=itemgetter(0))
        self._starts = [span[0] for span in self._spans]
        self._highlight()

    def set_tokens_shown(self, shown: bool) -> None:
        """Show or hide the highlights."""
        self._shown = shown
        self._highlight()

    def show_marks(self, crossed: Sequence[CrossedOut], current: CrossedOut | None) -> None:
        """Strike through the words that are crossed out and put a frame around the current one."""
        self._crossed = [self._places.span(mark) for mark in crossed if self._places.holds(mark)]
        held = current is not None and self._places.holds(current)
        self._current = self._places.span(current) if current is not None and held else None
        if self._current is not None:
            self._bring_into_view(self._current[0])
        self.viewport().update()

    def scroll_by(self, steps: int) -> None:
        """Scroll a long text down by some of the bar's own steps, up where they are negative."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + steps * bar.singleStep())

    def word_at(self, at: QPoint) -> TokenWeight | None:
        """Return the explained word at a point of the viewport, or None."""
        return self._token_at(self.cursorForPosition(at).position())

    def _bring_into_view(self, position: int) -> None:
        cursor = QTextCursor(self.document())
        cursor.setPosition(position)
        below = self.cursorRect(cursor).bottom() - self.viewport().height()
        bar = self.verticalScrollBar()
        if below > 0 or self.cursorRect(cursor).top() < 0:
            bar.setValue(bar.value() + below + self.viewport().height() // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._crossed and self._current is None:
            return
        painter = QPainter(self.viewport())
        painter.setPen(QPen(self._theme.colour("text"), 2))
        for span in self._crossed:
            for box in self._boxes_of(*span):
                painter.drawLine(QLineF(box.left() - 1, box.center().y() + 1, box.right() + 1, box.center().y() + 1))
        painter.setPen(QPen(self._theme.colour("focus"), 2))
        for box in self._boxes_of(*self._current) if self._current is not None else ():
            painter.drawRoundedRect(box.adjusted(-2, 0, 2, 0), 3, 3)
        painter.end()

    def _boxes_of(self, start: int, end: int) -> Iterator[QRectF]:
        """Yield where positions of the document stand in the viewport, a rectangle a line."""
        block = self.document().findBlock(start)
        layout, moved = block.layout(), -self.verticalScrollBar().value()
        first, last = start - block.position(), min(end, block.position() + block.length() - 1) - block.position()
        corner = self.document().documentLayout().blockBoundingRect(block).topLeft()
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            begun, ended = max(first, line.textStart()), min(last, line.textStart() + line.textLength())
            if begun < ended:
                left, right = sorted((_x_of(line, begun), _x_of(line, ended)))
                yield QRectF(corner.x() + left, corner.y() + line.y() + moved, right - left, line.height())

    def _highlight(self) -> None:
        marks = []
        if self._explanation is not None and self._shown:
            scale = scale_of(self._explanation)
            for start, end, token in self._spans:
                share = strength(token.weight, scale)
                if abs(share) >= _FAINT and is_clear(token.weight, token.error):
                    marks.append(self._mark(start, end, self._token_format(share)))
        self.setExtraSelections(marks)

    def _embolden_title(self) -> None:
        cursor = QTextCursor(self.document())
        cursor.setPosition(self._places.title_end, QTextCursor.MoveMode.KeepAnchor)
        form = QTextCharFormat()
        form.setFontWeight(QFont.Weight.DemiBold)
        cursor.mergeCharFormat(form)

    def _token_format(self, share: float) -> QTextCharFormat:
        form = QTextCharFormat()
        form.setBackground(_background(self._theme.tokens.diverging, round(share, 2)))
        form.setForeground(self._theme.colour("text"))
        return form

    def _mark(self, start: int, end: int, form: QTextCharFormat) -> QTextEdit.ExtraSelection:
        mark = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        mark.cursor = cursor
        mark.format = form
        return mark

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        token = self._token_at(self.cursorForPosition(event.position().toPoint()).position())
        self.hovered.emit(_told(token) if token is not None else "")

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit("")

    def _token_at(self, position: int) -> TokenWeight | None:
        place = bisect_right(self._starts, position) - 1
        if place < 0 or position >= self._spans[place][1]:
            return None
        return self._spans[place][2]


def _x_of(line: QTextLine, position: int) -> float:
    """Return where a position of its block stands in a line; Qt gives it with the position that it means."""
    found: Any = line.cursorToX(position)
    return float(found[0])


@lru_cache(maxsize=512)
def _background(diverging: Diverging, share: float) -> QColor:
    return colour(diverging.colour(share))


def _told(token: TokenWeight) -> str:
    """Return a word's weight in words."""
    together = " with its neighbours" if token.group is not None else ""
    return f"“{token.text}”{together} {weight_words(token.weight, token.error)}"
