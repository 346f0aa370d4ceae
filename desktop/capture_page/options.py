"""How a list is captured: few choices, kept between lists, but for the one that opens this computer to the pages."""

from __future__ import annotations

import itertools

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry, caps_of
from desktop.children.capture_states import CaptureOptions
from desktop.theme import CONTROL, GAP, HALF, PAD, WIDE, ThemeManager
from desktop.widgets import Icon, KeyCap, frame, label, number_box

PROFILES = (
    ("", "Chosen by the address"),
    ("tweet", "Tweet"),
    ("product", "Product page"),
    ("page", "Any page"),
)
LOCAL_WARNING = (
    "Pages can then reach this computer and the networks it is in: routers, file servers, whatever listens here. "
    "Allow it only for addresses of your own."
)
SCRIPTS_WORDS = (
    "For hostile pages, which can do less then, and learn less about who looks at them. "
    "Pages that are built by scripts, such as those of x.com, stay empty."
)
WITHOUT, WITH = "Capture without scripts", "Capture with scripts"
_INDENT = 26
"""Words below a box start where the words beside it do."""
_STORE = "capture"


class Options(QWidget):
    """A card of choices. `changed()` when one of them bears on which addresses can be captured."""

    changed = Signal()

    def __init__(
        self, store: QSettings, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._store, self._actions = store, actions
        self.profile = QComboBox(self)
        self.profile.setFixedHeight(CONTROL)
        for name, title in PROFILES:
            self.profile.addItem(title, name)
        self.width_box, self.height_box = (number_box(100, 4000, "px", step=50) for _ in range(2))
        self.rate = number_box(0, 6000, "page a minute", "pages a minute", step=10)
        self.rate.setSpecialValueText("No limit")
        self.passes = number_box(1, 20, "try", "tries")
        for box in self._boxes().values():
            box.setFixedHeight(CONTROL)
        self.no_scripts = QCheckBox("Run no scripts", self)
        self.local = QCheckBox("Allow addresses of this computer and its network", self)
        self.warning = QWidget(self)
        self._lay_out(theme)
        for before, after in itertools.pairwise((self.profile, *self._boxes().values(), self.no_scripts, self.local)):
            QWidget.setTabOrder(before, after)
        self._name()
        self.no_scripts.toggled.connect(lambda off: actions.retitle("capture.scripts", WITH if off else WITHOUT))
        self._restore()
        self.local.toggled.connect(self.warning.setVisible)
        self.profile.currentIndexChanged.connect(self.changed)

    @property
    def value(self) -> CaptureOptions:
        """What is chosen now."""
        return CaptureOptions(
            profile=self.profile.currentData(),
            width=self.width_box.value(),
            height=self.height_box.value(),
            rate=self.rate.value(),
            passes=self.passes.value(),
            allow_local=self.local.isChecked(),
            scripts=not self.no_scripts.isChecked(),
        )

    def keep(self) -> None:
        """Remember the choices for the next list; leave for this computer's addresses is given anew each time."""
        chosen = self.value
        for name in ("profile", "width", "height", "rate", "passes", "scripts"):
            self._store.setValue(f"{_STORE}/{name}", getattr(chosen, name))
        self.local.setChecked(False)

    def _restore(self) -> None:
        usual = CaptureOptions()
        profile = str(self._store.value(f"{_STORE}/profile", usual.profile))
        self.profile.setCurrentIndex(max(0, self.profile.findData(profile)))
        self.no_scripts.setChecked(str(self._store.value(f"{_STORE}/scripts", usual.scripts)).lower() == "false")
        for name, box in self._boxes().items():
            kept = str(self._store.value(f"{_STORE}/{name}", getattr(usual, name)))
            box.setValue(int(kept) if kept.isdecimal() else getattr(usual, name))

    def _boxes(self) -> dict[str, QSpinBox]:
        return {"width": self.width_box, "height": self.height_box, "rate": self.rate, "passes": self.passes}

    def _name(self) -> None:
        named = {
            self.profile: ("Kind of page", "How the pages are read: which parts, and when they are ready."),
            self.width_box: ("Width of the picture", "In pixels."),
            self.height_box: ("Height of the picture", "In pixels."),
            self.rate: ("Pace", "Pages a minute of one host; several hosts are captured side by side."),
            self.passes: ("Tries", "How often a page is tried that is still loading or behind an error."),
            self.local: (self.local.text(), LOCAL_WARNING),
            self.no_scripts: (self.no_scripts.text(), SCRIPTS_WORDS),
        }
        for control, (name, words) in named.items():
            control.setAccessibleName(name)
            control.setAccessibleDescription(words)
            control.setToolTip(words)

    def _lay_out(self, theme: ThemeManager) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        card = frame("card", self)
        outer.addWidget(card)
        column = QVBoxLayout(card)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(PAD)
        grid = QGridLayout()
        grid.setHorizontalSpacing(WIDE)
        grid.setVerticalSpacing(HALF)
        fields = (
            ("Kind of page", self.profile),
            ("Picture", self._size(card)),
            ("Pace of one host", self.rate),
            ("Each page", self.passes),
        )
        for place, (title, control) in enumerate(fields):
            row, at = divmod(place, 2)
            grid.addWidget(label(title, "caption", card), 3 * row, at)
            grid.addWidget(control, 3 * row + 1, at)
            grid.setColumnStretch(at, 1)
        grid.setRowMinimumHeight(2, GAP)
        column.addLayout(grid)
        column.addLayout(self._scripts(theme, card))
        column.addWidget(self.local)
        column.addWidget(self.warning)
        beside = QHBoxLayout(self.warning)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(GAP)
        beside.addWidget(Icon("alert", theme, 20, "warning", self.warning))
        beside.addWidget(label(LOCAL_WARNING, "", self.warning, wrap=True), 1)
        self.warning.hide()

    def _scripts(self, theme: ThemeManager, parent: QWidget) -> QVBoxLayout:
        """The box, its key, and what it is for."""
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.no_scripts)
        row.addWidget(KeyCap(caps_of(self._actions.specs["capture.scripts"].keys[0]), theme, parent))
        row.addStretch(1)
        both = QVBoxLayout()
        both.setSpacing(HALF)
        both.addLayout(row)
        words = QHBoxLayout()
        words.addSpacing(_INDENT)
        words.addWidget(label(SCRIPTS_WORDS, "caption", parent, wrap=True), 1)
        both.addLayout(words)
        return both

    def _size(self, parent: QWidget) -> QWidget:
        holder = QWidget(parent)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(self.width_box, 1)
        row.addWidget(label("×", "quiet", holder))
        row.addWidget(self.height_box, 1)
        return holder
