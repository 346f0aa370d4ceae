"""The chain of decisions: how a row is written down for hashing, and how the whole chain is checked.

A row's hash is SHA-256 over a fixed prefix and the row as a JSON array of its fields in the order of `COLUMNS`
(without the hash itself), the last of them the hash of the row before. Numbers are written in their shortest exact
form and text as UTF-8, so that the same row always gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from engine.types import Action, Decision
from engine.workspace.database import Row
from engine.workspace.encoding import dump, read_labels

COLUMNS = (
    "number, act, item, task, action, labels, reviewer, at, seconds, note, shown_model, shown_labels,"
    " shown_probability, undoes, previous, hash"
)
COLUMNS_OF_DECISIONS = ", ".join(f"decisions.{name}" for name in COLUMNS.split(", "))
"""The same, where another table is read with it."""

_PREFIX = b"second look decision 1\n"
_encoder = msgspec.json.Encoder()


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` found: `rows` checked, and the number of the first bad row with the reason, where not `ok`."""

    ok: bool
    rows: int
    first_bad: int | None = None
    reason: str = ""


def canonical(decision: Decision) -> bytes:
    """Return the bytes that a row's hash is taken over."""
    return _PREFIX + _encoder.encode(
        (
            decision.number,
            decision.act,
            decision.item,
            decision.task,
            decision.action.value,
            decision.labels,
            decision.reviewer,
            decision.at,
            float(decision.seconds),
            decision.note,
            decision.shown_model,
            decision.shown_labels,
            None if decision.shown_probability is None else float(decision.shown_probability),
            decision.undoes,
            decision.previous,
        )
    )


def seal(decision: Decision) -> Decision:
    """Return the row with its hash."""
    return msgspec.structs.replace(decision, hash=hashlib.sha256(canonical(decision)).hexdigest())


def check(decisions: Iterable[Decision], number: int = 0, previous: str = "") -> tuple[int, str, str]:
    """Follow rows on from the row `number` with hash `previous`.

    Returns (number of the last good row, its hash, reason why the next one is bad or "").
    """
    for decision in decisions:
        if decision.number != number + 1:
            return number, previous, f"row {number + 1} is missing"
        if decision.previous != previous:
            return number, previous, f"row {decision.number} does not continue row {number}"
        if hashlib.sha256(canonical(decision)).hexdigest() != decision.hash:
            return number, previous, f"row {decision.number} was changed after it was written"
        number, previous = decision.number, decision.hash
    return number, previous, ""


def decision_of(row: Row) -> Decision:
    """Return the decision of a row of `COLUMNS`."""
    return Decision(
        number=row[0],
        act=row[1],
        item=row[2],
        task=row[3],
        action=Action(row[4]),
        labels=read_labels(row[5]),
        reviewer=row[6],
        at=row[7],
        seconds=row[8],
        note=row[9],
        shown_model=row[10],
        shown_labels=read_labels(row[11]),
        shown_probability=row[12],
        undoes=row[13],
        previous=row[14],
        hash=row[15],
    )


def row_of(decision: Decision) -> Row:
    """Return the values of `COLUMNS`."""
    return (
        decision.number,
        decision.act,
        decision.item,
        decision.task,
        decision.action.value,
        dump(decision.labels),
        decision.reviewer,
        decision.at,
        decision.seconds,
        decision.note,
        decision.shown_model,
        dump(decision.shown_labels),
        decision.shown_probability,
        decision.undoes,
        decision.previous,
        decision.hash,
    )
