"""Few items that stand for many: the same ones, then versions of them of which half is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from engine.models.decoding import Decoded
from engine.models.half_hidden import with_versions
from engine.types import ItemContent

WORDS = " ".join(f"w{at}" for at in range(100))


def items(count: int) -> list[Decoded]:
    random = np.random.default_rng(0)
    squares = [random.integers(0, 256, (70, 70, 3), dtype=np.uint8) for _ in range(count)]
    return [(ItemContent(id=str(at), kind="tweet", title="t", text=WORDS), squares[at]) for at in range(count)]


def test_the_items_come_first_and_each_has_as_many_versions() -> None:
    whole = items(3)
    found = list(with_versions(iter(whole), 9))
    assert [content.id for content, _ in found] == list("012012012")
    for one, other in zip(found[:3], whole, strict=True):
        assert one is other


def test_versions_lack_about_half_of_the_words_and_keep_their_order() -> None:
    ((_, _), (content, _), (other, _)) = with_versions(items(1), 3)
    left = content.text.split()
    assert 30 < len(left) < 70
    assert left == sorted(left, key=lambda word: int(word[1:]))
    assert set(left) < set(WORDS.split())
    assert content.text != other.text


def test_versions_have_half_of_the_cells_in_their_mean_colour() -> None:
    ((_, whole), (_, square)) = with_versions(items(1), 2)
    assert whole is not None
    assert square is not None
    cells, before = (one.reshape(7, 10, 7, 10, 3).swapaxes(1, 2) for one in (square, whole))
    plain = (cells == cells[:, :, :1, :1]).all(axis=(2, 3, 4))
    assert 12 < plain.sum() < 37
    np.testing.assert_array_equal(cells[~plain], before[~plain])
    np.testing.assert_allclose(cells[plain][:, 0, 0], before[plain].mean(axis=(1, 2)), atol=0.5)
    np.testing.assert_array_equal(whole, items(1)[0][1])


@pytest.mark.parametrize("text", ["", "one"])
def test_items_of_few_words_or_without_a_screenshot_have_versions_too(text: str) -> None:
    found = list(with_versions([(ItemContent(id="a", kind="tweet", text=text), None)], 20))
    assert {content.text for content, _ in found} == {"", text}
    assert all(square is None for _, square in found)


def test_they_are_the_same_at_every_call() -> None:
    one, other = (list(with_versions(items(2), 6)) for _ in range(2))
    for (content, square), (again, same) in zip(one, other, strict=True):
        assert content == again
        np.testing.assert_array_equal(square, same)
