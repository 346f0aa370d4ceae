"""Why a page could not be captured, over the list: the reason as a whole, and what stood there instead."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QImage, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.children.capture_states import FAILED, Page
from desktop.theme import GAP, PAD, WIDE, ThemeManager
from desktop.widgets import ElidedLabel, KeyCap, Overlay, button, label
from engine.counting import counted

_WIDTH, _HEIGHT = 88 * GAP, 90 * GAP
_LEAST = 12 * GAP
BLUR, UNBLUR = "Blur the picture", "Show it clearly"
NO_PICTURE, LOOKING = "There is no picture of it.", "Reading the picture…"


class FailurePanel(Overlay):
    """Shows one page at a time. `retryWanted(address)`: try it again; `blurWanted()`: blur its picture, or do not."""

    retryWanted = Signal(str)
    blurWanted = Signal()

    def __init__(self, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self.page: Page | None = None
        self.title = label("", "heading", self.panel)
        self.reason = label("", "danger", self.panel, wrap=True)
        self.address = ElidedLabel("", "quiet", self.panel)
        self.picture = _Picture(theme, self.panel)
        self.copy_address = button("Copy the address", "", self.panel)
        self.retry = button("Try again", "", self.panel)
        self.done = button("Done", "primary", self.panel)
        self.retry_cap = KeyCap(("R",), theme, self.panel)
        self.blur, self.blur_cap = button(BLUR, "", self.panel), KeyCap(("B",), theme, self.panel)
        self.blur.clicked.connect(self.blurWanted)
        self.copy_address.clicked.connect(self.copy)
        self.retry.clicked.connect(self._ask_to_retry)
        self.done.clicked.connect(self.put_away)
        self._column = QVBoxLayout(self.panel)
        self._lay_out()

    def show_page(self, page: Page) -> None:
        """Say why this page failed; `show_picture` follows where there is one."""
        self.page = page
        tries = f" after {counted(page.tries, 'try', 'tries')}" if page.tries else ""
        self._say(f"Failed{tries}" if page.state == FAILED else "Will be tried again", can_retry=page.state == FAILED)
        self.reason.setText(page.reason)
        self.address.setText(page.key)
        if self.isHidden() or not page.picture:
            self._offer_blur(can=False)
        self.picture.show_words(LOOKING if page.picture else NO_PICTURE)
        if self.isHidden():
            self.open()
            self.done.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.place()

    def show_another_try(self, page: Page) -> None:
        """Say that this page is being tried again; what was wrong before stays in sight."""
        self.page = page
        self._say("Is being tried again…", can_retry=False)

    def show_picture(self, image: QImage | None, *, blurred: bool) -> None:
        """Show what stood there instead of the page."""
        if image is None:
            self.picture.show_words(NO_PICTURE)
        else:
            self.picture.show_image(image)
        title = UNBLUR if blurred else BLUR
        self.blur.setText(title)
        self.blur.setAccessibleName(title)
        self._offer_blur(can=image is not None)
        self.place()

    def _offer_blur(self, *, can: bool) -> None:
        if self.blur.hasFocus() and not can:
            self.done.setFocus(Qt.FocusReason.OtherFocusReason)
        for widget in (self.blur, self.blur_cap):
            widget.setVisible(can)

    def copy(self) -> None:
        """Put the address into the clipboard."""
        if self.page is not None:
            QGuiApplication.clipboard().setText(self.page.key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() == Qt.Key.Key_R and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self._ask_to_retry()
        elif event.key() == Qt.Key.Key_B and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            if not self.blur.isHidden():
                self.blurWanted.emit()
        else:
            super().keyPressEvent(event)

    def place(self) -> None:
        width = min(_WIDTH, self.width() - 6 * GAP)
        height = min(_HEIGHT, self.height() - 6 * GAP)
        needed = self._column.totalHeightForWidth(width) + self.picture.height_at(width - 2 * WIDE)
        height = min(height, needed)
        self.panel.setGeometry((self.width() - width) // 2, (self.height() - height) // 2, width, height)

    def _say(self, title: str, *, can_retry: bool) -> None:
        self.title.setText(title)
        for widget in (self.retry, self.retry_cap):
            widget.setVisible(can_retry)
        if not can_retry:
            self.done.setFocus(Qt.FocusReason.OtherFocusReason)

    def _ask_to_retry(self) -> None:
        if self.page is not None and self.page.state == FAILED:
            page = self.page
            self.put_away()
            self.retryWanted.emit(page.key)

    def _lay_out(self) -> None:
        column = self._column
        column.setContentsMargins(WIDE, PAD, WIDE, PAD)
        column.setSpacing(GAP)
        for widget in (self.title, self.reason, self.address):
            column.addWidget(widget)
        column.addWidget(self.picture, 1)
        column.addSpacing(GAP)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.copy_address)
        foot.addStretch(1)
        foot.addWidget(self.blur_cap)
        foot.addWidget(self.blur)
        foot.addSpacing(GAP)
        foot.addWidget(self.retry_cap)
        foot.addWidget(self.retry)
        foot.addSpacing(GAP)
        foot.addWidget(KeyCap(("Esc",), self.theme, self.panel))
        foot.addWidget(self.done)
        column.addLayout(foot)


class _Picture(QWidget):
    """A picture as large as there is room for, its top first; or a few words in its place."""

    def __init__(self, theme: ThemeManager, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._image: QImage | None = None
        self._words = ""
        self.setAccessibleName("What stood there instead of the page")
        theme.changed.connect(self.update)

    @property
    def words(self) -> str:
        """What stands in the picture's place, "" where there is one."""
        return self._words

    def show_image(self, image: QImage) -> None:
        """Show a picture."""
        self._image, self._words = image, ""
        self.update()

    def show_words(self, words: str) -> None:
        """Show words in its place."""
        self._image, self._words = None, words
        self.update()

    def height_at(self, width: int) -> int:
        """Return how high it likes to be at this width."""
        if self._image is None:
            return _LEAST
        return round(min(1.0, width / self._image.width()) * self._image.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        if self._image is None:
            painter.setPen(self._theme.colour("quiet"))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self._place(self._image.size()), self._image)
        painter.end()

    def _place(self, size: QSize) -> QRectF:
        share = min(1.0, self.width() / size.width(), self.height() / size.height())
        width, height = share * size.width(), share * size.height()
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
