"""What the start page shows to make a workspace: a small form, and the progress of the command that makes it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QProgressBar, QVBoxLayout, QWidget

from desktop.commands import CommandRunner, Step
from desktop.dialogs import ask_files, ask_folder
from desktop.theme import GAP, HALF, PAD, ThemeManager
from desktop.widgets import ElidedLabel, button, label

PRESETS = {
    "tweets": "Tweets: toxic or not",
    "products": "Products: six verdicts, with reasons",
    "both": "Both",
}
_OWN, _PACK = "own", "pack"


class NewWorkspace(QFrame):
    """The form. `wanted(folder, arguments of init)` comes when it is filled in, `cancelled()` when it is not."""

    wanted = Signal(object, list)
    cancelled = Signal()

    def __init__(self, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self._folder = Path.home()
        self._taxonomy: Path | None = None
        self._pack: Path | None = None
        self.name = QLineEdit(self)
        self.name.setPlaceholderText("Name")
        self.name.setAccessibleName("Name of the workspace")
        self.where = ElidedLabel("", "", self)
        self.choose = button("Choose…", "", self)
        self.labels = QComboBox(self)
        self.labels.setAccessibleName("Labels of the workspace")
        for preset, words in PRESETS.items():
            self.labels.addItem(words, preset)
        self.labels.addItem("A taxonomy file of your own…", _OWN)
        self.complaint = label("", "danger", self, wrap=True)
        self.make = button("Make it", "primary", self)
        self.cancel = button("Cancel", "plain", self)
        self._lay_out()
        self._connect()
        self.hide()

    def begin(self) -> None:
        """Show the form with the keyboard in the name."""
        self._show_folder()
        self.complaint.hide()
        self.show()
        self.name.setFocus()
        self.name.selectAll()

    def set_folder(self, folder: Path) -> None:
        """Choose the folder that the workspace goes into."""
        self._folder = folder
        self._show_folder()

    def set_taxonomy(self, file: Path) -> None:
        """Choose a taxonomy file of one's own."""
        self._taxonomy = file
        index = self.labels.findData(_OWN)
        self.labels.setItemText(index, file.name)
        self.labels.setCurrentIndex(index)

    def set_pack(self, file: Path) -> None:
        """Make the workspace of a review pack, with its tasks, items and verdicts."""
        self._pack = file
        index = self.labels.findData(_PACK)
        if index < 0:
            self.labels.addItem("", _PACK)
            index = self.labels.findData(_PACK)
        self.labels.setItemText(index, f"What is in {file.name}")
        self.labels.setCurrentIndex(index)
        if not self.name.text():
            self.name.setText(file.stem)

    def submit(self) -> None:
        """Hand out what was filled in, or say what is missing."""
        name = self.name.text().strip().removesuffix(".secondlook")
        target = self._folder / f"{name}.secondlook"
        if not name or "/" in name or name.startswith("."):
            self._complain("Give the workspace a name without a slash.")
        elif target.exists():
            self._complain(f"There is a {target.name} in that folder already. Open it, or choose another name.")
        elif self.labels.currentData() == _OWN and self._taxonomy is None:
            self._complain("Choose the taxonomy file, or one of the presets.")
        else:
            self.wanted.emit(target, self._source())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def _source(self) -> list[str]:
        if self.labels.currentData() == _OWN:
            return ["--taxonomy", str(self._taxonomy)]
        if self.labels.currentData() == _PACK:
            return ["--from", str(self._pack)]
        return ["--preset", str(self.labels.currentData())]

    def _complain(self, sentence: str) -> None:
        self.complaint.setText(sentence)
        self.complaint.show()

    def _show_folder(self) -> None:
        self.where.setText(f"in {self._folder}")

    def _ask_folder(self) -> None:
        ask_folder(self, "Where the workspace goes", self._folder, self.set_folder)

    def _ask_taxonomy(self) -> None:
        if self.labels.currentData() == _OWN:
            ask_files(self, "A taxonomy file", self._folder, "Taxonomy (*.toml)",
                      lambda files: self.set_taxonomy(files[0]), many=False)  # fmt: skip

    def _connect(self) -> None:
        self.choose.clicked.connect(self._ask_folder)
        self.labels.activated.connect(self._ask_taxonomy)
        self.name.returnPressed.connect(self.submit)
        self.make.clicked.connect(self.submit)
        self.cancel.clicked.connect(self.cancelled)

    def _lay_out(self) -> None:
        place = QHBoxLayout()
        place.addWidget(self.where, 1)
        place.addWidget(self.choose)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.make)
        column = QVBoxLayout(self)
        column.setContentsMargins(PAD, PAD, PAD, PAD)
        column.setSpacing(GAP)
        column.addWidget(label("New workspace", "strong", self))
        column.addWidget(self.name)
        column.addLayout(place)
        column.addWidget(self.labels)
        column.addWidget(self.complaint)
        column.addSpacing(HALF)
        column.addLayout(buttons)


class Working(QFrame):
    """The progress of one command, with a way to cancel it, and in the end why it failed.

    `made(folder)` says that the workspace is there; `started()` and `ended()` frame the work.
    """

    started = Signal()
    ended = Signal()
    made = Signal(object)

    def __init__(self, log: Path, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("surface", "card")
        self.runner = CommandRunner(log, self)
        self._folder = Path()
        self.title = label("", "strong", self)
        self.words = label("", "quiet", self, wrap=True)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.button = button("Cancel", "plain", self)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(PAD, PAD, PAD, GAP)
        column.setSpacing(GAP)
        for widget in (self.title, self.words, self.bar):
            column.addWidget(widget)
        column.addLayout(row)
        self.button.clicked.connect(self._pressed)
        self.runner.progressed.connect(self.show_step)
        self.runner.ended.connect(self.show_end)
        self.hide()

    @property
    def running(self) -> bool:
        """Whether a command is under way."""
        return self.runner.running

    def run(self, folder: Path, title: str, *arguments: str) -> None:
        """Run a command that makes the workspace `folder`."""
        if self.running:
            return
        self._folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.title.setText(title)
        self.words.setText("Starting…")
        self.bar.setRange(0, 0)
        self.bar.show()
        self.button.setText("Cancel")
        self.show()
        self.started.emit()
        self.runner.start(*arguments)

    def show_step(self, step: Step) -> None:
        """Show how far the command is."""
        self.words.setText(step.title)
        self.bar.setRange(0, max(0, step.total))
        self.bar.setValue(step.done)

    def show_end(self, sentence: str) -> None:
        """Hand out the workspace, or show why there is none."""
        self.ended.emit()
        if not sentence:
            self.hide()
            self.made.emit(self._folder)
            return
        self.title.setText("That did not work")
        self.words.setText(sentence)
        self.bar.hide()
        self.button.setText("Put away")

    def _pressed(self) -> None:
        if self.running:
            self.words.setText("Cancelling…")
            self.runner.cancel()
        else:
            self.hide()
