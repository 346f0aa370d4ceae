"""The theme in use: follows the system unless the settings say otherwise, and dresses the application."""

from __future__ import annotations

from functools import cache
from typing import cast

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from desktop.theme import fonts, icons
from desktop.theme.colour import on_surface
from desktop.theme.fonts import font
from desktop.theme.stylesheet import stylesheet
from desktop.theme.tokens import DARK, LIGHT, Tokens

MODES = ("system", "light", "dark")


def system_is_dark() -> bool:
    """Tell whether the desktop around the window is set to dark; a desktop that does not say is taken for light."""
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


@cache
def colour(value: str) -> QColor:
    """Return a QColor of "#rrggbb"; made once, so painters may call it freely. Never change the one returned."""
    return QColor(value)


class ThemeManager(QObject):
    """Holds the tokens in use. `changed` says that every painted widget should read them again.

    Widgets that paint themselves connect `changed` to their `update`; widgets under the stylesheet need nothing.
    """

    changed = Signal()

    def __init__(self, mode: str = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mode = mode if mode in MODES else "system"
        self.tokens = self._wanted()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._refresh)
        _application().fontDatabaseChanged.connect(self._renew_fonts)

    @property
    def mode(self) -> str:
        """One of "system", "light", "dark"."""
        return self._mode

    def set_mode(self, mode: str) -> None:
        """Follow the system or insist on a theme; raises ValueError for an unknown mode."""
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not one of {', '.join(MODES)}.")
        self._mode = mode
        self._refresh()

    def toggle(self) -> None:
        """Switch between the light and the dark theme."""
        self.set_mode("light" if self.tokens.dark else "dark")

    def apply(self) -> None:
        """Dress the whole application: Fusion style, font, palette, stylesheet. Call it once, before the window."""
        application = _application()
        application.setStyle(QStyleFactory.create("Fusion"))
        fonts.forget()
        application.setFont(font())
        self._dress()

    def colour(self, name: str) -> QColor:
        """Return the token of this name as a colour."""
        return colour(getattr(self.tokens, name))

    def readable(self, value: str, surface: str = "surface", ratio: float = 4.5) -> QColor:
        """Return "#rrggbb" (such as a label's colour) with enough contrast as text on the surface of this name."""
        return colour(on_surface(value, getattr(self.tokens, surface), ratio))

    def mark(self, value: str, surface: str = "surface") -> QColor:
        """Return "#rrggbb" with enough contrast (3:1) for a bar, a dot or an outline on the surface of this name."""
        return self.readable(value, surface, 3.0)

    def icon(self, name: str, tint: str = "text") -> QIcon:
        """Return a line icon in the colour of a token; ask again after `changed`."""
        return icons.icon(name, getattr(self.tokens, tint), self.tokens.disabled)

    def paint_icon(self, painter: QPainter, rect: QRectF, name: str, tint: str = "text") -> None:
        """Draw a line icon into a square in the colour of a token."""
        icons.paint_icon(painter, rect, name, getattr(self.tokens, tint))

    def _wanted(self) -> Tokens:
        if self._mode != "system":
            return DARK if self._mode == "dark" else LIGHT
        return DARK if system_is_dark() else LIGHT

    def _refresh(self) -> None:
        wanted = self._wanted()
        if wanted is not self.tokens:
            self.tokens = wanted
            self._dress()
            self.changed.emit()

    def _renew_fonts(self) -> None:
        fonts.forget()
        _application().setFont(font())
        self.changed.emit()

    def _dress(self) -> None:
        application = _application()
        application.setPalette(_palette(self.tokens))
        application.setStyleSheet(stylesheet(self.tokens))


def _application() -> QApplication:
    return cast("QApplication", QApplication.instance())


def _palette(tokens: Tokens) -> QPalette:
    roles = QPalette.ColorRole
    palette = QPalette()
    for role, value in (
        (roles.Window, tokens.window),
        (roles.WindowText, tokens.text),
        (roles.Base, tokens.raised),
        (roles.AlternateBase, tokens.surface),
        (roles.Text, tokens.text),
        (roles.PlaceholderText, tokens.quiet),
        (roles.Button, tokens.raised),
        (roles.ButtonText, tokens.text),
        (roles.ToolTipBase, tokens.raised),
        (roles.ToolTipText, tokens.text),
        (roles.Highlight, tokens.accent),
        (roles.HighlightedText, tokens.on_accent),
        (roles.Accent, tokens.accent),
        (roles.Link, tokens.accent_text),
        (roles.Mid, tokens.border),
    ):
        palette.setColor(role, colour(value))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, colour(tokens.disabled))
    return palette
