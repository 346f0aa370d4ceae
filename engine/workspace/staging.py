"""Adding items in bulk: captures first, rows into a temporary table, then one short transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from engine.errors import InputError
from engine.types import Item
from engine.workspace import ranking
from engine.workspace.captures import Captures
from engine.workspace.database import Database
from engine.workspace.encoding import dump
from engine.workspace.facets import Facet, FacetBook
from engine.workspace.search import fold

BATCH = 64
"""Items whose capture bytes are in memory at once."""

MANY = 100_000
"""Up to as many new items are held in memory until the commit, so that readers of the queues do not wait for them."""

COLUMNS = (
    "id, kind, title, text, author, capture, split, width, height, url, captured_at, exposure, subsets, truths,"
    " regions, meta"
)

_DERIVED = "moment, risk_key, exposure_key, folded"


def add(
    db: Database,
    captures: Captures,
    items: Iterable[tuple[Item, bytes | None]],
    *,
    imported: float,
    then: Callable[[], None] | None = None,
) -> int:
    """Add all items or none; `imported` (seconds since 1970) stands in for a missing capture time.

    `then` is called in the transaction that adds them.
    """
    if db.read_only:
        with db.transaction():
            return 0
    db.execute("DROP TABLE IF EXISTS temp.incoming")
    db.execute(f"CREATE TEMP TABLE incoming (number INTEGER PRIMARY KEY, {COLUMNS}, {_DERIVED})")
    try:
        for batch in _batches(items):
            kept = _with_captures(captures, batch)
            with db.snapshot():
                db.many(
                    f"INSERT INTO temp.incoming ({COLUMNS}, {_DERIVED}) VALUES ({', '.join('?' * 20)})",
                    [(*_columns(item), *_derived(item, imported)) for item in kept],
                )
        with db.transaction():
            added = _move(db)
            if then is not None:
                then()
        return added
    finally:
        db.execute("DROP TABLE IF EXISTS temp.incoming")


def _batches(items: Iterable[tuple[Item, bytes | None]]) -> Iterator[list[tuple[Item, bytes | None]]]:
    stream = iter(items)
    while batch := list(itertools.islice(stream, BATCH)):
        yield batch


def _with_captures(captures: Captures, batch: Sequence[tuple[Item, bytes | None]]) -> list[Item]:
    shas = iter(captures.store_many([content for _, content in batch if content is not None]))
    kept = []
    for item, content in batch:
        if content is None:
            _check_kept(captures, item)
            kept.append(item)
            continue
        sha = next(shas)
        if item.capture not in {None, sha}:
            raise InputError(
                f"The screenshot of item '{item.id}' is not the one that its digest names.",
                "Bring the file back from where it was exported, or leave the screenshot out.",
            )
        kept.append(msgspec.structs.replace(item, capture=sha))
    return kept


def _check_kept(captures: Captures, item: Item) -> None:
    if item.capture is not None and not captures.path_of(item.capture).exists():
        raise InputError(
            f"The capture '{item.capture}' of item '{item.id}' is not in the workspace.",
            "Bring it back from a backup, or import the item's screenshot again.",
        )


def _columns(item: Item) -> tuple[object, ...]:
    if not item.id or not item.kind:
        raise InputError(f"An item needs an id and a kind (id '{item.id}', kind '{item.kind}').", "Give it both.")
    try:
        f"{item.id}{item.kind}{item.title}{item.text}{item.author}{item.url}".encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The text of item '{item.id}' holds half a character pair (a lone surrogate).", "Take that character out."
        ) from error
    return (
        item.id,
        item.kind,
        item.title,
        item.text,
        item.author,
        item.capture,
        item.split,
        item.width,
        item.height,
        item.url,
        item.captured_at,
        item.exposure,
        dump(item.subsets),
        dump(item.truths),
        dump(item.regions),
        dump(item.meta),
    )


def _derived(item: Item, imported: float) -> tuple[float, float, float, str]:
    return (
        ranking.moment_key(item.captured_at, imported),
        ranking.risk_key(0, None, item.exposure),
        ranking.exposure_key(item.exposure),
        fold(f"{item.id} {item.title} {item.text} {item.author}"),
    )


def _move(db: Database) -> int:
    with db.transaction(), db.without_spilling(db.value("SELECT COUNT(*) FROM temp.incoming") <= MANY):
        _refuse_taken(db)
        base = int(db.value("SELECT COALESCE(MAX(row), 0) FROM items"))
        added = db.execute(
            f"INSERT INTO items (row, {COLUMNS}) SELECT number + ?, {COLUMNS} FROM temp.incoming ORDER BY number",
            (base,),
        )
        _enqueue(db, base)
        db.execute(
            "INSERT INTO words (rowid, folded) SELECT number + ?, folded FROM temp.incoming ORDER BY number",
            (base,),
        )
    return added


def _refuse_taken(db: Database) -> None:
    taken = db.value("SELECT id FROM temp.incoming WHERE id IN (SELECT id FROM items) LIMIT 1")
    if taken is not None:
        raise InputError(
            f"There is already an item '{taken}' in this workspace.", "Give it another id or leave it out."
        )
    twice = db.value("SELECT id FROM temp.incoming GROUP BY id HAVING COUNT(*) > 1 LIMIT 1")
    if twice is not None:
        raise InputError(f"The item '{twice}' is given twice.", "Keep one of them.")


def _enqueue(db: Database, base: int) -> None:
    """Put the new items into the queue: open, without a verdict."""
    book = FacetBook(db)
    for kind, split in db.all("SELECT DISTINCT kind, split FROM temp.incoming"):
        book.numbers(Facet("open", kind, disagreement=False, label="", split=split))
    db.execute(
        "INSERT INTO queue (row, bucket, facet, uncertain, risk, exposure, moment, recent, label, resolved)"
        " SELECT number + ?, bucket, facet, ?, risk_key, exposure_key, moment, 0, '', '[]'"
        " FROM temp.incoming JOIN facets ON facets.state = 'open' AND facets.kind = incoming.kind"
        " AND facets.disagreement = 0 AND facets.label = '' AND facets.split = incoming.split ORDER BY number",
        (base, ranking.uncertain_key(None)),
    )
