"""The one colour map of explanations: blue speaks against the label, orange for it.

Blue and orange stay apart under every common colour blindness. Both arms are straight lines in OKLab, so equal
steps in weight look like equal steps in colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from desktop.theme.colour import channels, mix, over

STEPS = 256
"""Entries of a table: index 0 is weight -1, index 255 weight +1."""
HEAT_NEGATIVE = "#1f74c4"
HEAT_POSITIVE = "#d2660a"
"""The ends over a capture. They are the same in both themes, because the capture is."""
GAMMA = 0.8
"""Opacity grows a little faster than weight, so that weak segments remain visible."""


@dataclass(frozen=True)
class Diverging:
    """The map of one theme: the ends and the middle, which is the surface that text stands on."""

    negative: str
    middle: str
    positive: str

    def colour(self, weight: float) -> str:
        """Return the opaque colour of a weight in [-1, 1] (clipped): token backgrounds, bars, legends.

        The theme's `text` is readable (4.5:1) on every one of them.
        """
        weight = min(1.0, max(-1.0, weight))
        return mix(self.middle, self.positive if weight > 0 else self.negative, abs(weight))


def heat(weight: float) -> tuple[str, float]:
    """Return the colour and the opacity in [0, 1] of a weight in [-1, 1] painted over a capture."""
    weight = min(1.0, max(-1.0, weight))
    return (HEAT_POSITIVE if weight > 0 else HEAT_NEGATIVE), abs(weight) ** GAMMA


def weight_of(index: int) -> float:
    """Return the weight in [-1, 1] that an entry of a table stands for."""
    return 2 * index / (STEPS - 1) - 1


@cache
def heat_table() -> tuple[int, ...]:
    """Return 256 premultiplied ARGB values (0xAARRGGBB) for weights -1 … +1, to paint over a capture.

    Use it as a lookup from a weight map to a QImage of Format_ARGB32_Premultiplied.
    """
    return tuple(_premultiplied(*heat(weight_of(index))) for index in range(STEPS))


def _premultiplied(colour: str, opacity: float) -> int:
    alpha = round(255 * opacity)
    red, green, blue = (round(value * alpha / 255) for value in channels(colour))
    return alpha << 24 | red << 16 | green << 8 | blue


def legend(surface: str, steps: int = 33) -> Iterator[str]:
    """Yield the colours of a legend of the heatmap from -1 to +1 as they look over this surface."""
    for step in range(steps):
        colour, opacity = heat(2 * step / (steps - 1) - 1)
        yield over(colour, surface, opacity)
