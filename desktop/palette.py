"""The command palette: everything that can be done now, found by a few letters."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from desktop.actions import ActionRegistry, ActionSpec, caps_of
from desktop.fuzzy import score
from desktop.theme import GAP, PAD, TYPE, ThemeManager, font
from desktop.widgets import Icon, Overlay, frame, label, paint_key_caps

WIDTH, ROW, ROWS = 72 * GAP, 5 * GAP, 9
_Index = QModelIndex | QPersistentModelIndex


class PaletteModel(QAbstractListModel):
    """The actions that match, best first; without letters all of them in the table's order.

    DisplayRole is the title, ToolTipRole the help, UserRole the `ActionSpec`.
    """

    def __init__(self, actions: ActionRegistry, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self._rows: list[ActionSpec] = []

    def search(self, query: str) -> None:
        """Show what matches these letters."""
        here = ("app.palette", f"app.{self._actions.page}")
        found = [(self._score(query, spec), spec) for spec in self._actions.possible() if spec.id not in here]
        matching = [(points, spec) for points, spec in found if points is not None]
        matching.sort(key=lambda pair: -pair[0])
        self.beginResetModel()
        self._rows = [spec for _, spec in matching]
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        spec = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._actions.title(spec.id)
            case Qt.ItemDataRole.ToolTipRole:
                return spec.help
            case Qt.ItemDataRole.UserRole:
                return spec
        return None

    def _score(self, query: str, spec: ActionSpec) -> int | None:
        title = score(query, self._actions.title(spec.id))
        if title is not None:
            return title
        group = score(query, f"{spec.group} {self._actions.title(spec.id)}")
        return None if group is None else group - 100


class PaletteDelegate(QStyledItemDelegate):
    """Paints a row: title, help in grey, key caps at the right."""

    def __init__(self, theme: ThemeManager, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(WIDTH, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        spec: ActionSpec = index.data(Qt.ItemDataRole.UserRole)
        box = QRectF(option.rect)
        state: QStyle.StateFlag = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("selected"))
            painter.drawRoundedRect(box.adjusted(GAP, 1, -GAP, -1), 6, 6)
        right = box.right() - 2.5 * GAP
        if spec.keys:
            right = paint_key_caps(painter, right, box.center().y(), caps_of(spec.keys[0]), self._theme) - PAD
        self._paint_words(painter, box.adjusted(2.5 * GAP, 0, right - box.right(), 0), index)
        painter.restore()

    def _paint_words(self, painter: QPainter, box: QRectF, index: _Index) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        title = str(index.data())
        painter.setFont(font(TYPE.body))
        painter.setPen(self._theme.colour("text"))
        painter.drawText(box, middle, title)
        rest = box.adjusted(painter.fontMetrics().horizontalAdvance(title) + PAD, 0, 0, 0)
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        words = str(index.data(Qt.ItemDataRole.ToolTipRole))
        elided = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, max(0, int(rest.width())))
        painter.drawText(rest, middle, elided)


class Palette(Overlay):
    """The overlay: type, choose with the arrows, Enter does it."""

    def __init__(self, actions: ActionRegistry, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self._actions = actions
        self.field = QLineEdit(self.panel)
        self.field.setProperty("role", "bare")
        self.field.setPlaceholderText("What do you want to do?")
        self.field.setAccessibleName("Find an action")
        self.model = PaletteModel(actions, self)
        self.view = QListView(self.panel)
        self.view.setModel(self.model)
        self.view.setItemDelegate(PaletteDelegate(theme, self.view))
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setAccessibleName("Actions")
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setStyleSheet("QListView { background: transparent; }")
        self.none = label("Nothing by that name can be done here.", "quiet", self.panel)
        self.none.setContentsMargins(PAD + GAP // 2, 0, 0, GAP)
        self._lay_out()
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.view.clicked.connect(self._do)
        self.view.entered.connect(self.view.setCurrentIndex)

    def open(self) -> None:
        self.field.clear()
        self._search("")
        super().open()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def place(self) -> None:
        width = min(WIDTH, self.width() - 4 * GAP)
        rows = min(ROWS, self.model.rowCount())
        body = rows * ROW if rows else ROW
        height = min(7 * GAP + body + GAP, self.height() - 12 * GAP)
        self.panel.setGeometry((self.width() - width) // 2, 8 * GAP, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            match event.key():
                case Qt.Key.Key_Down:
                    return self._move(1)
                case Qt.Key.Key_Up:
                    return self._move(-1)
                case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                    self._do(self.view.currentIndex())
                    return True
        return super().eventFilter(watched, event)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(PAD + GAP // 2, GAP, PAD, GAP)
        head.setSpacing(GAP // 2)
        head.addWidget(Icon("search", self.theme, 20, "quiet", self.panel))
        head.addWidget(self.field, 1)
        line = frame("", self.panel)
        line.setFixedHeight(1)
        line.setProperty("surface", "line")
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(1, 1, 1, GAP // 2)
        column.setSpacing(GAP // 2)
        column.addLayout(head)
        column.addWidget(line)
        column.addWidget(self.view, 1)
        column.addWidget(self.none)

    def _search(self, query: str) -> None:
        self.model.search(query)
        self.view.setCurrentIndex(self.model.index(0))
        empty = self.model.rowCount() == 0
        self.view.setVisible(not empty)
        self.none.setVisible(empty)
        self.place()

    def _move(self, by: int) -> bool:
        rows = self.model.rowCount()
        if rows:
            self.view.setCurrentIndex(self.model.index((self.view.currentIndex().row() + by) % rows))
        return True

    def _do(self, index: QModelIndex) -> None:
        if index.isValid():
            spec: ActionSpec = index.data(Qt.ItemDataRole.UserRole)
            self.put_away()
            self._actions.trigger(spec.id)
