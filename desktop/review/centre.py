"""The middle of the page: the capture with its heatmap, the text with its highlights, and the strips around them."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QSplitter, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.review.capture_view import CaptureView
from desktop.review.crossing import CrossingOut
from desktop.review.explanations import Explanations
from desktop.review.heatmap import any_colour, scale_of, segment_at
from desktop.review.lens import LookStrip, WhyStrip
from desktop.review.pictures import Pictures
from desktop.review.text_view import TextView
from desktop.review.visit import Visit
from desktop.theme import ThemeManager
from engine.errors import InputError
from engine.taxonomy import Taxonomy
from engine.trust import fit_words, reliability_words, weight_words
from engine.types import Explanation, Item

NO_CAPTURE = "This item came without a screenshot."
DAMAGED = "The screenshot's file is missing or damaged. Import the item again to mend it."
LOADING = "Loading…"
_SETTLE_MS = 80
"""While the window is being resized the old images are stretched; new ones are made when it rests."""


class Centre(QFrame):
    """Shows one visit. Images are asked for at the size of the view and painted when they are there.

    `resized()` once the view has had another size for a moment.
    """

    resized = Signal()

    def __init__(
        self,
        taxonomy: Taxonomy,
        pictures: Pictures,
        explanations: Explanations,
        theme: ThemeManager,
        actions: ActionRegistry,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._taxonomy = taxonomy
        self._pictures = pictures
        self._explanations = explanations
        self._visit: Visit | None = None
        self._explanation: Explanation | None = None
        self.look = LookStrip(theme, actions, self)
        self.capture = CaptureView(theme, self)
        self.why = WhyStrip(theme, actions, self)
        self.text = TextView(theme, self)
        self.crossing = CrossingOut(self.capture, self.text, self.why.show_part, self)
        self._lay_out()
        self.look.opacity.valueChanged.connect(lambda percent: self.capture.set_opacity(percent / 100))
        self.capture.hovered.connect(self._hover_capture)
        self._settled = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settled.timeout.connect(self._on_settled)
        self.capture.fitChanged.connect(self._settled.start)
        self.capture.zoomed.connect(self._zoomed)
        self.text.hovered.connect(self.why.hover)
        pictures.changed.connect(self._picture_changed)
        explanations.changed.connect(self._explanation_changed)

    # --- what is shown ----------------------------------------------------------------------------------------

    def show_visit(self, visit: Visit) -> None:
        """Show another item, fitted, or as wide as the view where that was chosen."""
        self._visit = visit
        self._look_again(visit.sight.item)
        self._explanation = self._explanations.get(visit.sight, visit.focus)
        self.capture.begin()
        self.look.show_item(visit.sight.item)
        self.text.show_item(visit.sight.item, self._explanation)
        self.crossing.show_item(visit.sight.item, self._explanation)
        self.refresh_images()
        self._show_why(visit)

    def _look_again(self, item: Item) -> None:
        self._explanations.look_again(item.id)
        if item.capture is not None:
            self._pictures.look_again(item.capture)

    def show_focus(self, visit: Visit) -> None:
        """Show the explanation of another label of the same item."""
        self._explanation = self._explanations.get(visit.sight, visit.focus)
        self.text.show_explanation(self._explanation)
        self.crossing.show_item(visit.sight.item, self._explanation)
        self.refresh_images()
        self._show_why(visit)

    def refresh_images(self) -> None:
        """Fetch capture and heatmap for the view's present size."""
        if self._visit is None:
            return
        item = self._visit.sight.item
        size = QSize(item.width, item.height)
        fitted = self.capture.fitted_size(size)
        heat = self._pictures.heat(self._explanation, fitted) if self._explanation is not None else None
        image, words = self._image(item, fitted)
        self.capture.show_capture(image, heat, size, words)
        self._zoomed(self.capture.zoom)

    def refresh_progress(self, *_: object) -> None:
        """Say anew how far the explanation is (the engine's state or the champion changed)."""
        if self._visit is not None:
            self.why.show_progress(self._explanations.progress(self._visit.sight, self._visit.focus))

    def fit_of(self, item: Item) -> QSize:
        """Return the device pixels at which an item's capture is shown when fitted."""
        return self.capture.fitted_size(QSize(item.width, item.height))

    def comes_enlarged(self, item: Item) -> bool:
        """Tell whether an item's capture would be shown enlarged from the start."""
        return self.capture.comes_enlarged(QSize(item.width, item.height))

    @property
    def complete(self) -> bool:
        """Whether all that there is to see of the item is painted: capture, heatmap, highlights."""
        if self._visit is None:
            return True
        pictured = self._visit.sight.item.capture is None or self.capture.shows_capture
        mapped = self._explanation is not None and self._explanation.segment_map is not None
        return pictured and (not mapped or self.capture.shows_heat)

    def stop(self) -> None:
        """Fetch nothing more; what is painted stays."""
        self._visit = None
        self._settled.stop()

    def _image(self, item: Item, fitted: QSize) -> tuple[QImage | None, str]:
        if item.capture is None:
            return None, NO_CAPTURE
        image = self._pictures.fitted(item.capture, fitted)
        if image is not None:
            return image, ""
        return None, DAMAGED if self._pictures.damaged(item.capture) else LOADING

    def _show_why(self, visit: Visit) -> None:
        title, probability = "", None
        verdict = visit.sight.verdicts.get(visit.focus[0]) if visit.focus is not None else None
        if visit.focus is not None and verdict is not None:
            title = self._taxonomy.task(visit.focus[0]).label(visit.focus[1]).title
            probability = verdict.probabilities.get(visit.focus[1])
        scale = scale_of(self._explanation) if self._explanation is not None and any_colour(self._explanation) else None
        self.why.show_why(title, probability, scale)
        known, told = reliability_words(self._explanation) if self._explanation is not None else ("", "")
        fit = fit_words(self._explanation) if self._explanation is not None else ""
        self.why.show_trust(known, f"{told} {fit}".strip())
        self.refresh_progress()

    # --- what arrives -----------------------------------------------------------------------------------------

    def _picture_changed(self, name: str) -> None:
        if self._visit is not None and name in (self._visit.sight.item.id, self._visit.sight.item.capture):
            self.refresh_images()

    def _explanation_changed(self, item: str, task: str, label: str) -> None:
        visit = self._visit
        if visit is not None and visit.sight.item.id == item and visit.focus == (task, label):
            self.show_focus(visit)

    def _on_settled(self) -> None:
        self.refresh_images()
        self.resized.emit()

    def _zoomed(self, factor: float) -> None:
        self.look.show_zoom(factor)
        capture = self._visit.sight.item.capture if self._visit is not None else None
        if capture is not None and not self.capture.fitted:
            self.capture.show_full(self._pictures.full(capture))

    def _hover_capture(self, x: float, y: float) -> None:
        if self._explanation is None:
            return
        try:
            found = segment_at(self._explanation, x, y)
        except InputError:
            found = None
        self.why.hover(f"Here {weight_words(found.weight, found.error)}" if found is not None else "")

    def _lay_out(self) -> None:
        below = QFrame(self)
        below.setProperty("surface", "surface")
        lower = QVBoxLayout(below)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(0)
        lower.addWidget(self.why)
        lower.addWidget(self.text, 1)
        self.splitter = QSplitter(Qt.Orientation.Vertical, self)
        self.splitter.addWidget(self.capture)
        self.splitter.addWidget(below)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setSizes([600, 176])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.look)
        column.addWidget(self.splitter, 1)
