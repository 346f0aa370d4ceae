"""How everything looks: tokens, the diverging map, icons, fonts, and the manager that dresses the window.

    from desktop.theme import ThemeManager, TYPE, UNIT, PAD, font

    theme.tokens.quiet                     "#rrggbb"; theme.colour("quiet") is the QColor
    theme.changed.connect(self.update)     in widgets that paint themselves
    theme.mark(label.colour)               a label's colour for a bar or dot (3:1 on "surface")
    theme.readable(label.colour, "raised") a label's colour as text (4.5:1)
    theme.icon("undo"), theme.paint_icon(painter, rect, "undo", "quiet")
    theme.tokens.diverging.colour(w)       background of a token of weight w in [-1, 1]; `text` is readable on it
    diverging.heat(w), diverging.heat_table()   the same hues over a capture, with opacity

Widgets under the stylesheet choose their look by dynamic properties (see `desktop.widgets.text`): QLabel `role` =
display, heading, section, strong, reading, quiet, caption, danger; QPushButton `role` = primary, plain, danger; any
QFrame/QWidget `surface` = canvas, window, surface, card, top, bottom, overlay. Imported by the rest of `desktop`.
"""

from desktop.theme.fonts import fixed, font
from desktop.theme.manager import ThemeManager, colour
from desktop.theme.tokens import CONTROL, DARK, GAP, HALF, LIGHT, PAD, RADIUS, TOP_BAR, TYPE, UNIT, WIDE, Tokens

__all__ = [
    "CONTROL",
    "DARK",
    "GAP",
    "HALF",
    "LIGHT",
    "PAD",
    "RADIUS",
    "TOP_BAR",
    "TYPE",
    "UNIT",
    "WIDE",
    "ThemeManager",
    "Tokens",
    "colour",
    "fixed",
    "font",
]
