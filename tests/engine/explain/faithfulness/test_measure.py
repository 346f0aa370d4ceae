from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from engine.errors import CancelledError, InputError
from engine.explain import explain
from engine.explain.faithfulness.erasure import aopc
from engine.explain.faithfulness.measure import RANDOM, Asked, measure, score, spread
from engine.explain.faithfulness.probe import Probe
from engine.types import Explanation, ItemContent, Spread, TokenWeight

if TYPE_CHECKING:
    from tests.engine.explain.conftest import FakeModel

    MakeItem = Callable[..., ItemContent]

TASK, LABEL = "toxicity", "toxic"


def asked(*contents: ItemContent) -> list[Asked]:
    return [Asked(content, TASK, LABEL) for content in contents]


def of_words(content: ItemContent, **weights: float) -> Explanation:
    """An explanation that gives words of the text a weight; those that are not named get 0."""
    starts = itertools.accumulate((len(word) + 1 for word in content.text.split()), initial=0)
    tokens = [
        TokenWeight(field="text", start=start, end=start + len(word), text=word, weight=weights.get(word, 0.0))
        for start, word in zip(starts, content.text.split(), strict=False)
    ]
    return Explanation(item=content.id, task=TASK, label=LABEL, model="fake", probability=0.5, tokens=tuple(tokens))


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_the_right_word_scores_what_the_model_loses_without_it(fake: FakeModel, make_item: MakeItem) -> None:
    """P is sigmoid(2 · glorps − 1); all five bins of four words hold the word."""
    content = make_item(capture=None)
    rows, notes = measure(fake, asked(content), ["right"], lambda _, one: of_words(one.content, glorp=1.0))
    right = {row.method: row for row in rows}["right"]
    assert right.scores["comprehensiveness"].mean == pytest.approx(sigmoid(1) - sigmoid(-1), abs=1e-6)
    assert right.scores["sufficiency"].mean == pytest.approx(0, abs=1e-6)
    assert set(right.scores) == {"comprehensiveness", "sufficiency"}
    assert notes == []


def test_random_order_scores_the_mean_over_all_orders(fake: FakeModel, make_item: MakeItem) -> None:
    contents = [make_item(capture=None)] * 40
    rows, _ = measure(fake, asked(*contents), ["wrong"], lambda _, one: of_words(one.content, glorp=-1.0))
    chance, wrong = {row.method: row for row in rows}[RANDOM], {row.method: row for row in rows}["wrong"]
    probe = Probe(fake, contents[0], TASK, LABEL, lambda: False)
    assert probe.words is not None
    every = [aopc(np.array(order), probe.words.ask) for order in itertools.permutations(range(4))]
    expected = np.mean([one.comprehensiveness for one in every])
    found = chance.scores["comprehensiveness"]
    assert found.error is not None
    assert abs(found.mean - expected) < 3 * found.error
    assert chance.advantage == {}
    assert wrong.advantage["comprehensiveness"].mean == pytest.approx(-found.mean, abs=1e-6)
    assert wrong.advantage["sufficiency"].mean < 0


def test_all_occurrences_of_a_word_are_hidden_together(fake: FakeModel, make_item: MakeItem) -> None:
    content = make_item(text="glorp and glorp", capture=None)
    rows, _ = measure(fake, asked(content), ["right"], lambda _, one: of_words(one.content, glorp=1.0))
    right = {row.method: row for row in rows}["right"]
    assert right.scores["comprehensiveness"].mean == pytest.approx(sigmoid(3) - sigmoid(-1), abs=1e-6)


def test_superpixels_are_hidden_as_lime_hides_them(fake: FakeModel, make_item: MakeItem) -> None:
    """Deletion by hand: one superpixel after the other, in LIME's order, through the very inputs that LIME makes."""
    content = make_item(text="")
    explanation = explain(fake, content, TASK, LABEL)
    probe = Probe(fake, content, TASK, LABEL, lambda: False)
    found = score(probe, explanation, np.random.default_rng(0))
    assert probe.superpixels is not None
    weights = probe.superpixels.weights(explanation)
    assert weights is not None
    kept, values = np.ones((1, len(weights)), dtype=bool), []
    for feature in [None, *np.argsort(-weights).tolist()]:
        if feature is not None:
            kept[0, feature] = False
        values.append(float(probe.superpixels.ask(kept)[0]))
    mean = (sum(values) - (values[0] + values[-1]) / 2) / (len(values) - 1)
    assert found["deletion"] == pytest.approx(mean, abs=1e-6)
    assert values[0] - values[1] == pytest.approx(max(-np.diff(values)))


def test_lime_beats_random_order_on_a_page_whose_evidence_is_a_badge(fake: FakeModel, make_item: MakeItem) -> None:
    explanation = explain(fake, make_item(), TASK, LABEL)
    rows, _ = measure(fake, asked(make_item()), ["lime"], lambda *_: explanation)
    lime = rows[0]
    assert lime.method == "lime"
    assert set(lime.advantage) == {"deletion", "insertion", "comprehensiveness", "sufficiency"}
    assert all(one.mean > 0 for one in lime.advantage.values())


def test_what_a_method_says_nothing_of_is_not_scored(fake: FakeModel, make_item: MakeItem) -> None:
    whole = explain(fake, make_item(), TASK, LABEL)
    only_image = msgspec.structs.replace(whole, tokens=())
    rows, _ = measure(fake, asked(make_item()), ["gradcam"], lambda *_: only_image)
    assert set(rows[0].scores) == {"deletion", "insertion"}
    assert set(rows[1].scores) == {"deletion", "insertion", "comprehensiveness", "sufficiency"}


def test_a_method_that_cannot_explain_is_told_and_left_out(fake: FakeModel, make_item: MakeItem) -> None:
    content = make_item(capture=None)

    def explain_(method: str, one: Asked) -> Explanation:
        if method == "attention":
            raise InputError("This text backbone has no attention.", "Use another.")
        return of_words(one.content, glorp=1.0)

    rows, notes = measure(fake, asked(content, content), ["attention", "right"], explain_)
    assert [row.method for row in rows] == ["right", RANDOM]
    assert notes == ["attention could not explain any item: This text backbone has no attention."]
    with pytest.raises(InputError, match=r"Nothing could be measured\. attention could not explain any item"):
        measure(fake, asked(content), ["attention"], explain_)


def test_an_item_whose_screenshot_is_gone_is_told_and_left_out(fake: FakeModel, make_item: MakeItem) -> None:
    content, gone = make_item(capture=None), make_item(capture="gone.png")

    def right(_method: str, one: Asked) -> Explanation:
        return of_words(one.content, glorp=1.0)

    rows, notes = measure(fake, asked(gone, content), ["right"], right)
    assert {row.method: row.scores["comprehensiveness"].n for row in rows} == {"right": 1, RANDOM: 1}
    (note,) = notes
    assert note.startswith("1 item of 2 was left out: The screenshot of item 'one' cannot be read: ")
    with pytest.raises(InputError, match=r"Nothing could be measured\. 1 item of 1 was left out"):
        measure(fake, asked(gone), ["right"], right)


def test_one_word_and_no_screenshot_leave_nothing_to_compare(fake: FakeModel, make_item: MakeItem) -> None:
    with pytest.raises(InputError, match="Nothing could be measured"):
        measure(fake, asked(make_item(text="glorp", capture=None)), ["right"], lambda _, one: of_words(one.content))


def test_cancelling_ends_it_between_two_batches(fake: FakeModel, make_item: MakeItem) -> None:
    calls: list[Any] = []

    def cancelled() -> bool:
        calls.append(None)
        return len(calls) > 3

    before = fake.images
    with pytest.raises(CancelledError):
        measure(fake, asked(make_item()), ["lime"], lambda *_: of_words(make_item()), cancelled=cancelled)
    assert fake.images - before < 60


def test_progress_ends_with_all_items(fake: FakeModel, make_item: MakeItem) -> None:
    told: list[tuple[int, int]] = []
    content = make_item(capture=None)
    measure(
        fake,
        asked(content, content),
        ["right"],
        lambda _, one: of_words(one.content),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_spread_by_hand() -> None:
    assert spread([1.0]) == Spread(mean=1.0, n=1)
    found = spread([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.n) == (2.5, 4)
    assert found.error == pytest.approx(np.sqrt(5 / 3) / 2)
