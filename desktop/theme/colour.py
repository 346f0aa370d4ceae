"""Colour arithmetic without Qt: contrast (WCAG 2.2), OKLab, and colours made readable on a surface.

Colours are "#rrggbb" strings. OKLab after Ottosson (2020), "A perceptual color space for image processing"; contrast
after WCAG 2.2, "relative luminance" and "contrast ratio".
"""

from __future__ import annotations

import math
from functools import cache

Lab = tuple[float, float, float]
"""OKLab: lightness in [0, 1], then green–red and blue–yellow."""


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green, blue in [0, 255] of "#rrggbb"; raises ValueError for anything else."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"{colour!r} is not a colour of the form #rrggbb.")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_hex(red: float, green: float, blue: float) -> str:
    """Return "#rrggbb" for channels in [0, 255], rounded and clipped."""
    return "#" + "".join(f"{min(255, max(0, round(value))):02x}" for value in (red, green, blue))


def _linear(value: float) -> float:
    value /= 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _encoded(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return 255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055)


@cache
def luminance(colour: str) -> float:
    """Return WCAG relative luminance in [0, 1]."""
    red, green, blue = (_linear(value) for value in channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast ratio of two colours, 1 to 21; the order does not matter."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def to_lab(colour: str) -> Lab:
    """Return OKLab of a colour."""
    red, green, blue = (_linear(value) for value in channels(colour))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def from_lab(lab: Lab) -> str:
    """Return the colour of an OKLab triple, clipped to what a screen shows."""
    light, a, b = lab
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return to_hex(
        _encoded(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _encoded(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _encoded(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def difference(one: str, other: str) -> float:
    """Return the perceptual distance of two colours: Euclidean in OKLab (0.02 is just noticeable)."""
    return math.dist(to_lab(one), to_lab(other))


def mix(one: str, other: str, share: float) -> str:
    """Return the colour `share` (0 to 1) of the way from one to the other, in even perceptual steps (OKLab)."""
    first, second = to_lab(one), to_lab(other)
    light, a, b = (start + (end - start) * share for start, end in zip(first, second, strict=True))
    return from_lab((light, a, b))


def over(colour: str, surface: str, opacity: float) -> str:
    """Return what a colour of this opacity (0 to 1) looks like when it is painted over a surface."""
    pairs = zip(channels(colour), channels(surface), strict=True)
    red, green, blue = (top * opacity + below * (1 - opacity) for top, below in pairs)
    return to_hex(red, green, blue)


@cache
def on_surface(colour: str, surface: str, ratio: float = 4.5) -> str:
    """Return the colour, made lighter or darker only as far as it needs for this contrast on the surface.

    The hue stays. `ratio` is 4.5 for text and 3.0 for bars, dots and outlines (WCAG 2.2, 1.4.3 and 1.4.11).
    """
    if contrast(colour, surface) >= ratio:
        return colour
    light, a, b = to_lab(colour)
    step = 0.01 if luminance(surface) < 0.18 else -0.01
    while 0 < light + step < 1:
        light += step
        nearer = from_lab((light, a, b))
        if contrast(nearer, surface) >= ratio:
            return nearer
    return "#ffffff" if step > 0 else "#000000"
