"""Small widgets that every page shares. They know the theme and the actions, and nothing of workspaces.

label("Text", "quiet"), button("Open", "primary"), frame("card")   styled by role; ElidedLabel for one line
as_list(table, model, delegate, height, theme)                     painted rows of one height, any number of them
scroll_area(content, parent)                                           scrolls, and the surface behind shines through
IconButton("undo", "review.undo", theme, actions, self)            does an action, tooltip with its key
PaintedButton(theme, parent).paint_face(painter)                   a button of its own painting, with hover and focus
number_box(1, 20, "try", "tries")                                  a number with its noun behind it
KeyCap(("Ctrl", "K"), theme); paint_key_caps(painter, right, middle, caps, theme)   key caps, also for delegates
LabelButton(title, key, colour, theme)                             a label with stripe, probability and key cap
Bar(theme, colour); paint_bar(painter, rect, share, fill, theme)   a share in [0, 1]
StatusChip(theme).show_state("Training, epoch 2 of 4", "busy", 0.4)
EmptyState("inbox", theme, actions).say(title, body, "app.import") what to do when there is nothing
NoticeLine(theme, parent).say(text, "warning", WayOut("Open the log", run))
"""

from desktop.widgets.bar import Bar, paint_bar
from desktop.widgets.chip import StatusChip
from desktop.widgets.empty import EmptyState, Icon
from desktop.widgets.keycap import KeyCap, paint_key_caps
from desktop.widgets.label_button import LabelButton
from desktop.widgets.notice import NoticeLine, WayOut
from desktop.widgets.number_box import number_box
from desktop.widgets.overlay import Overlay
from desktop.widgets.painted_button import PaintedButton
from desktop.widgets.rows import as_list
from desktop.widgets.text import ElidedLabel, IconButton, button, frame, label, scroll_area, set_role

__all__ = [
    "Bar",
    "ElidedLabel",
    "EmptyState",
    "Icon",
    "IconButton",
    "KeyCap",
    "LabelButton",
    "NoticeLine",
    "Overlay",
    "PaintedButton",
    "StatusChip",
    "WayOut",
    "as_list",
    "button",
    "frame",
    "label",
    "number_box",
    "paint_bar",
    "paint_key_caps",
    "scroll_area",
    "set_role",
]
