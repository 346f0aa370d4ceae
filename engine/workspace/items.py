"""Items: added once, never changed but for their split."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from engine.errors import InputError, NotFoundError
from engine.taxonomy import Taxonomy
from engine.types import Item, ItemContent
from engine.workspace import board, staging
from engine.workspace.captures import Captures
from engine.workspace.database import Database, Row
from engine.workspace.encoding import read_labels, read_meta, read_regions, read_truths
from engine.workspace.staging import COLUMNS

SPLITS = ("", "train", "val", "test")


def item_of(row: Row) -> Item:
    """Return the item of a row of `COLUMNS`."""
    return Item(
        id=row[0],
        kind=row[1],
        title=row[2],
        text=row[3],
        author=row[4],
        capture=row[5],
        split=row[6],
        width=row[7],
        height=row[8],
        url=row[9],
        captured_at=row[10],
        exposure=row[11],
        subsets=read_labels(row[12]),
        truths=read_truths(row[13]),
        regions=read_regions(row[14]),
        meta=read_meta(row[15]),
    )


class Items:
    """Everything about items that does not depend on models or reviewers."""

    def __init__(self, db: Database, taxonomy: Taxonomy, captures: Captures) -> None:
        self._db = db
        self._taxonomy = taxonomy
        self._captures = captures

    def add(self, items: Iterable[tuple[Item, bytes | None]], *, then: Callable[[], None] | None = None) -> int:
        """Add items with their PNG bytes and return how many; all of them or, on any error, none.

        Captures are on the disk before the rows are. The rows wait in a temporary table while the caller still
        produces them, so that the database is locked for the final move only. `Item.capture` is filled in from the
        bytes; where it is given without bytes, the capture must already be kept. `then` is called in the transaction
        that adds them, for what is to be written with them. Raises `InputError` (an id that is already taken, a
        capture that is not there), `StorageError`.
        """
        return staging.add(self._db, self._captures, items, imported=time.time(), then=then)

    def get(self, item: str) -> Item:
        """Return the item of this id; raises `NotFoundError` that names the nearest id."""
        row = self._db.one(f"SELECT {COLUMNS} FROM items WHERE id = ?", (item,))
        if row is None:
            raise NotFoundError(f"There is no item '{item}' in this workspace.", self._nearest(item))
        return item_of(row)

    def get_many(self, items: Sequence[str]) -> list[Item]:
        """Return the items in the order asked for; raises `NotFoundError` for the first that does not exist."""
        rows = self._db.all(f"SELECT {COLUMNS} FROM items WHERE id IN (SELECT value FROM json_each(?))", (_ids(items),))
        found = {row[0]: item_of(row) for row in rows}
        return [found[item] if item in found else self.get(item) for item in items]

    def exists(self, items: Iterable[str]) -> set[str]:
        """Return those of the ids that the workspace has."""
        rows = self._db.all("SELECT id FROM items WHERE id IN (SELECT value FROM json_each(?))", (_ids(items),))
        return {row[0] for row in rows}

    def unassigned(self, items: Iterable[str]) -> set[str]:
        """Return those of the ids whose item exists and has no split yet."""
        rows = self._db.all(
            "SELECT id FROM items WHERE id IN (SELECT value FROM json_each(?)) AND split = ''", (_ids(items),)
        )
        return {row[0] for row in rows}

    def content(self, item: Item) -> ItemContent:
        """Return what a model may look at; the capture as an absolute path."""
        path = None if item.capture is None else self._captures.path_of(item.capture).absolute()
        return ItemContent(
            id=item.id,
            kind=item.kind,
            title=item.title,
            text=item.text,
            capture=None if path is None else str(path),
            regions=item.regions,
        )

    def count(self) -> int:
        """Return how many items there are, without counting them one by one."""
        return int(self._db.value("SELECT COALESCE(SUM(items), 0) FROM facets"))

    def iter(self, *, split: str | None = None, kind: str | None = None, batch: int = 1000) -> Iterator[Item]:
        """Yield items in the order they were added; no lock is held between batches."""
        after = 0
        while True:
            rows = self._db.all(
                f"SELECT row, {COLUMNS} FROM items WHERE row > ? AND (? IS NULL OR split = ?)"
                " AND (? IS NULL OR kind = ?) ORDER BY row LIMIT ?",
                (after, split, split, kind, kind, batch),
            )
            yield from (item_of(row[1:]) for row in rows)
            if len(rows) < batch:
                return
            after = rows[-1][0]

    def set_splits(self, splits: Mapping[str, str]) -> int:
        """Assign items to "train", "val" or "test" ("" takes back) and return how many changed; all or none."""
        for item, split in splits.items():
            if split not in SPLITS:
                raise InputError(f"'{split}' is no split (item '{item}').", "Use train, val or test.")
        with self._db.transaction():
            numbers = self._numbers(splits)
            changed = self._db.many(
                "UPDATE items SET split = ? WHERE row = ? AND split <> ?",
                ((splits[item], row, splits[item]) for item, row in numbers.items()),
            )
            board.refresh(self._db, self._taxonomy, sorted(numbers.values()))
        return changed

    def without_verdict(
        self, model: str, *, after: int = 0, limit: int = 256, again: bool = False
    ) -> list[tuple[int, ItemContent]]:
        """Return items that the model has not judged, with their row numbers; pass the last one as `after` to go on.

        Only kinds for which the model has a task that applies; with `again` also items that it has judged already.
        Raises `NotFoundError` for an unknown model.
        """
        number, kinds = board.scorable(self._db, self._taxonomy, model)
        rows = self._db.all(
            f"SELECT row, {COLUMNS} FROM items WHERE row > ? AND kind IN (SELECT value FROM json_each(?))"
            " AND (? OR NOT EXISTS (SELECT 1 FROM verdicts WHERE model = ? AND verdicts.row = items.row))"
            " ORDER BY row LIMIT ?",
            (after, _ids(kinds), again, number, limit),
        )
        return [(row[0], self.content(item_of(row[1:]))) for row in rows]

    def spread(self, model: str, limit: int) -> list[ItemContent]:
        """Return at most `limit` items of kinds for which the model has a task, spread over all in their order.

        Raises `NotFoundError` for an unknown model.
        """
        _, kinds = board.scorable(self._db, self._taxonomy, model)
        first, last = self._db.all("SELECT COALESCE(MIN(row), 0), COALESCE(MAX(row), 0) FROM items")[0]
        rows = self._db.all(
            f"SELECT {COLUMNS} FROM items WHERE row IN (SELECT (SELECT row FROM items WHERE row >= place.value"
            " AND kind IN (SELECT value FROM json_each(?)) ORDER BY row LIMIT 1) FROM json_each(?) AS place)"
            " ORDER BY row",
            (_ids(kinds), msgspec.json.encode(_spread(first, last, limit)).decode()),
        )
        return [self.content(item_of(row)) for row in rows]

    def count_without_verdict(self, model: str, *, again: bool = False) -> int:
        """Return how many items `without_verdict` would list in all, without looking at them."""
        number, kinds = board.scorable(self._db, self._taxonomy, model)
        items = self._db.value(
            "SELECT COALESCE(SUM(items), 0) FROM facets WHERE kind IN (SELECT value FROM json_each(?))", (_ids(kinds),)
        )
        scored = 0 if again else self._db.value("SELECT scored FROM models WHERE number = ?", (number,))
        return max(0, int(items) - int(scored))

    def capture_path(self, sha: str) -> Path:
        """Return the capture's file."""
        return self._captures.path_of(sha)

    def _numbers(self, items: Iterable[str]) -> dict[str, int]:
        wanted = list(items)
        rows = self._db.all("SELECT id, row FROM items WHERE id IN (SELECT value FROM json_each(?))", (_ids(wanted),))
        numbers = {row[0]: row[1] for row in rows}
        for item in wanted:
            if item not in numbers:
                self.get(item)
        return numbers

    def _nearest(self, item: str) -> str:
        """Look among ids that begin alike: comparing with a million ids would take seconds."""
        for length in (len(item) - 1, len(item) // 2, 1, 0):
            stem = item[: max(length, 0)]
            rows = self._db.all(
                "SELECT id FROM items WHERE id >= ? AND id < ? ORDER BY id LIMIT 500", (stem, stem + "\U0010ffff")
            )
            near = difflib.get_close_matches(item, [row[0] for row in rows], n=1)
            if near:
                return f"Did you mean '{near[0]}'?"
        return "List the ids with: secondlook items WORKSPACE."


def _spread(first: int, last: int, count: int) -> list[int]:
    """At most `count` numbers from `first` to `last`, evenly apart."""
    span = last + 1 - first
    count = min(count, span)
    return [first + place * span // count for place in range(count)]


def _ids(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
