"""The capture page itself: a list is made on it, and then one sees what becomes of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QFileDialog, QStackedLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.capture_page.compose import Compose
from desktop.capture_page.failure import EXPLAINED, Failure
from desktop.capture_page.failure_panel import FailurePanel
from desktop.capture_page.pages_model import PagesModel
from desktop.capture_page.run import OPEN, WHY, RunView
from desktop.children.capture_states import FAILED, CaptureState
from desktop.desk import Desk
from desktop.dialogs import ask_files
from desktop.review.pixel_cache import PixelPool
from desktop.review.pixels import Veil
from desktop.review.thumbnails import Thumbnails
from desktop.theme import ThemeManager
from engine.counting import counted, fit

LISTS = "Lists of addresses (*.txt *.csv *.jsonl *.ndjson);;All files (*)"
WITH_ITEM = ("captured", "there", "gone")
PAUSED = ("hold", "rest")
_PAUSE, _RESUME = "Pause the capture", "Resume the capture"
_OPEN, _WHY = "Open the item in review", "Show why the page failed"


class CapturePage(QWidget):
    """Binds the table's actions of the page; `itemWanted(item)` asks for the item of a page in review.

    `failure` is filled with why a page failed.
    """

    itemWanted = Signal(str)

    def __init__(
        self,
        desk: Desk,
        theme: ThemeManager,
        actions: ActionRegistry,
        failure: FailurePanel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings, self._actions, self._capturing = desk.settings, actions, desk.capturing
        self._notice = desk.notice
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Capture")
        self.pool = PixelPool(self)
        self.thumbnails = Thumbnails(desk.workspace, self.pool, self)
        self.failure = Failure(desk.capturing, self.pool, failure, self)
        self.model = PagesModel(desk.capturing, self.thumbnails, self)
        self.compose = Compose(desk.capturing.check, desk.settings, theme, actions, self)
        self.run = RunView(self.model, theme, actions, self)
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        for view in (self.compose, self.run):
            self._stack.addWidget(view)
        self.setFocusProxy(self.compose)
        self._startable = False
        self._bind()
        self._connect(desk)
        self._show_veil()
        self._show_state(desk.capturing.state)

    @property
    def settled(self) -> bool:
        """Whether no picture is being made."""
        return not self.pool.busy()

    def take_file(self, file: Path) -> None:
        """Take the addresses of a file, where a list can be made now."""
        if self._capturing.state.stage == "idle":
            self.compose.take_file(file)
        else:
            self._notice.emit("One list at a time: put this one away first (N), then drop the file again.", "info")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.thumbnails.ratio = self.devicePixelRatioF()

    def stop(self) -> None:
        """End the page's own work; the workspace is about to close."""
        self.compose.stop()
        self.pool.close()

    # --- what a person asks for -------------------------------------------------------------------------------

    def choose_file(self) -> QFileDialog:
        """Ask for a file of addresses."""
        return ask_files(
            self, "A list of addresses", Path.home(), LISTS, lambda files: self.take_file(files[0]), many=False
        )

    def toggle_pause(self) -> None:
        """Pause, or go on after a pause, a stop or a fault."""
        if self._capturing.state.stage in ("start", "run"):
            self._capturing.hold()
        else:
            self._capturing.go_on()

    def retry(self) -> None:
        """Try the chosen pages again that failed."""
        self._capturing.retry([page.key for page in self.run.selected()])

    def retry_all(self) -> None:
        """Try every page again that failed."""
        self._capturing.retry(self._capturing.pages.keys(FAILED))

    def open_page(self) -> None:
        """Open the item of the current page in review, or say why the page failed."""
        page = self.run.current()
        if page is not None and page.state in WITH_ITEM:
            self.itemWanted.emit(page.item)
        elif page is not None and page.state in EXPLAINED:
            self.failure.show(page)

    def copy(self) -> None:
        """Put the addresses of the chosen pages into the clipboard, one a line."""
        pages = self.run.selected()
        if pages:
            QGuiApplication.clipboard().setText("\n".join(page.key for page in pages))

    def show_failures(self, only: bool) -> None:
        """Show the pages that failed alone, or all."""
        self.model.show_failures(only=only)
        self._actions.retitle("capture.failures", "Show all pages" if only else "Show only failures")
        self.run.show_filter(failures=only)
        self.run.begin()
        self._show_choice()

    def new_list(self) -> None:
        """Make room for another list; where pages are left, ask first."""
        left = self._capturing.pages.waiting
        if not left:
            self._capturing.forget()
            return
        pages, them = f"{counted(left, 'page')} {fit(left, 'has', 'have')}", fit(left, "it", "them")
        self.run.confirm.ask(f"{pages} not been captured. Give {them} up?", f"Give {them} up", self._capturing.forget)

    # --- connections ------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        runs = {
            "choose": self.choose_file,
            "start": self.compose.start,
            "scripts": self.compose.options.no_scripts.toggle,
            "pause": self.toggle_pause,
            "stop": self._capturing.stop,
            "retry": self.retry,
            "retry-all": self.retry_all,
            "open": self.open_page,
            "copy": self.copy,
            "failures": lambda: self.show_failures(not self.model.failures_only),
            "new": self.new_list,
        }
        for name, run in runs.items():
            self._actions.bind(f"capture.{name}", run)

    def _connect(self, desk: Desk) -> None:
        self.compose.wanted.connect(desk.capturing.begin)
        self.compose.ready.connect(self._show_ready)
        self.run.chosen.connect(self._show_choice)
        self.run.failuresWanted.connect(self.show_failures)
        self.run.list.doubleClicked.connect(self.open_page)
        self.model.dataChanged.connect(self._show_choice)
        desk.capturing.stateChanged.connect(self._show_state)
        desk.capturing.listChanged.connect(self.run.begin)
        desk.settings.changed.connect(self._on_setting)
        desk.closed.connect(self.stop)

    def _show_state(self, state: CaptureState) -> None:
        left = state.done < state.total
        can_pause = state.stage in ("start", "run", *PAUSED) or (left and not state.running)
        waits = state.stage in PAUSED or not state.running
        self._actions.retitle("capture.pause", _RESUME if waits else _PAUSE)
        self._show_view(state)
        composing = state.stage == "idle"
        for name, can in (
            ("choose", composing),
            ("scripts", composing),
            ("pause", can_pause and not composing),
            ("stop", state.running and state.stage != "stop"),
            ("retry-all", bool(state.failed) and state.stage not in ("prepare", "stop")),
            ("failures", not composing),
            ("new", not composing and not state.running),
        ):
            self._actions.set_enabled(f"capture.{name}", can)
        self._show_ready(self._startable)
        self.run.show_state(state)
        self._show_choice()

    def _show_view(self, state: CaptureState) -> None:
        view = self.compose if state.stage == "idle" else self.run
        if self._stack.currentWidget() is view:
            return
        had_keys = self.isAncestorOf(self.focusWidget()) if self.focusWidget() is not None else False
        self.show_failures(False)
        if view is self.run:
            self.compose.clear()
        self._stack.setCurrentWidget(view)
        self.setFocusProxy(view)
        if had_keys or self.isVisible():
            view.setFocus()

    def _show_ready(self, ready: bool) -> None:
        self._startable = ready
        self._actions.set_enabled("capture.start", ready and self._capturing.state.stage == "idle")

    def _show_choice(self, *_: object) -> None:
        pages, current = self.run.selected(), self.run.current()
        running = self._capturing.state.stage not in ("idle", "prepare", "stop")
        self._actions.set_enabled("capture.retry", running and any(page.state == FAILED for page in pages))
        explained = current is not None and current.state in EXPLAINED
        self._actions.retitle("capture.open", _WHY if explained else _OPEN)
        self._actions.set_enabled("capture.open", current is not None and current.state in (*WITH_ITEM, *EXPLAINED))
        self.run.enter.setText(WHY if explained else OPEN)
        self._actions.set_enabled("capture.copy", bool(pages))

    def _on_setting(self, name: str) -> None:
        if name in ("blur", "grey"):
            self._show_veil()

    def _show_veil(self) -> None:
        self.thumbnails.veil = self.failure.veil = Veil(blurred=self._settings.blur, grey=self._settings.grey)
        self.run.list.viewport().update()
