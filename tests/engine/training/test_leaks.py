"""The leak report finds planted leaks, and none where there are none."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from engine.training import leaks
from engine.training.leaks import leak_report
from engine.types import ItemContent, TrainingItem

WORDS = [
    f"{first}{second}" for first in ("ba", "ko", "ri", "mu", "te") for second in ("lan", "dor", "fis", "gep", "vul")
]


def nonsense(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=14))


def item(name: str, text: str, label: str, group: str = "", task: str = "mood") -> TrainingItem:
    content = ItemContent(id=name, kind="tweet", text=text)
    return TrainingItem(content=content, labels={task: (label,)}, group=group or f"item:{name}")


@pytest.fixture(scope="module")
def repeated() -> list[TrainingItem]:
    """60 texts said three times each; their labels are chance, so that only memory can know them."""
    return [
        item(f"{text}.{time}", nonsense(text) + " again" * time, random.Random(-text).choice(["warm", "cold"]))
        for text in range(60)
        for time in range(3)
    ]


def test_what_only_memory_knows_is_shown_as_leaked(repeated: list[TrainingItem]) -> None:
    report = leak_report(repeated)
    scores = report.tasks["mood"]
    assert scores.naive > 0.8
    assert scores.grouped < 0.65
    assert scores.leaked == pytest.approx(scores.naive - scores.grouped)
    assert report.naive_copies > 0.85 * report.held_out  # 1 - 0.3² of those held out
    assert (report.grouped_copies, report.naive_authors, report.dropped) == (0, 0, 0)
    assert (report.items, report.groups, report.largest, report.copies) == (180, 60, 3, 180)
    words = " ".join(report.words)
    assert f"{scores.naive:.3f}" in words
    assert f"{report.naive_copies:.0f} a near-duplicate" in words


def test_independent_items_leak_nothing() -> None:
    items = [
        item(str(n), nonsense(n) + (" sunny" if n % 2 else " snowy"), "warm" if n % 2 else "cold") for n in range(200)
    ]
    report = leak_report(items)
    assert report.words[0] == "No near-duplicates and no author with several items: a random split would leak nothing."
    assert abs(report.tasks["mood"].leaked) < 0.1
    assert report.naive_either == 0


def test_relatives_are_counted_as_a_brute_force_does() -> None:
    chance = np.random.default_rng(0)
    names = [str(number) if number else "" for number in chance.integers(0, 15, 40)]
    train = chance.random(40) < 0.6
    expected = [
        not train[place] and any(train[o] and names[o] == names[place] != "" for o in range(40)) for place in range(40)
    ]
    assert leaks._met(names, train).tolist() == expected
    assert any(expected)


def test_an_author_that_trains_is_a_leak_of_its_own() -> None:
    items = [item(str(n), nonsense(n), "ab"[n % 2], group=f"author:{'@' * (n % 2)}Writer{n % 10}") for n in range(100)]
    report = leak_report(items)
    assert report.naive_authors == pytest.approx(report.held_out)
    assert report.naive_copies == 0
    assert report.largest == 10


def test_the_score_is_that_of_the_reference_library() -> None:
    texts = [f"{nonsense(n)} {'sunny' if n % 3 else 'snowy'}" for n in range(90)]
    labels = ["warm" if n % 3 else "cold" for n in range(90)]
    train = np.arange(90) % 4 > 0
    counts = leaks._words(texts)
    assert counts is not None
    truth = leaks._truth([(label,) for label in labels])
    score = leaks._score(counts, truth, train, lambda: None)
    fitted = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", sublinear_tf=True)
    known = fitted.fit_transform([text for text, trains in zip(texts, train, strict=True) if trains])
    fresh = fitted.transform([text for text, trains in zip(texts, train, strict=True) if not trains])
    model = LogisticRegression(C=10.0, solver="liblinear", random_state=0)
    model.fit(known, [label for label, trains in zip(labels, train, strict=True) if trains])
    rest = [label for label, trains in zip(labels, train, strict=True) if not trains]
    assert score == pytest.approx(f1_score(rest, model.predict(fresh), average="macro"))


def test_items_without_words_and_tiny_tasks_get_no_scores() -> None:
    assert leak_report([item(str(n), "", "a") for n in range(40)]).tasks == {}
    assert leak_report([item(str(n), nonsense(n), "a") for n in range(5)]).tasks == {}


def test_a_template_is_told(repeated: list[TrainingItem]) -> None:
    same = [item(f"t{n}", "please confirm that you are not a robot", "ab"[n % 2]) for n in range(120)]
    report = leak_report([*repeated, *same])
    assert report.dropped == 120
    assert "120 items are like so many others" in report.words[-1]


def test_stopping_is_possible(repeated: list[TrainingItem]) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    checks: Callable[[], None] = stop
    with pytest.raises(KeyboardInterrupt):
        leak_report(repeated, check=checks)
