"""Acts: which rows of decisions belong to one visit, and which acts still stand.

The table `acts` repeats what the chain says, so that finding the last standing act takes one step however many
undos there were.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import msgspec

from engine.errors import InputError
from engine.taxonomy import Task, Taxonomy
from engine.types import Action, Decision
from engine.workspace.database import Database

if TYPE_CHECKING:
    from engine.workspace.decisions import GivenDecision, NewDecision

_New = TypeVar("_New", bound="NewDecision")

Rows = Mapping[str, tuple[int, str]]
"""Item id to (row, kind)."""


def new_act() -> str:
    """Return a name that no other act has."""
    return uuid4().hex


def checked(new: NewDecision, taxonomy: Taxonomy, *, kind: str) -> NewDecision:
    """Return the decision in canonical form; raises `InputError` where it does not fit the taxonomy."""
    if new.action is Action.UNDO:
        raise InputError("An undo is not recorded as a decision.", "Take the act back with undo instead.")
    return _checked(new, taxonomy, kind)


def checked_given(given: GivenDecision, taxonomy: Taxonomy, *, kind: str) -> GivenDecision:
    """Return the same for a decision that was made elsewhere, which may be an undo and has an act and a time."""
    if not given.act:
        raise InputError(f"A decision on '{given.item}' has no act.", "Give each visit a name of its own.")
    if (given.action is Action.UNDO) != bool(given.undoes):
        raise InputError(
            f"The {given.action.value} of '{given.item}' and what it takes back do not fit.",
            "Give an undo, and only an undo, the act that it takes back.",
        )
    return _checked(given, taxonomy, kind)


def _checked(new: _New, taxonomy: Taxonomy, kind: str) -> _New:
    if not new.reviewer.strip():
        raise InputError(f"The decision on '{new.item}' names no reviewer.", "Say who decides.")
    if not math.isfinite(new.seconds) or new.seconds < 0:
        raise InputError(
            f"The time spent on '{new.item}' is {new.seconds} seconds, which cannot be.",
            "Give a number of seconds from 0 up, or leave it out.",
        )
    if new.shown_probability is not None and not math.isfinite(new.shown_probability):
        raise InputError(
            f"The shown probability of '{new.item}' is {new.shown_probability}, which cannot be.",
            "Give a number from 0 to 1, or leave it out.",
        )
    labels: tuple[str, ...] = ()
    if new.action in {Action.CONFIRM, Action.CORRECT}:
        labels = _labels(new, taxonomy.task(new.task), kind)
    elif new.labels:
        raise InputError(f"A {new.action.value} of '{new.item}' carries labels.", "Leave them out, or decide.")
    elif new.task:
        taxonomy.task(new.task)
    return msgspec.structs.replace(
        new, labels=labels, note=_writable(new.note), reviewer=_writable(new.reviewer), seconds=float(new.seconds)
    )


def unknown(
    db: Database, given: Sequence[GivenDecision], rows: Rows, known: Mapping[int, Sequence[Decision]]
) -> list[GivenDecision]:
    """Return those that are not among the `known` rows (by item row), under an act that is theirs alone.

    An act that another item or reviewer has here gets a name that follows from all three, the same each time.
    """
    there = {row: {_mark(one, at=at) for one in found for at in (True, False)} for row, found in known.items()}
    taken = _owners(db, {act for one in given for act in (one.act, one.undoes) if act})
    new = []
    for one in given:
        row = rows[one.item][0]
        own = msgspec.structs.replace(
            one,
            act=_own_act(one.act, (row, one.reviewer), taken),
            undoes=one.undoes and _own_act(one.undoes, (row, one.reviewer), taken),
        )
        if _mark(own, at=bool(own.at)) not in there.get(row, ()):
            new.append(own)
    return new


def _mark(one: Decision | GivenDecision, *, at: bool) -> tuple[object, ...]:
    return (one.act, one.task, one.action, one.labels, one.reviewer, one.at if at else "")


def _owners(db: Database, acts: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return (item row, reviewer) of those of the acts that are here."""
    wanted = msgspec.json.encode(sorted(acts)).decode()
    found = db.all(
        "SELECT act, row, reviewer FROM json_each(?) AS wanted CROSS JOIN acts ON acts.act = wanted.value", (wanted,)
    )
    return {act: (row, reviewer) for act, row, reviewer in found}


def _own_act(act: str, owner: tuple[int, str], taken: dict[str, tuple[int, str]]) -> str:
    if taken.setdefault(act, owner) == owner:
        return act
    return hashlib.sha256(f"{act}\n{owner[0]}\n{owner[1]}".encode()).hexdigest()[:32]


def _labels(new: NewDecision, task: Task, kind: str) -> tuple[str, ...]:
    if kind not in task.applies_to:
        raise InputError(
            f"The task '{task.name}' is not asked of a {kind} such as '{new.item}'.",
            "Name one that is, or leave the answer out.",
        )
    given = {task.label(name).name for name in new.labels}
    if not task.multi and len(given) != 1:
        raise InputError(
            f"The task '{task.name}' takes exactly one label, '{new.item}' was given {len(given)}.", "Give one."
        )
    return tuple(name for name in task.label_names if name in given)


def _writable(text: str) -> str:
    """Replace half character pairs, which some keyboards produce and no file can hold, rather than lose a decision."""
    return text.encode("utf-8", "replace").decode()


def name(db: Database, new: Sequence[NewDecision], rows: Rows) -> list[NewDecision]:
    """Give every row the act it belongs to; raises `InputError` for an act of another item or reviewer."""
    fresh: dict[tuple[str, str, str], str] = {}
    named = []
    for one in new:
        key = (one.act, one.item, one.reviewer)
        if key not in fresh:
            fresh[key] = one.act if _continues(db, one, rows[one.item][0]) else new_act()
        named.append(msgspec.structs.replace(one, act=fresh[key]))
    if len(set(fresh.values())) < len(fresh):
        raise InputError("One act was given for two items or two reviewers.", "Give each visit an act of its own.")
    return named


def _continues(db: Database, new: NewDecision, row: int) -> bool:
    """Whether the row may carry the act it asks for: a new one, or a standing one of this item and reviewer."""
    if not new.act:
        return False
    known = db.one("SELECT row, reviewer, undone_by FROM acts WHERE act = ?", (new.act,))
    if known is None:
        return True
    if (known[0], known[1]) != (row, new.reviewer):
        raise InputError(
            f"The act '{new.act}' belongs to another item or reviewer.", "Give each visit an act of its own."
        )
    return known[2] is None


def note(db: Database, recorded: Sequence[Decision], rows: Rows) -> None:
    """Remember that the acts of these rows stand."""
    db.many(
        "INSERT INTO acts (act, row, reviewer, last, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (act) DO UPDATE SET last = excluded.last, at = excluded.at",
        [(one.act, rows[one.item][0], one.reviewer, one.number, one.at) for one in recorded],
    )


def close(db: Database, act: str, undone_by: int) -> None:
    """Remember that an act was taken back by the row `undone_by`."""
    db.execute("UPDATE acts SET undone_by = ? WHERE act = ?", (undone_by, act))


def last_standing(db: Database, reviewer: str, *, item: int | None = None) -> tuple[str, int] | None:
    """Return (act, item row) of the reviewer's latest act that stands, of one item where given."""
    if item is None:
        row = db.one(
            "SELECT act, row FROM acts INDEXED BY acts_standing WHERE reviewer = ? AND undone_by IS NULL"
            " ORDER BY last DESC LIMIT 1",
            (reviewer,),
        )
    else:
        row = db.one(
            "SELECT acts.act, acts.row FROM decisions CROSS JOIN acts USING (act)"
            " WHERE decisions.row = ? AND acts.reviewer = ? AND undone_by IS NULL ORDER BY last DESC LIMIT 1",
            (item, reviewer),
        )
    return None if row is None else (row[0], row[1])


def count_standing(db: Database, reviewer: str | None, since: str | None) -> int:
    """Return how many acts stand, of one reviewer or since a moment where given."""
    return int(
        db.value(
            "SELECT COUNT(*) FROM acts WHERE undone_by IS NULL AND (? IS NULL OR reviewer = ?)"
            " AND (? IS NULL OR at >= ?)",
            (reviewer, reviewer, since, since),
        )
    )
