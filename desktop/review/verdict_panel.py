"""The right side: what the model says of each task, the answers with their keys, what Enter would save, the note."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry, key_caps
from desktop.review.buttons import KeyButton
from desktop.review.note import NoteField
from desktop.review.story import story
from desktop.review.task_section import TaskSection
from desktop.review.visit import Visit
from desktop.theme import GAP, PAD, ThemeManager
from desktop.widgets import ElidedLabel, button, frame, label, set_role
from engine.looks import percent
from engine.taxonomy import Taxonomy

WIDTH = 336


class VerdictPanel(QFrame):
    """`chosen(label)` when an answer is clicked; `newerWanted()` when the newer verdict is to be shown."""

    chosen = Signal(str)
    newerWanted = Signal()

    def __init__(
        self,
        taxonomy: Taxonomy,
        theme: ThemeManager,
        actions: ActionRegistry,
        parent: QWidget | None = None,
        *,
        reviewer: Callable[[], str] = str,
    ) -> None:
        super().__init__(parent)
        self.setProperty("surface", "surface")
        self._taxonomy = taxonomy
        self._theme = theme
        self._actions = actions
        self._reviewer = reviewer
        self._visit: Visit | None = None
        self.sections = {task.name: TaskSection(task, theme, self) for task in taxonomy.tasks}
        self.confirm = self._key_button("review.confirm", main=True)
        self.skip = self._key_button("review.skip")
        self.escalate = self._key_button("review.escalate")
        self.story = label("", "quiet", self, wrap=True)
        self.story.hide()
        self.newer = button("", "plain", self)
        self.newer.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.newer.clicked.connect(self.newerWanted)
        self.message = label("", "danger", self, wrap=True)
        self.message.hide()
        self.guideline = _Guideline(self)
        self.note = NoteField(self)
        self._lay_out()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 640)

    def show_visit(self, visit: Visit | None) -> None:
        """Show an item's verdicts and answers, or nothing where there is no item."""
        self._visit = visit
        for part in (self._head, self._body, self._foot):
            part.setVisible(visit is not None)
        if visit is None:
            return
        due = {task.name for task in self._taxonomy.due(visit.sight.item.kind, visit.answers)}
        for name, section in self.sections.items():
            section.setVisible(name in due)
            if name in due:
                section.show_visit(visit)
        words = self._confirmation(visit)
        self.confirm.say(words or "No verdict to confirm")
        self.confirm.setEnabled(bool(words))
        told = story(self._taxonomy, visit.sight, self._reviewer())
        self.story.setText(told)
        self.story.setVisible(bool(told))
        self._show_newer(visit)
        self.show_focus(visit)

    def show_focus(self, visit: Visit) -> None:
        """Mark the explained label and show its guideline."""
        for section in self.sections.values():
            section.show_focus(visit)
        self.guideline.show_label(self._taxonomy, visit)

    def say(self, text: str, role: str = "danger") -> None:
        """Show one sentence above the note; "" takes it away."""
        set_role(self.message, role)
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _confirmation(self, visit: Visit) -> str:
        task = visit.task
        if task is None:
            return ""
        if not task.multi:
            if visit.verdict is None:
                return "Show the new verdict" if visit.newer is not None else ""
            return f"Confirm {task.label(visit.verdict.label).title}"
        titles = ", ".join(task.label(name).title for name in visit.answer())
        if visit.touched:
            return f"Save: {titles or 'none of these'}"
        return f"Save as suggested: {titles}" if titles else "Save: none of these"

    def _show_newer(self, visit: Visit) -> None:
        self.newer.setVisible(visit.newer is not None)
        if visit.newer is None:
            return
        verdict = visit.newer.verdict(self._taxonomy.primary(visit.sight.item.kind))
        shown = told = "A newer verdict is there. Show it"
        if verdict is not None:
            title = self._taxonomy.task(verdict.task).label(verdict.label).title
            short = self.newer.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, WIDTH // 4)
            shown, told = (f"Newer verdict: {one} {percent(verdict.probability)}. Show it" for one in (short, title))
        self.newer.setText(shown)
        self.newer.setAccessibleName(told)

    def _key_button(self, name: str, *, main: bool = False) -> KeyButton:
        caps = key_caps(self._actions.specs[name])
        made = KeyButton(self._actions.title(name), caps, self._theme, self, main=main)
        made.setToolTip(self._actions.specs[name].help)
        made.clicked.connect(self._actions.action(name).trigger)
        return made

    def _lay_out(self) -> None:
        self._body = _Scroll(self)
        for section in self.sections.values():
            section.chosen.connect(self.chosen)
            self._body.column.addWidget(section)
        self._body.column.addWidget(self.guideline)
        self._body.column.addStretch(1)
        self._head = frame("surface", self)
        head = QVBoxLayout(self._head)
        head.setContentsMargins(PAD, PAD, PAD, 0)
        head.setSpacing(GAP)
        head.addWidget(self.confirm)
        head.addWidget(self.story)
        self._foot = frame("surface", self)
        foot = QVBoxLayout(self._foot)
        foot.setContentsMargins(PAD, GAP, PAD, PAD)
        foot.setSpacing(GAP)
        pair = QHBoxLayout()
        pair.setSpacing(GAP)
        pair.addWidget(self.skip)
        pair.addWidget(self.escalate)
        for widget in (self.newer, self.message, self.note):
            foot.addWidget(widget)
        foot.addLayout(pair)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._body, 1)
        column.addWidget(self._foot)


class _Scroll(QScrollArea):
    """The part that scrolls where a task has more labels than the window is high."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = frame("surface", self)
        self.column = QVBoxLayout(inside)
        self.column.setContentsMargins(PAD, PAD, PAD, GAP)
        self.column.setSpacing(PAD)
        self.setWidget(inside)


class _Guideline(QWidget):
    """The guideline of the label that is explained."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._heading = ElidedLabel("Guideline", "section", self)
        self._text: QLabel = label("", "quiet", self, wrap=True)
        policy = self._text.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)  # a long word must not push keys out of sight
        self._text.setSizePolicy(policy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(self._heading)
        column.addWidget(self._text)

    def show_label(self, taxonomy: Taxonomy, visit: Visit) -> None:
        """Show the explained label's guideline; the active task's first label's where nothing is explained."""
        task = taxonomy.task(visit.focus[0]) if visit.focus is not None else visit.task
        if task is None:
            return
        found = task.label(visit.focus[1]) if visit.focus is not None else task.labels[0]
        self._heading.setText(f"Guideline: {found.title}")
        self._text.setText(found.guideline or "The taxonomy has no guideline for this label.")
