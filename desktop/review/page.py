"""The review page: queue, capture, answers and session line, and what connects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.children.states import EngineState
from desktop.desk import Desk
from desktop.review.capture_view import PAN_STEP, PAN_VIEW, ZOOM_STEP
from desktop.review.centre import Centre
from desktop.review.controller import ReviewController, describe
from desktop.review.explanations import Explanations
from desktop.review.keys import Keys, Run
from desktop.review.pictures import Pictures
from desktop.review.pixel_cache import PixelPool
from desktop.review.pixels import Veil
from desktop.review.prefetch import Prefetcher
from desktop.review.queue_model import QueueModel
from desktop.review.queue_panel import QueuePanel
from desktop.review.session_bar import SessionBar
from desktop.review.splits import keep
from desktop.review.thumbnails import Thumbnails
from desktop.review.verdict_panel import VerdictPanel
from desktop.theme import ThemeManager
from desktop.widgets import EmptyState
from engine.errors import EngineError
from engine.service.protocol import Priority
from engine.types import Action, Decision
from engine.workspace import QueueQuery

SIDES = (272, 752, 336)
_COUNT_PAUSE_MS = 200
_REREAD = 50


class ReviewPage(QWidget):
    """One workspace's review desk. It ends its own work when the desk closes."""

    def __init__(self, desk: Desk, theme: ThemeManager, actions: ActionRegistry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self._settings = desk.settings
        self._shown = {"heatmap": self._settings.heatmap, "tokens": self._settings.tokens, "guideline": True}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Review")
        self._build_models()
        self._build_widgets(theme, actions)
        self._lay_out()
        self._connect()
        self.keys = Keys(actions, self._runs(), self.controller.press)
        self.keys.add_missing(desk.workspace.taxonomy, self, self.controller.press)
        self._started = self._opened = self._engine_ready = False
        self._left_off = (QueueQuery(), "")
        self._dress()

    # --- construction -----------------------------------------------------------------------------------------

    def _build_models(self) -> None:
        workspace = self.desk.workspace
        self.pool = PixelPool(self)
        self.pictures = Pictures(workspace, self.pool, self)
        self.thumbnails = Thumbnails(workspace, self.pool, self)
        self.explanations = Explanations(self.desk, self)
        self.model = QueueModel(workspace, self.thumbnails, self)

    def _build_widgets(self, theme: ThemeManager, actions: ActionRegistry) -> None:
        workspace = self.desk.workspace
        self._actions = actions
        self.queue = QueuePanel(self.model, workspace.taxonomy, theme, actions, self)
        self.centre = Centre(workspace.taxonomy, self.pictures, self.explanations, theme, actions, self)
        self.empty = EmptyState("inbox", theme, actions, self)
        self.panel = VerdictPanel(workspace.taxonomy, theme, actions, self, reviewer=lambda: self._settings.reviewer)
        self.bar = SessionBar(theme, actions, self)
        centre = self.centre
        self.prefetcher = Prefetcher(
            workspace, self.pictures, self.explanations, centre.fit_of, centre.comes_enlarged, self
        )
        self.controller = ReviewController(
            self.desk, self.model, self.prefetcher, lambda: self._settings.reviewer, self
        )

    def _lay_out(self) -> None:
        self._middle = QStackedWidget(self)
        self._middle.addWidget(self.centre)
        self._middle.addWidget(self.empty)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        for widget, stretch in ((self.queue, 0), (self._middle, 1), (self.panel, 0)):
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(self.splitter.count() - 1, stretch)
        self.splitter.setSizes(list(SIDES))
        self.splitter.setChildrenCollapsible(False)
        keep(self.splitter, self._settings, "review-sides")
        keep(self.centre.splitter, self._settings, "review-rows")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.splitter, 1)
        column.addWidget(self.bar)

    def _connect(self) -> None:
        controller, desk = self.controller, self.desk
        controller.shown.connect(self._show_visit)
        controller.changed.connect(self._show_answers)
        controller.focused.connect(self._show_focus)
        controller.marked.connect(self._show_marks)
        self.centre.crossing.toggled.connect(controller.cross_out)
        controller.recorded.connect(self._show_recorded)
        controller.undone.connect(self._show_undone)
        controller.refused.connect(self._refuse)
        self.model.failed.connect(self._refuse)
        self.queue.opened.connect(self.open_queue)
        self.queue.picked.connect(controller.open)
        self.queue.filter.left.connect(self.setFocus)
        self.queue.search.left.connect(self.setFocus)
        self.queue.search.entered.connect(self._leave_search)
        self.panel.chosen.connect(controller.choose)
        self.panel.newerWanted.connect(controller.show_newer)
        self.panel.note.edited.connect(controller.keep_note)
        self.panel.note.left.connect(self.setFocus)
        self.centre.resized.connect(controller.look_ahead)
        self._counting = QTimer(self, singleShot=True, interval=_COUNT_PAUSE_MS)
        self._counting.timeout.connect(self._counts_changed)
        self._wanting = QTimer(self, singleShot=True, interval=0)
        self._wanting.timeout.connect(self._want)
        self._starting = QTimer(self, singleShot=True, interval=0)
        self._starting.timeout.connect(self.start)
        desk.verdictsChanged.connect(self._verdicts_changed)
        desk.countsChanged.connect(self._counting.start)
        desk.engineStateChanged.connect(self._show_engine)
        desk.trainingStateChanged.connect(self.bar.show_training)
        self._stale: list[str] = []
        self._rereading = QTimer(self, interval=0)
        self._rereading.timeout.connect(self._reread)
        desk.championChanged.connect(self._champion_changed)
        desk.decidedElsewhere.connect(self._decided_elsewhere)
        desk.closed.connect(self.stop)
        self._settings.changed.connect(self._setting_changed)

    def _runs(self) -> dict[str, Run]:
        controller, capture, text = self.controller, self.centre.capture, self.centre.text
        return {
            "confirm": controller.confirm,
            "undo": controller.undo,
            "skip": controller.skip,
            "escalate": controller.escalate,
            "cross-out": self.centre.crossing.cross_out,
            "part-next": lambda: self.centre.crossing.step(1),
            "part-previous": lambda: self.centre.crossing.step(-1),
            "back": self._back,
            "note": self.panel.note.setFocus,
            "heatmap": lambda: self._switch("heatmap"),
            "tokens": lambda: self._switch("tokens"),
            "guideline": lambda: self._switch("guideline"),
            "blur": self.toggle_blur,
            "explain-previous": lambda: controller.step_focus(-1),
            "explain-next": lambda: controller.step_focus(1),
            "previous": lambda: controller.move(-1),
            "next": lambda: controller.move(1),
            "zoom-in": lambda: capture.zoom_by(ZOOM_STEP),
            "zoom-out": lambda: capture.zoom_by(1 / ZOOM_STEP),
            "zoom-reset": capture.fit,
            "zoom-width": self._fit_width,
            "pan-up": lambda: capture.pan_by(0, -PAN_STEP),
            "pan-down": lambda: capture.pan_by(0, PAN_STEP),
            "pan-left": lambda: capture.pan_by(-PAN_STEP, 0),
            "pan-right": lambda: capture.pan_by(PAN_STEP, 0),
            "view-up": lambda: capture.pan_by(0, -PAN_VIEW),
            "view-down": lambda: capture.pan_by(0, PAN_VIEW),
            "text-up": lambda: text.scroll_by(-1),
            "text-down": lambda: text.scroll_by(1),
            "find": self.queue.search.begin,
            "filter": self._toggle_filter,
            "clear-filter": self.queue.filter.clear,
        }

    def _dress(self) -> None:
        self.centre.look.opacity.setValue(self._settings.heatmap_opacity)
        self.centre.capture.set_opacity(self._settings.heatmap_opacity / 100)
        for name in self._shown:
            self._apply(name)
        self.show_veil(Veil(blurred=self._settings.blur, grey=self._settings.grey))
        self.bar.show_engine(self.desk.engine_state)
        self.bar.show_training(self.desk.training_state)

    # --- what the page does -----------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.thumbnails.ratio = self.devicePixelRatioF()
        if not self._started:
            self._started = True
            self.keys.held.watch(self.window().windowHandle())
            self._starting.start()

    def start(self) -> None:
        """Open the chosen queue and show what the reviewer did last, which U takes back."""
        self.open_queue(self.queue.query)
        self._show_standing()

    @property
    def settled(self) -> bool:
        """Whether the page shows all that it can by itself: a queue is open and counted, no picture is being made."""
        return self._opened and not self.pool.busy() and not self._counting.isActive()

    def stop(self) -> None:
        """End the page's own work; the workspace is about to close."""
        self._starting.stop()
        self.queue.search.settle()
        self.controller.stop()
        self.centre.stop()
        self._counting.stop()
        self._wanting.stop()
        self._rereading.stop()
        self.pool.close()
        self.keys.release()

    def open_queue(self, query: QueueQuery) -> None:
        """Begin the visit of a queue; one whose search was cleared goes on with the item that was left for it."""
        item = self._before_search(query)
        try:
            self.model.load(query)
        except EngineError as error:
            self._refuse(str(error))
            return
        self.controller.start(item)
        self._opened = True
        self._actions.set_enabled("review.clear-filter", self.queue.filter.active)
        self._show_counts()
        if not self.queue.filter.focused and not self.queue.search.hasFocus():
            self.setFocus()

    def show_item(self, item: str) -> None:
        """Bring an item on screen; a queue that has not met it is opened anew, with whatever came in meanwhile."""
        if not self._opened:
            self._started = True
            self._starting.stop()
            self.start()
        elif self.model.place_of(item) is None:
            self.open_queue(self.queue.query)
        self.controller.go_to(item)

    def show_queue(self, name: str) -> None:
        """Begin the visit of the queue of this name."""
        self.queue.choose(name)

    def _before_search(self, query: QueueQuery) -> str:
        """Note the item on screen where a search begins; return it where that search ends and it still waits."""
        visit, before = self.controller.visit, self.model.query.search
        if query.search and not before:
            self._left_off = (
                msgspec.structs.replace(query, search=""),
                visit.sight.item.id if visit is not None else "",
            )
        whole, item = self._left_off
        if query.search or not before or query != whole or not item:
            return ""
        return item if self.desk.workspace.queues.row(item).state in query.states else ""

    def _leave_search(self) -> None:
        """Go to the item that was found; where nothing was, the keys stay in the field."""
        if self.controller.visit is not None:
            self.setFocus()

    def _back(self) -> None:
        """Leave the reasons; where there are none to leave, the search."""
        visit = self.controller.visit
        if self.queue.search.words and (visit is None or not visit.conditional):
            self.queue.search.finish()
        else:
            self.controller.back()

    def _toggle_filter(self) -> None:
        self.queue.filter.toggle()
        self.queue.show_counts(self.desk.workspace.queues)

    def show_veil(self, veil: Veil) -> None:
        """Soften captures and thumbnails from now on, or show them as they are, for the rest of the session."""
        self.pictures.veil = self.thumbnails.veil = veil
        self.centre.look.show_switch("blur", on=veil.blurred)
        self.centre.refresh_images()
        self.queue.list.viewport().update()
        self.controller.look_ahead()

    def toggle_blur(self) -> None:
        """Blur what is clear, or clear what is blurred."""
        self.show_veil(replace(self.pictures.veil, blurred=not self.pictures.veil.blurred))

    def _fit_width(self) -> None:
        self.centre.capture.fit_width()
        self.controller.look_ahead()

    def _switch(self, name: str) -> None:
        self._shown[name] = not self._shown[name]
        self._apply(name)

    def _apply(self, name: str) -> None:
        on = self._shown[name]
        if name == "guideline":
            self.panel.guideline.setVisible(on)
            return
        if name == "heatmap":
            self.centre.capture.set_heat_shown(on)
        else:
            self.centre.text.set_tokens_shown(on)
        self.centre.look.show_switch(name, on=on)

    # --- what the controller says -----------------------------------------------------------------------------

    def _show_visit(self) -> None:
        visit = self.controller.visit
        self.panel.say("")
        if visit is None:
            self._show_end()
        else:
            self.centre.show_visit(visit)
            self._show_marks()
            self._wanting.start()
        self._middle.setCurrentWidget(self.centre if visit is not None else self.empty)
        self.panel.note.show_note(self.controller.note)
        self.queue.show_place(self.controller.place)
        self._show_answers()
        self._show_progress()

    def _show_answers(self) -> None:
        visit = self.controller.visit
        self.panel.show_visit(visit)
        self.keys.title(visit.task if visit is not None else None)

    def _show_focus(self) -> None:
        visit = self.controller.visit
        if visit is not None:
            self.centre.show_focus(visit)
            self.panel.show_focus(visit)
            self._wanting.start()

    def _show_marks(self) -> None:
        self.centre.crossing.show_marks(self.controller.crossed_out)

    def _refuse(self, sentence: str) -> None:
        """Say beside the answers why something was not done; in the notice line where there is no item."""
        if self.controller.visit is not None:
            self.panel.say(sentence)
        else:
            self.desk.notice.emit(sentence, "warning")

    def _show_recorded(self, text: str) -> None:
        self.panel.say("")
        self.panel.note.show_note(self.controller.note)
        self.bar.show_last(text)

    def _show_undone(self, text: str) -> None:
        self.panel.say(text, "quiet")
        self._show_standing()

    def unsaved(self) -> str:
        """What would be lost with the window, in words; "" for nothing: decisions are saved as they are made."""
        item = self.controller.draft
        return f"What you noted or crossed out on {item} is saved with your answer, which is missing." if item else ""

    def _show_standing(self) -> None:
        last = self.desk.workspace.decisions.last(self._settings.reviewer)
        self.bar.show_last(describe(self.desk.workspace.taxonomy, last) if last is not None else "")

    def _show_progress(self) -> None:
        self.bar.show_progress(self.controller.pace, self.desk.workspace.queues.counts().open)

    def _show_end(self) -> None:
        if self.desk.workspace.queues.counts().total == 0:
            self.empty.say("Nothing to review yet", "Import captures to begin.", "app.import")
        elif self.queue.search.words:
            narrowed = f"Only these are searched: {self.queue.filter.words}. " if self.queue.filter.active else ""
            self.empty.say(
                f"Nothing in {self.queue.title} matches {self.queue.search.quoted}",
                f"{narrowed}{self.queue.search.signs}Type other words, or press Esc to clear the search and return.",
            )
        elif self.queue.filter.active:
            words = f"Only these are shown: {self.queue.filter.words}."
            self.empty.say(f"{self.queue.title}: nothing left that passes", words, "review.clear-filter")
        elif self.model.rowCount() == 0:
            self.empty.say(
                f"{self.queue.title} is empty", "Choose another queue on the left, or import more.", "app.import"
            )
        else:
            done = ", ".join(self.controller.pace.words) or "nothing decided"
            self.empty.say("You are through", f"In this session: {done}. Nothing is left in this queue.")

    # --- what the desk says -----------------------------------------------------------------------------------

    def _want(self) -> None:
        visit = self.controller.visit
        if visit is not None:
            self.explanations.want(visit.sight, visit.focus, Priority.LOOKING)
            self.centre.refresh_progress()

    def _verdicts_changed(self, items: Sequence[str]) -> None:
        self.model.refresh(items)
        self.controller.verdicts_changed(items)

    def _decided_elsewhere(self, decisions: Sequence[Decision]) -> None:
        """Mark what others decided meanwhile; of the item on screen say so before it is decided a second time."""
        items = list(dict.fromkeys(one.item for one in decisions))
        self.prefetcher.forget(items)
        self.model.refresh(items)
        visit = self.controller.visit
        here = [one for one in decisions if visit is not None and one.item == visit.sight.item.id]
        if here:
            last = here[-1]
            said = f"said: {describe(self.desk.workspace.taxonomy, last)}. Your answer is kept beside it"
            said = "took an answer back" if last.action is Action.UNDO else said
            self.panel.say(f"{last.reviewer} just {said}.", "quiet")

    def _champion_changed(self) -> None:
        """Read the rows anew: a champion that came back by a rollback has its verdicts already."""
        self._stale = self.model.items
        self._rereading.start()
        self.centre.refresh_progress()

    def _reread(self) -> None:
        """Read the next rows anew, few enough at a time not to hold up a key press."""
        part, self._stale = self._stale[:_REREAD], self._stale[_REREAD:]
        if not self._stale:
            self._rereading.stop()
        self._verdicts_changed(part)

    def _setting_changed(self, name: str) -> None:
        if name in ("blur", "grey"):
            self.show_veil(Veil(blurred=self._settings.blur, grey=self._settings.grey))

    def _show_engine(self, state: EngineState) -> None:
        self.bar.show_engine(state)
        if state.ready and not self._engine_ready:
            self.explanations.retry()
            self._wanting.start()
        self._engine_ready = state.ready
        self.centre.refresh_progress()

    def _show_counts(self) -> None:
        self._show_progress()
        self.queue.show_counts(self.desk.workspace.queues)

    def _counts_changed(self) -> None:
        self._show_counts()
        if self.controller.visit is None and self._started and self.model.of_open:
            self._look_again()

    def _look_again(self) -> None:
        """Items came in while there was nothing to do."""
        if self.desk.workspace.queues.count(self.queue.query):
            self.model.reload()
            self.controller.start()
