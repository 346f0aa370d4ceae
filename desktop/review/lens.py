"""The strips around the capture: whose it is and how it is looked at, what is explained and how well."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.review.explanations import Progress, Stage
from desktop.review.legend import Legend
from desktop.theme import GAP, HALF, ThemeManager
from desktop.widgets import ElidedLabel, IconButton, label, set_role
from engine.looks import BETWEEN
from engine.types import Item

_HEIGHT = 40
_ROOM_FOR_LEGEND = 560
_ROOM_FOR_SENTENCE = 200
"""What a sentence of the usual stages has beside the legend; a longer one that is no matter of a moment goes below."""
_ROLES = {Stage.CAREFUL: "strong"}
_LASTING = (Stage.CAREFUL, Stage.SILENT)


class LookStrip(QFrame):
    """Author and id on the left; heatmap, highlights, blur, opacity and zoom on the right."""

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self.setFixedHeight(_HEIGHT)
        self._theme, self._actions = theme, actions
        self._source = ElidedLabel("", "caption", self)
        self._zoom = label("", "caption", self)
        self._zoom.setFixedWidth(5 * GAP)
        self._zoom.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.opacity = QSlider(Qt.Orientation.Horizontal, self)
        self.opacity.setRange(0, 100)
        self.opacity.setFixedWidth(10 * GAP)
        self.opacity.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.opacity.setAccessibleName("Opacity of the heatmap in percent")
        self.opacity.setToolTip("Opacity of the heatmap")
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GAP, 0, GAP, 0)
        row.setSpacing(HALF)
        row.addWidget(self._source, 1)
        self.switches = {name: self._switch(name) for name in ("heatmap", "tokens", "blur")}
        row.addWidget(self.switches["heatmap"])
        row.addWidget(self.opacity)
        row.addWidget(self.switches["tokens"])
        row.addWidget(self.switches["blur"])
        row.addSpacing(GAP)
        row.addWidget(IconButton("zoom-out", "review.zoom-out", theme, actions, self))
        row.addWidget(self._zoom)
        row.addWidget(IconButton("zoom-in", "review.zoom-in", theme, actions, self))
        row.addWidget(IconButton("fit", "review.zoom-reset", theme, actions, self))

    def show_item(self, item: Item | None) -> None:
        """Say quietly whose item it is."""
        parts = [item.author, item.id, item.captured_at[:10]] if item is not None else []
        self._source.setText("  ·  ".join(part for part in parts if part))

    def show_zoom(self, factor: float) -> None:
        """Show the zoom in percent."""
        self._zoom.setText(f"{factor * 100:.0f} %")

    def show_switch(self, name: str, *, on: bool) -> None:
        """Show whether heatmap, tokens or blur is on."""
        self.switches[name].setChecked(on)

    def _switch(self, name: str) -> IconButton:
        icon = "eye-off" if name == "blur" else name
        made = IconButton(icon, f"review.{name}", self._theme, self._actions, self)
        made.setCheckable(True)
        return made


class WhyStrip(QFrame):
    """Which label is explained, the legend with the reliability, how far the explanation is and what it rests on.

    A long sentence that stays (a note, or why there is no explanation) stands below them, whole.
    The part that is framed is shown in place of the sentence, what a key does to it in place of the line below; the
    weight under the pointer comes before both.
    """

    def __init__(self, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self._why = label("", "strong", self)
        self._progress = ElidedLabel("", "caption", self)
        self._rests = ElidedLabel("", "caption", self)
        for line in (self._progress, self._rests):
            line.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._rests.hide()
        self._text = self._made = self._looks = self._between = self._below = ""
        self._part = "", ""
        self.legend = Legend(theme, self)
        self.trust = label("", "caption", self)
        self.note = label("", "caption", self, wrap=True)
        self.note.setContentsMargins(2 * GAP, 0, 2 * GAP, HALF)
        self.note.hide()
        upper = QFrame(self)
        upper.setFixedHeight(_HEIGHT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(upper)
        column.addWidget(self.note)
        self._fill(QHBoxLayout(upper), theme, actions)

    def _fill(self, row: QHBoxLayout, theme: ThemeManager, actions: ActionRegistry) -> None:
        row.setContentsMargins(GAP, 0, 2 * GAP, 0)
        row.setSpacing(GAP)
        row.addWidget(IconButton("chevron-left", "review.explain-previous", theme, actions, self))
        row.addWidget(self._why)
        row.addWidget(IconButton("chevron-right", "review.explain-next", theme, actions, self))
        row.addSpacing(GAP)
        row.addWidget(self.legend)
        row.addWidget(self.trust)
        row.addSpacing(GAP)
        row.addLayout(self._lines(), 1)

    def _lines(self) -> QVBoxLayout:
        lines = QVBoxLayout()
        lines.setSpacing(0)
        lines.addStretch(1)
        lines.addWidget(self._progress)
        lines.addWidget(self._rests)
        lines.addStretch(1)
        return lines

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the sentence about the explanation the legend's room where there is not enough for both."""
        super().resizeEvent(event)
        self._show_rests()

    @property
    def progress(self) -> str:
        """The sentence about the explanation."""
        return self._text

    @property
    def rests(self) -> str:
        """The line below it: how the explanation was made and what it rests on."""
        return self._rests.whole()

    def show_why(self, title: str, probability: float | None, scale: float | None) -> None:
        """Name the explained label, its probability and the weight that has full colour."""
        words = f"Why {title}? {probability * 100:.0f} %" if probability is not None else ""
        self._why.setText(words)
        self.legend.show_scale(scale, title)

    def show_trust(self, words: str, told: str) -> None:
        """Show the reliability beside the legend; `told` is its sentence for tooltip and screen reader."""
        self.trust.setText(words)
        self.trust.setToolTip(told)
        self.trust.setAccessibleName(told)
        self._show_rests()

    def show_progress(self, progress: Progress | None) -> None:
        """Say how far the explanation is."""
        self._text = progress.text if progress is not None else ""
        self._between = BETWEEN if progress is not None and progress.stage == Stage.READY else ""
        role = _ROLES.get(progress.stage, "caption") if progress is not None else "caption"
        set_role(self.note, role)
        self._place_note(lasting=progress is not None and progress.stage in _LASTING)
        set_role(self._progress, "caption" if self.note.text() else role)
        self._made = progress.made if progress is not None else ""
        self._looks = progress.looks if progress is not None else ""
        self.hover("")
        if progress is not None and progress.detail:
            self._progress.setToolTip(progress.detail)

    def _place_note(self, *, lasting: bool) -> None:
        """Give a long sentence that stays the strip's whole width, and as many lines as it needs."""
        self.note.ensurePolished()
        long = lasting and self.note.fontMetrics().horizontalAdvance(self._text) > _ROOM_FOR_SENTENCE
        self.note.setText(self._text if long else "")
        self.note.setVisible(long)

    def _show_rests(self) -> None:
        """Where there is no room for the legend, the reliability stands in the lower line."""
        roomy = self.width() >= _ROOM_FOR_LEGEND
        self.legend.setVisible(roomy)
        self.trust.setVisible(roomy)
        parts = "" if roomy else self.trust.text(), self._made, "" if self.note.text() else self._looks
        rests = self._below or " · ".join(filter(None, parts))
        self._rests.show_list(rests, BETWEEN)
        self._rests.setVisible(bool(rests))

    def show_part(self, words: str, below: str = "") -> None:
        """Show which part is framed in the sentence's place until there is none (""), however the pointer moves.

        `below` stands in the lower line meanwhile, where there is more to say than a line has room for.
        """
        self._part = words, below
        self.hover("")

    def hover(self, words: str) -> None:
        """Show a weight in the sentence's place while the pointer is on something; "" brings back what stood there."""
        words, self._below = (words, "") if words else self._part
        if words:
            self._progress.setText(words)
            self._progress.show()
        else:
            self._say_progress()
        self._show_rests()

    def _say_progress(self) -> None:
        """Say it in the line; where it stands below already, the line has room for what the explanation rests on."""
        below = bool(self.note.text())
        self._progress.show_list(*((self._looks, BETWEEN) if below else (self._text, self._between)))
        self._progress.setHidden(not self._progress.whole())
