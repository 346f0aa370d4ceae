"""The design tokens: every colour, size and distance that the window uses, for the light and the dark theme.

No Qt here. Surfaces carry very little colour and stay away from pure white and black, so that the capture is the only
thing on screen with a voice and hours of reading do not tire the eye.
"""

from __future__ import annotations

from dataclasses import dataclass

from desktop.theme.diverging import Diverging

UNIT = 8
"""The grid in pixels: distances are multiples of it (a half inside small controls)."""
HALF, GAP, PAD, WIDE = UNIT // 2, UNIT, 2 * UNIT, 3 * UNIT
RADIUS = 6
"""Corner radius of buttons, fields and cards."""
CONTROL = 4 * UNIT
"""Height of a button or a field."""
TOP_BAR = 6 * UNIT


@dataclass(frozen=True)
class TypeScale:
    """Text sizes in pixels at 100 % scale; nothing in the window uses another size."""

    caption: int = 12
    body: int = 13
    reading: int = 15
    heading: int = 18
    display: int = 24


TYPE = TypeScale()


@dataclass(frozen=True)
class Tokens:
    """One theme. Colours are "#rrggbb".

    Surfaces, from the back to the front: `canvas` (behind the capture), `window`, `surface` (panels), `raised` (cards,
    fields, buttons), `hover` and `pressed` (of what is raised), `selected` (the current row). Text: `text`, `quiet`
    (secondary) and `disabled`. `accent` fills the one main button of a view, with `on_accent` upon it; `accent_text` is
    the accent as text or line. `focus` is the ring around what has the keyboard. `good`, `warning`, `danger` and `busy`
    are readable as text on every surface; their `…_wash` is a quiet background under `text`.
    """

    name: str
    canvas: str
    window: str
    surface: str
    raised: str
    hover: str
    pressed: str
    selected: str
    border: str
    strong_border: str
    text: str
    quiet: str
    disabled: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_text: str
    focus: str
    good: str
    good_wash: str
    warning: str
    warning_wash: str
    danger: str
    danger_wash: str
    busy: str
    busy_wash: str
    key_cap: str
    key_edge: str
    track: str
    shade: str
    diverging: Diverging

    @property
    def dark(self) -> bool:
        """Whether this is a dark theme."""
        return self.name == "dark"

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Every surface that text may stand on."""
        return (self.canvas, self.window, self.surface, self.raised, self.hover, self.selected)


LIGHT = Tokens(
    name="light",
    canvas="#dfe2e6",
    window="#e9ecef",
    surface="#f2f4f6",
    raised="#f9fafb",
    hover="#e8ebef",
    pressed="#dce0e5",
    selected="#dfe5f3",
    border="#d3d7dc",
    strong_border="#737983",
    text="#262a30",
    quiet="#535a64",
    disabled="#8d939c",
    accent="#44549d",
    accent_hover="#394788",
    on_accent="#f6f7fb",
    accent_text="#3d4c93",
    focus="#4a5fc4",
    good="#0b5f31",
    good_wash="#dbebdf",
    warning="#6c4300",
    warning_wash="#f1e6d2",
    danger="#87322c",
    danger_wash="#f4e0dd",
    busy="#0f4f85",
    busy_wash="#dce7f2",
    key_cap="#fbfcfd",
    key_edge="#b9bfc7",
    track="#d9dde2",
    shade="#262a30",
    diverging=Diverging(negative="#67a3de", middle="#f2f4f6", positive="#de8f45"),
)

DARK = Tokens(
    name="dark",
    canvas="#121519",
    window="#181b20",
    surface="#1e2227",
    raised="#262a30",
    hover="#2d3239",
    pressed="#353a42",
    selected="#2b3348",
    border="#31363d",
    strong_border="#7c8490",
    text="#d3d7dd",
    quiet="#a3aab4",
    disabled="#6d747e",
    accent="#8293d4",
    accent_hover="#94a4e2",
    on_accent="#15192b",
    accent_text="#a3b4f5",
    focus="#8ea3f5",
    good="#85c898",
    good_wash="#20352a",
    warning="#dcb072",
    warning_wash="#3a2f1d",
    danger="#ee9f95",
    danger_wash="#42272a",
    busy="#8bbdf0",
    busy_wash="#1e3146",
    key_cap="#2f343b",
    key_edge="#4a515b",
    track="#343941",
    shade="#07090b",
    diverging=Diverging(negative="#1e5f9e", middle="#1e2227", positive="#874b0c"),
)

THEMES = {"light": LIGHT, "dark": DARK}
