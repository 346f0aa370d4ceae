"""What reviewers crossed out: recorded with the decision, chained, never changed, taken back with the decision's act.

A row's hash is SHA-256 over a fixed prefix and a JSON array: its number, the number and hash of the decision that it
belongs to, what was crossed out, and the hash of the row before. The decision's own hash stands for who, when and
where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from engine.types import Annotation, CrossedOut, Decision, Mark
from engine.workspace import marks, meta
from engine.workspace.chain import ChainReport
from engine.workspace.database import Database, Row
from engine.workspace.encoding import dump, read_box, read_boxes, rows_parameter

READ_BATCH = 2_000
_PREFIX = b"second look annotation 1\n"
_OWN = "number, decision, kind, label, field, start, stop, text, box, boxes, region, previous, hash"
_READ = (
    f"SELECT {', '.join(f'annotations.{name}' for name in _OWN.split(', '))}, annotations.row,"
    " decisions.row, decisions.hash, decisions.act, decisions.item, decisions.task, decisions.reviewer, decisions.at,"
    " acts.undone_by IS NULL FROM {source} LEFT JOIN decisions ON decisions.number = annotations.decision"
    " LEFT JOIN acts ON acts.act = decisions.act"
)
_encoder = msgspec.json.Encoder()


class Annotations:
    """What was crossed out, item by item and as a whole. Recorded by `Decisions.record`, in its transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, item: str) -> list[Annotation]:
        """Return everything that was ever crossed out in an item, oldest first; nothing for an unknown item."""
        row = self._db.value("SELECT row FROM items WHERE id = ?", (item,))
        return [] if row is None else of_rows(self._db, [row]).get(row, [])

    def of_many(self, items: Sequence[str]) -> dict[str, list[Annotation]]:
        """Return the same for several items; those with nothing crossed out are left out."""
        rows = self._db.all("SELECT row FROM items WHERE id IN (SELECT value FROM json_each(?))", (dump(items),))
        found = of_rows(self._db, [row for (row,) in rows])
        return {annotations[0].item: annotations for annotations in found.values()}

    def count(self) -> int:
        """Return how many annotations there are, those that were taken back included."""
        return _head(self._db)[0]

    def verify(self) -> ChainReport:
        """Follow all annotations from the first: numbers, links, hashes, their decisions, and the noted end."""
        head, noted = _head(self._db)
        good, last = 0, ""
        for row in self._all():
            if reason := _fault(row, good, last):
                return ChainReport(ok=False, rows=good, first_bad=good + 1, reason=reason)
            good, last = row[0], row[12]
        if (good, last) != (head, noted):
            reason = f"the last one should be annotation {head}, but it is another one"
            return ChainReport(ok=False, rows=good, first_bad=min(good, head) + 1, reason=reason)
        return ChainReport(ok=True, rows=good)

    def _all(self) -> Iterator[Row]:
        after = 0
        while rows := self._db.all(
            f"{_READ.format(source='annotations')} WHERE annotations.number > ? ORDER BY annotations.number LIMIT ?",
            (after, READ_BATCH),
        ):
            yield from rows
            after = rows[-1][0]


def attach(
    db: Database, recorded: Sequence[Decision], crossed: Sequence[tuple[CrossedOut, ...]], rows: dict[str, int]
) -> None:
    """Record what was crossed out with each of the decisions, inside the caller's transaction."""
    if not any(crossed):
        return
    number, previous = _head(db)
    values = []
    for decision, parts in zip(recorded, crossed, strict=True):
        for part in parts:
            number += 1
            fields = _fields(part)
            digest = _digest(number, decision.number, decision.hash, fields, previous)
            values.append((number, decision.number, *fields, previous, digest, rows[decision.item]))
            previous = digest
    db.many(f"INSERT INTO annotations ({_OWN}, row) VALUES ({', '.join('?' * 14)})", values)
    meta.put(db, meta.ANNOTATION_HEAD, f"{number}:{previous}")


def of_rows(db: Database, rows: Sequence[int]) -> dict[int, list[Annotation]]:
    """Return everything that was ever crossed out in these items, by item row."""
    source = "json_each(?) AS wanted CROSS JOIN annotations ON annotations.row = wanted.value"
    found: dict[int, list[Annotation]] = {}
    for row in db.all(f"{_READ.format(source=source)} ORDER BY annotations.number", (rows_parameter(rows),)):
        found.setdefault(row[13], []).append(_annotation(row))
    return found


def crossed_out(annotations: Sequence[Annotation], decisions: Sequence[int]) -> tuple[CrossedOut, ...]:
    """Return what was crossed out with these decisions, each part once, in the order in which it was."""
    wanted = set(decisions)
    return tuple(dict.fromkeys(marks.plain(one) for one in annotations if one.decision in wanted and one.stands))


def genuine(annotation: Annotation, decision: Decision) -> bool:
    """Whether an annotation from elsewhere is the one whose hash it carries, recorded with this very decision."""
    noted = _digest(annotation.number, decision.number, decision.hash, _fields(annotation), annotation.previous)
    return annotation.decision == decision.number and annotation.hash == noted


def _fields(part: CrossedOut) -> Row:
    """Return the values of the columns `kind` to `region`."""
    where = (part.field, part.start, part.end, part.text, dump(part.box), dump(part.boxes), part.region)
    return (part.kind.value, part.label, *where)


def _digest(number: int, decision: int, decision_hash: str, fields: Row, previous: str) -> str:
    body = _encoder.encode((number, decision, decision_hash, *fields, previous))
    return hashlib.sha256(_PREFIX + body).hexdigest()


def _fault(row: Row, good: int, last: str) -> str:
    """Return why a row does not follow the one before, "" where it does."""
    number, decision, fields, previous, noted = row[0], row[1], row[2:11], row[11], row[12]
    if number != good + 1:
        return f"annotation {good + 1} is missing"
    if previous != last:
        return f"annotation {number} does not continue annotation {good}"
    if row[13] != row[14]:
        return f"annotation {number} is not of the item that its decision is about"
    if noted != _digest(number, decision, row[15], fields, previous):
        return f"annotation {number} was changed after it was written"
    return ""


def _annotation(row: Row) -> Annotation:
    return Annotation(
        number=row[0],
        decision=row[1],
        kind=Mark(row[2]),
        label=row[3],
        field=row[4],
        start=row[5],
        end=row[6],
        text=row[7],
        box=read_box(row[8]),
        boxes=read_boxes(row[9]),
        region=row[10],
        previous=row[11],
        hash=row[12],
        act=row[16],
        item=row[17],
        task=row[18],
        reviewer=row[19],
        at=row[20],
        stands=bool(row[21]),
    )


def _head(db: Database) -> tuple[int, str]:
    """Return the number and hash of the newest annotation as they were noted; (0, "") where there is none."""
    number, _, noted = (meta.get(db, meta.ANNOTATION_HEAD) or "0:").partition(":")
    return int(number), noted
