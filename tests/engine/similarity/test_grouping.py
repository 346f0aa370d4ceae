"""Near-duplicates and one author's items share a group, whatever the order, and nothing chains everything."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.similarity import examined, grouped
from engine.similarity.text import jaccard, normalised, shingles
from engine.training.splits import assign_splits
from engine.types import TrainingItem

if TYPE_CHECKING:
    from tests.engine.similarity.conftest import MakeItem

Sentence = Callable[[int], str]


def same_group(items: Sequence[TrainingItem], *names: str) -> bool:
    groups = {one.content.id: one.group for one in items}
    return len({groups[name] for name in names}) == 1


def test_edited_copies_share_a_group_and_others_do_not(item: MakeItem, sentence: Sentence) -> None:
    text = sentence(1)
    items = [
        item("a", text),
        item("b", f"RT @someone {text.upper()}!!! https://t.example/1"),
        item("c", text.replace("a", "á", 1)),
        item("d", text + " really"),
        item("e", sentence(2)),
        item("f", sentence(3)),
    ]
    found = grouped(items)
    assert [one.content for one in found] == [one.content for one in items]
    assert same_group(found, "a", "b", "c", "d")
    assert len({one.group for one in found}) == 3


def test_short_texts_are_copies_only_if_equal(item: MakeItem) -> None:
    found = grouped([item("a", "so bad"), item("b", "So bad!"), item("c", "so sad")])
    assert same_group(found, "a", "b")
    assert not same_group(found, "a", "c")


def test_handles_differ_in_case_and_at_only(item: MakeItem, sentence: Sentence) -> None:
    names = ["author:@Ann", "author:ann", "author:bob", "author:ann"]
    found = grouped([item(str(n), sentence(n), group=group) for n, group in enumerate(names)])
    assert [one.group for one in found] == ["author:@Ann", "author:@Ann", "author:bob", "author:@Ann"]


def test_a_chain_over_texts_pictures_and_authors_is_one_group(
    item: MakeItem, sentence: Sentence, page: Callable[[int], Image.Image], tmp_path: Path
) -> None:
    page(1).save(tmp_path / "one.png")
    page(1).crop((1, 1, 300, 300)).save(tmp_path / "two.png")
    page(2).save(tmp_path / "three.png")
    items = [
        item("a", sentence(1), group="author:ann"),
        item("b", sentence(2), group="author:ann", capture=tmp_path / "one.png"),
        item("c", sentence(3), group="author:bob", capture=tmp_path / "two.png"),
        item("d", sentence(4), group="author:bob"),
        item("e", sentence(4) + " more", group="author:eve"),
        item("f", sentence(5), group="author:dan", capture=tmp_path / "three.png"),
    ]
    found = examined(items)
    assert same_group(found.items, "a", "b", "c", "d", "e")
    assert (found.groups, found.largest, found.joined, found.dropped) == (2, 5, 2, 0)
    assert found.copies == {"b": "b", "c": "b", "d": "d", "e": "d"}


def test_copies_of_screenshots_are_on_one_side_of_a_split(
    item: MakeItem, sentence: Sentence, page: Callable[[int], Image.Image], tmp_path: Path
) -> None:
    """Saved as they are, re-encoded, and cut by a pixel, each under another author and text; frames are all alike."""
    items: list[TrainingItem] = []
    for number in range(12):
        original = page(number)
        original.save(tmp_path / f"{number}.png")
        original.save(tmp_path / f"{number}.jpg", quality=55)
        Image.open(tmp_path / f"{number}.jpg").crop((1, 1, 300, 299)).save(tmp_path / f"{number}-cut.png")
        files = (f"{number}.png", f"{number}.jpg", f"{number}-cut.png")
        items += [item(name, sentence(len(items) + place), capture=tmp_path / name) for place, name in enumerate(files)]
    found = examined(items)
    of = assign_splits(found.items, val=0.2, test=0.2).of
    assert all(len({of[f"{n}.png"], of[f"{n}.jpg"], of[f"{n}-cut.png"]}) == 1 for n in range(12))
    assert set(of.values()) == {"train", "val", "test"}
    assert (found.groups, found.largest, found.dropped) == (12, 3, 0)


def test_blank_texts_and_blank_pages_join_nothing(item: MakeItem, tmp_path: Path) -> None:
    Image.new("RGB", (50, 50), "white").save(tmp_path / "blank.png")
    texts = ["", " ", "@ann", "https://t.example/1", "!!!", "@bob @eve"]
    found = examined([item(str(n), text, capture=tmp_path / "blank.png") for n, text in enumerate(texts)])
    assert found.groups == len(texts)
    assert found.copies == {}


def test_a_template_does_not_chain_everything(item: MakeItem, sentence: Sentence) -> None:
    template = [item(f"t{n}", f"I liked a video on my favourite channel, number {n}") for n in range(60)]
    others = [item(f"o{n}", sentence(n)) for n in range(40)]
    copies = [item(f"c{n}", sentence(n) + " yes") for n in range(5)]
    found = examined([*template, *others, *copies])
    assert found.largest <= 0.2 * 105
    assert found.dropped == 60
    assert all(same_group(found.items, f"o{n}", f"c{n}") for n in range(5))


def test_equal_texts_by_everybody_do_not_chain_everything(item: MakeItem) -> None:
    found = examined([item(str(n), "Buy followers now, cheap and safe") for n in range(50)])
    assert found.groups == 50
    assert len(set(found.copies.values())) == 1
    assert found.dropped == 50


def test_authors_who_all_repeat_each_other_are_not_one_group(item: MakeItem, sentence: Sentence) -> None:
    items = [
        item(f"{author}.{place}", sentence(author + place), group=f"author:{author}")
        for author in range(50)
        for place in range(2)
    ]
    found = examined(items)
    assert found.largest <= 12
    assert all(same_group(found.items, f"{author}.0", f"{author}.1") for author in range(50))


edits = st.sampled_from(
    [
        lambda text: text,
        lambda text: text.upper(),
        lambda text: f"@friend {text} https://t.example/9",
        lambda text: text.replace(" ", "   ") + "!!",
        lambda text: text + " ok",
    ]
)
planted = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 50), edits), min_size=25, max_size=30)


@given(planted, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_no_copy_and_no_author_is_ever_on_both_sides(
    item: MakeItem,
    sentence: Sentence,
    table: list[tuple[int, int, Callable[[str], str]]],
    shuffler: random.Random,
) -> None:
    """Brute force over all pairs: alike by exact Jaccard similarity, or by one author."""
    items = [
        item(f"i{n}", edit(sentence(number)), group=f"author:{author}")
        for n, (number, author, edit) in enumerate(table)
    ]
    others = [item(f"o{n}", sentence(n)) for n in range(100, 250)]
    found = examined([*items, *others])
    sets = {one.content.id: shingles(normalised(one.content.text)) for one in items}
    alike = [(a, b) for a in sets for b in sets if a < b and jaccard(sets[a], sets[b]) >= 0.8]
    assert set(found.copies) == {name for pair in alike for name in pair}
    shuffled = [*others, *items]
    shuffler.shuffle(shuffled)
    group = {one.content.id: one.group for one in found.items}
    assert {one.content.id: one.group for one in grouped(shuffled)} == group
    assume(not found.dropped)
    of = assign_splits(found.items).of
    same_author = [(a, b) for a in items for b in items if a.group == b.group]
    pairs = alike + [(a.content.id, b.content.id) for a, b in same_author]
    assert all(group[a] == group[b] and of[a] == of[b] for a, b in pairs)


def test_stopping_is_possible(item: MakeItem) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grouped([item("a", "a"), item("b", "b")], check=stop)


def test_no_items_at_all(item: MakeItem) -> None:
    found = examined([])
    assert (found.items, found.groups, found.largest) == ((), 0, 0)


def test_thousands_of_texts_take_a_moment(item: MakeItem) -> None:
    """A bound far above what it takes (0.3 s), so that comparing all pairs (millions) would not pass."""
    chance = random.Random(0)
    letters = string.ascii_lowercase + "    "
    texts = ["".join(chance.choices(letters, k=90)) for _ in range(3_000)]
    seen: list[None] = []
    found = examined([item(str(n), text) for n, text in enumerate(texts)], check=lambda: seen.append(None))
    assert found.groups == len({normalised(text) for text in texts})
    assert seen
