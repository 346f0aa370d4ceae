from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageChops

from engine.errors import InputError, StorageError
from engine.evidence import is_clear
from engine.explain import explain
from engine.explain.lettering import font_for, missing_letters
from engine.explain.render import AGAINST, FOR, heat_colours, largest_weight, render, save_png
from engine.types import Explanation


def colour(image: Image.Image, at: tuple[int, int]) -> tuple[int, int, int]:
    red, green, blue = image.convert("RGB").getpixel(at)  # type: ignore[misc]
    return int(red), int(green), int(blue)


def test_the_scale_is_blue_against_orange_for_and_nothing_for_nothing() -> None:
    against, faint, nothing, for_it, beyond = heat_colours(np.array([-2.0, -1.0, 0.0, 2.0, 9.0]), 2.0).tolist()
    assert tuple(against[:3]) == AGAINST
    assert tuple(for_it[:3]) == FOR
    assert nothing[3] == 0
    assert 0 < faint[3] < against[3] == for_it[3] == beyond[3]
    assert not heat_colours(np.zeros(3), 0.0)[:, 3].any()


def test_the_heat_lies_over_the_part_that_speaks_for_the_label(make_fake: Any, make_item: Any) -> None:
    item = make_item("home")
    picture = render(item, explain(make_fake(), item, "toxicity", "toxic"))
    with Image.open(item.capture) as page:
        plain = page.convert("RGB")
    left = (picture.width - plain.width) // 2
    over = picture.crop((left, 0, left + plain.width, plain.height))
    changed = ImageChops.difference(over, plain).getbbox()
    assert changed is not None
    assert changed[0] <= 40
    assert changed[1] <= 40
    assert colour(over, (290, 5)) == (255, 255, 255)
    assert colour(over, (40, 40)) != colour(plain, (40, 40))


def test_marked_words_are_orange_and_below_the_screenshot(fake: Any, make_item: Any) -> None:
    item = make_item("glorp " * 3, title="Τίτλος 🎉")
    picture = render(item, explain(fake, item, "toxicity", "toxic"))
    below = np.asarray(picture.crop((0, 290, picture.width, picture.height))).reshape(-1, 3).astype(int)
    assert ((below[:, 0] - below[:, 2]) > 100).sum() > 200
    assert picture.height > 300


def test_a_screenshot_with_too_many_pixels_is_refused_in_a_sentence(fake: Any, make_item: Any, tmp_path: Path) -> None:
    """A file of a few kilobytes may hold so many."""
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")
    explanation = explain(fake, make_item(), "toxicity", "toxic")
    item = make_item(capture=str(tmp_path / "bomb.png"))
    with pytest.raises(InputError, match=rf"The screenshot of item '{item.id}' cannot be read: .*14000|196000000"):
        render(item, explanation)


@pytest.mark.parametrize(
    "text",
    ["", "مرحبا بالعالم", "שלום glorp", "e\u0301 ∀ \uffff", "x" * 9000, "a\nb\tc", "a\r\nb\rglorp\r", "glorp " * 900],
)
def test_any_text_can_be_drawn(fake: Any, make_item: Any, text: str) -> None:
    item = make_item(text, capture=None)
    picture = render(item, explain(fake, item, "toxicity", "toxic"))
    assert picture.width == 480
    assert 60 < picture.height <= 7000


def test_nothing_to_explain_is_written_on_the_picture(make_fake: Any, make_item: Any) -> None:
    item = make_item()
    nothing = explain(make_fake(text=0, image=0), item, "toxicity", "toxic")
    assert nothing.note.startswith("Nothing to explain")
    silent = msgspec.structs.replace(nothing, note="")
    assert render(item, nothing).height > render(item, silent).height


def test_what_cannot_be_told_from_nothing_has_no_colour_and_sets_no_scale(fake: Any, make_item: Any) -> None:
    item = make_item()
    clear = explain(fake, item, "toxicity", "toxic", samples=64)
    strongest = max(clear.segments, key=lambda one: one.weight)
    doubtful = msgspec.structs.replace(
        clear,
        segments=tuple(
            msgspec.structs.replace(one, weight=9.0, error=5.0) if one.id == strongest.id else one
            for one in clear.segments
        ),
        tokens=tuple(msgspec.structs.replace(one, error=9.0) for one in clear.tokens),
    )
    assert largest_weight(doubtful) == max(
        abs(one.weight) for one in clear.segments if one.id != strongest.id and is_clear(one.weight, one.error)
    )
    left, top, width, height = strongest.box
    at = (90 + left + width // 2, top + height // 2)
    with Image.open(item.capture) as page:
        assert colour(render(item, doubtful), at) == colour(page, (at[0] - 90, at[1]))
    assert colour(render(item, clear), at) != colour(render(item, doubtful), at)
    below = np.asarray(render(item, doubtful).crop((250, 290, 480, 400))).reshape(-1, 3).astype(int)
    assert not ((below[:, 0] - below[:, 2]) > 100).any()


def test_slight_weights_have_pale_colours(make_fake: Any, make_item: Any) -> None:
    """Else an explanation made of noise would look like any other."""
    item = make_item(capture=None)
    slight, strong = (
        render(item, msgspec.structs.replace(explain(make_fake(text=text), item, "toxicity", "toxic"), note=""))
        for text in (0.02, 8.0)
    )
    assert strong.size == slight.size
    words = [np.asarray(one.crop((0, one.height - 40, *one.size))).astype(int) for one in (slight, strong)]
    assert [bool((one[..., 0] - one[..., 2] > 100).any()) for one in words] == [False, True]
    assert largest_weight(explain(make_fake(text=0.02), item, "toxicity", "toxic")) > 0


def test_the_legend_says_how_far_the_colours_can_be_trusted(fake: Any, make_item: Any) -> None:
    item = make_item()
    known = explain(fake, item, "toxicity", "toxic")
    assert known.reliability
    assert known.modality_share
    unknown = msgspec.structs.replace(known, reliability={}, modality_share={}, region_share={})
    assert render(item, known).height >= render(item, unknown).height + 2 * 20


def test_greek_letters_find_a_font_that_has_them() -> None:
    font = font_for("Καλημέρα", 16)
    assert font.getlength("Καλημέρα") > 30


def test_letters_that_no_font_has_are_named() -> None:
    assert missing_letters("plain 1, 2 and 3! \n") == ""
    assert missing_letters("a \U00013000 b \U00013000 \U00013001") == "\U00013000\U00013001"


def test_the_file_is_a_png_or_a_clear_sentence(fake: Any, make_item: Any, tmp_path: Path) -> None:
    item = make_item()
    explanation: Explanation = explain(fake, item, "toxicity", "toxic")
    save_png(item, explanation, tmp_path / "why.png")
    with Image.open(tmp_path / "why.png") as image:
        assert image.format == "PNG"
    with pytest.raises(StorageError, match="cannot be written"):
        save_png(item, explanation, tmp_path / "none" / "why.png")
    Path(item.capture).write_bytes(b"gone")
    with pytest.raises(InputError, match="screenshot of item 'one'"):
        save_png(item, explanation, tmp_path / "why.png")
