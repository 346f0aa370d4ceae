from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as reference_entropy

from engine.errors import InputError
from engine.taxonomy import Taxonomy, parse_taxonomy
from engine.triage import named, teaching
from engine.types import Action, Item, ModelCard, Verdict
from engine.workspace import NewDecision, Workspace
from engine.workspace.teaching import Candidate, Pick

ONE = """
name = "three"
[[tasks]]
name = "colour"
title = "Colour"
applies_to = ["tweet"]
labels = [{ name = "red", title = "Red" }, { name = "green", title = "Green" }, { name = "blue", title = "Blue" }]
"""
LABELS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return parse_taxonomy(ONE)


@pytest.fixture
def workspace(tmp_path: Path, taxonomy: Taxonomy) -> Iterator[Workspace]:
    """Sixty tweets, all judged but the last ten."""
    with Workspace.create(tmp_path / "w.secondlook", taxonomy) as made:
        made.items.add((Item(id=f"t{number:02d}", kind="tweet", text="x"), None) for number in range(60))
        (made.path / "models" / "m1").mkdir()
        card = ModelCard(id="m1", created="2026-01-01T00:00:00.000Z", recipe="", tasks={"colour": LABELS})
        made.models.register(card, made.path / "models" / "m1")
        made.models.promote("m1", "")
        made.verdicts.put([verdict(f"t{number:02d}", table(number)) for number in range(50)])
        yield made


def table(number: int) -> tuple[float, ...]:
    draw = np.random.default_rng(number).dirichlet((1.0, 1.0, 1.0))
    return tuple(float(value) for value in draw)


def verdict(item: str, values: tuple[float, ...]) -> Verdict:
    best = max(range(3), key=lambda place: values[place])
    return Verdict(
        item=item,
        task="colour",
        model="m1",
        label=LABELS[best],
        probability=values[best],
        labels=(LABELS[best],),
        probabilities=dict(zip(LABELS, values, strict=True)),
    )


def of_order(workspace: Workspace) -> list[Pick]:
    return [pick for pick in workspace.teaching.picks() if pick.why != teaching.AT_RANDOM]


probabilities = st.lists(st.floats(0.001, 1), min_size=2, max_size=6).map(lambda v: [one / sum(v) for one in v])


@given(probabilities)
def test_the_measures_agree_with_their_definitions(values: list[float]) -> None:
    ranked = np.sort(values)[::-1]
    assert teaching.uncertainty(values) == pytest.approx(1 - ranked[0])
    assert teaching.margin(values) == pytest.approx(1 - (ranked[0] - ranked[1]))
    assert teaching.entropy(values) == pytest.approx(reference_entropy(values) / math.log(len(values)))


@given(probabilities)
def test_no_measure_exceeds_what_its_top_probability_allows(values: list[float]) -> None:
    for doubt in teaching.DOUBTS.values():
        assert doubt.measure(values) <= doubt.most(max(values), len(values)) + 1e-9


def test_what_is_certain_and_what_is_not() -> None:
    assert [teaching.entropy([0.25] * 4), teaching.margin([0.5, 0.5])] == pytest.approx([1.0, 1.0])
    assert [teaching.entropy([1.0, 0.0]), teaching.margin([1.0, 0.0]), teaching.uncertainty([1.0, 0.0])] == [0, 0, 0]
    assert [teaching.margin([1.0]), teaching.entropy([1.0])] == [0.0, 0.0]


@pytest.mark.parametrize("order", ["margin", "uncertainty", "entropy"])
def test_a_batch_holds_the_most_doubtful_and_is_in_their_order(workspace: Workspace, order: str) -> None:
    batch = teaching.select(workspace, order, count=12, random_share=0.0)
    measure = teaching.DOUBTS[order].measure
    expected = sorted(range(50), key=lambda number: -measure(table(number)))[:12]
    assert [pick.item for pick in workspace.teaching.picks()] == [f"t{number:02d}" for number in expected]
    assert [pick.score for pick in workspace.teaching.picks()] == pytest.approx([measure(table(n)) for n in expected])
    assert (batch.items, batch.at_random, batch.order) == (12, 0, order)


@pytest.mark.parametrize("order", list(teaching.DOUBTS))
def test_reading_ends_where_nothing_better_can_come(taxonomy: Taxonomy, order: str) -> None:
    values = sorted((table(number) for number in range(400)), key=max)
    read = []

    def candidates() -> Iterator[Candidate]:
        for row, one in enumerate(values, start=1):
            read.append(row)
            yield Candidate(row, f"t{row}", "colour", max(one), dict(zip(LABELS, one, strict=True)))

    found = teaching.most_doubtful(candidates(), taxonomy, order, 5)
    measure = teaching.DOUBTS[order].measure
    assert [score for score, _ in found] == pytest.approx(sorted((measure(one) for one in values), reverse=True)[:5])
    assert len(read) < 400


def test_in_a_large_workspace_only_the_least_certain_are_looked_at(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "LOOKED_AT", 10)
    teaching.select(workspace, count=10, random_share=0.0)
    looked_at = sorted(range(50), key=lambda number: max(table(number)))[:20]
    expected = sorted(looked_at, key=lambda number: -teaching.margin(table(number)))[:10]
    assert [pick.item for pick in workspace.teaching.picks()] == [f"t{number:02d}" for number in expected]


def test_a_tie_goes_to_the_older_item(taxonomy: Taxonomy) -> None:
    same = {"red": 0.5, "green": 0.5, "blue": 0.0}
    candidates = [Candidate(row, f"t{row}", "colour", 0.5, same) for row in (4, 2, 3, 1)]
    assert [one.row for _, one in teaching.most_doubtful(candidates, taxonomy, "margin", 2)] == [1, 2]


def test_a_several_label_task_is_in_doubt_about_its_most_doubtful_label() -> None:
    taxonomy = parse_taxonomy(ONE.replace('title = "Colour"', 'title = "Colour"\nkind = "multi"'))
    sure = Candidate(1, "sure", "colour", 0.99, {"red": 0.99, "green": 0.01, "blue": 0.02})
    torn = Candidate(2, "torn", "colour", 0.995, {"red": 0.995, "green": 0.48, "blue": 0.0})
    ((score, one),) = teaching.most_doubtful([sure, torn], taxonomy, "margin", 1)
    assert one is torn
    assert score == pytest.approx(1 - 0.04)
    assert teaching.reason(taxonomy, "margin", score, one) == "the model is in doubt about Green (48%)"


def test_every_pick_says_why(workspace: Workspace) -> None:
    starts = {
        "margin": "the model wavers between ",
        "uncertainty": "the model is not sure of ",
        "entropy": "the model spreads its guess over the labels (",
        "random": "drawn at random",
    }
    for order, start in starts.items():
        teaching.select(workspace, order, count=4, random_share=0.0)
        picks = workspace.teaching.picks()
        assert all(pick.why.startswith(start) for pick in picks), order
        assert workspace.teaching.why(picks[0].item) == picks[0].why
    assert workspace.teaching.why("t99") == ""


def test_the_random_share_is_spread_over_the_batch(workspace: Workspace) -> None:
    batch = teaching.select(workspace, count=20, random_share=0.25, seed=3)
    assert (batch.items, batch.at_random) == (20, 5)
    places = [place for place, pick in enumerate(workspace.teaching.picks()) if pick.why == teaching.AT_RANDOM]
    assert places == [3, 7, 11, 15, 19]
    assert len({pick.item for pick in workspace.teaching.picks()}) == 20


def test_the_seed_decides_the_random_share_and_nothing_else(workspace: Workspace) -> None:
    def chosen(seed: int) -> list[Pick]:
        teaching.select(workspace, count=20, random_share=0.5, seed=seed)
        return workspace.teaching.picks()

    first = chosen(1)
    assert chosen(1) == first
    assert {pick.item for pick in chosen(2)} != {pick.item for pick in first}


def test_the_random_share_is_a_fair_sample_of_all_open_items(workspace: Workspace) -> None:
    """Scored or not, and also where rows are drawn instead of listed: each of 60 is drawn about as often."""
    for drawing in ("listed", "drawn"):
        limit = 0 if drawing == "drawn" else 20_000
        counts = dict.fromkeys((f"t{number:02d}" for number in range(60)), 0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("engine.workspace.teaching.FEW_OPEN", limit)
            for seed in range(200):
                drawn = workspace.teaching.draw(6, seed)
                assert len(set(drawn)) == 6
                for item in drawn:
                    counts[item] += 1
        chi_squared = sum((count - 20) ** 2 / 20 for count in counts.values())
        assert chi_squared < 98.3, drawing  # the 99.9th percentile for 59 degrees of freedom


def test_what_is_decided_leaves_the_queue_and_an_undo_brings_it_back(workspace: Workspace) -> None:
    teaching.select(workspace, count=3, random_share=0.0)
    order = [pick.item for pick in workspace.teaching.picks()]
    queue = named("teach").query

    def waiting() -> list[str]:
        assert workspace.queues.count(queue) == len(workspace.queues.page(queue).rows)
        return [row.item for row in workspace.queues.page(queue).rows]

    assert waiting() == order
    workspace.decisions.record(
        [NewDecision(item=order[1], task="colour", action=Action.CORRECT, labels=("red",), reviewer="ann")]
    )
    assert waiting() == [order[0], order[2]]
    workspace.decisions.undo("ann")
    assert waiting() == order


def test_a_new_batch_takes_the_place_of_the_one_before(workspace: Workspace) -> None:
    teaching.select(workspace, count=10, random_share=0.0)
    teaching.select(workspace, "random", count=4, seed=9)
    assert len(workspace.queues.page(named("teach").query).rows) == len(workspace.teaching.picks()) == 4
    batch = workspace.teaching.batch()
    assert batch is not None
    assert (batch.order, batch.items, batch.at_random, batch.seed) == ("random", 4, 4, 9)


def test_a_batch_is_no_larger_than_what_is_open(workspace: Workspace) -> None:
    assert teaching.select(workspace, "random", count=500).items == 60
    batch = teaching.select(workspace, count=500, random_share=0.1)
    assert batch.at_random == 6
    assert len(of_order(workspace)) == len(
        {f"t{number:02d}" for number in range(50)} - set(workspace.teaching.draw(6, 0))
    )


def test_what_cannot_be_picked_is_said(workspace: Workspace, tmp_path: Path, taxonomy: Taxonomy) -> None:
    for changes, words in (
        ({"order": "margni"}, "Did you mean 'margin'"),
        ({"count": 0}, "1 to 10,000"),
        ({"random_share": 1.5}, "from 0 to 1"),
        ({"random_share": math.nan}, "from 0 to 1"),
        ({"kind": "product"}, "no open item"),
    ):
        with pytest.raises(InputError, match=words):
            teaching.select(workspace, **changes)
    with Workspace.create(tmp_path / "other.secondlook", taxonomy) as fresh:
        fresh.items.add([(Item(id="a", kind="tweet"), None)])
        with pytest.raises(InputError, match="none has a verdict"):
            teaching.select(fresh, random_share=0.0)
        assert teaching.select(fresh, "random").items == 1


@given(st.integers(0, 40), st.integers(0, 40))
def test_spreading_keeps_both_orders(best: int, drawn: int) -> None:
    mine = [Pick(item=f"b{place}", why="") for place in range(best)]
    theirs = [Pick(item=f"r{place}", why="") for place in range(drawn)]
    mixed = teaching.spread(mine, theirs)
    assert [pick for pick in mixed if pick.item.startswith("b")] == mine
    assert [pick for pick in mixed if pick.item.startswith("r")] == theirs
    shares = list(itertools.accumulate(pick.item.startswith("r") for pick in mixed))
    assert all(abs(had - (place + 1) * drawn / (best + drawn)) < 1 for place, had in enumerate(shares))


def test_drawing_more_than_there_is_gives_all(workspace: Workspace) -> None:
    assert sorted(workspace.teaching.draw(1000, 0)) == [f"t{number:02d}" for number in range(60)]
