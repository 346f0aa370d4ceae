"""Paints a row of the queue: thumbnail, title, verdict, confidence with a bar in the label's colour, state."""

from __future__ import annotations

from collections.abc import Hashable

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.review.bounded import Bounded
from desktop.review.queue_model import Role
from desktop.review.thumbnails import SIDE
from desktop.theme import GAP, HALF, TYPE, ThemeManager, font
from desktop.widgets import paint_bar
from engine.taxonomy import Label
from engine.workspace import QueueRow

HEIGHT = 64
STATE_ICONS = {"decided": ("check", "good"), "skipped": ("skip", "quiet"), "escalated": ("up", "warning")}

_LOOKS = QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver
_KEPT = 64
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight


class QueueDelegate(QStyledItemDelegate):
    """Rows are `HEIGHT` high; the current one has the selection's surface and a rim in the focus colour.

    A row is painted once and kept as a pixmap until something in it changes, so that walking down the queue moves
    pixels instead of drawing a dozen rows of text with every key.
    """

    def __init__(self, theme: ThemeManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._title, self._small = font(TYPE.body), font(TYPE.caption)
        self._painted: Bounded[Hashable, QPixmap] = Bounded(_KEPT)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the same height for every row."""
        return QSize(240, HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one row, or the pixmap of it that is still true."""
        row: QueueRow = index.data(Role.ROW)
        thumbnail: QImage | None = index.data(Role.THUMBNAIL)
        rect, state, ratio = option.rect, option.state & _LOOKS, painter.device().devicePixelRatioF()
        picture = thumbnail.cacheKey() if thumbnail is not None else 0
        key = (row, picture, state.value, rect.width(), ratio, self._theme.tokens.name)
        pixmap = self._painted.get(key)
        if pixmap is None:
            pixmap = QPixmap(rect.size() * ratio)
            pixmap.setDevicePixelRatio(ratio)
            own = QPainter(pixmap)
            self._paint_row(own, QRectF(0, 0, rect.width(), rect.height()), state, row, thumbnail, index)
            own.end()
            self._painted[key] = pixmap
        painter.drawPixmap(rect.topLeft(), pixmap)

    def _paint_row(
        self,
        painter: QPainter,
        box: QRectF,
        state: QStyle.StateFlag,
        row: QueueRow,
        thumbnail: QImage | None,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, box, state)
        self._paint_thumbnail(painter, box, thumbnail, has_capture=bool(row.capture))
        left, right = box.x() + 3 * HALF + SIDE + 3 * HALF, box.right() - 3 * HALF
        done = row.state != "open"
        if done:
            self._paint_state(painter, QRectF(right - 16, box.y() + GAP + 2, 16, 16), row.state)
        title = QRectF(left, box.y() + GAP, right - left - (20 if done else 0), 20)
        self._paint_text(painter, title, row.title.replace("\n", " "), "quiet" if done else "text")
        self._paint_verdict(painter, QRectF(left, box.y() + 28, right - left, 16), row, index.data(Role.LABEL))

    def _paint_ground(self, painter: QPainter, box: QRectF, state: QStyle.StateFlag) -> None:
        selected = bool(state & QStyle.StateFlag.State_Selected)
        over = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.fillRect(box, self._theme.colour("selected" if selected else "hover" if over else "surface"))
        if selected:
            painter.fillRect(QRectF(box.x(), box.y(), 3, box.height()), self._theme.colour("focus"))

    def _paint_thumbnail(self, painter: QPainter, box: QRectF, image: QImage | None, *, has_capture: bool) -> None:
        place = QRectF(box.x() + 3 * HALF, box.y() + (HEIGHT - SIDE) / 2, SIDE, SIDE)
        if image is not None:
            painter.drawImage(place, image)
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("track"))
        painter.drawRoundedRect(place, SIDE / 10, SIDE / 10)
        if not has_capture:
            self._theme.paint_icon(painter, place.adjusted(16, 16, -16, -16), "eye-off", "quiet")

    def _paint_state(self, painter: QPainter, box: QRectF, state: str) -> None:
        icon, token = STATE_ICONS.get(state, ("check", "quiet"))
        self._theme.paint_icon(painter, box, icon, token)

    def _paint_text(self, painter: QPainter, box: QRectF, text: str, token: str) -> None:
        painter.setFont(self._title)
        painter.setPen(self._theme.colour(token))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, _LEFT, shown)

    def _paint_verdict(self, painter: QPainter, box: QRectF, row: QueueRow, label: Label | None) -> None:
        painter.setFont(self._small)
        painter.setPen(self._theme.colour("quiet"))
        if label is None or row.probability is None:
            painter.drawText(box, _LEFT, "No verdict yet")
            return
        painter.drawText(box, _LEFT, label.title)
        painter.drawText(box, _RIGHT, f"{row.probability * 100:.0f} %")
        bar = QRectF(box.x(), box.bottom() + HALF, box.width(), HALF)
        paint_bar(painter, bar, row.probability, self._theme.mark(label.colour), self._theme)
