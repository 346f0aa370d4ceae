"""The one window: a thin top bar, the pages in a stack, and what floats over them. It knows no workspace."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QByteArray, QDeadlineTimer, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.settings import Settings
from desktop.theme import GAP, ThemeManager
from desktop.top_bar import TopBar
from desktop.widgets import NoticeLine, Overlay, WayOut, frame

if TYPE_CHECKING:
    from desktop.cheat_sheet import CheatSheet
    from desktop.palette import Palette

OverlayT = TypeVar("OverlayT", bound=Overlay)
TITLE = "Second Look"
SIZE = QSize(1360, 860)
NARROW_NOTICE = 32 * GAP
"""On the review page notices stand over the queue's lower end: never over the item."""
LEAST = QSize(960, 600)
_TWICE_MS = 15_000
"""How long the next wish to quit is meant for what was said of the last one."""


class DeskWindow(QMainWindow):
    """Pages are added by name and shown at once, without a transition.

    `closing()` is emitted before the window goes; `pageShown(name)` after a page came to the front; `dropped(paths)`
    when files or folders were dropped anywhere. `unsaved` says in words what would be lost with the window, or "".
    """

    closing = Signal()
    pageShown = Signal(str)
    dropped = Signal(list)

    def __init__(self, settings: Settings, theme: ThemeManager) -> None:
        super().__init__()
        self.settings, self.theme = settings, theme
        self.setWindowTitle(TITLE)
        self.setWindowIcon(theme.icon("second-look", "accent_text"))
        self.setMinimumSize(LEAST)
        self.setAcceptDrops(True)
        self.actions_table = ActionRegistry(self)
        self._pages: dict[str, QWidget] = {}
        self.body = body = frame("window", self)
        self.top_bar = TopBar(theme, self.actions_table, body)
        self._stack = QStackedWidget(body)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top_bar)
        column.addWidget(self._stack, 1)
        self.setCentralWidget(body)
        self._notices = NoticeLine(theme, body)
        self._overlays: list[Overlay] = []
        self.unsaved: Callable[[], str] = str
        self._told = QDeadlineTimer(0)
        self._bind()
        self._restore()

    # --- pages ------------------------------------------------------------------------------------------------

    @property
    def page(self) -> str:
        """The name of the page in front, "" before there is any."""
        return next((name for name, page in self._pages.items() if page is self._stack.currentWidget()), "")

    def page_widget(self, name: str) -> QWidget | None:
        """Return the page of this name, or None."""
        return self._pages.get(name)

    def add_page(self, name: str, page: QWidget) -> None:
        """Put a page into the stack; one of the same name is taken out and deleted."""
        self.remove_page(name)
        self._pages[name] = page
        self._stack.addWidget(page)

    def remove_page(self, name: str) -> None:
        """Take a page out and delete it."""
        page = self._pages.pop(name, None)
        if page is not None:
            self._stack.removeWidget(page)
            page.hide()
            page.deleteLater()

    def show_page(self, name: str) -> None:
        """Bring a page to the front, with the keyboard in it; raises KeyError for an unknown one."""
        page = self._pages[name]
        self.put_overlays_away()
        self._stack.setCurrentWidget(page)
        self.actions_table.set_page(name)
        self.top_bar.show_page(name)
        self._notices.keep_to_the_left(NARROW_NOTICE if name == "review" else 0)
        if page.focusPolicy() != Qt.FocusPolicy.NoFocus:
            page.setFocus(Qt.FocusReason.OtherFocusReason)
        self.pageShown.emit(name)

    def show_workspace(self, name: str) -> None:
        """Show which workspace is open, in the bar and in the title; "" for none."""
        self.top_bar.show_workspace(name)
        self.setWindowTitle(f"{name} · {TITLE}" if name else TITLE)

    # --- what floats ------------------------------------------------------------------------------------------

    @property
    def notice(self) -> NoticeLine:
        """The line that tells what happened."""
        return self._notices

    @cached_property
    def palette_overlay(self) -> Palette:
        """The command palette; made when it is first needed."""
        from desktop.palette import Palette

        return self.add_overlay(Palette(self.actions_table, self.theme, self.body))

    @cached_property
    def cheat_sheet(self) -> CheatSheet:
        """The cheat sheet; made when it is first needed."""
        from desktop.cheat_sheet import CheatSheet

        return self.add_overlay(CheatSheet(self.actions_table, self.theme, self.body))

    def toggle_palette(self) -> None:
        """Show the command palette, or put it away."""
        self.palette_overlay.toggle()

    def toggle_cheat_sheet(self) -> None:
        """Show every key, or put them away."""
        self.cheat_sheet.toggle()

    def add_overlay(self, overlay: OverlayT) -> OverlayT:
        """Let the page's keys rest while this overlay lies over it; one overlay is open at a time."""
        overlay.shown.connect(lambda: self._overlay_came(overlay))
        overlay.gone.connect(lambda: self.actions_table.set_covered(False))
        self._overlays.append(overlay)
        return overlay

    def drop_overlay(self, overlay: Overlay) -> None:
        """Put an overlay away and delete it."""
        overlay.put_away()
        self._overlays.remove(overlay)
        overlay.deleteLater()

    def say(self, text: str, kind: str = "info", way_out: WayOut | None = None) -> None:
        """Show a notice: kind is info, success, warning or error."""
        self._notices.say(text, kind, way_out)

    def take_back(self, text: str) -> None:
        """Put the notice with these words away, if it still stands there."""
        self._notices.take_back(text)

    def put_overlays_away(self) -> None:
        """Hide every overlay."""
        for overlay in self._overlays:
            overlay.put_away()

    def _overlay_came(self, overlay: Overlay) -> None:
        for other in self._overlays:
            if other is not overlay:
                other.put_away()
        self.actions_table.set_covered(True)

    # --- the window itself ------------------------------------------------------------------------------------

    def quit(self) -> None:
        """Close the window; where something is not saved, say so first, and close when asked once more."""
        if self._may_quit():
            self.close()

    def _may_quit(self) -> bool:
        said = self.unsaved()
        if not said or not self._told.hasExpired():
            return True
        self._told.setRemainingTime(_TWICE_MS)
        self.say(f"{said} Quit once more to leave without it.", "warning")
        return False

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the geometry, go out of sight at once, then let the work end."""
        if event.spontaneous() and not self._may_quit():  # the frame's button; a signal to end closes without asking
            event.ignore()
            return
        self.settings.keep_bytes("window", self.saveGeometry())
        self.hide()
        self.closing.emit()
        event.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.activateWindow()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or return to a window."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _bind(self) -> None:
        bind = self.actions_table.bind
        bind("app.palette", self.toggle_palette)
        bind("app.cheat-sheet", self.toggle_cheat_sheet)
        bind("app.notice", self._notices.take_focus)
        self.actions_table.set_enabled("app.notice", False)
        self._notices.standing.connect(partial(self.actions_table.set_enabled, "app.notice"))
        bind("app.full-screen", self.toggle_full_screen)
        bind("app.quit", self.quit)

    def _restore(self) -> None:
        self.resize(SIZE)
        geometry: QByteArray | None = self.settings.bytes_of("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
