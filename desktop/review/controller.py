"""Turns keys into decisions. Every press that decides is committed before anything else changes on screen.

If the commit fails, the item stays, nothing is counted, and `refused` says why in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.desk import Desk
from desktop.review.pace import Pace, Stopwatch
from desktop.review.prefetch import AHEAD, BEHIND, Prefetcher
from desktop.review.queue_model import QueueModel
from desktop.review.sight import Sight, look
from desktop.review.visit import Visit, begin, next_task
from engine.errors import EngineError
from engine.taxonomy import Task, Taxonomy
from engine.types import Action, CrossedOut, Decision
from engine.workspace import NewDecision, Undone
from engine.workspace.marks import key_of, plain


class ReviewController(QObject):
    """The reviewer's walk through a queue.

    Signals: `shown()` another item (or none) is on screen; `changed()` the same item, other answers or keys;
    `focused()` another label is explained; `marked()` something was crossed out, or is no more; `recorded(text)` what
    was just saved, `undone(text)` what was just taken back; `refused(sentence)` why something could not be done.
    """

    shown = Signal()
    changed = Signal()
    focused = Signal()
    marked = Signal()
    recorded = Signal(str)
    undone = Signal(str)
    refused = Signal(str)

    def __init__(
        self, desk: Desk, queue: QueueModel, prefetcher: Prefetcher, reviewer: Callable[[], str], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._desk = desk
        self._workspace = desk.workspace
        self._taxonomy = desk.workspace.taxonomy
        self._queue = queue
        self._prefetcher = prefetcher
        self._reviewer = reviewer
        self._watch = Stopwatch()
        self._spent = 0.0
        self._notes: dict[str, str] = {}
        self._crossed: dict[str, tuple[CrossedOut, ...]] = {}
        self._drafts: dict[str, None] = {}
        self.pace = Pace()
        self.visit: Visit | None = None
        self.place = -1

    # --- moving -----------------------------------------------------------------------------------------------

    def start(self, item: str = "") -> None:
        """Show this item, or the first one of the queue that was just loaded, or nothing where it is empty."""
        self.place = -1
        first = self._queue.next_open(-1)
        if item:
            self.go_to(item)
        elif first is None:
            self._end()
        else:
            self._go(first)

    def open(self, place: int) -> None:
        """Show the item at this place of the queue."""
        if 0 <= place < self._queue.rowCount() and place != self.place:
            self._go(place)

    def go_to(self, item: str) -> None:
        """Show this item, wherever it stands; one that the queue has not is put in beside the item on screen."""
        try:
            place = self._queue.insert(item, min(max(self.place, 0), self._queue.rowCount()))
        except EngineError as error:
            self.refused.emit(str(error))
            return
        self._go(place)

    def move(self, step: int) -> None:
        """Go to the item after (+1) or before (-1), decided or not; at the ends nothing happens."""
        if step > 0 and self.place + step >= self._queue.rowCount():
            self._queue.fetchMore()
        self.open(self.place + step)

    def look_ahead(self) -> None:
        """Get the items around the current one ready; called anew when pictures of another size are needed."""
        if self.visit is None:
            return
        first, last = max(0, self.place - BEHIND), min(self._queue.rowCount(), self.place + AHEAD + 1)
        if self.place + AHEAD >= self._queue.rowCount():
            QTimer.singleShot(0, self._queue, self._queue.fetchMore)
        after = [self._queue.row_at(place).item for place in range(self.place + 1, last)]
        before = [self._queue.row_at(place).item for place in range(first, self.place)]
        self._prefetcher.look_ahead(self.visit.sight.item.id, [*after, *before])

    def show_newer(self) -> None:
        """Show the verdict that arrived meanwhile; the visit's own answers stay."""
        visit = self.visit
        if visit is None or visit.newer is None:
            return
        visit.sight, visit.newer = visit.newer, None
        visit.focus = visit.sight.first_focus(self._taxonomy)
        self.shown.emit()

    def verdicts_changed(self, items: Sequence[str]) -> None:
        """Take note of new verdicts. What is on screen stays; `Visit.newer` holds what could be shown instead."""
        self._prefetcher.forget(items)
        visit = self.visit
        if visit is None or visit.sight.item.id not in items:
            return
        try:
            newer = look(self._workspace, visit.sight.item.id)
        except EngineError as error:
            self.refused.emit(str(error))
            return
        if newer.verdicts != visit.sight.verdicts:
            visit.newer = newer
            self.changed.emit()

    def stop(self) -> None:
        """Look at nothing any more; the workspace is about to close."""
        self.visit = None
        self._prefetcher.stop()

    # --- deciding ---------------------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Do what a label's key does: answer a single-label task, or toggle a label of a multi-label one."""
        label = self.visit.label_of_key(key) if self.visit is not None else None
        if label is not None:
            self.choose(label.name)

    def choose(self, label: str) -> None:
        """Answer with this label, or toggle it where several may hold."""
        visit = self.visit
        if visit is None or visit.task is None:
            return
        if visit.task.multi:
            visit.toggle(label)
            self.changed.emit()
        else:
            self._answer(visit, visit.task, (label,))

    def confirm(self) -> None:
        """Save the shown verdict, or the toggled labels; an empty set that nobody chose needs two presses."""
        visit = self.visit
        if visit is None or visit.task is None:
            return
        if visit.verdict is None and visit.newer is not None and not visit.touched:
            self.show_newer()
        elif visit.task.multi:
            self._confirm_set(visit, visit.task)
        elif visit.verdict is None:
            self.refused.emit("There is no verdict to confirm yet: choose a label.")
        else:
            self._answer(visit, visit.task, visit.verdict.labels)

    def skip(self) -> None:
        """Leave the item for another time, and say so in the chain."""
        self._leave(Action.SKIP)

    def escalate(self) -> None:
        """Hand the item to somebody senior."""
        self._leave(Action.ESCALATE)

    def back(self) -> None:
        """Leave the reasons: take the label back that opened them (somebody else's stays, but can be answered anew)."""
        visit = self.visit
        if visit is None or not visit.conditional:
            return
        if not self._undo(visit.sight.item.id):
            visit.answers.clear()
            visit.go_to(next_task(self._taxonomy, visit.sight.item.kind, visit.answers))
            self.changed.emit()

    def undo(self) -> None:
        """Take the reviewer's last act back, whichever item and session it belongs to, and go to that item."""
        if self._undo(None) is None:
            self.refused.emit("There is nothing to undo.")

    def step_focus(self, step: int) -> None:
        """Explain the next or the previous label."""
        if self.visit is not None and self.visit.step_focus(step):
            self.focused.emit()

    # --- notes ------------------------------------------------------------------------------------------------

    @property
    def note(self) -> str:
        """The note that the item's next decision will carry."""
        return self._notes.get(self.visit.sight.item.id, "") if self.visit is not None else ""

    def keep_note(self, text: str) -> None:
        """Keep a note for the item on screen; it is saved with the item's next decision."""
        if self.visit is not None:
            self._notes[self.visit.sight.item.id] = text
            self._drafts[self.visit.sight.item.id] = None

    @property
    def draft(self) -> str:
        """An item with a note, or with something crossed out, that waits for its decision; "" where there is none."""
        waits = (item for item in self._drafts if self._notes.get(item, "").strip() or self._crossed.get(item))
        return next(waits, "")

    # --- crossing out -----------------------------------------------------------------------------------------

    @property
    def crossed_out(self) -> tuple[CrossedOut, ...]:
        """What is crossed out of the item on screen: saved with an earlier answer of this visit, or waiting."""
        visit = self.visit
        return (*visit.crossed_out, *self._crossed.get(visit.sight.item.id, ())) if visit is not None else ()

    def cross_out(self, mark: CrossedOut) -> None:
        """Cross a part out, or take that back; it is saved with the item's next decision."""
        visit = self.visit
        if visit is None:
            return
        waiting = self._crossed.get(visit.sight.item.id, ())
        key = key_of(mark)
        if key in map(key_of, visit.crossed_out):
            self.refused.emit("That is saved with your answer already: take the answer back to change it.")
            return
        left = tuple(one for one in waiting if key_of(one) != key)
        self._crossed[visit.sight.item.id] = left if len(left) < len(waiting) else (*waiting, mark)
        self._drafts[visit.sight.item.id] = None
        self.marked.emit()

    def _own(self, sight: Sight) -> tuple[CrossedOut, ...]:
        """Return what this reviewer crossed out with answers that stand."""
        return _each_once(one for one in sight.crossed_out if one.reviewer == self._reviewer())

    def _bring_marks_back(self, undone: Undone) -> None:
        """Put back what was crossed out with what was taken back, beside what was since."""
        numbers = {decision.number for decision in undone.decisions}
        taken = (one for one in self._workspace.annotations.of(undone.item) if one.decision in numbers)
        self._crossed[undone.item] = _each_once((*taken, *self._crossed.get(undone.item, ())))

    # --- the rest ---------------------------------------------------------------------------------------------

    def _go(self, place: int | None) -> None:
        if place is None:
            place = self._start_over()
        if place is None:
            self._end()
            return
        try:
            sight = self._prefetcher.sight(self._queue.row_at(place).item)
        except EngineError as error:
            self.refused.emit(str(error))
            return
        self.place = place
        self._enter(sight)

    def _end(self) -> None:
        self.place, self.visit = self._queue.rowCount(), None
        self.shown.emit()

    def _start_over(self) -> int | None:
        """At the end of a queue of open items, look for those that were passed by or came in meanwhile."""
        if not self._queue.of_open:
            return None
        try:
            self._queue.reload()
        except EngineError as error:
            self.refused.emit(str(error))
            return None
        return self._queue.next_open(-1)

    def _enter(self, sight: Sight) -> None:
        self.visit = begin(sight, self._taxonomy)
        if self.visit.answers:
            self.visit.crossed_out = self._own(sight)
        else:
            self._crossed.setdefault(sight.item.id, self._own(sight))
        self._watch.restart()
        self._spent = 0.0
        self.shown.emit()
        self.look_ahead()

    def _confirm_set(self, visit: Visit, task: Task) -> None:
        labels = visit.answer()
        if not labels and not visit.touched and not visit.armed:
            visit.armed = True
            self.changed.emit()
            self.refused.emit("Nothing is suggested. Press Enter again to save that none applies.")
            return
        self._answer(visit, task, labels)

    def _answer(self, visit: Visit, task: Task, labels: tuple[str, ...]) -> None:
        action = visit.action_for(labels)
        if not self._record(visit, task, action, labels):
            return
        visit.answers[task.name] = labels
        follow = next_task(self._taxonomy, visit.sight.item.kind, visit.answers)
        if follow is None:
            self._next(visit, action)
        else:
            visit.go_to(follow)
            self.changed.emit()

    def _leave(self, action: Action) -> None:
        visit = self.visit
        task = self._taxonomy.primary(visit.sight.item.kind) if visit is not None else None
        if visit is not None and task is not None and self._record(visit, task, action, ()):
            self._next(visit, action)

    def _record(self, visit: Visit, task: Task, action: Action, labels: tuple[str, ...]) -> bool:
        """Commit one row; False (and `refused`) where it could not be."""
        verdict = visit.sight.verdict(task)
        seconds = self._watch.seconds()
        decision = NewDecision(
            item=visit.sight.item.id,
            task=task.name,
            action=action,
            labels=labels,
            reviewer=self._reviewer(),
            seconds=round(seconds - self._spent, 3),
            note=self.note.strip(),
            shown_model=verdict.model if verdict is not None else "",
            shown_labels=verdict.labels if verdict is not None else (),
            shown_probability=verdict.probability if verdict is not None else None,
            act=visit.act,
            crossed_out=self._crossed.get(visit.sight.item.id, ()),
        )
        try:
            rows = self._workspace.decisions.record([decision])
        except EngineError as error:
            self.refused.emit(f"Not saved. {error}")
            return False
        self._spent = seconds
        self._notes.pop(visit.sight.item.id, None)
        self._drafts.pop(visit.sight.item.id, None)
        visit.crossed_out = (*visit.crossed_out, *self._crossed.pop(visit.sight.item.id, ()))
        self._committed(visit.sight.item.id, rows)
        self.recorded.emit(describe(self._taxonomy, rows[-1]))
        return True

    def _next(self, visit: Visit, action: Action) -> None:
        self.pace.ended(visit.act, action, self._spent)
        self._go(self._queue.next_open(self.place))

    def _undo(self, item: str | None) -> Undone | None:
        try:
            undone = self._workspace.decisions.undo(self._reviewer(), item=item)
        except EngineError as error:
            self.refused.emit(f"Not undone. {error}")
            return None
        if undone is not None:
            self.pace.undone(undone.act)
            self._committed(undone.item, [undone.undo])
            self._bring_note_back(undone)
            self._bring_marks_back(undone)
            self.go_to(undone.item)
            self.undone.emit(f"Taken back: {describe(self._taxonomy, undone.decisions[-1])}")
        return undone

    def _bring_note_back(self, undone: Undone) -> None:
        """Put the words of what was taken back before those that were typed since, so that neither are lost."""
        since = self._notes.get(undone.item, "")
        words = dict.fromkeys([*(decision.note for decision in undone.decisions), since])
        self._notes[undone.item] = "\n".join(filter(None, words))

    def _committed(self, item: str, rows: Sequence[Decision]) -> None:
        """What is seen follows at once; what others make of it (counts, a retrain) waits until that is painted."""
        self._prefetcher.forget([item])
        self._queue.refresh([item])
        QTimer.singleShot(0, self._desk, lambda: self._desk.decisions_recorded(rows))


def _each_once(marks: Iterable[CrossedOut]) -> tuple[CrossedOut, ...]:
    return tuple({key_of(mark): plain(mark, label=mark.label) for mark in marks}.values())


def describe(taxonomy: Taxonomy, decision: Decision) -> str:
    """Return a decision in a few words: "Toxic → tweet-0012"."""
    words = {Action.SKIP: "Skipped", Action.ESCALATE: "Escalated"}.get(decision.action)
    if words is None:
        task = taxonomy.task(decision.task)
        words = ", ".join(task.label(name).title for name in decision.labels) or f"{task.title}: none"
    return f"{words} → {decision.item}"
