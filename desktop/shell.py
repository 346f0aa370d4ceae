"""What the window does: opens and closes workspaces, makes their pages, and says what happens in plain words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from desktop.actions import caps_of
from desktop.dialogs import SOURCES, ask_files, ask_folder
from desktop.faults import log_folder
from desktop.settings import Settings
from desktop.start_page import StartPage
from desktop.start_rows import name_of
from desktop.theme import ThemeManager
from desktop.widgets import WayOut
from desktop.window import DeskWindow
from engine.counting import counted
from engine.errors import EngineError

if TYPE_CHECKING:
    from desktop.capture_page.failure_panel import FailurePanel
    from desktop.children.capture_states import CaptureState
    from desktop.desk import Desk
    from desktop.exchange.exchange import Exchange
    from desktop.import_report import ImportReportPanel
    from engine.intake import ImportReport
    from engine.workspace.teaching import Batch

_NEEDS_DESK = (
    "app.review", "app.models", "app.refit", "app.retrain", "app.cancel-retrain", "app.score", "app.import",
    "app.cancel-import", "app.close", "app.flips", "app.teach", "app.pick", "app.capture",
    "app.export", "app.pack",
)  # fmt: skip


class Shell(QObject):
    """The life of one window. `opened(Path)` and `closed()` frame the time that a workspace is open.

    `idle` keeps children from being started (a picture needs none). `faulted(sentence, ours)` may be emitted from any
    thread; it becomes one notice.
    """

    opened = Signal(object)
    closed = Signal()
    faulted = Signal(str, bool)

    def __init__(self, settings: Settings, theme: ThemeManager, *, idle: bool = False, log: Path | None = None) -> None:
        super().__init__()
        self.settings, self.theme, self._idle = settings, theme, idle
        self._log = log or log_folder()
        self.desk: Desk | None = None
        self._report: ImportReportPanel | None = None
        self._failure: FailurePanel | None = None
        self._offered = ""
        self.exchange: Exchange | None = None
        self.window = DeskWindow(settings, theme)
        self.start_page = StartPage(settings, theme, self.window.actions_table, self._log / "commands.log")
        self.window.add_page("start", self.start_page)
        self._bind()
        self.start_page.openRequested.connect(self.open)
        self.window.closing.connect(self.shut_down)
        self.window.dropped.connect(self.take_dropped)
        self.settings.changed.connect(self._on_setting)
        self.faulted.connect(self._on_fault)
        self._show_desk()

    # --- workspaces -------------------------------------------------------------------------------------------

    def open(self, path: Path) -> bool:
        """Open a workspace in place of the one that is open; where it cannot be, a notice says why."""
        try:
            self.open_or_raise(path)
        except EngineError as error:
            self.show(self.window.page or "start")
            self.window.say(str(error), "error")
            self.start_page.refresh()
            return False
        return True

    def open_or_raise(self, path: Path) -> None:
        """Open a workspace in place of the one that is open; raises `EngineError` where it cannot be."""
        from desktop.desk import Desk
        from desktop.exchange.exchange import Exchange

        path = path.expanduser().resolve()
        if self.desk is not None and self.desk.path == path:
            self.show("review")
            return
        desk = Desk(path, settings=self.settings, parent=self)
        self.close_workspace()
        self.desk = desk
        self.exchange = Exchange(desk, self.window, self._beside)
        self._connect(desk)
        self._show_desk()
        self._make_review(desk)
        self.opened.emit(path)
        if not self._idle:
            self.settings.remember(path)
            QTimer.singleShot(0, desk, desk.start)

    def close_workspace(self) -> None:
        """Close what is open and return to the start page."""
        desk, self.desk = self.desk, None
        if desk is None:
            return
        self._show_desk()
        self.window.unsaved = str
        self.show("start")
        for page in ("review", "models", "capture"):
            self.window.remove_page(page)
        self.window.top_bar.name_tab("capture", "Capture")
        if self._failure is not None:
            self.window.drop_overlay(self._failure)
            self._failure = None
        if self.exchange is not None:
            self.exchange.close()
            self.exchange = None
        self.window.take_back(self._offered)
        desk.close()
        desk.deleteLater()
        self.closed.emit()

    def shut_down(self) -> None:
        """End every child and thread; what was decided is on disk already."""
        self.start_page.working.runner.close()
        self.close_workspace()

    def take_dropped(self, paths: list[Path]) -> None:
        """Open a dropped workspace, or import dropped captures into the one that is open."""
        workspaces = [path for path in paths if (path / "workspace.db").is_file()]
        if workspaces:
            self.open(workspaces[0])
        elif self.window.page == "capture":
            self.window.page_widget("capture").take_file(paths[0])  # type: ignore[union-attr]
        elif self.desk is not None:
            self._bring_in(paths)
        elif len(paths) == 1 and paths[0].suffix.lower() == ".zip":
            self.ask_new()
            self.start_page.new_workspace.set_pack(paths[0])
        else:
            self.window.say("Open a workspace first; then captures can be dropped into it.", "info")

    # --- pages ------------------------------------------------------------------------------------------------

    def show(self, page: str) -> None:
        """Bring a page to the front; pages other than the first are made when they are first needed."""
        if self.window.page_widget(page) is None:
            self._make(page)
        if self.window.page_widget(page) is not None:
            self.window.show_page(page)
        if page == "capture":  # whose list says the same
            self.window.take_back(self._offered)

    def open_queue(self, name: str) -> None:
        """Go to the review desk with another queue; nothing happens without a workspace."""
        review = self.window.page_widget("review")
        if review is not None:
            self.show("review")
            review.show_queue(name)  # type: ignore[attr-defined]

    def open_item(self, item: str) -> None:
        """Go to the review desk with this item."""
        self.show("review")
        self.window.page_widget("review").show_item(item)  # type: ignore[union-attr]

    def _make(self, page: str) -> None:
        if page == "settings":
            from desktop.settings_page import SettingsPage

            made = SettingsPage(self.settings, self.theme)
            made.left.connect(lambda: self.show("start" if self.desk is None else "review"))
            self.window.add_page("settings", made)
        elif page == "models" and self.desk is not None:
            from desktop.models_page.page import ModelsPage

            models = ModelsPage(self.theme, self.window.actions_table)
            models.show_desk(self.desk)
            self.window.add_page("models", models)
        elif page == "capture" and self.desk is not None:
            from desktop.capture_page.failure_panel import FailurePanel
            from desktop.capture_page.page import CapturePage

            self._failure = self.window.add_overlay(FailurePanel(self.theme, self.window.body))
            capture = CapturePage(self.desk, self.theme, self.window.actions_table, self._failure)
            capture.itemWanted.connect(self.open_item)
            self.window.add_page("capture", capture)

    def _make_review(self, desk: Desk) -> None:
        from desktop.review.page import ReviewPage

        review = ReviewPage(desk, self.theme, self.window.actions_table)
        self.window.add_page("review", review)
        self.window.unsaved = review.unsaved
        self.show("review")

    # --- what the desk reports --------------------------------------------------------------------------------

    def _connect(self, desk: Desk) -> None:
        desk.notice.connect(self._on_notice)
        desk.importProgressed.connect(self._on_import_progress)
        desk.importEnded.connect(self._on_import_ended)
        desk.trainingStateChanged.connect(lambda state: self._can("app.cancel-retrain", can=state.running))
        desk.flipped.connect(self._on_flipped)
        desk.picked.connect(self._on_picked)
        desk.capturing.stateChanged.connect(self._on_capture_state)
        desk.capturing.offered.connect(self._on_capture_offered)
        desk.capturing.ended.connect(self._on_capture_ended)

    def _on_notice(self, text: str, kind: str) -> None:
        way_out = WayOut("Open the log", self.open_log) if kind == "error" else None
        self.window.say(text, kind, way_out)

    def _on_capture_state(self, state: CaptureState) -> None:
        """Show on the page's tab how far a capture is, for whoever is on another page."""
        so_far = f"Capture {state.done:,} of {state.total:,}"
        self.window.top_bar.name_tab("capture", so_far if state.running and state.total else "Capture")
        if state.stage != "stopped":
            self.window.take_back(self._offered)

    def _on_capture_offered(self, text: str) -> None:
        """Say what a window before left undone, until it is gone on with or put away."""
        self._offered = text
        self.window.say(text, "warning", WayOut("Show the list", partial(self.show, "capture")))

    def _on_capture_ended(self, text: str, kind: str) -> None:
        """On the capture page the words stand in the page already."""
        if self.window.page != "capture":
            self.window.say(text, kind, WayOut("Show the list", partial(self.show, "capture")))

    def _on_flipped(self, text: str) -> None:
        self.window.say(text, "info", WayOut(self._key_of("app.flips"), partial(self.open_queue, "flips")))

    def _on_picked(self, batch: Batch) -> None:
        at_random = f", {batch.at_random:,} of them at random" if batch.at_random else ""
        way_out = WayOut(self._key_of("app.teach"), partial(self.open_queue, "teach"))
        self.window.say(f"Picked {counted(batch.items, 'item')} to teach the model{at_random}.", "success", way_out)

    def _key_of(self, action: str) -> str:
        """Return the words of a button that does what an action's key does: "Show them (Ctrl Shift V)"."""
        return f"Show them ({' '.join(caps_of(self.window.actions_table.specs[action].keys[0]))})"

    def _on_import_progress(self, done: int, total: int) -> None:
        share = done / total if total > 0 else None
        self.window.top_bar.show_activity(f"Importing, {counted(done, 'row')}", share)
        self._can("app.cancel-import", can=True)

    def _on_import_ended(self, report: ImportReport | None) -> None:
        self.window.top_bar.show_activity("")
        self._can("app.cancel-import", can=False)
        if report is None:
            return
        from desktop.import_report import headline

        left_out = bool(report.errors or report.warnings)
        way_out = WayOut("Show the rows", lambda: self._show_report(report)) if left_out else None
        self.window.say(headline(report), "warning" if report.errors else "success", way_out)

    def _show_report(self, report: ImportReport) -> None:
        from desktop.import_report import ImportReportPanel

        if self._report is None:
            self._report = self.window.add_overlay(ImportReportPanel(self.theme, self.window.body))
        self._report.show_report(report)

    def _on_fault(self, sentence: str, ours: bool) -> None:
        self.window.say(sentence, "error", WayOut("Open the log", self.open_log) if ours else None)

    # --- actions ----------------------------------------------------------------------------------------------

    def _bind(self) -> None:
        bind = self.window.actions_table.bind
        for page in ("start", "review", "models", "capture", "settings"):
            bind(f"app.{page}", partial(self.show, page))
        bind("app.flips", partial(self.open_queue, "flips"))
        bind("app.teach", partial(self.open_queue, "teach"))
        bind("app.pick", self._with_desk(lambda desk: desk.pick_batch()))
        bind("app.open", self.ask_open)
        bind("app.new", self.ask_new)
        bind("app.demo", self.make_demo)
        bind("app.import", self.ask_import)
        bind("app.close", self.close_workspace)
        bind("app.log", self.open_log)
        bind("app.theme", self.toggle_theme)
        bind("app.refit", self._with_desk(lambda desk: desk.start_refit()))
        bind("app.retrain", self._with_desk(lambda desk: desk.start_retrain()))
        bind("app.cancel-retrain", self._with_desk(lambda desk: desk.cancel_retrain()))
        bind("app.score", self._with_desk(lambda desk: desk.score_missing()))
        bind("app.cancel-import", self._cancel_background)
        bind("app.export", self._with_exchange(lambda exchange: exchange.ask_export()))
        bind("app.pack", self._with_exchange(lambda exchange: exchange.ask_pack()))

    def _with_desk(self, run: Callable[[Desk], object]) -> Callable[[], None]:
        def on_desk() -> None:
            if self.desk is not None:
                run(self.desk)

        return on_desk

    def _with_exchange(self, run: Callable[[Exchange], object]) -> Callable[[], None]:
        def on_exchange() -> None:
            if self.exchange is not None:
                run(self.exchange)

        return on_exchange

    def _bring_in(self, paths: list[Path]) -> None:
        if self.exchange is not None:
            self.exchange.take(paths)

    def _cancel_background(self) -> None:
        if self.exchange is not None and self.exchange.busy:
            self.exchange.cancel()
        elif self.desk is not None:
            self.desk.cancel_import()

    def _can(self, action: str, *, can: bool) -> None:
        self.window.actions_table.set_enabled(action, can)

    def _show_desk(self) -> None:
        """Show in the bar and in the actions whether a workspace is open."""
        self.window.show_workspace(name_of(self.desk.path) if self.desk is not None else "")
        for name in _NEEDS_DESK:
            self._can(name, can=self.desk is not None and not name.startswith("app.cancel"))

    def ask_open(self) -> None:
        """Ask for a workspace's folder and open it."""
        ask_folder(self.window, "Open a workspace", self._beside(), self.open)

    def ask_new(self) -> None:
        """Go to the form of a new workspace."""
        self.show("start")
        self.start_page.show_form()

    def make_demo(self) -> None:
        """Make the demo workspace on the start page, or open it where it was made before."""
        if self.desk is None:
            self.show("start")
        self.start_page.make_demo()

    def ask_import(self) -> None:
        """Ask for files of captures and import them."""
        if self.desk is not None:
            ask_files(self.window, "Import captures", self._beside(), SOURCES, self._bring_in)

    def toggle_theme(self) -> None:
        """Use the other theme from now on."""
        self.settings.theme = "light" if self.theme.tokens.dark else "dark"

    def open_log(self) -> None:
        """Open the folder of the open workspace's logs, or of the desktop's own."""
        folder = self.desk.path / "logs" if self.desk is not None else self._log
        folder = folder if folder.is_dir() else self._log
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.window.say(f"The logs are in {folder}.", "info")

    def _beside(self) -> Path:
        recent = self.settings.recent
        return recent[0].parent if recent and recent[0].parent.is_dir() else Path.home()

    def _on_setting(self, name: str) -> None:
        if name == "theme":
            self.theme.set_mode(self.settings.theme)
        elif name == "training/retrain_after" and self.desk is not None:
            self.desk.correctionsChanged.emit()
