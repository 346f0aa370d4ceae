from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from engine.counting import counted, fit

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 items"), (1, "1 item"), (2, "2 items"), (1_200, "1,200 items"), (-1, "-1 items")]
)
def test_a_number_has_its_noun(number: int, words: str) -> None:
    assert counted(number, "item") == words


def test_odd_plurals_and_verbs() -> None:
    assert [counted(number, "entry", "entries") for number in (1, 3)] == ["1 entry", "3 entries"]
    assert [fit(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


NOUNS = (
    "addresses|answers|captures|checks|corrections|decisions|epochs|explanations|failures|files|folds|groups|items"
    "|kinds|labels|lines|models|pages|parts|points|records|rows|samples|tensors|texts|tokens|tries|verdicts|words"
)
SOURCES = [file for room in ("engine/cli", "desktop") for file in (ROOT / room).rglob("*.py")]


def by_hand(file: Path) -> list[str]:
    """Return the sentences in which a number is followed by a plural and may be 1."""
    sentences = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.JoinedStr))
    return [
        f"{file.relative_to(ROOT)}: {ast.unparse(sentence)}"
        for sentence in sentences
        for number, after in itertools.pairwise(sentence.values)
        if isinstance(number, ast.FormattedValue)
        and isinstance(after, ast.Constant)
        and re.match(rf" ([a-z-]+ )?({NOUNS})\b", str(after.value))
        and not (number.format_spec is not None and "f" in ast.unparse(number.format_spec)[2:-1])
        and not ast.unparse(number.value).isupper()
    ]


def test_no_sentence_counts_one_items() -> None:
    assert len(SOURCES) > 100
    assert [one for file in SOURCES for one in by_hand(file)] == []
