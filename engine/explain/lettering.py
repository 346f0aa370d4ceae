"""Words on a picture: a font that has their letters, colour emoji, and lines in the script's own direction."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]

FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
)
_PROBE_SIZE = 16
EMOJI_FONT, EMOJI_SIZE = "NotoColorEmoji.ttf", 109
"""The size of the font's only bitmaps."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Some text that stays together, and the colour behind it."""

    text: str
    background: Colour | None = None


def draw_paragraph(
    image: Image.Image, pieces: Sequence[Piece], *, left: int, top: int, width: int, size: int, ink: Colour
) -> int:
    """Draw pieces in lines of at most `width` pixels and return the y below the last line.

    The first letter with a direction decides where lines start. Pieces longer than a line are cut off.
    """
    rightwards = not _is_right_to_left("".join(piece.text for piece in pieces))
    line_height = round(size * 1.6)
    x, y = 0, top
    draw = ImageDraw.Draw(image)
    for piece in pieces:
        if piece.text == "\n":
            x, y = 0, y + line_height
            continue
        wide = min(round(text_width(piece.text, size)), width)
        if x + wide > width:
            x, y = 0, y + line_height
        start = left + x if rightwards else left + width - x - wide
        if piece.background is not None:
            draw.rounded_rectangle((start - 1, y, start + wide + 1, y + line_height - 4), 3, fill=piece.background)
        _draw_text(image, piece.text, (start, y + size // 6), size, ink)
        x += wide
    return y + line_height


def text_width(text: str, size: int) -> float:
    """How wide a text is, in pixels."""
    return size * 1.2 if _emoji(text, size) is not None else font_for(text, size).getlength(text)


def font_for(text: str, size: int) -> Font:
    """The first of the known fonts on this machine that has all letters of a text, else pillow's own."""
    fonts = _fonts(size)
    for font in fonts:
        if all(_has(font, character) for character in text if not character.isspace()):
            return font
    return fonts[0]


def _fonts(size: int) -> list[Font]:
    found: list[Font] = [font for name in FONTS if (font := _font(name, size)) is not None]
    return found or [ImageFont.load_default(size)]


def missing_letters(text: str) -> str:
    """The different letters of a text that no known font on this machine has; they are drawn as boxes."""
    fonts = _fonts(_PROBE_SIZE)
    letters = [one for one in dict.fromkeys(text) if unicodedata.category(one)[0] in "LN"]
    return "".join(one for one in letters if not any(_has(font, one) for font in fonts))


def _draw_text(image: Image.Image, text: str, at: tuple[int, int], size: int, ink: Colour) -> None:
    symbol = _emoji(text, size)
    if symbol is not None:
        image.paste(symbol, at, symbol)
    elif text.strip():
        ImageDraw.Draw(image).text(at, text, fill=ink, font=font_for(text, size))


@lru_cache(maxsize=256)
def _emoji(text: str, size: int) -> Image.Image | None:
    """A picture of an emoji; None for other text, or without a font that has it."""
    font = _font(EMOJI_FONT, EMOJI_SIZE)
    if font is None or len(text) > 16 or not any(unicodedata.category(character) == "So" for character in text):
        return None
    wide = max(1, round(font.getlength(text)))
    large = Image.new("RGBA", (wide, EMOJI_SIZE + 20))
    ImageDraw.Draw(large).text((0, 0), text, font=font, embedded_color=True)
    return large.resize((round(size * 1.2), round(size * 1.2)), Image.Resampling.BILINEAR)


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    """Whether a font draws a character as something else than its box for missing ones."""
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return True
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


def _is_right_to_left(text: str) -> bool:
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((direction in {"R", "AL"} for direction in directions if direction in {"L", "R", "AL"}), False)
