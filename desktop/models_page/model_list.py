"""The list of models: an item model that answers and a delegate that paints."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.models_page.summary import ModelSummary, score_sentence, summarise
from desktop.theme import GAP, HALF, PAD, RADIUS, TYPE, ThemeManager, font
from desktop.widgets import paint_bar
from engine.counting import counted
from engine.workspace import ModelRow

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 80
SUMMARY_ROLE = Qt.ItemDataRole.UserRole
_NO_PARENT = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ModelList(QAbstractListModel):
    """Models, newest first. `row_of(id)` and `model_row(number)` lead from ids to rows and back."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ModelRow] = []
        self._summaries: list[ModelSummary] = []

    def show_models(self, rows: Sequence[ModelRow]) -> None:
        """Show these models."""
        self.beginResetModel()
        self._rows = sorted(rows, key=lambda row: (row.card.created, row.card.id), reverse=True)
        self._summaries = [summarise(row) for row in self._rows]
        self.endResetModel()

    def model_row(self, number: int) -> ModelRow | None:
        """Return the model of this row, or None."""
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def row_of(self, model: str) -> int:
        """Return the row of a model's id, -1 where it is not listed."""
        return next((number for number, row in enumerate(self._rows) if row.card.id == model), -1)

    def champion_row(self) -> int:
        """Return the champion's row, -1 where there is none."""
        return next((number for number, row in enumerate(self._rows) if row.champion), -1)

    def rowCount(self, parent: Index = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        summary = self._summaries[index.row()]
        if role == SUMMARY_ROLE:
            return summary
        if role == Qt.ItemDataRole.DisplayRole:
            return summary.id
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            champion = "Champion. " if summary.champion else ""
            return f"{summary.id}. {champion}{score_sentence(summary.headline)}"
        return None


class ModelDelegate(QStyledItemDelegate):
    """Paints a model: name and place, when and from how much it was made, its score next to the majority's."""

    def __init__(self, theme: ThemeManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        summary = index.data(SUMMARY_ROLE)
        if not isinstance(summary, ModelSummary):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect).adjusted(GAP, HALF / 2, -GAP, -HALF / 2)
        self._paint_ground(painter, box, option.state)
        inner = box.adjusted(GAP + HALF, GAP, -GAP - HALF, -GAP)
        self._paint_name(painter, inner, summary)
        self._paint_score(painter, inner, summary)
        painter.restore()

    def _paint_ground(self, painter: QPainter, box: QRectF, state: QStyle.StateFlag) -> None:
        selected = bool(state & QStyle.StateFlag.State_Selected)
        over = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("selected" if selected else "hover" if over else "surface"))
        painter.drawRoundedRect(box, RADIUS, RADIUS)
        if selected and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(self._theme.colour("focus"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    def _paint_name(self, painter: QPainter, box: QRectF, summary: ModelSummary) -> None:
        line = QRectF(box.left(), box.top(), box.width(), 20)
        right = line.right()
        if summary.champion:
            right = self._paint_place(painter, line)
        painter.setFont(font(TYPE.body, bold=True))
        painter.setPen(self._theme.colour("text"))
        name = QRectF(line.left(), line.top(), right - line.left() - GAP, line.height())
        fitted = painter.fontMetrics().elidedText(summary.id, Qt.TextElideMode.ElideMiddle, int(name.width()))
        painter.drawText(name, _LEFT, fitted)
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        made = f"{summary.created} · {counted(summary.training_items, 'training item')}"
        below = line.translated(0, 20)
        fitted = painter.fontMetrics().elidedText(made, Qt.TextElideMode.ElideRight, int(below.width()))
        painter.drawText(below, _LEFT, fitted)

    def _paint_place(self, painter: QPainter, line: QRectF) -> float:
        painter.setFont(font(TYPE.caption, bold=True))
        width = painter.fontMetrics().horizontalAdvance("Champion") + 2 * GAP
        pill = QRectF(line.right() - width, line.top(), width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("good_wash"))
        painter.drawRoundedRect(pill, 10, 10)
        painter.setPen(self._theme.colour("good"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, "Champion")
        return pill.left()

    def _paint_score(self, painter: QPainter, box: QRectF, summary: ModelSummary) -> None:
        line = QRectF(box.left(), box.bottom() - 18, box.width(), 18)
        painter.setFont(font(TYPE.caption))
        found = summary.headline
        if found is None:
            painter.setPen(self._theme.colour("quiet"))
            painter.drawText(line, _LEFT, "Not measured")
            return
        painter.setPen(self._theme.colour("text"))
        words = f"{found.macro_f1:.2f} macro-F1"
        painter.drawText(line, _LEFT, words)
        painter.setPen(self._theme.colour("quiet"))
        others = f"majority {found.majority:.2f}, {counted(found.n, 'item')}"
        painter.drawText(line, _RIGHT, others)
        left = line.left() + 92
        right = line.right() - painter.fontMetrics().horizontalAdvance(others) - GAP - HALF
        if right - left > 2 * PAD:
            bar = QRectF(left, line.center().y() - 2, right - left, 4)
            paint_bar(painter, bar, found.macro_f1, self._theme.colour("accent"), self._theme)
            painter.setPen(self._theme.colour("text"))
            tick = bar.left() + bar.width() * found.majority
            painter.drawLine(QPointF(tick, bar.top() - 3), QPointF(tick, bar.bottom() + 3))
