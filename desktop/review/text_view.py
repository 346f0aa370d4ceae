"""The item's title and text with its token highlights, on the heatmap's scale and in its hues."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from operator import itemgetter

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QTextCharFormat, QTextCursor, QTextOption
from PySide6.QtWidgets import QFrame, QTextEdit, QWidget

from desktop.review.heatmap import scale_of, strength
from desktop.review.places import Places
from desktop.review.trust import weight_words
from desktop.theme import TYPE, ThemeManager, colour
from desktop.theme.diverging import Diverging
from engine.evidence import is_clear
from engine.types import Explanation, Item, TokenWeight

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
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setStyleSheet(f"font-size: {TYPE.reading}px; border: none; background: transparent; padding: 0 8px;")
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
        self.hovered.emit(f"“{token.text}” {weight_words(token.weight, token.error)}" if token is not None else "")

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.hovered.emit("")

    def _token_at(self, position: int) -> TokenWeight | None:
        place = bisect_right(self._starts, position) - 1
        if place < 0 or position >= self._spans[place][1]:
            return None
        return self._spans[place][2]


@lru_cache(maxsize=512)
def _background(diverging: Diverging, share: float) -> QColor:
    return colour(diverging.colour(share))
