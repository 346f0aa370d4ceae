"""The capture with its heatmap: fitted, as wide as the view, or zoomed; panned by keys, wheel and dragging; blurred on
demand; painted by hand to be quick.

At rest (fitted) both images have exactly the size of the view's pixels, so that painting is two copies and no scaling.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.theme import PAD, ThemeManager
from engine.types import Box

ZOOM_STEP = 1.25
ZOOM_LEAST, ZOOM_MOST = 0.1, 8.0
FIT_MOST = 1.75
"""A fitted capture is enlarged at most this much; beyond it gets no clearer, only coarser."""
PAN_STEP, PAN_VIEW = 0.125, 0.875
"""Shares of the view by which a key moves an enlarged capture: a line stays in sight from one view to the next."""

_MARGIN = PAD
_VEIL = 0.35
"""How much of a crossed-out region is taken away by the veil below its hatching."""
_BESIDE = 2
"""Pixels between the dark and the light lines of the hatching."""


class CaptureView(QWidget):
    """Shows what `show_capture` gives it. Sizes of captures are in screenshot pixels; the view answers in [0, 1].

    `hovered(x, y)` tells where the pointer is on the capture, (-1, -1) when it leaves. `zoomed(factor)` and
    `fitChanged()` (another size of the view) let the page fetch other images.
    """

    hovered = Signal(float, float)
    zoomed = Signal(float)
    fitChanged = Signal()

    def __init__(self, theme: ThemeManager, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._capture: QImage | None = None
        self._heat: QImage | None = None
        self._full: QImage | None = None
        self._size = QSize()
        self._words = ""
        self._zoom: float | None = None
        self._wide = self._stays_wide = False
        self._centre = QPointF(0.5, 0.0)
        self._dragged_from: QPointF | None = None
        self._opacity = 0.6
        self._heat_shown = True
        self._crossed: list[QPainterPath] = []
        self._current = QPainterPath()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 160)
        self.setAccessibleName("Screenshot")
        theme.changed.connect(self.update)

    # --- what is shown ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget the item before: the next one comes fitted, or as wide as the view where that was chosen last."""
        self._full = None
        self._reset(wide=self._stays_wide)

    def show_capture(self, capture: QImage | None, heat: QImage | None, size: QSize, words: str = "") -> None:
        """Show an item's images; `words` stand in the capture's place where there is none (yet)."""
        if size != self._size:
            self._size = size
            self._full = None
        self._capture, self._heat, self._words = capture, heat, words
        self.setAccessibleDescription(words)
        self.update()

    def show_full(self, image: QImage | None) -> None:
        """Use the capture pixel for pixel while zoomed."""
        self._full = image
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """Paint the heatmap this strongly, 0 to 1."""
        self._opacity = opacity
        self.update()

    def set_heat_shown(self, shown: bool) -> None:
        """Show or hide the heatmap."""
        self._heat_shown = shown
        self.update()

    def show_marks(self, crossed: Sequence[Sequence[Box]], current: Sequence[Box]) -> None:
        """Hatch what is crossed out and put a frame around the current part; rectangles in screenshot pixels.

        Another current part than before is brought into view.
        """
        self._crossed = [_path(boxes) for boxes in crossed]
        before, self._current = self._current, _path(current)
        if self._current != before:
            self._bring_into_view(self._current.boundingRect())
        self.update()

    def share_at(self, at: QPoint) -> tuple[float, float]:
        """Return a point of the view as shares of the capture's width and height."""
        if self._size.isEmpty():
            return -1.0, -1.0
        share = self._on_capture(QPointF(at))
        return share.x(), share.y()

    def fitted_size(self, size: QSize) -> QSize:
        """Return the device pixels at which a capture of `size` is shown when fitted."""
        if size.isEmpty():
            return QSize()
        return (self._fit_box(size).size() * self.devicePixelRatioF()).toSize()

    @property
    def shows_capture(self) -> bool:
        """Whether the capture itself is painted, not words in its place."""
        return self._capture is not None and not self._words

    @property
    def shows_heat(self) -> bool:
        """Whether there is a heatmap to paint."""
        return self._heat is not None

    # --- zoom and pan -----------------------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        """View pixels per screenshot pixel."""
        if self._zoom is not None:
            return self._zoom
        if self._size.isEmpty():
            return 1.0
        return self._fit_box(self._size).width() / self._size.width() if self.fitted else self._widest(self._size)

    @property
    def fitted(self) -> bool:
        """Whether the whole capture is in view."""
        return self._zoom is None and not (self._wide and self._is_tall(self._size))

    def comes_enlarged(self, size: QSize) -> bool:
        """Tell whether the next capture, if it has this size, is enlarged from the start."""
        return self._stays_wide and self._is_tall(size)

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom by a factor, keeping the point `at` (view pixels; the middle without it) where it is."""
        if self._size.isEmpty():
            return
        anchor = at if at is not None else QRectF(self.rect()).center()
        held = self._on_capture(anchor)
        self._zoom = max(ZOOM_LEAST, min(ZOOM_MOST, self.zoom * factor))
        moved = self._on_capture(anchor)
        self._pan(held - moved)
        self.zoomed.emit(self.zoom)

    def fit(self) -> None:
        """Show the whole capture again."""
        self._stays_wide = False
        self._reset(wide=False)
        self.zoomed.emit(self.zoom)

    def fit_width(self) -> None:
        """Make the capture as wide as the view and show its top; those after it come so as well until one is fitted."""
        self._stays_wide = True
        self._reset(wide=True)
        self.zoomed.emit(self.zoom)

    def pan_by(self, right: float, down: float) -> None:
        """Show what lies further to the right and below, by shares of the view; a fitted capture stays."""
        if not self.fitted:
            box = self._box()
            self._pan(QPointF(right * self.width() / box.width(), down * self.height() / box.height()))

    def _reset(self, *, wide: bool) -> None:
        self._zoom, self._wide, self._centre = None, wide, QPointF(0.5, 0.0)
        self.update()

    def _pan(self, by: QPointF) -> None:
        size = self._size.toSizeF() * self.zoom
        self._centre = self._within(self._within(self._centre, size) + by, size)
        self.update()

    def _bring_into_view(self, part: QRectF) -> None:
        """Show a part, in screenshot pixels, in the middle unless it is in view; of a larger one the beginning."""
        if self.fitted or part.isEmpty():
            return
        onto, view = self._onto(self._box()), QRectF(self.rect())
        if view.contains(onto.mapRect(part)):
            return
        room = view.size() / self.zoom
        shown = QRectF(part.topLeft(), part.size().boundedTo(room)).center()
        self._centre = QPointF(shown.x() / self._size.width(), shown.y() / self._size.height())
        self._pan(QPointF())

    def _onto(self, box: QRectF) -> QTransform:
        """From screenshot pixels to the view's."""
        return QTransform.fromTranslate(box.x(), box.y()).scale(self.zoom, self.zoom)

    def _within(self, centre: QPointF, size: QSizeF) -> QPointF:
        """The point of a capture of this size, nearest to `centre`, with which in the middle no room is given away."""
        half_x = min(0.5, self.width() / 2 / size.width())
        half_y = min(0.5, (self.height() / 2 - _MARGIN) / size.height())
        return QPointF(max(half_x, min(1 - half_x, centre.x())), max(half_y, min(1 - half_y, centre.y())))

    def _is_tall(self, size: QSize) -> bool:
        """Whether a capture of this size that is as wide as the view is too high for it."""
        return not size.isEmpty() and self._widest(size) * size.height() > self._room().height()

    def _widest(self, size: QSize) -> float:
        return min(FIT_MOST, self._room().width() / size.width())

    def _room(self) -> QSizeF:
        """The view without its margins."""
        return QSizeF(max(1, self.width() - 2 * _MARGIN), max(1, self.height() - 2 * _MARGIN))

    def _fit_box(self, size: QSize) -> QRectF:
        """Where a fitted capture lies, on whole device pixels so that painting it is a plain copy."""
        room = self._room()
        factor = min(FIT_MOST, room.width() / size.width(), room.height() / size.height())
        ratio = self.devicePixelRatioF()
        width, height = (max(1, round(side * factor * ratio)) / ratio for side in (size.width(), size.height()))
        left, top = (
            round((outer - inner) / 2 * ratio) / ratio
            for outer, inner in ((self.width(), width), (self.height(), height))
        )
        return QRectF(left, top, width, height)

    def _box(self) -> QRectF:
        if self.fitted:
            return self._fit_box(self._size)
        size = self._size.toSizeF() * self.zoom
        centre = self._within(self._centre, size)
        left = self.width() / 2 - centre.x() * size.width()
        top = self.height() / 2 - centre.y() * size.height()
        return QRectF(QPointF(left, top), size)

    def _on_capture(self, at: QPointF) -> QPointF:
        box = self._box()
        return QPointF((at.x() - box.x()) / box.width(), (at.y() - box.y()) / box.height())

    # --- painting ---------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        if self._words or self._capture is None or self._size.isEmpty():
            self._paint_words(painter)
        else:
            self._paint_images(painter, self._capture)
        painter.end()

    def _paint_images(self, painter: QPainter, capture: QImage) -> None:
        box = self._box()
        image = self._full if self._full is not None and not self.fitted else capture
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._scales(image, box))
        painter.drawImage(box, image)
        if self._heat is not None and self._heat_shown:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._scales(self._heat, box))
            painter.setOpacity(self._opacity)
            painter.drawImage(box, self._heat)
            painter.setOpacity(1.0)
        painter.setPen(QPen(self._theme.colour("border"), 0))
        painter.drawRect(box.adjusted(-0.5, -0.5, 0.5, 0.5))
        self._paint_marks(painter, box)

    def _paint_marks(self, painter: QPainter, box: QRectF) -> None:
        """Two tones everywhere: what lies below may be of any colour, and no eye needs to tell hues apart."""
        dark, light = self._theme.colour("text"), self._theme.colour("surface")
        onto = self._onto(box)
        for path in map(onto.map, self._crossed):
            painter.setOpacity(_VEIL)
            painter.fillPath(path, light)
            painter.setOpacity(1.0)
            for tone, moved in ((light, _BESIDE), (dark, 0)):
                painter.setBrushOrigin(moved, 0)
                painter.fillPath(path, QBrush(tone, Qt.BrushStyle.BDiagPattern))
            painter.setBrushOrigin(0, 0)
            self._frame(painter, path, (("surface", 3.0), ("text", 1.0)))
        self._frame(painter, onto.map(self._current), (("surface", 6.0), ("focus", 3.0)))

    def _frame(self, painter: QPainter, path: QPainterPath, pens: Sequence[tuple[str, float]]) -> None:
        for tone, width in pens:
            painter.strokePath(path, QPen(self._theme.colour(tone), width))

    def _scales(self, image: QImage, box: QRectF) -> bool:
        return image.size() != (box.size() * self.devicePixelRatioF()).toSize()

    def _paint_words(self, painter: QPainter) -> None:
        box = QRectF(self.rect())
        if not self._size.isEmpty():
            box = self._fit_box(self._size)
            painter.fillRect(box, self._theme.colour("surface"))
        painter.setPen(self._theme.colour("quiet"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(box.adjusted(PAD, PAD, -PAD, -PAD), flags, self._words)

    # --- events -----------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(640, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.fitChanged.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(ZOOM_STEP**steps, event.position())
        elif not self.fitted:
            box = self._box()
            delta = event.angleDelta()
            self._pan(QPointF(-delta.x() / 2 / box.width(), -delta.y() / 2 / box.height()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.fitted:
            self._dragged_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_from is not None:
            box, moved = self._box(), self._dragged_from - event.position()
            self._dragged_from = event.position()
            self._pan(QPointF(moved.x() / box.width(), moved.y() / box.height()))
        elif not self._size.isEmpty():
            at = self._on_capture(event.position())
            self.hovered.emit(at.x(), at.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged_from = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.fitted:
            self.zoom_by(2.0, event.position())
        else:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(-1.0, -1.0)


def _path(boxes: Sequence[Box]) -> QPainterPath:
    """Return the outline of rectangles that touch each other, as one shape."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for box in boxes:
        path.addRect(QRectF(*box))
    return path.simplified()
