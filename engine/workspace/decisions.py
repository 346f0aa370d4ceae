"""Reviewers' decisions: recorded durably, chained, taken back by a row of their own, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from engine.errors import InputError, NotFoundError
from engine.taxonomy import Taxonomy
from engine.types import Action, CrossedOut, Decision, Item, Struct
from engine.workspace import acts, board, chain, marks, meta
from engine.workspace.annotations import attach
from engine.workspace.database import Database
from engine.workspace.encoding import now
from engine.workspace.resolution import resolve

READ_BATCH = 2_000


class NewDecision(Struct, frozen=True, kw_only=True):
    """What a reviewer just said about one task of an item.

    `act` groups the rows of one visit, so that one undo takes them all back; left empty, the rows of one `record`
    call about the same item by the same reviewer are one act. `labels` is empty for a skip or an escalation.
    `seconds` is the time the item was in front of the reviewer. `crossed_out` is what the reviewer calls a wrong
    reason; it is recorded with the decision and taken back with it.
    """

    item: str
    task: str = ""
    action: Action
    labels: tuple[str, ...] = ()
    reviewer: str
    seconds: float = 0.0
    note: str = ""
    shown_model: str = ""
    shown_labels: tuple[str, ...] = ()
    shown_probability: float | None = None
    act: str = ""
    crossed_out: tuple[CrossedOut, ...] = ()


class GivenDecision(NewDecision, frozen=True, kw_only=True):
    """A decision that was made elsewhere, to be recorded as it was made.

    `at` is when (UTC, ISO 8601 with milliseconds), "" where nobody knows: then it is when it came in. `act` tells one
    visit from another and a decision that came in before from a new one; it must be given. `undoes` is the `act` that
    an undo takes back.
    """

    at: str = ""
    undoes: str = ""


class Undone(Struct, frozen=True, kw_only=True):
    """An act that was taken back: its rows, the item to go back to, and the undo's own row."""

    act: str
    item: str
    decisions: tuple[Decision, ...]
    undo: Decision


class Decisions:
    """The append-only chain. Every method that writes is one transaction, on the disk when it returns."""

    def __init__(self, db: Database, taxonomy: Taxonomy) -> None:
        self._db = db
        self._taxonomy = taxonomy

    def record(self, new: Sequence[NewDecision]) -> list[Decision]:
        """Append the rows, all or none, and return them as recorded; when this returns they are on the disk.

        Labels are kept in the taxonomy's order. Rows for an act that has meanwhile been taken back start a new act.
        Raises `InputError` (a label the task does not have, an act of somebody else, something crossed out that the
        item does not have), `NotFoundError`, `StorageError`, `WorkspaceError`; then nothing was recorded.
        """
        if not new:
            return []
        with self._db.transaction():
            rows = self._rows({one.item for one in new})
            checked = [acts.checked(one, self._taxonomy, kind=rows[one.item][1]) for one in new]
            named = acts.name(self._db, checked, rows)
            crossed = [marks.checked(self._db, one.item, one.crossed_out) for one in named]
            recorded = self._append(named, rows)
            acts.note(self._db, recorded, rows)
            attach(self._db, recorded, crossed, {item: row for item, (row, _) in rows.items()})
            board.refresh(self._db, self._taxonomy, sorted({row for row, _ in rows.values()}))
        return recorded

    def undo(self, reviewer: str, *, item: str | None = None) -> Undone | None:
        """Take back the reviewer's last standing act (of this item, where one is named), across items and restarts.

        The undo is one row that names the act; undoing again takes back the act before that one, it is no redo.
        Returns None where nothing is left to take back.
        """
        with self._db.transaction():
            found = acts.last_standing(self._db, reviewer, item=None if item is None else self._row(item))
            if found is None:
                return None
            act, row = found
            taken = [one for one in self._of_row(row) if one.act == act]
            last = taken[-1]
            undo = NewDecision(
                item=last.item, task=last.task, action=Action.UNDO, reviewer=reviewer, act=acts.new_act()
            )
            (recorded,) = self._append([undo], {last.item: (row, "")}, undoes=act)
            acts.close(self._db, act, recorded.number)
            board.refresh(self._db, self._taxonomy, [row])
        return Undone(act=act, item=last.item, decisions=tuple(taken), undo=recorded)

    def fitting(
        self, item: Item, given: Sequence[GivenDecision], size: tuple[int, int] = (0, 0)
    ) -> tuple[list[GivenDecision], list[str]]:
        """Return the decisions as `adopt` would record them of this item, which need not be in the workspace yet.

        What is crossed out where the item has nothing of the kind is left out of its decision, and a sentence says
        so. `size` is that of the item's screenshot in pixels where the screenshot is missing; zeros: not known.

        Raises `InputError` for one that does not fit the taxonomy, the item, or those before it.
        """
        fit: list[GivenDecision] = []
        faults: list[str] = []
        standing: set[tuple[str, str]] = set()
        for number, one in enumerate(given, 1):
            own = acts.checked_given(msgspec.structs.replace(one, item=item.id), self._taxonomy, kind=item.kind)
            if own.action is Action.UNDO and (own.undoes, own.reviewer) not in standing:
                raise InputError(
                    f"Decision {number} on '{item.id}' takes back an act that does not stand.",
                    "Leave it out, or put the act that it takes back before it.",
                )
            standing.discard((own.undoes, own.reviewer))
            standing |= set() if own.action is Action.UNDO else {(own.act, own.reviewer)}
            kept, wrong = marks.fitting(item, own.crossed_out, size)
            faults += wrong
            fit.append(msgspec.structs.replace(own, crossed_out=kept))
        return fit, faults

    def adopt(self, given: Sequence[GivenDecision]) -> list[Decision]:
        """Append decisions that were made elsewhere and return those that are new; all or none.

        They are to be whole items: every decision about an item in one call, oldest first. What the workspace has
        already is passed over, so that the same file may be brought in twice. Raises as `record` does.
        """
        with self._db.transaction():
            rows = self._rows({one.item for one in given})
            checked = [acts.checked_given(one, self._taxonomy, kind=rows[one.item][1]) for one in given]
            known = board.decisions_of_rows(self._db, sorted({row for row, _ in rows.values()}))
            new = acts.unknown(self._db, checked, rows, known)
            if not new:
                return []
            crossed = [marks.checked_from_elsewhere(self._db, one.item, one.crossed_out) for one in new]
            recorded = self._append(new, rows)
            acts.note(self._db, [one for one in recorded if one.action is not Action.UNDO], rows)
            attach(self._db, recorded, crossed, {item: row for item, (row, _) in rows.items()})
            for undo in recorded:
                if undo.action is Action.UNDO:
                    acts.close(self._db, undo.undoes, undo.number)
            board.refresh(self._db, self._taxonomy, sorted({rows[one.item][0] for one in recorded}))
        return recorded

    def of(self, item: str) -> list[Decision]:
        """Return every row about an item, undos and undone ones included, oldest first."""
        return self._of_row(self._row(item))

    def of_many(self, items: Sequence[str]) -> dict[str, list[Decision]]:
        """Return the same for several items; raises `NotFoundError` for one that does not exist."""
        rows = self._rows(items)
        found = board.decisions_of_rows(self._db, [row for row, _ in rows.values()])
        return {item: found.get(rows[item][0], []) for item in items}

    def last(self, reviewer: str) -> Decision | None:
        """Return the last row of the reviewer's last standing act: what `undo` would take back. None if nothing is."""
        found = acts.last_standing(self._db, reviewer)
        return None if found is None else [one for one in self._of_row(found[1]) if one.act == found[0]][-1]

    def iter(self, after: int = 0) -> Iterator[Decision]:
        """Yield the rows behind the number `after` in order; no lock is held between batches."""
        while True:
            rows = self._db.all(
                f"SELECT {chain.COLUMNS} FROM decisions WHERE number > ? ORDER BY number LIMIT ?", (after, READ_BATCH)
            )
            yield from (chain.decision_of(row) for row in rows)
            if len(rows) < READ_BATCH:
                return
            after = rows[-1][0]

    def count(self, reviewer: str | None = None, since: str | None = None) -> int:
        """Return how many acts stand (visits to an item that were not taken back), skips and escalations included.

        Of one reviewer, or at or after a moment (UTC, ISO 8601 as in `Decision.at`), where given.
        """
        return acts.count_standing(self._db, reviewer, since)

    def corrections_since(self, number: int) -> int:
        """Return how many standing corrections there are behind the row `number`."""
        return int(
            self._db.value(
                "SELECT COUNT(*) FROM decisions INDEXED BY decisions_corrections CROSS JOIN acts USING (act)"
                " WHERE action = 'correct' AND number > ? AND undone_by IS NULL",
                (number,),
            )
        )

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the newest row; (0, "") where there is none."""
        return _parse_head(meta.get(self._db, meta.CHAIN_HEAD))

    def verify(self) -> chain.ChainReport:
        """Follow the whole chain from the first row: numbers without gaps, links, hashes, and the noted head."""
        number, noted = self.head()
        rows = (decision for decision in self.iter() if decision.number <= number)
        good, last, reason = chain.check(rows)
        if not reason and good < number:
            reason = f"rows {good + 1} to {number} are missing from the end"
        elif not reason and last != noted:
            reason = f"row {number} is not the one that was noted as the last"
        extra = int(self._db.value("SELECT COALESCE(MAX(number), 0) FROM decisions"))
        if not reason and extra > self.head()[0]:
            reason = f"row {number + 1} was added past the noted end"
        return chain.ChainReport(ok=not reason, rows=good, first_bad=good + 1 if reason else None, reason=reason)

    def resolved(self, item: str) -> dict[str, tuple[str, ...]]:
        """Return the item's label for each task that has one, by the rule in `resolution`."""
        return self.resolved_many([item])[item]

    def resolved_many(self, items: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the labels of several items; raises `NotFoundError` for one that does not exist."""
        rows = self._rows(items)
        decisions = board.decisions_of_rows(self._db, [row for row, _ in rows.values()])
        return {item: resolve(decisions.get(rows[item][0], ()), self._taxonomy, rows[item][1]).labels for item in items}

    def _append(
        self, new: Sequence[NewDecision], rows: dict[str, tuple[int, str]], *, undoes: str = ""
    ) -> list[Decision]:
        number, previous = self.head()
        moment = now()
        recorded = []
        for one in new:
            number += 1
            fields = {"at": moment, "undoes": undoes} | msgspec.structs.asdict(one)
            fields["at"] = fields["at"] or moment
            del fields["crossed_out"]
            sealed = chain.seal(Decision(number=number, previous=previous, **fields))
            previous = sealed.hash
            recorded.append(sealed)
        write(self._db, recorded, {item: row for item, (row, _) in rows.items()})
        return recorded

    def _row(self, item: str) -> int:
        return self._rows([item])[item][0]

    def _rows(self, items: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Return (row, kind) of each item."""
        wanted = list(items)
        found = self._db.all(
            "SELECT id, row, kind FROM items WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(wanted),)
        )
        rows = {item: (row, kind) for item, row, kind in found}
        for item in wanted:
            if item not in rows:
                raise NotFoundError(f"There is no item '{item}' in this workspace.", "Nothing was recorded.")
        return rows

    def _of_row(self, row: int) -> list[Decision]:
        return board.decisions_of_rows(self._db, [row]).get(row, [])


def write(db: Database, sealed: Sequence[Decision], rows: Mapping[str, int]) -> None:
    """Put rows that continue the chain behind its end and note the new end, inside the caller's transaction."""
    db.many(
        f"INSERT INTO decisions ({chain.COLUMNS}, row) VALUES ({', '.join('?' * 17)})",
        [(*chain.row_of(decision), rows[decision.item]) for decision in sealed],
    )
    meta.put(db, meta.CHAIN_HEAD, f"{sealed[-1].number}:{sealed[-1].hash}")


def _parse_head(value: str | None) -> tuple[int, str]:
    if value is None:
        return 0, ""
    number, _, noted = value.partition(":")
    return int(number), noted


__all__ = ["Decisions", "GivenDecision", "NewDecision", "Undone"]
