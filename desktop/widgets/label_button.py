"""The button of a label: its colour, its title, and the key that gives it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import GAP, RADIUS, TYPE, ThemeManager, colour, font
from desktop.widgets.bar import paint_bar
from desktop.widgets.keycap import paint_key_caps, width_of
from desktop.widgets.painted_button import PaintedButton

HEIGHT = 40


class LabelButton(PaintedButton):
    """A wide painted button: a stripe in the label's colour, the title, an optional probability, the key cap.

    Checked means that the label is part of the answer that is being given (multi-label tasks); `set_verdict` marks
    the one that the model gives. A title that is too long ends in "…" and is whole in the tooltip.
    """

    def __init__(
        self, title: str, key: str, label_colour: str, theme: ThemeManager, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent)
        self._key, self._colour = key, label_colour
        self._probability: float | None = None
        self._verdict = False
        self._elided = False
        self.setText(title)
        self.setMinimumHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._name_it()

    def set_probability(self, probability: float | None) -> None:
        """Show the model's probability in [0, 1] as a bar and a percentage, or none."""
        self._probability = probability
        self._name_it()
        self.update()

    def set_verdict(self, verdict: bool) -> None:
        """Mark this label as the one that the model gives."""
        self._verdict = verdict
        self._name_it()
        self.update()

    def set_key(self, key: str) -> None:
        """Show another key, or none ("")."""
        self._key = key
        self._name_it()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + width_of((self._key,)) + 9 * GAP, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_face(painter)
        right = self.width() - GAP - 2.0
        if self._key:
            right = paint_key_caps(painter, right, self.height() / 2, (self._key.upper(),), self._theme,
                                   enabled=self.isEnabled()) - GAP  # fmt: skip
        if self._probability is not None:
            right = self._paint_probability(painter, right) - GAP
        self._paint_title(painter, right)
        painter.end()

    def _paint_face(self, painter: QPainter) -> None:
        tokens = self._theme.tokens
        face = tokens.raised
        if self.isDown():
            face = tokens.pressed
        elif self.isChecked():
            face = tokens.selected
        elif self.hovered:
            face = tokens.hover
        focused = self.hasFocus()
        edge = tokens.focus if focused or self.isChecked() else tokens.border
        inset = 1.0 if focused else 0.5
        painter.setPen(QPen(colour(edge), 2 if focused else 1))
        painter.setBrush(colour(face))
        box = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(box, RADIUS, RADIUS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.mark(self._colour, "raised"))
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        painter.drawRoundedRect(QRectF(GAP, GAP, 4, self.height() - 2 * GAP), 2, 2)
        painter.setOpacity(1.0)

    def _paint_title(self, painter: QPainter, right: float) -> None:
        face = font(TYPE.body, bold=self._verdict or self.isChecked())
        painter.setFont(face)
        painter.setPen(self._theme.colour("text" if self.isEnabled() else "disabled"))
        left = GAP + 4.0 + GAP + 2
        box = QRectF(left, 0, right - left, self.height())
        text = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        self._elided = text != self.text()
        self._hint()

    def _paint_probability(self, painter: QPainter, right: float) -> float:
        painter.setFont(font(TYPE.caption))
        painter.setPen(self._theme.colour("quiet"))
        words = f"{(self._probability or 0) * 100:.0f} %"
        box = QRectF(right - 36, 0, 36, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
        left = box.left() - GAP - 48
        bar = QRectF(left, self.height() / 2 - 3, 48, 6)
        paint_bar(painter, bar, self._probability or 0, self._theme.mark(self._colour, "raised"), self._theme)
        return left

    def _hints(self) -> list[str]:
        """Return the lines of the tooltip."""
        return [self.text()] if self._elided else []

    def _hint(self) -> None:
        lines = "\n".join(self._hints())
        if lines != self.toolTip():
            self.setToolTip(lines)

    def _name_it(self) -> None:
        words = [self.text()]
        if self._probability is not None:
            words.append(f"{self._probability * 100:.0f} percent")
        if self._verdict:
            words.append("the model's verdict")
        if self._key:
            words.append(f"key {self._key.upper()}")
        self.setAccessibleName(", ".join(words))
