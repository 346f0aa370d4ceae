"""The one window: a thin top bar, the pages in a stack, and what floats over them. It knows no workspace."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from desktop.actions import ActionRegistry
from desktop.cheat_sheet import CheatSheet
from desktop.palette import Palette
from desktop.settings import Settings
from desktop.theme import ThemeManager
from desktop.top_bar import TopBar
from desktop.widgets import NoticeLine, Overlay, WayOut, frame

TITLE = "Second Look"
SIZE = QSize(1360, 860)
LEAST = QSize(960, 600)


class DeskWindow(QMainWindow):
    """Pages are added by name and shown at once, without a transition.

    `closing()` is emitted before the window goes; `pageShown(name)` after a page came to the front.
    """

    closing = Signal()
    pageShown = Signal(str)

    def __init__(self, settings: Settings, theme: ThemeManager) -> None:
        super().__init__()
        self.settings, self.theme = settings, theme
        self.setWindowTitle(TITLE)
        self.setWindowIcon(theme.icon("second-look", "accent_text"))
        self.setMinimumSize(LEAST)
        self.actions_table = ActionRegistry(self)
        self._pages: dict[str, QWidget] = {}
        body = frame("window", self)
        self.top_bar = TopBar(theme, self.actions_table, body)
        self._stack = QStackedWidget(body)
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top_bar)
        column.addWidget(self._stack, 1)
        self.setCentralWidget(body)
        self._notices = NoticeLine(theme, body)
        self._palette: Palette | None = None
        self._cheat_sheet: CheatSheet | None = None
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

    @property
    def palette_overlay(self) -> Palette:
        """The command palette; made when it is first needed."""
        if self._palette is None:
            self._palette = Palette(self.actions_table, self.theme, self.centralWidget())
            self._watch(self._palette)
        return self._palette

    @property
    def cheat_sheet(self) -> CheatSheet:
        """The cheat sheet; made when it is first needed."""
        if self._cheat_sheet is None:
            self._cheat_sheet = CheatSheet(self.actions_table, self.theme, self.centralWidget())
            self._watch(self._cheat_sheet)
        return self._cheat_sheet

    def say(self, text: str, kind: str = "info", way_out: WayOut | None = None) -> None:
        """Show a notice: kind is info, success, warning or error."""
        self._notices.say(text, kind, way_out)

    def put_overlays_away(self) -> None:
        """Hide the palette and the cheat sheet."""
        for overlay in (self._palette, self._cheat_sheet):
            if overlay is not None:
                overlay.put_away()

    def _watch(self, overlay: Overlay) -> None:
        overlay.shown.connect(lambda: self.actions_table.set_covered(True))
        overlay.gone.connect(lambda: self.actions_table.set_covered(False))

    # --- the window itself ------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the geometry, go out of sight at once, then let the work end."""
        self.settings.keep_bytes("window", self.saveGeometry())
        self.hide()
        self.closing.emit()
        event.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.activateWindow()

    def toggle_full_screen(self) -> None:
        """Fill the screen, or return to a window."""
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    def _bind(self) -> None:
        bind = self.actions_table.bind
        bind("app.palette", lambda: self._only(self.palette_overlay))
        bind("app.cheat-sheet", lambda: self._only(self.cheat_sheet))
        bind("app.full-screen", self.toggle_full_screen)
        bind("app.quit", self.close)

    def _only(self, overlay: Overlay) -> None:
        """Show one overlay in place of the other, or put it away."""
        for other in (self._palette, self._cheat_sheet):
            if other is not None and other is not overlay:
                other.put_away()
        overlay.toggle()

    def _restore(self) -> None:
        self.resize(SIZE)
        geometry: QByteArray | None = self.settings.bytes_of("window")
        if geometry is not None:
            self.restoreGeometry(geometry)
