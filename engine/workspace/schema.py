"""The tables, and the migrations that bring an older database up to them.

The database's `user_version` is the number of migrations applied, so that opening a current one needs a single
read and no migration library. All that are pending are applied in one transaction with their records and the number.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from engine.workspace.database import APPLICATION_ID, Database

if TYPE_CHECKING:
    from sqlite_utils import Database as UtilsDatabase
    from sqlite_utils.migrations import Migrations

LATEST = 5
MIGRATION_SET = "secondlook"
STEPS = ("1-foundation", "2-flips-and-teaching", "3-annotations", "4-origins", "5-imports")
"""The names of all migrations, in the order of `migrations()`."""

ORDER_COLUMNS = ("uncertain", "risk", "exposure", "moment", "recent")
"""The queue's sort keys; each has an index behind `bucket` and one behind `facet` (see queues.py)."""

LISTED_COLUMNS = (*ORDER_COLUMNS, "place")
"""The same for the lists beside the queue, which have an order of their own as well (see listed.py)."""

_FACTS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE items (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    capture TEXT,
    split TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    url TEXT NOT NULL,
    captured_at TEXT NOT NULL,
    exposure REAL,
    subsets TEXT NOT NULL,
    truths TEXT NOT NULL,
    regions TEXT NOT NULL,
    meta TEXT NOT NULL
);
CREATE INDEX items_with_truths ON items (row) WHERE truths <> '{}';

CREATE TABLE models (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    card TEXT NOT NULL,
    reason TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    scored INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE promotions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL REFERENCES models (number),
    kind TEXT NOT NULL CHECK (kind IN ('promote', 'rollback')),
    reason TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    created TEXT NOT NULL,
    changed TEXT NOT NULL,
    message TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE verdicts (
    model INTEGER NOT NULL REFERENCES models (number),
    row INTEGER NOT NULL REFERENCES items (row),
    task TEXT NOT NULL,
    label TEXT NOT NULL,
    probability REAL NOT NULL,
    labels TEXT NOT NULL,
    probabilities TEXT NOT NULL,
    PRIMARY KEY (model, row, task)
) WITHOUT ROWID;
CREATE TABLE explanations (
    number INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES models (number),
    row INTEGER NOT NULL REFERENCES items (row),
    task TEXT NOT NULL,
    label TEXT NOT NULL,
    final INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (model, row, task, label)
);

CREATE TABLE decisions (
    number INTEGER PRIMARY KEY,
    act TEXT NOT NULL,
    row INTEGER NOT NULL REFERENCES items (row),
    item TEXT NOT NULL,
    task TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('confirm', 'correct', 'skip', 'escalate', 'undo')),
    labels TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    at TEXT NOT NULL,
    seconds REAL NOT NULL,
    note TEXT NOT NULL,
    shown_model TEXT NOT NULL,
    shown_labels TEXT NOT NULL,
    shown_probability REAL,
    undoes TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX decisions_of_item ON decisions (row);
CREATE INDEX decisions_corrections ON decisions (number) WHERE action = 'correct';
CREATE TABLE acts (
    act TEXT PRIMARY KEY,
    row INTEGER NOT NULL REFERENCES items (row),
    reviewer TEXT NOT NULL,
    last INTEGER NOT NULL REFERENCES decisions (number),
    at TEXT NOT NULL,
    undone_by INTEGER REFERENCES decisions (number)
) WITHOUT ROWID;
CREATE INDEX acts_standing ON acts (reviewer, last) WHERE undone_by IS NULL;

CREATE TABLE facets (
    facet INTEGER PRIMARY KEY,
    bucket INTEGER NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    disagreement INTEGER NOT NULL,
    label TEXT NOT NULL,
    split TEXT NOT NULL,
    items INTEGER NOT NULL DEFAULT 0,
    UNIQUE (state, kind, disagreement, label, split)
);
CREATE TABLE queue (
    row INTEGER PRIMARY KEY REFERENCES items (row),
    bucket INTEGER NOT NULL,
    facet INTEGER NOT NULL REFERENCES facets (facet),
    uncertain REAL NOT NULL,
    risk REAL NOT NULL,
    exposure REAL NOT NULL,
    moment REAL NOT NULL,
    recent INTEGER NOT NULL,
    model INTEGER REFERENCES models (number),
    label TEXT NOT NULL,
    probability REAL,
    resolved TEXT NOT NULL
);
"""

_GUARDS = """
CREATE TRIGGER decisions_never_change BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only: they are never updated'); END;
CREATE TRIGGER decisions_never_vanish BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only: they are never deleted'); END;
CREATE TRIGGER decisions_without_gaps BEFORE INSERT ON decisions
WHEN NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM decisions)
  OR NEW.previous IS NOT COALESCE((SELECT hash FROM decisions ORDER BY number DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'decisions are append-only: a new one continues the chain'); END;
CREATE TRIGGER items_never_vanish BEFORE DELETE ON items
BEGIN SELECT RAISE(ABORT, 'items are never deleted'); END;
CREATE TRIGGER items_never_change BEFORE UPDATE OF
    row, id, kind, title, text, author, capture, width, height, url, captured_at, exposure, subsets, truths, regions,
    meta
ON items
BEGIN SELECT RAISE(ABORT, 'items never change: only their split is assigned'); END;
CREATE TRIGGER promotions_never_change BEFORE UPDATE ON promotions
BEGIN SELECT RAISE(ABORT, 'the history of champions is append-only'); END;
CREATE TRIGGER promotions_never_vanish BEFORE DELETE ON promotions
BEGIN SELECT RAISE(ABORT, 'the history of champions is append-only'); END;

CREATE TRIGGER queue_counts_arrival AFTER INSERT ON queue
BEGIN UPDATE facets SET items = items + 1 WHERE facet = NEW.facet; END;
CREATE TRIGGER queue_counts_move AFTER UPDATE OF facet ON queue WHEN NEW.facet <> OLD.facet
BEGIN
    UPDATE facets SET items = items - 1 WHERE facet = OLD.facet;
    UPDATE facets SET items = items + 1 WHERE facet = NEW.facet;
END;

CREATE VIRTUAL TABLE words USING fts5 (folded, content='', tokenize='unicode61 remove_diacritics 0');
"""

_FLIPS_AND_TEACHING = """
CREATE TABLE flips (
    row INTEGER PRIMARY KEY REFERENCES items (row),
    was INTEGER NOT NULL REFERENCES models (number),
    label TEXT NOT NULL,
    probability REAL NOT NULL,
    labels TEXT NOT NULL,
    model INTEGER NOT NULL REFERENCES models (number),
    since INTEGER NOT NULL,
    stands INTEGER NOT NULL
);
CREATE INDEX flips_of_model ON flips (model, stands);
CREATE TABLE teaching (
    row INTEGER PRIMARY KEY REFERENCES items (row),
    rank INTEGER NOT NULL UNIQUE,
    score REAL,
    why TEXT NOT NULL
);

CREATE TABLE listed (
    row INTEGER NOT NULL REFERENCES items (row),
    name TEXT NOT NULL,
    place REAL NOT NULL,
    bucket INTEGER NOT NULL,
    facet INTEGER NOT NULL REFERENCES facets (facet),
    uncertain REAL NOT NULL,
    risk REAL NOT NULL,
    exposure REAL NOT NULL,
    moment REAL NOT NULL,
    recent INTEGER NOT NULL,
    probability REAL,
    PRIMARY KEY (row, name)
) WITHOUT ROWID;
CREATE TABLE listed_counts (
    name TEXT NOT NULL,
    facet INTEGER NOT NULL REFERENCES facets (facet),
    items INTEGER NOT NULL,
    PRIMARY KEY (name, facet)
) WITHOUT ROWID;
CREATE TRIGGER listed_counts_arrival AFTER INSERT ON listed
BEGIN
    INSERT INTO listed_counts (name, facet, items) VALUES (NEW.name, NEW.facet, 1)
    ON CONFLICT (name, facet) DO UPDATE SET items = items + 1;
END;
CREATE TRIGGER listed_counts_departure AFTER DELETE ON listed
BEGIN UPDATE listed_counts SET items = items - 1 WHERE name = OLD.name AND facet = OLD.facet; END;
CREATE TRIGGER listed_counts_move AFTER UPDATE OF facet ON listed WHEN NEW.facet <> OLD.facet
BEGIN
    UPDATE listed_counts SET items = items - 1 WHERE name = OLD.name AND facet = OLD.facet;
    INSERT INTO listed_counts (name, facet, items) VALUES (NEW.name, NEW.facet, 1)
    ON CONFLICT (name, facet) DO UPDATE SET items = items + 1;
END;
"""

_ANNOTATIONS = """
CREATE TABLE annotations (
    number INTEGER PRIMARY KEY,
    decision INTEGER NOT NULL REFERENCES decisions (number),
    row INTEGER NOT NULL REFERENCES items (row),
    kind TEXT NOT NULL CHECK (kind IN ('word', 'region')),
    label TEXT NOT NULL,
    field TEXT NOT NULL,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    text TEXT NOT NULL,
    box TEXT NOT NULL,
    boxes TEXT NOT NULL,
    region TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX annotations_of_item ON annotations (row);
CREATE TRIGGER annotations_never_change BEFORE UPDATE ON annotations
BEGIN SELECT RAISE(ABORT, 'annotations are append-only: they are never updated'); END;
CREATE TRIGGER annotations_never_vanish BEFORE DELETE ON annotations
BEGIN SELECT RAISE(ABORT, 'annotations are append-only: they are never deleted'); END;
CREATE TRIGGER annotations_without_gaps BEFORE INSERT ON annotations
WHEN NEW.number IS NOT (SELECT COALESCE(MAX(number), 0) + 1 FROM annotations)
  OR NEW.previous IS NOT COALESCE((SELECT hash FROM annotations ORDER BY number DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'annotations are append-only: a new one continues the chain'); END;
"""

_ORIGINS = """
CREATE TABLE origins (
    decision INTEGER PRIMARY KEY REFERENCES decisions (number),
    row INTEGER NOT NULL REFERENCES items (row),
    pack TEXT NOT NULL,
    number INTEGER NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX origins_of_item ON origins (row);
CREATE TRIGGER origins_never_change BEFORE UPDATE ON origins
BEGIN SELECT RAISE(ABORT, 'where a decision came from never changes'); END;
CREATE TRIGGER origins_never_vanish BEFORE DELETE ON origins
BEGIN SELECT RAISE(ABORT, 'where a decision came from is never deleted'); END;
"""

_IMPORTS = """
CREATE TABLE imports (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL,
    at TEXT NOT NULL,
    records INTEGER NOT NULL,
    imported INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    decisions INTEGER NOT NULL,
    known INTEGER NOT NULL,
    columns TEXT NOT NULL
);
CREATE TABLE import_ids (
    import INTEGER NOT NULL REFERENCES imports (number) ON DELETE CASCADE,
    id TEXT NOT NULL,
    line INTEGER NOT NULL,
    mark BLOB NOT NULL,
    PRIMARY KEY (import, id)
) WITHOUT ROWID;
CREATE TABLE import_remarks (
    number INTEGER PRIMARY KEY,
    import INTEGER NOT NULL REFERENCES imports (number) ON DELETE CASCADE,
    refused INTEGER NOT NULL,
    line INTEGER NOT NULL,
    reason TEXT NOT NULL,
    kind TEXT NOT NULL
);
CREATE INDEX import_remarks_of_import ON import_remarks (import);
"""


def migrations() -> Migrations:
    """Return the recorded steps, oldest first. Imports sqlite-utils, so call it only to create or migrate."""
    from sqlite_utils.migrations import Migrations

    steps = Migrations(MIGRATION_SET)

    @steps(name=STEPS[0])
    def foundation(db: UtilsDatabase) -> None:
        _run(db.conn, _FACTS)
        for column in ORDER_COLUMNS:
            for group in ("bucket", "facet"):
                db.conn.execute(f"CREATE INDEX queue_{group}_{column} ON queue ({group}, {column})")
        _run(db.conn, _GUARDS)
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.conn.execute("PRAGMA user_version = 1")

    @steps(name=STEPS[1])
    def flips_and_teaching(db: UtilsDatabase) -> None:
        _run(db.conn, _FLIPS_AND_TEACHING)
        for column in LISTED_COLUMNS:
            for group in ("bucket", "facet"):
                db.conn.execute(f"CREATE INDEX listed_{group}_{column} ON listed (name, {group}, {column})")
        db.conn.execute("PRAGMA user_version = 2")

    @steps(name=STEPS[2])
    def annotations(db: UtilsDatabase) -> None:
        _run(db.conn, _ANNOTATIONS)
        db.conn.execute("PRAGMA user_version = 3")

    @steps(name=STEPS[3])
    def origins(db: UtilsDatabase) -> None:
        _run(db.conn, _ORIGINS)
        db.conn.execute("PRAGMA user_version = 4")

    @steps(name=STEPS[4])
    def imports(db: UtilsDatabase) -> None:
        _run(db.conn, _IMPORTS)
        db.conn.execute("PRAGMA user_version = 5")

    return steps


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the pending migrations, all or none; does nothing where another process has just done so."""
    from sqlite_utils import Database as UtilsDatabase

    utils = UtilsDatabase(connection, execute_plugins=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations().apply(utils)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # it did not come to its end
            connection.rollback()


def unknown_step(db: Database) -> str | None:
    """Return a migration that is recorded in the database but not known here, whatever `user_version` says."""
    if db.value("SELECT 1 FROM sqlite_schema WHERE name = '_sqlite_migrations'") is None:
        return None
    recorded = db.all("SELECT name FROM _sqlite_migrations ORDER BY id")
    return next((str(name) for (name,) in recorded if name not in STEPS), None)


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run the script's statements one by one: `executescript` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
