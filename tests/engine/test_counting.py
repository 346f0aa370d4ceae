from __future__ import annotations

import pytest

from engine.counting import counted, fit


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 items"), (1, "1 item"), (2, "2 items"), (1_200, "1,200 items"), (-1, "-1 items")]
)
def test_a_number_has_its_noun(number: int, words: str) -> None:
    assert counted(number, "item") == words


def test_odd_plurals_and_verbs() -> None:
    assert [counted(number, "entry", "entries") for number in (1, 3)] == ["1 entry", "3 entries"]
    assert [fit(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]
