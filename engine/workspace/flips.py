"""Flips: items whose verdict changed when another model took over.

THE RULE. A verdict flips when an item shows another model's verdict on its kind's first task than before, with other
labels. What is remembered is the verdict from before the first flip that nobody has looked at since, so that a chain
of retrains hides nothing. The flip is over when a newer verdict says again what that one said (a rollback does that as
well), and it waits no longer once a reviewer acts on the item anew; taking that act back makes it wait again. After
that, the next change is a flip of its own. A flip contradicts a decision when the item's resolved label is not what
the new verdict says. The other tasks' verdicts may change as they like: the first task decides what is done with an
item, and most others hang on its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.counting import counted
from engine.taxonomy import Task
from engine.types import Struct
from engine.workspace import meta
from engine.workspace.database import Database
from engine.workspace.encoding import dump, read_labels, rows_parameter
from engine.workspace.resolution import Resolution

Labels = tuple[str, ...]
DONE, CHANGED, CONTRADICTS = 0, 1, 2
"""How a flip stands: a reviewer has acted on it, it waits, it waits and contradicts a decision."""

Old = tuple[int | None, str, float | None]
"""What a queue row showed: model, label and probability."""

_COLUMNS = "was, label, probability, labels, model, since, stands"
_TAKEN = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", "))
_FIRST = 2.0


class Judged(NamedTuple):
    """A shown verdict on the first task: the model's number, top label, its probability, what confirming means."""

    model: int
    label: str
    probability: float
    labels: Labels


class Record(NamedTuple):
    """A flip as it is kept: the verdict before, the model that changed it, the newest decision then, how it stands."""

    was: Judged
    model: int
    since: int
    stands: int


class Flip(Struct, frozen=True, kw_only=True):
    """A flip as people read it: which model changed the verdict, what it was before, and whose that was.

    `contradicts` says that the verdict now differs from the item's resolved label.
    """

    item: str
    model: str
    was_model: str
    was_label: str
    was_labels: Labels
    was_probability: float
    contradicts: bool


class FlipCounts(Struct, frozen=True, kw_only=True):
    """How many verdicts a model changed that have not gone back since.

    `waiting` of them are for a reviewer to look at, and `contradicting` of those contradict a decision.
    """

    changed: int = 0
    waiting: int = 0
    contradicting: int = 0

    @property
    def words(self) -> str:
        """What happened in a sentence: "12 verdicts changed; 3 now contradict a decision."."""
        if not self.changed:
            return "No verdict changed."
        changed = counted(self.changed, "verdict")
        contradict = "1 now contradicts" if self.contradicting == 1 else f"{self.contradicting:,} now contradict"
        return f"{changed} changed; {contradict if self.contradicting else 'none contradicts'} a decision."


def follow(
    record: Record | None, before: Judged | None, now: Judged | None, *, said: Labels | None, last: int, head: int
) -> Record | None:
    """Apply the rule above to one item and return its flip, or None.

    `said` is the resolved label (None where there is none), `last` the item's latest standing decision row (0 for
    none), `head` the newest row of the whole chain.
    """
    if now is None:
        return None
    if before is not None and before.model != now.model and not _same(before.labels, now.labels):
        if record is not None and last <= record.since:
            record = record._replace(model=now.model)
        else:
            record = Record(was=before, model=now.model, since=head, stands=CHANGED)
        if _same(record.was.labels, now.labels):
            return None
    if record is None:
        return None
    contradicts = said is not None and not _same(said, now.labels)
    return record._replace(stands=DONE if last > record.since else CONTRADICTS if contradicts else CHANGED)


def place_of(record: Record, probability: float) -> float | None:
    """Return the place on the list of flips, the highest first: contradictions, then the surest new verdicts.

    None where the flip no longer waits. `probability` is the new verdict's.
    """
    if record.stands == DONE:
        return None
    return probability + (_FIRST if record.stands == CONTRADICTS else 0.0)


def _same(one: Labels, other: Labels) -> bool:
    return set(one) == set(other)


class Ledger:
    """The flips of some items, read once, followed item by item, written once, inside the caller's transaction."""

    def __init__(self, db: Database, rows: Sequence[int]) -> None:
        self._db = db
        self._known = _records(db, rows)
        self._changed: dict[int, Record | None] = {}
        self._newest: int | None = None

    def knows(self, row: int) -> bool:
        """Whether an item has a flip; without one, only another model's other verdict makes one."""
        return row in self._known

    def follow(self, row: int, task: Task, old: Old, now: Judged | None, resolution: Resolution) -> Record | None:
        """Return how an item's flip stands now, or None, and remember what is to be written.

        `task` is the first of the item's kind.
        """
        record = known = self._known.get(row)
        if record is not None and not set(record.was.labels) <= set(task.label_names):
            record = None  # the taxonomy asks something else by now
        before = self._before(row, task, old, now)
        if record is not None or before is not None:
            said = resolution.labels.get(task.name)
            record = follow(record, before, now, said=said, last=resolution.last, head=self._head())
        if record != known:
            self._changed[row] = record
        return record

    def _before(self, row: int, task: Task, old: Old, now: Judged | None) -> Judged | None:
        """Return the verdict that the queue row showed where another model's takes its place, with all its labels."""
        model, label, probability = old
        if model is None or probability is None or now is None or model == now.model or label not in task.label_names:
            return None
        if not task.multi:
            return Judged(model, label, probability, (label,))
        labels = self._db.value(
            "SELECT labels FROM verdicts WHERE model = ? AND row = ? AND task = ?", (model, row, task.name)
        )
        return None if labels is None else Judged(model, label, probability, read_labels(labels))

    def write(self) -> None:
        """Write what changed."""
        gone = [row for row, record in self._changed.items() if record is None]
        if gone:
            self._db.execute("DELETE FROM flips WHERE row IN (SELECT value FROM json_each(?))", (rows_parameter(gone),))
        self._db.many(
            f"INSERT INTO flips (row, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            f" ON CONFLICT (row) DO UPDATE SET {_TAKEN}",
            [
                (row, *record.was[:3], dump(record.was.labels), *record[1:])
                for row, record in self._changed.items()
                if record is not None
            ],
        )

    def _head(self) -> int:
        if self._newest is None:
            self._newest = int((meta.get(self._db, meta.CHAIN_HEAD) or "0").partition(":")[0])
        return self._newest


class Flips:
    """Reads what `Ledger` keeps."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, item: str) -> Flip | None:
        """Return an item's flip while it waits for a reviewer, or None."""
        return self.of_many([item]).get(item)

    def of_many(self, items: Sequence[str]) -> dict[str, Flip]:
        """Return the waiting flips among these items, by item."""
        rows = self._db.all(
            "SELECT items.id, models.id, old.id, label, labels, probability, stands"
            " FROM items CROSS JOIN flips ON flips.row = items.row"
            " CROSS JOIN models ON models.number = flips.model CROSS JOIN models AS old ON old.number = flips.was"
            " WHERE items.id IN (SELECT value FROM json_each(?)) AND stands <> 0",
            (dump(items),),
        )
        return {
            row[0]: Flip(
                item=row[0],
                model=row[1],
                was_model=row[2],
                was_label=row[3],
                was_labels=read_labels(row[4]),
                was_probability=row[5],
                contradicts=row[6] == CONTRADICTS,
            )
            for row in rows
        }

    def counts(self, model: str) -> FlipCounts:
        """Return how many verdicts a model changed; all zero for one that changed none or is not known."""
        rows = self._db.all(
            "SELECT stands, COUNT(*) FROM flips WHERE model = (SELECT number FROM models WHERE id = ?) GROUP BY stands",
            (model,),
        )
        found: dict[int, int] = dict(rows)
        contradicting = found.get(CONTRADICTS, 0)
        waiting = contradicting + found.get(CHANGED, 0)
        return FlipCounts(changed=waiting + found.get(DONE, 0), waiting=waiting, contradicting=contradicting)


def _records(db: Database, rows: Iterable[int]) -> dict[int, Record]:
    found = db.all(
        f"SELECT row, {_COLUMNS} FROM json_each(?) AS wanted CROSS JOIN flips ON flips.row = wanted.value",
        (rows_parameter(rows),),
    )
    return {
        row: Record(Judged(was, label, probability, read_labels(labels)), model, since, stands)
        for row, was, label, probability, labels, model, since, stands in found
    }
