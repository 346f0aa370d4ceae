"""The painted rows of the start page: a recent workspace, and a way to a new one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.actions import caps_of
from desktop.theme import GAP, PAD, RADIUS, TYPE, ThemeManager, font
from desktop.widgets import PaintedButton, paint_key_caps

SUFFIX = ".secondlook"
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft


def name_of(workspace: Path) -> str:
    """Return what a workspace is called: its folder's name without the ending."""
    return workspace.name.removesuffix(SUFFIX) or str(workspace)


def short(folder: Path) -> str:
    """Return a folder's path as people write it, the home folder as "~"."""
    try:
        return str(Path("~") / folder.relative_to(Path.home()))
    except ValueError:
        return str(folder)


class RecentRow(PaintedButton):
    """One workspace: its name and where it is; greyed where it is not there any more."""

    def __init__(self, workspace: Path, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(theme, parent)
        self.workspace, self.missing = workspace, not workspace.is_dir()
        self.setText(name_of(workspace))
        self.setFixedHeight(7 * GAP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setEnabled(not self.missing)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(f"{self.text()}, missing" if self.missing else self.text())
        self.setAccessibleDescription(short(workspace.parent))
        self.setToolTip(str(workspace))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        if self.hovered or self.hasFocus() or self.isDown():
            painter.setPen(QPen(self._theme.colour("focus"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("pressed" if self.isDown() else "hover"))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        ink = "disabled" if self.missing else "quiet"
        self._theme.paint_icon(painter, QRectF(PAD, box.center().y() - 12, 24, 24), "folder", ink)
        words = box.adjusted(PAD + 24 + PAD, GAP + 1, -GAP, -GAP)
        painter.setFont(font(TYPE.body, bold=True))
        painter.setPen(self._theme.colour("quiet" if self.missing else "text"))
        top = QRectF(words.left(), words.top(), words.width(), words.height() / 2)
        painter.drawText(top, _LEFT, painter.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, int(top.width())))  # fmt: skip
        self._paint_path(painter, top.translated(0, words.height() / 2))
        painter.end()

    def _paint_path(self, painter: QPainter, box: QRectF) -> None:
        where = short(self.workspace.parent)
        text = f"Not there any more · {where}" if self.missing else where
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        painter.drawText(box, _LEFT, painter.fontMetrics().elidedText(
            text, Qt.TextElideMode.ElideMiddle, int(box.width())))  # fmt: skip


class ChoiceButton(PaintedButton):
    """A wide button with an icon, a title, a line of explanation, and the key of its action."""

    def __init__(self, icon: str, title: str, words: str, key: str, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(theme, parent)
        self._icon, self._words = icon, words
        self._caps = caps_of(key) if key else ()
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(words)
        self.setFixedHeight(8 * GAP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(40 * GAP, 8 * GAP)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint_face(painter, radius=GAP)
        box = QRectF(self.rect())
        self._theme.paint_icon(
            painter,
            QRectF(PAD, box.center().y() - 12, 24, 24),
            self._icon,
            "accent_text" if self.isEnabled() else "disabled",
        )
        right = box.right() - PAD
        if self._caps:
            right = (
                paint_key_caps(painter, right, box.center().y(), self._caps, self._theme, enabled=self.isEnabled())
                - GAP
            )
        left = PAD + 24.0 + PAD
        half = (box.height() - 2 * (GAP + 3)) / 2
        painter.setFont(font(TYPE.body, bold=True))
        painter.setPen(self._theme.colour("text" if self.isEnabled() else "disabled"))
        painter.drawText(QRectF(left, GAP + 3, right - left, half), _LEFT, self.text())
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet" if self.isEnabled() else "disabled"))
        painter.drawText(QRectF(left, GAP + 3 + half, right - left, half), _LEFT, self._words)
        painter.end()
