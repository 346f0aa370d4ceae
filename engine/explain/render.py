"""An explanation as a picture: the heatmap over the screenshot, the text with its words marked, and a legend.

Blue speaks against the label, orange for it; the two stay apart under every common colour blindness. Words and
superpixels share one scale, and what cannot be told from nothing is not coloured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.errors import StorageError
from engine.evidence import SLIGHT, each_once, is_clear
from engine.explain.lettering import Colour, Piece, draw_paragraph
from engine.explain.screenshot import screenshot
from engine.explain.superpixels import decoded
from engine.trust import looks_at, made, reliability_words
from engine.types import Explanation, ItemContent, Segment, TokenWeight

AGAINST: Colour = (0, 92, 175)
FOR: Colour = (214, 96, 0)
PAPER: Colour = (255, 255, 255)
INK: Colour = (24, 28, 32)
QUIET: Colour = (96, 104, 112)
STRONGEST = 0.7
"""Opacity of the largest weight."""
MARGIN, TEXT_SIZE, SMALL_SIZE = 16, 16, 13
LEAST_WIDTH, MOST_WIDTH, MOST_HEIGHT = 480, 1600, 4000
MOST_CHARACTERS = 4000


def save_png(content: ItemContent, explanation: Explanation, file: Path) -> None:
    """Write the picture of an explanation as a PNG file.

    Raises:
        InputError: the item's screenshot cannot be read.
        StorageError: the file cannot be written.
    """
    picture = render(content, explanation)
    try:
        picture.save(file, format="PNG")
    except OSError as error:
        raise StorageError(
            f"The picture cannot be written to '{file}': {error.strerror or error}.", "Choose another place."
        ) from error


def render(content: ItemContent, explanation: Explanation) -> Image.Image:
    """The picture: screenshot with heatmap, what is explained, legend, marked text.

    Raises:
        InputError: the item's screenshot cannot be read.
    """
    top = _screenshot(content)
    if top is not None and explanation.segment_map is not None:
        top = _with_heatmap(top, explanation)
    width = max(LEAST_WIDTH, top.width if top is not None else 0)
    canvas = Image.new("RGB", (width, MOST_HEIGHT + 3000), PAPER)
    y = 0
    if top is not None:
        canvas.paste(top, ((width - top.width) // 2, 0))
        y = top.height
    y = _caption(canvas, explanation, y + MARGIN)
    y = _legend(canvas, explanation, y)
    for field, text in (("title", content.title), ("text", content.text)):
        if text.strip():
            y = _paragraph(canvas, list(_pieces(field, text, explanation)), y, TEXT_SIZE, INK)
    return canvas.crop((0, 0, width, min(y + MARGIN // 2, canvas.height)))


def heat_colours(weights: npt.NDArray[np.float64], largest: float) -> npt.NDArray[np.uint8]:
    """Colour and opacity of weights, shape + (4,): zero is transparent, `largest` (or more) has the full opacity."""
    share = np.clip(weights / largest, -1, 1) if largest > 0 else np.zeros_like(weights)
    colours = np.where((share < 0)[..., None], AGAINST, FOR)
    opacity = np.abs(share) * STRONGEST * 255
    answer: npt.NDArray[np.uint8] = np.concatenate([colours, opacity[..., None]], axis=-1).round().astype(np.uint8)
    return answer


def largest_weight(explanation: Explanation) -> float:
    """The largest clear weight by size, of words and superpixels together; 0 where there is none."""
    return max((abs(clear_weight(one)) for one in _every(explanation)), default=0.0)


def _full_colour(explanation: Explanation) -> float:
    """The weight that gets full colour: the largest clear one, but no less than `SLIGHT`."""
    return max(SLIGHT, largest_weight(explanation))


def clear_weight(one: TokenWeight | Segment) -> float:
    """The weight of a word or a superpixel; 0 where it cannot be told from that."""
    return one.weight if is_clear(one.weight, one.error) else 0.0


def _every(explanation: Explanation) -> list[TokenWeight | Segment]:
    """Every word once, however often it stands there, and every superpixel."""
    return [*each_once(explanation.tokens), *explanation.segments]


def _screenshot(content: ItemContent) -> Image.Image | None:
    if content.capture is None:
        return None
    picture = screenshot(content)
    picture.thumbnail((MOST_WIDTH, MOST_HEIGHT))
    return picture


def _with_heatmap(picture: Image.Image, explanation: Explanation) -> Image.Image:
    assert explanation.segment_map is not None
    labels = decoded(explanation.segment_map)
    weights = np.zeros(int(labels.max()) + 1)
    for segment in explanation.segments:
        weights[segment.id] = clear_weight(segment)
    heat = Image.fromarray(heat_colours(weights[labels], _full_colour(explanation)), "RGBA")
    over = heat.resize(picture.size, Image.Resampling.NEAREST)
    return Image.alpha_composite(picture.convert("RGBA"), over).convert("RGB")


def _caption(canvas: Image.Image, explanation: Explanation, y: int) -> int:
    headline = f"{explanation.task}: {explanation.label} {explanation.probability:.1%}"
    y = _paragraph(canvas, _words(headline), y, TEXT_SIZE, INK)
    details = f"{made(explanation)}, seed {explanation.seed}, model {explanation.model}"
    y = _paragraph(canvas, _words(details), y, SMALL_SIZE, QUIET)
    return _paragraph(canvas, _words(explanation.note), y, SMALL_SIZE, INK) if explanation.note else y


def _legend(canvas: Image.Image, explanation: Explanation, y: int) -> int:
    """A bar from "against" over nothing to "for" with the weights at its ends, then what to make of the colours."""
    wide, high = 200, 10
    shares = np.linspace(-1, 1, wide)[None].repeat(high, axis=0)
    bar = Image.fromarray(heat_colours(shares, 1.0), "RGBA")
    canvas.paste(bar, (MARGIN, y + 4), bar)
    ImageDraw.Draw(canvas).rectangle((MARGIN - 1, y + 3, MARGIN + wide, y + 4 + high), outline=QUIET)
    full = _full_colour(explanation)
    text = f"against −{full:.3f}   0   +{full:.3f} for" if largest_weight(explanation) else "nothing is coloured"
    left = MARGIN * 2 + wide
    y = draw_paragraph(canvas, _words(text), left=left, top=y, width=canvas.width - left, size=SMALL_SIZE, ink=QUIET)
    for line in _trust(explanation):
        y = _paragraph(canvas, _words(line), y, SMALL_SIZE, QUIET)
    return y + MARGIN // 2


def _trust(explanation: Explanation) -> Iterator[str]:
    """How reliable the weights are, how many of them were left without colour, and what they rest on."""
    every = _every(explanation)
    doubtful = sum(one.weight != 0 and not clear_weight(one) for one in every)
    known, _ = reliability_words(explanation)
    uncoloured = (
        f"{doubtful} of {len(every)} weights cannot be told from nothing and have no colour" if doubtful else ""
    )
    yield from filter(None, ("; ".join(filter(None, (known, uncoloured))), looks_at(explanation)))


def _paragraph(canvas: Image.Image, pieces: list[Piece], y: int, size: int, ink: Colour) -> int:
    width = canvas.width - 2 * MARGIN
    return draw_paragraph(canvas, pieces, left=MARGIN, top=y, width=width, size=size, ink=ink)


def _words(text: str) -> list[Piece]:
    return [Piece(text=part) for word in text.split(" ") for part in (word, " ")]


def _pieces(field: str, text: str, explanation: Explanation) -> Iterator[Piece]:
    """The field in pieces: marked words, and what is between them; very long texts are cut off with an ellipsis."""
    full, position = _full_colour(explanation), 0
    for token in explanation.tokens:
        if token.field != field or token.end > MOST_CHARACTERS:
            continue
        yield from _between(text[position : token.start])
        red, green, blue, opacity = (int(value) for value in heat_colours(np.array(clear_weight(token)), full))
        paper = tuple(round(255 + (value - 255) * opacity / 255) for value in (red, green, blue))
        yield Piece(text=token.text, background=(paper[0], paper[1], paper[2]) if opacity else None)
        position = token.end
    yield from _between(text[position:MOST_CHARACTERS] + (" …" if len(text) > MOST_CHARACTERS else ""))


def _between(text: str) -> Iterator[Piece]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # no font draws a carriage return
    for line_number, line in enumerate(lines):
        if line_number:
            yield Piece(text="\n")
        yield from (Piece(text=part) for part in line.replace("\t", " "))
