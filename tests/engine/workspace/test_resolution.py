from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.taxonomy import Taxonomy
from engine.types import Action, Decision
from engine.workspace.resolution import resolve

LABELS = {"verdict": ("ok", "adult", "prohibited"), "reason": ("alcohol", "smoking")}


class Step(NamedTuple):
    """One thing a reviewer does; `undo` points at an earlier act."""

    reviewer: str
    action: Action
    task: str
    labels: tuple[str, ...]
    undo: int


answers = st.one_of(
    st.tuples(st.just("verdict"), st.sampled_from(LABELS["verdict"]).map(lambda label: (label,))),
    st.tuples(st.just("reason"), st.sampled_from([(), ("alcohol",), ("smoking",), ("alcohol", "smoking")])),
    st.tuples(st.just("verdict"), st.just(("forgotten-label",))),
    st.tuples(st.just("forgotten-task"), st.just(("ok",))),
)


def _step(reviewer: str, action: Action, answer: tuple[str, tuple[str, ...]], undo: int) -> Step:
    return Step(reviewer, action, answer[0], answer[1], undo)


steps = st.builds(
    _step,
    st.sampled_from(["ann", "bob", "eve"]),
    st.sampled_from([*Action, Action.CORRECT, Action.CONFIRM]),
    answers,
    st.integers(0, 30),
)


def rows_of(history: list[Step]) -> list[Decision]:
    rows: list[Decision] = []
    for place, step in enumerate(history):
        answer = step.action in {Action.CONFIRM, Action.CORRECT}
        rows.append(
            Decision(
                number=place + 1,
                act=f"act{place // 2 if answer else place + 100}",
                item="i",
                task=step.task,
                action=step.action,
                labels=step.labels if answer else (),
                reviewer=step.reviewer,
                at="",
                undoes=f"act{step.undo // 2}" if step.action is Action.UNDO else "",
            )
        )
    return rows


def brute_force(rows: list[Decision]) -> tuple[dict[str, tuple[str, ...]], str]:
    """The rule read aloud, by trying every candidate answer and counting who stands behind it."""
    undone = [row.undoes for row in rows if row.action == "undo"]
    stand = [row for row in rows if row.action != "undo" and row.act not in undone]
    labels: dict[str, tuple[str, ...]] = {}
    for task, known in LABELS.items():
        votes = []
        for reviewer in {row.reviewer for row in rows}:
            own = [
                row
                for row in stand
                if (row.reviewer, row.task) == (reviewer, task)
                and row.action in {"confirm", "correct"}
                and all(label in known for label in row.labels)
            ]
            votes += own[-1:]
        if votes:
            support = {vote.labels: sum(other.labels == vote.labels for other in votes) for vote in votes}
            tied = [vote for vote in votes if support[vote.labels] == max(support.values())]
            labels[task] = max(tied, key=lambda vote: vote.number).labels
    if labels.get("verdict") != ("prohibited",):
        labels.pop("reason", None)
    due = {"verdict", "reason"} if labels.get("verdict") == ("prohibited",) else {"verdict"}
    if not stand:
        return labels, "open"
    last = stand[-1].action
    if last in {"skip", "escalate"}:
        return labels, "skipped" if last == "skip" else "escalated"
    return labels, "decided" if due <= set(labels) else "open"


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=14))
def test_the_rule_agrees_with_a_brute_force(taxonomy: Taxonomy, history: list[Step]) -> None:
    rows = rows_of(history)
    resolution = resolve(rows, taxonomy, "product")
    assert (resolution.labels, resolution.state) == brute_force(rows)


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=10), st.randoms(use_true_random=False))
def test_the_order_in_which_rows_are_read_does_not_matter(
    taxonomy: Taxonomy, history: list[Step], draw: object
) -> None:
    rows = rows_of(history)
    shuffled = list(rows)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled, taxonomy, "product") == resolve(rows, taxonomy, "product")


def vote(number: int, label: str, reviewer: str) -> Decision:
    return Decision(
        number=number,
        act=str(number),
        item="i",
        task="toxicity",
        action=Action.CORRECT,
        labels=(label,),
        reviewer=reviewer,
        at="",
    )


@pytest.mark.parametrize(
    ("votes", "label", "rests_on"),
    [
        (["ann toxic"], "toxic", (1,)),
        (["ann toxic", "bob non-toxic"], "non-toxic", (2,)),
        (["ann toxic", "bob non-toxic", "eve toxic"], "toxic", (1, 3)),
        (["ann toxic", "bob non-toxic", "ann non-toxic"], "non-toxic", (2, 3)),
        (["ann toxic", "bob non-toxic", "eve non-toxic", "dan toxic"], "toxic", (1, 4)),
    ],
)
def test_majority_then_most_recent(taxonomy: Taxonomy, votes: list[str], label: str, rests_on: tuple[int, ...]) -> None:
    rows = [vote(number, one.split()[1], one.split()[0]) for number, one in enumerate(votes, start=1)]
    resolution = resolve(rows, taxonomy, "tweet")
    assert resolution.labels == {"toxicity": (label,)}
    assert resolution.decisions == rests_on
