"""Paints a page of a capture: its picture, what it is called, its address or what went wrong, and how it stands."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.capture_page.pages_model import Role
from desktop.capture_page.words import STATE_ICONS, STATE_WORDS
from desktop.children.capture_states import FAILED, Page
from desktop.review.thumbnails import SIDE
from desktop.theme import GAP, HALF, PAD, TYPE, WIDE, ThemeManager, font

HEIGHT = 64
_STATE_WIDTH = 14 * GAP
_LINE = 21
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


class PagesDelegate(QStyledItemDelegate):
    """Rows are `HEIGHT` high; a chosen one has the selection's surface, the current one a rim in the focus colour."""

    def __init__(self, theme: ThemeManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the same height for every row."""
        return QSize(240, HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row."""
        page = index.data(Role.PAGE)
        if not isinstance(page, Page):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect)
        self._paint_ground(painter, box, option.state)
        self._paint_picture(painter, box, index.data(Role.THUMBNAIL), page)
        state = QRectF(box.right() - _STATE_WIDTH - PAD, box.y(), _STATE_WIDTH, box.height())
        self._paint_state(painter, state, page)
        left = box.x() + WIDE + SIDE + PAD
        words = QRectF(left, box.y() + GAP + HALF, state.left() - PAD - left, 20)
        self._paint_words(painter, words, page)
        painter.restore()

    def _paint_ground(self, painter: QPainter, box: QRectF, state: QStyle.StateFlag) -> None:
        selected = bool(state & QStyle.StateFlag.State_Selected)
        over = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.fillRect(box, self._theme.colour("selected" if selected else "hover" if over else "surface"))
        if selected and state & QStyle.StateFlag.State_HasFocus:
            painter.fillRect(QRectF(box.x(), box.y(), 3, box.height()), self._theme.colour("focus"))

    def _paint_picture(self, painter: QPainter, box: QRectF, image: QImage | None, page: Page) -> None:
        place = QRectF(box.x() + WIDE, box.y() + (HEIGHT - SIDE) / 2, SIDE, SIDE)
        if image is not None:
            painter.drawImage(place, image)
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("track"))
        painter.drawRoundedRect(place, SIDE / 10, SIDE / 10)
        if page.settled:
            self._theme.paint_icon(painter, place.adjusted(16, 16, -16, -16), "eye-off", "quiet")

    def _paint_words(self, painter: QPainter, line: QRectF, page: Page) -> None:
        below = line.translated(0, _LINE)
        failed = page.state in (FAILED, "again")
        first = page.title.replace("\n", " ") if page.title and not failed else page.key
        second = page.reason or (page.key if page.title else "")
        if not second:
            line.translate(0, _LINE / 2)
        self._paint_line(painter, line, first, TYPE.body, "text" if page.settled else "quiet")
        tint = "danger" if page.state == FAILED else "quiet"
        self._paint_line(painter, below, second.replace("\n", " "), TYPE.caption, tint)

    def _paint_line(self, painter: QPainter, box: QRectF, text: str, size: int, token: str) -> None:
        painter.setFont(font(size))
        painter.setPen(self._theme.colour(token))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, _LEFT, shown)

    def _paint_state(self, painter: QPainter, box: QRectF, page: Page) -> None:
        icon, tint = STATE_ICONS[page.state]
        middle = box.center().y()
        self._theme.paint_icon(painter, QRectF(box.left(), middle - 8, 16, 16), icon, tint)
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour(tint))
        painter.drawText(box.adjusted(3 * GAP, 0, 0, 0), _LEFT, STATE_WORDS[page.state])
