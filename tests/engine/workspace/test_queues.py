from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest

from engine.errors import InputError, NotFoundError
from engine.types import Action, Item, Verdict
from engine.workspace import NewDecision, QueueQuery, QueueRow, Workspace
from engine.workspace.facets import STATES
from engine.workspace.queues import LISTS, ORDERS

PLAIN = [order for order in ORDERS if order not in LISTS]

LABELS = {"tweet": ("toxicity", ("toxic", "non-toxic")), "product": ("verdict", ("ok", "adult", "prohibited"))}
SEVERITY = {"toxic": 3, "non-toxic": 0, "ok": 0, "adult": 2, "prohibited": 4, "": 0}


@pytest.fixture
def busy(workspace: Workspace, champion: str) -> Workspace:
    """Three hundred items with many equal keys, most judged, some decided, skipped, escalated, undone."""
    draw = random.Random(7)
    items = [
        Item(
            id=f"i{number}",
            kind=draw.choice(["tweet", "product"]),
            text=f"number {number} " + draw.choice(["kettle", "lantern", "harbour"]),
            author=f"@author{number % 7}",
            exposure=draw.choice([None, 1.0, 50.0, 50.0]),
            captured_at=draw.choice(["2026-01-01", "2026-01-02T00:00:00+02:00", "2025-12-31T10:00:00Z"]),
            split=draw.choice(["", "train", "val", "test"]),
        )
        for number in range(300)
    ]
    workspace.items.add((item, None) for item in items)
    judged = draw.sample(items, 260)
    workspace.verdicts.put([_verdict(draw, item) for item in judged])
    workspace.decisions.record([_decision(draw, item) for item in draw.sample(items, 150)])
    for item in draw.sample(items, 20):
        workspace.decisions.undo("ann", item=item.id)
    return workspace


def _verdict(draw: random.Random, item: Item) -> Verdict:
    task, labels = LABELS[item.kind]
    label, probability = draw.choice(labels), draw.choice([0.5, 0.6, 0.6, 0.75, 1.0])
    return Verdict(
        item=item.id,
        task=task,
        model="m1",
        label=label,
        probability=probability,
        labels=(label,),
        probabilities={label: probability},
    )


def _decision(draw: random.Random, item: Item) -> NewDecision:
    task, labels = LABELS[item.kind]
    action = draw.choice([Action.CORRECT, Action.CONFIRM, Action.SKIP, Action.ESCALATE])
    answer = (draw.choice(labels),) if action in {Action.CORRECT, Action.CONFIRM} else ()
    return NewDecision(item=item.id, task=task, action=action, labels=answer, reviewer="ann")


class Facts(NamedTuple):
    """What is known of an item, collected without the queue's own columns (but for the state)."""

    row: int
    item: Item
    state: str
    label: str
    probability: float | None
    differs: bool
    last: int


def facts(workspace: Workspace) -> list[Facts]:
    found = []
    for row, item in enumerate(workspace.items.iter(), start=1):
        task = LABELS[item.kind][0]
        verdict = workspace.verdicts.of(item.id).get(task)
        resolved = workspace.decisions.resolved(item.id).get(task)
        rows = workspace.decisions.of(item.id)
        undone = {row.undoes for row in rows}
        stand = [row.number for row in rows if row.action != "undo" and row.act not in undone]
        found.append(
            Facts(
                row=row,
                item=item,
                state=workspace.queues.row(item.id).state,
                label="" if verdict is None else verdict.label,
                probability=None if verdict is None else verdict.probability,
                differs=verdict is not None and resolved is not None and resolved != verdict.labels,
                last=max(stand, default=0),
            )
        )
    return found


def expected(known: Sequence[Facts], query: QueueQuery) -> list[str]:
    """Answer a query from the facts alone, filtered and sorted in Python."""
    low, high = query.min_probability, query.max_probability
    ranged = low is not None or high is not None
    found = [
        (_key(one, query.order), one.row, one.item.id)
        for one in known
        if one.state in query.states
        and query.kind in {None, one.item.kind}
        and query.label in {None, one.label}
        and query.split in {None, one.item.split}
        and (one.differs or not query.disagreement)
        and (not ranged or (one.probability is not None and (low or 0.0) <= one.probability <= (high or 1.0)))
    ]
    found.sort(reverse=query.order not in {"uncertain", "oldest"})
    return [name for _, _, name in found]


def _key(one: Facts, order: str) -> Any:
    if order == "uncertain":
        return 2.0 if one.probability is None else one.probability
    if order == "risk":
        risk = -1.0 if one.probability is None else SEVERITY[one.label] * one.probability
        return (risk, one.item.exposure or 0.0)
    if order == "exposure":
        return -1.0 if one.item.exposure is None else one.item.exposure
    if order == "recent":
        return one.last
    hours = {"2026-01-01": 24, "2026-01-02T00:00:00+02:00": 46, "2025-12-31T10:00:00Z": 10}
    return hours.get(one.item.captured_at, 1_000)


def paged(workspace: Workspace, query: QueueQuery, limit: int) -> list[QueueRow]:
    rows: list[QueueRow] = []
    page = workspace.queues.page(msgspec.structs.replace(query, limit=limit))
    rows += page.rows
    while page.after is not None:
        page = workspace.queues.page(msgspec.structs.replace(query, limit=limit, after=page.after))
        rows += page.rows
    return rows


FILTERS: Sequence[dict[str, object]] = [
    {"states": STATES},
    {"states": ("open", "skipped")},
    {"kind": "tweet"},
    {"kind": "product", "states": STATES, "split": "val"},
    {"label": "prohibited", "states": STATES},
    {"label": "toxic", "split": ""},
    {"split": "train", "states": STATES},
    {"states": ("decided",), "disagreement": True},
    {"states": ("decided",), "disagreement": True, "kind": "tweet", "split": "test"},
    {"min_probability": 0.6, "max_probability": 0.8},
    {"max_probability": 0.55, "label": "adult", "states": STATES},
    {"label": "no-such-label"},
]


def test_every_page_of_every_query_agrees_with_a_brute_force(busy: Workspace) -> None:
    known = facts(busy)
    for filters, order in itertools.product(FILTERS, PLAIN):
        query = msgspec.convert({**msgspec.to_builtins(QueueQuery()), **filters, "order": order}, QueueQuery)
        wanted = expected(known, query)
        rows = paged(busy, query, limit=9)
        assert [row.item for row in rows] == wanted, (filters, order)
        assert busy.queues.count(query) == len(wanted)


def test_the_pages_size_changes_nothing(busy: Workspace) -> None:
    query = QueueQuery(states=STATES, order="exposure")
    whole = [row.item for row in paged(busy, query, limit=1000)]
    assert len(whole) == 308
    for limit in (1, 50, 308):
        assert [row.item for row in paged(busy, query, limit=limit)] == whole


def test_counts_agree_with_the_pages(busy: Workspace) -> None:
    counts = busy.queues.counts()
    for state in STATES:
        assert getattr(counts, state) == len(paged(busy, QueueQuery(states=(state,)), limit=1000))
    assert counts.total == 308


def test_search_finds_the_beginnings_of_words_whatever_the_accents(workspace: Workspace) -> None:
    texts = {"a": "Καλημέρα κόσμε", "b": "Good KETTLE morning", "c": "kettles only"}
    workspace.items.add(
        (Item(id=name, kind="tweet", text=text, author="@Sorrel"), None) for name, text in texts.items()
    )

    def found(words: str) -> list[str]:
        return [row.item for row in workspace.queues.page(QueueQuery(search=words, order="oldest")).rows]

    assert found("καλημερα") == ["a"]
    assert found("kettle") == ["b", "c"]
    assert found("kettle good") == ["b"]
    assert found("@sorrel") == ["a", "b", "c"]
    assert found("p3") == ["p3"]
    assert found('"*:^(') == []
    assert found("nowhere") == []


def test_a_search_with_many_matches_is_walked_in_order(busy: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    query = QueueQuery(states=STATES, search="kettle", order="risk")
    few = [row.item for row in paged(busy, query, limit=7)]
    monkeypatch.setattr("engine.workspace.search.FEW", 1)
    assert [row.item for row in paged(busy, query, limit=7)] == few
    assert len(few) == busy.queues.count(query) > 20


def test_a_row_without_title_shows_the_beginning_of_its_text(workspace: Workspace) -> None:
    workspace.items.add([(Item(id="long", kind="tweet", text="x" * 200), None)])
    row = workspace.queues.row("long")
    assert (row.title, row.task, row.label, row.probability, row.state) == ("x" * 80, "toxicity", "", None, "open")
    assert workspace.queues.row("p1").title == "Product p1"


def test_mistakes_in_a_query_are_named(workspace: Workspace) -> None:
    for query, words in (
        (QueueQuery(order="risky"), "Did you mean 'risk'"),
        (QueueQuery(states=("opened",)), "Did you mean 'open'"),
        (QueueQuery(limit=0), "0 rows"),
        (QueueQuery(listed="flip"), "Did you mean 'flips'"),
        (QueueQuery(order="flips"), "Only the queue 'flips'"),
        (QueueQuery(order="teach", listed="flips"), "Only the queue 'teach'"),
    ):
        with pytest.raises(InputError, match=words):
            workspace.queues.page(query)
    with pytest.raises(NotFoundError, match="t99"):
        workspace.queues.row("t99")


def test_no_query_sorts_or_scans(busy: Workspace) -> None:
    """Each index range is read in its own order: no temporary sort, no walk through the table."""
    statements: list[str] = []
    connection = busy.queues._db.connection
    connection.set_trace_callback(statements.append)
    for order in PLAIN:
        for query in (QueueQuery(order=order, limit=3), QueueQuery(order=order, split="val", limit=3)):
            page = busy.queues.page(query)
            busy.queues.page(msgspec.structs.replace(query, after=page.after))
    connection.set_trace_callback(None)
    ranges = [statement for statement in statements if "INDEXED BY" in statement]
    assert len(ranges) > 30
    for statement in ranges:
        plan = " ".join(row[3] for row in busy.queues._db.all(f"EXPLAIN QUERY PLAN {statement}"))
        assert "COVERING INDEX" in plan, statement
        assert "B-TREE" not in plan, statement
        assert "SCAN queue" not in plan, statement


def test_a_changed_taxonomy_refreshes_the_queue_on_opening(
    workspace: Workspace, champion: str, add_model: Callable[[str], None]
) -> None:
    draw = random.Random(0)
    workspace.verdicts.put([_verdict(draw, workspace.items.get(f"t{number}")) for number in range(1, 5)])
    workspace.close()
    file = workspace.path / "taxonomy.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("severity = 3", "severity = 1"), encoding="utf-8")
    with Workspace.open(workspace.path) as again:
        assert not again.queues.pending
        rows = again.queues.page(QueueQuery(kind="tweet", label="toxic", order="risk")).rows
        keys = again.queues._db.all("SELECT risk FROM queue WHERE label = 'toxic'")
        assert len(rows) == len(keys) > 0
        assert all(key <= 1.0 for (key,) in keys)
