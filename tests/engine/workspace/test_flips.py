from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.errors import NotFoundError
from engine.triage import named
from engine.types import Action, Item, Verdict
from engine.workspace import NewDecision, QueueQuery, Workspace
from engine.workspace.facets import STATES
from engine.workspace.flips import CHANGED, CONTRADICTS, DONE, FlipCounts, Judged, Record, follow, place_of
from engine.workspace.queues import LISTS, ORDERS

Judge = Callable[..., Verdict]
Decide = Callable[..., NewDecision]
FLIPS = named("flips").query


def listing(workspace: Workspace, **changes: Any) -> list[str]:
    query = msgspec.structs.replace(FLIPS, **changes)
    rows = workspace.queues.page(query).rows
    assert workspace.queues.count(query) == len(rows)
    return [row.item for row in rows]


@pytest.fixture
def retrained(
    workspace: Workspace, champion: str, add_model: Callable[[str], None], judge: Judge, decide: Decide
) -> Workspace:
    """Model m1 judged four tweets and a product; t1 and t2 were decided; m2 was promoted and changed four verdicts."""
    workspace.verdicts.put([judge(f"t{number}", "toxic", 0.7) for number in range(1, 5)])
    workspace.verdicts.put([judge("p1", "ok", 0.6, task="verdict")])
    workspace.decisions.record([decide("t1", "toxic", action=Action.CONFIRM), decide("t2", "non-toxic")])
    add_model("m2")
    workspace.models.promote("m2", "better")
    assert listing(workspace) == [], "a promotion alone changes no verdict"
    workspace.verdicts.put(
        [
            judge("t1", "non-toxic", 0.6, model="m2"),
            judge("t2", "non-toxic", 0.99, model="m2"),
            judge("t3", "non-toxic", 0.8, model="m2"),
            judge("t4", "toxic", 0.9, model="m2"),
            judge("p1", "adult", 0.9, task="verdict", model="m2"),
        ]
    )
    return workspace


def test_contradictions_come_first_and_then_the_surest(retrained: Workspace) -> None:
    assert listing(retrained) == ["t1", "t2", "p1", "t3"]
    flip = retrained.flips.of("t1")
    assert flip is not None
    assert (flip.was_label, flip.was_probability, flip.was_model, flip.model) == ("toxic", 0.7, "m1", "m2")
    assert flip.contradicts
    assert [retrained.flips.of(item) for item in ("t4", "p2")] == [None, None]
    assert retrained.flips.counts("m2") == FlipCounts(changed=4, waiting=4, contradicting=1)
    assert retrained.flips.counts("m1") == retrained.flips.counts("nobody") == FlipCounts()


def test_filters_orders_and_search_work_as_in_other_queues(retrained: Workspace) -> None:
    assert listing(retrained, kind="tweet") == ["t1", "t2", "t3"]
    assert listing(retrained, label="adult") == ["p1"]
    assert listing(retrained, states=("open",)) == ["p1", "t3"]
    assert listing(retrained, disagreement=True) == ["t1"]
    assert listing(retrained, order="uncertain") == ["t1", "t3", "p1", "t2"]
    assert listing(retrained, min_probability=0.7, max_probability=0.9) == ["p1", "t3"]
    assert listing(retrained, search="words") == ["t1", "t2", "t3"]
    assert listing(retrained, split="val") == []
    retrained.items.set_splits({"t3": "val"})
    assert listing(retrained, split="val") == ["t3"]


def test_a_flip_leaves_when_the_reviewer_decides_anew_and_returns_with_an_undo(
    retrained: Workspace, decide: Decide
) -> None:
    retrained.decisions.record([decide("t1", "toxic", action=Action.CORRECT), decide("p1", action=Action.SKIP)])
    assert listing(retrained) == ["t2", "t3"]
    assert retrained.flips.of("t1") is None
    assert retrained.flips.counts("m2") == FlipCounts(changed=4, waiting=2, contradicting=0)
    retrained.decisions.undo("ann", item="p1")
    retrained.decisions.undo("ann", item="t1")
    assert listing(retrained) == ["t1", "t2", "p1", "t3"]
    retrained.decisions.undo("ann", item="t1")
    assert listing(retrained) == ["t2", "p1", "t3", "t1"], "nothing is decided any more that it could contradict"


def test_a_rollback_and_a_newer_champion_turn_things_back(
    retrained: Workspace, add_model: Callable[[str], None], judge: Judge
) -> None:
    retrained.models.rollback()
    assert listing(retrained) == []
    assert retrained.flips.counts("m2") == FlipCounts()
    retrained.models.promote("m2", "again")
    assert listing(retrained) == ["t1", "t2", "p1", "t3"]
    add_model("m3")
    retrained.models.promote("m3", "better still")
    retrained.verdicts.put([judge("t1", "toxic", 0.9, model="m3"), judge("p1", "ok", 0.9, task="verdict", model="m3")])
    assert listing(retrained) == ["t2", "t3"]


def test_a_second_change_before_anybody_looks_keeps_the_first_verdict(
    retrained: Workspace, add_model: Callable[[str], None], judge: Judge
) -> None:
    add_model("m3")
    retrained.models.promote("m3", "better still")
    retrained.verdicts.put([judge("p1", "prohibited", 0.5, task="verdict", model="m3")])
    flip = retrained.flips.of("p1")
    assert flip is not None
    assert (flip.was_model, flip.was_label, flip.model) == ("m1", "ok", "m3")
    assert retrained.flips.counts("m2").changed == 3
    assert retrained.flips.counts("m3").changed == 1


def test_a_change_after_a_decision_is_a_flip_of_its_own(
    retrained: Workspace, add_model: Callable[[str], None], judge: Judge, decide: Decide
) -> None:
    """The reviewer agreed with m2's "non-toxic"; m3 says "toxic" again, as m1 had: that contradicts the reviewer."""
    retrained.decisions.record([decide("t3", "non-toxic", action=Action.CONFIRM)])
    add_model("m3")
    retrained.models.promote("m3", "better still")
    retrained.verdicts.put([judge("t3", "toxic", 0.9, model="m3")])
    flip = retrained.flips.of("t3")
    assert flip is not None
    assert (flip.was_model, flip.was_label, flip.contradicts) == ("m2", "non-toxic", True)
    assert listing(retrained)[0] == "t3"


def test_the_same_model_s_new_verdict_is_no_flip(retrained: Workspace, judge: Judge) -> None:
    retrained.verdicts.put([judge("t4", "non-toxic", 0.9, model="m2")])
    assert "t4" not in listing(retrained)
    retrained.verdicts.put([judge("t3", "non-toxic", 1.0, model="m2")])
    assert listing(retrained) == ["t1", "t3", "t2", "p1"], "its place follows the verdict"


def test_a_verdict_that_arrives_first_is_no_flip(
    retrained: Workspace, judge: Judge, make_tweet: Callable[..., Item]
) -> None:
    retrained.items.add([(make_tweet("new"), None)])
    retrained.verdicts.put([judge("new", "toxic", 0.9, model="m2")])
    assert "new" not in listing(retrained)


def test_other_tasks_flip_nothing(retrained: Workspace, judge: Judge, add_model: Callable[[str], None]) -> None:
    retrained.verdicts.put([judge("p2", "ok", 0.9, task="verdict", model="m2")])
    retrained.verdicts.put([judge("p2", "smoking", 0.9, task="reason", model="m2")])
    add_model("m3")
    retrained.models.promote("m3", "better")
    retrained.verdicts.put([judge("p2", "ok", 0.9, task="verdict", model="m3")])
    retrained.verdicts.put([judge("p2", "alcohol", 0.9, task="reason", model="m3")])
    assert "p2" not in listing(retrained)


class Account:
    """What an independent account of four tweets expects, kept by a clock instead of decision rows."""

    def __init__(self) -> None:
        self.clock = 0
        self.champions = ["m1"]
        self.judged: dict[tuple[str, str], str] = {}
        self.shown: dict[str, tuple[str, str]] = {}
        self.acts: dict[str, list[tuple[int, str]]] = {f"t{number}": [] for number in range(1, 5)}
        self.flips: dict[str, tuple[tuple[str, str], int, str]] = {}

    def settle(self) -> None:
        self.clock += 1
        for item, acts in self.acts.items():
            newest_first = list(dict.fromkeys(reversed(self.champions)))
            new = next(
                ((model, self.judged[model, item]) for model in newest_first if (model, item) in self.judged), None
            )
            old = self.shown.get(item)
            if new is not None:
                self.shown[item] = new
            if old is None or new is None or old[0] == new[0] or old[1] == new[1]:
                continue
            was, at, _ = self.flips.pop(item, (old, -1, ""))
            if at < 0 or any(moment > at for moment, _ in acts):
                was, at = old, self.clock
            if was[1] != new[1]:
                self.flips[item] = (was, at, new[0])

    def waiting(self) -> dict[str, tuple[str, str, bool]]:
        """Return what the verdict was, which model changed it, and whether that contradicts the decision."""
        return {
            item: (was[1], by, bool(self.acts[item]) and self.acts[item][-1][1] != self.shown[item][1])
            for item, (was, at, by) in self.flips.items()
            if not any(moment > at for moment, _ in self.acts[item])
        }


def _do_something(draw: random.Random, workspace: Workspace, account: Account, judge: Judge, decide: Decide) -> None:
    item, label = draw.choice(sorted(account.acts)), draw.choice(["toxic", "non-toxic"])
    model = draw.choice(["m1", "m2", "m3"])
    what = draw.randrange(6)
    if what in {0, 1} and (model, item) not in account.judged:
        account.judged[model, item] = label
        workspace.verdicts.put([judge(item, label, 0.8, model=model)])
    elif what == 2:
        workspace.decisions.record([decide(item, label)])
        account.acts[item].append((account.clock + 1, label))
    elif what == 3 and workspace.decisions.undo("ann", item=item) is not None:
        account.acts[item].pop()
    elif what == 4 and model != account.champions[-1]:
        workspace.models.promote(model, "")
        account.champions.append(model)
    elif what == 5 and sum(row.status != "kept" for row in workspace.models.list()) > 1:
        with contextlib.suppress(NotFoundError):
            account.champions.append(workspace.models.rollback().card.id)


@pytest.mark.parametrize("seed", range(3))
def test_any_history_agrees_with_an_independent_account(
    workspace: Workspace, champion: str, add_model: Callable[[str], None], judge: Judge, decide: Decide, seed: int
) -> None:
    add_model("m2")
    add_model("m3")
    draw, account, seen = random.Random(seed), Account(), 0
    for _ in range(80):
        _do_something(draw, workspace, account, judge, decide)
        account.settle()
        found = workspace.flips.of_many(sorted(account.acts))
        told = {item: (flip.was_label, flip.model, flip.contradicts) for item, flip in found.items()}
        assert told == account.waiting()
        assert sorted(listing(workspace)) == sorted(told)
        seen += len(told)
    assert seen > 10


@pytest.fixture
def many(
    workspace: Workspace, champion: str, add_model: Callable[[str], None], judge: Judge, decide: Decide
) -> Workspace:
    """Three hundred tweets, most of them flipped by m2, in all states, with many equal keys."""
    draw = random.Random(3)
    splits = ["", "train", "val", "test"]
    names = [f"i{number}" for number in range(300)]
    workspace.items.add((Item(id=name, kind="tweet", text="x", split=draw.choice(splits)), None) for name in names)
    labels = ["toxic", "non-toxic"]
    workspace.verdicts.put([judge(name, draw.choice(labels), 0.5) for name in names])
    actions = [Action.CORRECT, Action.SKIP, Action.ESCALATE]
    workspace.decisions.record([_act(draw, decide, name, draw.choice(actions)) for name in draw.sample(names, 150)])
    add_model("m2")
    workspace.models.promote("m2", "")
    probabilities = [0.5, 0.6, 0.75, 1.0]
    workspace.verdicts.put([judge(name, draw.choice(labels), draw.choice(probabilities), model="m2") for name in names])
    workspace.decisions.record([_act(draw, decide, name, Action.CORRECT) for name in draw.sample(names, 30)])
    return workspace


def _act(draw: random.Random, decide: Decide, item: str, action: Action) -> NewDecision:
    labels = (draw.choice(["toxic", "non-toxic"]),) if action is Action.CORRECT else ()
    return decide(item, *labels, action=action)


def test_every_page_of_every_filter_agrees_with_a_brute_force(many: Workspace) -> None:
    rows = many.queues.page(QueueQuery(states=STATES, limit=1000)).rows
    flips = many.flips.of_many([row.item for row in rows])
    waiting = [row for row in rows if row.item in flips]
    assert len(waiting) > 80
    splits = {item.id: item.split for item in many.items.iter()}
    for states, split, label in itertools.product(
        [STATES, ("open",), ("decided", "skipped")], [None, "val"], [None, "toxic"]
    ):
        wanted = [
            (2.0 * flips[row.item].contradicts + (row.probability or 0.0), row.row, row.item)
            for row in waiting
            if row.state in states and split in {None, splits[row.item]} and label in {None, row.label}
        ]
        query = msgspec.structs.replace(FLIPS, states=states, split=split, label=label, limit=7)
        assert many.queues.count(query) == len(wanted)
        found: list[str] = []
        page = many.queues.page(query)
        found += [row.item for row in page.rows]
        while page.after is not None:
            page = many.queues.page(msgspec.structs.replace(query, after=page.after))
            found += [row.item for row in page.rows]
        assert found == [item for _, _, item in sorted(wanted, reverse=True)]


def test_no_query_of_flips_sorts_or_scans(many: Workspace) -> None:
    statements: list[str] = []
    connection = many.queues._db.connection
    connection.set_trace_callback(statements.append)
    for order in (order for order in ORDERS if LISTS.get(order, "flips") == "flips"):
        for query in (QueueQuery(order=order, listed="flips"), QueueQuery(order=order, listed="flips", split="val")):
            page = many.queues.page(msgspec.structs.replace(query, states=STATES, limit=3))
            many.queues.page(msgspec.structs.replace(query, states=STATES, limit=3, after=page.after))
    connection.set_trace_callback(None)
    ranges = [statement for statement in statements if "INDEXED BY" in statement]
    assert len(ranges) > 30
    for statement in ranges:
        plan = " ".join(row[3] for row in many.queues._db.all(f"EXPLAIN QUERY PLAN {statement}"))
        assert "COVERING INDEX listed_" in plan, statement
        assert "B-TREE" not in plan, statement
        assert "SCAN listed" not in plan, statement


def test_the_rule_for_a_task_with_several_labels() -> None:
    before = Judged(1, "alcohol", 0.9, ("alcohol",))
    both = Judged(2, "alcohol", 0.8, ("alcohol", "smoking"))
    record = follow(None, before, both, said=None, last=0, head=7)
    assert record == Record(was=before, model=2, since=7, stands=CHANGED)
    assert follow(None, before, both._replace(labels=("alcohol",)), said=None, last=0, head=7) is None
    contradicted = follow(record, None, both, said=(), last=7, head=9)
    assert contradicted is not None
    assert contradicted.stands == CONTRADICTS
    assert place_of(contradicted, 0.8) == pytest.approx(2.8)
    done = follow(record, None, both, said=(), last=8, head=9)
    assert done is not None
    assert done.stands == DONE
    assert place_of(done, 0.8) is None


def test_a_flip_of_a_task_that_is_asked_no_more_is_forgotten(retrained: Workspace) -> None:
    retrained.close()
    file = retrained.path / "taxonomy.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"toxic"', '"hostile"').replace('"non-toxic"', '"fine"'), encoding="utf-8")
    with Workspace.open(retrained.path) as again:
        assert listing(again) == ["p1"]
