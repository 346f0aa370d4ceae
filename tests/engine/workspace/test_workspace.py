from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import sqlite_utils

from engine.errors import EngineError, InputError, StorageError, WorkspaceError
from engine.taxonomy import Taxonomy
from engine.types import CrossedOut, Mark
from engine.workspace import NewDecision, QueueQuery, Workspace, database, schema
from engine.workspace import workspace as workspace_module
from engine.workspace.facets import STATES
from engine.workspace.journal import journal_mode

Decide = Callable[..., NewDecision]
IMPORTS = ("import_remarks", "import_ids", "imports")


@pytest.fixture
def closed(workspace: Workspace) -> Path:
    workspace.close()
    return workspace.path


def refused(path: Path, *, read_only: bool = False) -> EngineError:
    with pytest.raises(EngineError) as caught:
        Workspace.open(path, read_only=read_only)
    assert caught.value.message.endswith(".")
    assert caught.value.way_out, "there is always a next step"
    return caught.value


def sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path / "workspace.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_settings_are_chosen_at_every_open(closed: Path) -> None:
    sql(closed, "PRAGMA journal_mode = WAL")
    with Workspace.open(closed) as again:
        value = again._db.value
        assert value("PRAGMA journal_mode").upper() == journal_mode(sqlite3.sqlite_version_info)
        assert value("PRAGMA synchronous") == 2
        assert value("PRAGMA foreign_keys") == 1
        assert value("PRAGMA busy_timeout") == 15_000


def test_a_place_that_is_taken_is_left_alone(closed: Path, tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(WorkspaceError, match="already is a workspace"):
        Workspace.create(closed, taxonomy)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(WorkspaceError, match="not empty"):
        Workspace.create(tmp_path / "full", taxonomy)
    with pytest.raises(WorkspaceError, match="is a file"):
        Workspace.create(tmp_path / "full" / "letter.txt", taxonomy)
    with pytest.raises(StorageError, match="cannot be made"):
        Workspace.create(tmp_path / "full" / "letter.txt" / "inside", taxonomy)


def test_a_folder_that_is_no_workspace(tmp_path: Path) -> None:
    assert "secondlook init" in refused(tmp_path / "nowhere").way_out
    assert "is not a workspace" in refused(tmp_path).message


def test_a_database_of_something_else(closed: Path) -> None:
    sql(closed, "PRAGMA application_id = 7")
    assert "not one of Second Look's" in refused(closed).message


def test_an_emptied_database_is_damaged_and_not_a_stranger_s(closed: Path) -> None:
    (closed / "workspace.db").write_bytes(b"")
    assert "is damaged (it is empty)" in refused(closed).message


def test_damage_is_told_in_one_line(closed: Path) -> None:
    error = database.damaged(closed / "workspace.db", "*** in database main ***\nPage 3: broken\nPage 4: broken")
    assert error.message.endswith("is damaged (Page 3: broken).")


def test_a_workspace_from_a_newer_version(closed: Path) -> None:
    sql(closed, "PRAGMA user_version = 99")
    error = refused(closed)
    assert "newer Second Look" in error.message
    assert "Update" in error.way_out


@pytest.mark.parametrize("read_only", [False, True])
def test_a_migration_that_this_version_does_not_know_is_a_newer_one(closed: Path, read_only: bool) -> None:
    sql(
        closed,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('secondlook', '9999_future', '2031-01-01')",
    )
    error = refused(closed, read_only=read_only)
    assert isinstance(error, WorkspaceError)
    assert "newer Second Look (its migration '9999_future' is not known here)" in error.message
    assert "Update" in error.way_out


def test_a_database_without_records_of_its_migrations_opens(closed: Path) -> None:
    sql(closed, "DROP TABLE _sqlite_migrations")
    with Workspace.open(closed) as again:
        assert again.items.count() == 8


def test_every_step_is_known_by_its_name() -> None:
    known = [step.name for step in schema.migrations()._migrations]
    assert tuple(known) == schema.STEPS
    assert len(known) == schema.LATEST


def test_a_missing_or_broken_taxonomy(closed: Path) -> None:
    (closed / "taxonomy.toml").write_text("name = ")
    with pytest.raises(InputError, match=r"taxonomy\.toml"):
        Workspace.open(closed)
    (closed / "taxonomy.toml").unlink()
    assert "taxonomy.toml" in refused(closed).message


def test_a_locked_database(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OPEN_BUSY_SECONDS", 0.05)
    connection = sqlite3.connect(closed / "workspace.db", isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    assert "locked by another program" in refused(closed).message
    connection.close()
    Workspace.open(closed).close()


@pytest.mark.parametrize("where", ["header", "page"])
def test_a_damaged_database_names_the_newest_backup(workspace: Workspace, where: str) -> None:
    workspace.backup.make()
    newest = workspace.backup.make()
    workspace.close()
    file = workspace.path / "workspace.db"
    content = bytearray(file.read_bytes())
    place = 0 if where == "header" else 4096 * (len(content) // 4096 // 2)
    content[place : place + 64] = b"\xff" * 64
    file.write_bytes(bytes(content))
    error = refused(workspace.path)
    assert isinstance(error, WorkspaceError)
    assert "is damaged" in error.message
    assert str(newest) in error.way_out
    assert file.read_bytes() == bytes(content), "nothing is repaired silently"
    for made in (workspace.path / "backups").iterdir():
        made.unlink()
    assert "no backup yet" in refused(workspace.path).way_out


def test_a_large_database_is_checked_in_part_first(
    workspace: Workspace, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_module, "CHECK_AT_ONCE_BYTES", 0)
    workspace.decisions.record([decide("t1", "toxic")])
    pages: dict[str, int] = dict(workspace._db.all("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
    workspace.close()
    file = workspace.path / "workspace.db"
    whole = file.read_bytes()

    def break_page_of(table: str) -> None:
        start = 4096 * (pages[table] - 1)
        file.write_bytes(whole[:start] + b"\xff" * 64 + whole[start + 64 :])

    break_page_of("verdicts")
    with Workspace.open(workspace.path) as again:
        assert again.unchecked
        with pytest.raises(WorkspaceError, match="is damaged"):
            again.check()
    break_page_of("decisions")
    assert "is damaged" in refused(workspace.path).message
    file.write_bytes(whole)
    with Workspace.open(workspace.path) as again:
        again.check()
        assert not again.unchecked


def test_missing_folders_do_not_keep_anybody_from_reviewing(
    workspace: Workspace, champion: str, decide: Decide, make_tweet: Callable[..., object]
) -> None:
    workspace.items.add([(make_tweet("pictured"), b"png")])  # type: ignore[list-item]
    workspace.close()
    shutil.rmtree(workspace.path / "models")
    shutil.rmtree(workspace.path / "captures")
    with Workspace.open(workspace.path) as again:
        models, captures = again.warnings
        assert "models folder" in models
        assert "captures folder" in captures
        again.decisions.record([decide("t1", "toxic")])
        with pytest.raises(EngineError, match="promote another model, or retrain"):
            again.models.folder(champion)


READ_ONLY = """
import os, sys
from engine.errors import EngineError
from engine.workspace import QueueQuery, Workspace
"".encode("utf-8-sig")  # the codec is loaded while its file can still be read
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Workspace.open(sys.argv[1])
except EngineError as error:
    print(type(error).__name__, error)
with Workspace.open(sys.argv[1], read_only=True) as workspace:
    print(workspace.items.count(), len(workspace.queues.page(QueueQuery()).rows))
"""


@pytest.fixture
def public(closed: Path) -> Iterator[Path]:
    """A copy that other users may read but not write."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "desk.secondlook"
        shutil.copytree(closed, copy)
        Path(folder).chmod(0o755)
        yield copy


@pytest.mark.parametrize("locked", ["file", "folder"])
def test_a_read_only_file_or_folder(public: Path, locked: str) -> None:
    public.chmod(0o555 if locked == "folder" else 0o777)
    (public / "workspace.db").chmod(0o444 if locked == "file" else 0o666)
    ran = subprocess.run([sys.executable, "-c", READ_ONLY, str(public)], stdout=subprocess.PIPE, text=True, check=True)
    public.chmod(0o755)
    refusal, reading = ran.stdout.splitlines()
    assert refusal.startswith("WorkspaceError")
    assert "is read-only. Make it writable" in refusal
    assert reading == "8 8"


def test_reading_only_does_not_touch_the_folder(closed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in closed.rglob("*")}
    with Workspace.open(closed, read_only=True) as reading:
        assert len(reading.queues.page(QueueQuery()).rows) == 8
    assert {path: path.stat().st_mtime_ns for path in closed.rglob("*")} == before


def test_a_full_disk_loses_nothing(workspace: Workspace, decide: Decide, make_tweet: Callable[..., object]) -> None:
    limit = workspace._db.value
    pages = limit("PRAGMA page_count")
    limit(f"PRAGMA max_page_count = {pages + 2}")
    recorded = 0
    with pytest.raises(StorageError, match="is full"):  # noqa: PT012
        while True:
            workspace.decisions.record([decide("t1", "toxic")] * 5)
            recorded += 5
    with pytest.raises(StorageError, match="is full"):
        workspace.items.add((make_tweet(f"n{n}", title="x" * 500), None) for n in range(50))  # type: ignore[misc]
    assert workspace.decisions.verify().rows == recorded > 0
    assert workspace.items.count() == 8
    limit("PRAGMA max_page_count = 1000000")
    workspace.decisions.record([decide("t1", "toxic")])
    workspace.close()
    with Workspace.open(workspace.path) as again:
        assert again.decisions.verify().rows == recorded + 1


FULL = """
import resource, sys
from engine.errors import StorageError
from engine.types import Item
from engine.workspace import Workspace
with Workspace.open(sys.argv[1]) as workspace:
    size = (workspace.path / "workspace.db").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, size + 8192))
    try:
        workspace.items.add((Item(id=f"big{n}", kind="tweet"), bytes([n]) * (50_000 if n < 3 else 10 * size))
                            for n in range(4))
    except StorageError as error:
        print(error)
"""


def test_a_capture_that_does_not_fit_leaves_no_half_of_it(closed: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", FULL, str(closed)], stdout=subprocess.PIPE, text=True, check=True)
    assert "No half-written capture was kept" in ran.stdout
    assert [path for path in (closed / "captures").rglob("*") if path.is_file()] == []
    with Workspace.open(closed) as again:
        assert again.items.count() == 8


def next_migration(monkeypatch: pytest.MonkeyPatch, step: Callable[[sqlite3.Connection], None]) -> None:
    """Pretend that this is the next version of Second Look, with one more migration."""
    real = schema.migrations

    def more() -> object:
        steps = real()

        @steps(name="9-next")
        def upgrade(db: object) -> None:
            step(db.conn)  # type: ignore[attr-defined]

        return steps

    monkeypatch.setattr(schema, "migrations", more)
    monkeypatch.setattr(workspace_module, "LATEST", schema.LATEST + 1)


def half(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE more (x)")
    connection.execute("ALTER TABLE items ADD COLUMN extra TEXT")
    connection.execute(f"PRAGMA user_version = {schema.LATEST + 1}")


def tables(path: Path) -> tuple[int, bool]:
    connection = sqlite3.connect(path / "workspace.db")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    more = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchone()
    connection.close()
    return version, more is not None


def test_an_older_workspace_is_backed_up_and_migrated(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next_migration(monkeypatch, half)
    with Workspace.open(closed) as again:
        assert again.items.count() == 8
    assert tables(closed) == (schema.LATEST + 1, True)
    (made,) = (closed / "backups").glob("*.db")
    connection = sqlite3.connect(made)
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.LATEST,)
    connection.close()


@pytest.fixture
def first_version(closed: Path, decide: Decide) -> Path:
    """A workspace as the first version left it, with a decision."""
    with Workspace.open(closed) as today:
        today.decisions.record([decide("t1", "toxic")])
    connection = sqlite3.connect(closed / "workspace.db", isolation_level=None)
    take_back(connection, 1, (*IMPORTS, "origins", "annotations", "flips", "teaching", "listed", "listed_counts"))
    return closed


@pytest.fixture
def second_version(closed: Path, decide: Decide) -> Path:
    """A workspace as the second version left it, with a decision."""
    with Workspace.open(closed) as today:
        today.decisions.record([decide("t1", "toxic")])
    connection = sqlite3.connect(closed / "workspace.db", isolation_level=None)
    take_back(connection, 2, (*IMPORTS, "origins", "annotations"))
    return closed


def take_back(connection: sqlite3.Connection, version: int, later: tuple[str, ...]) -> None:
    """Make a database what an older version made of it, and prove that by that version's own migrations."""
    for table in later:
        connection.execute(f"DROP TABLE {table}")
    for step in schema.STEPS[version:]:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (step,))
    connection.execute(f"PRAGMA user_version = {version}")
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrations().apply(sqlite_utils.Database(fresh, execute_plugins=False), stop_before=schema.STEPS[version])
    made, expected = (
        one.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()
        for one in (connection, fresh)
    )
    assert made == expected
    connection.close()
    fresh.close()


def test_a_workspace_of_the_first_version_is_brought_up_to_date_with_a_backup(first_version: Path) -> None:
    assert version_of(first_version / "workspace.db") == 1
    with Workspace.open(first_version) as again:
        assert again.items.count() == 8
        assert again.decisions.verify().ok
        assert again.decisions.resolved("t1") == {"toxicity": ("toxic",)}
        assert again.queues.page(QueueQuery(states=STATES, order="flips", listed="flips")).rows == []
        again.check(full=True)
    assert version_of(first_version / "workspace.db") == schema.LATEST
    (made,) = (first_version / "backups").glob("*.db")
    assert version_of(made) == 1
    assert "older version" in refused_copy(made, first_version)


def test_a_workspace_of_the_second_version_gets_room_for_what_is_crossed_out(
    second_version: Path, decide: Decide
) -> None:
    assert version_of(second_version / "workspace.db") == 2
    word = CrossedOut(kind=Mark.WORD, field="text", start=0, end=5, text="words")
    with Workspace.open(second_version) as again:
        assert again.annotations.of("t1") == []
        assert again.decisions.verify().ok
        again.decisions.record([msgspec.structs.replace(decide("t2", "toxic"), crossed_out=(word,))])
        assert [one.text for one in again.annotations.of("t2")] == ["words"]
        again.check(full=True)
    assert version_of(second_version / "workspace.db") == schema.LATEST
    (made,) = (second_version / "backups").glob("*.db")
    assert version_of(made) == 2


@pytest.mark.parametrize("fixture", ["first_version", "second_version"])
def test_steps_that_fail_halfway_leave_an_old_workspace_whole(
    fixture: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue(fixture)
    before = schema_of(folder)
    broken = schema._ANNOTATIONS.replace("CREATE INDEX annotations_of_item", "CREATE INDEX annotations_of_item ON x;")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_ANNOTATIONS", broken)
        assert "could not be brought up to date" in refused(folder).message
    assert schema_of(folder) == before
    with Workspace.open(folder) as again:
        assert again.decisions.resolved("t1") == {"toxicity": ("toxic",)}
        assert again.annotations.verify().ok


def schema_of(folder: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / "workspace.db")
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    rows += connection.execute("PRAGMA user_version").fetchall()
    rows += connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall()
    connection.close()
    return rows


def version_of(file: Path) -> int:
    connection = sqlite3.connect(file)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def refused_copy(backup: Path, folder: Path) -> str:
    """Put a backup back as the message says, and return why it cannot be read without being migrated."""
    shutil.copy(backup, folder / "workspace.db")
    return refused(folder, read_only=True).message


def test_an_older_workspace_cannot_be_migrated_while_reading_only(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_migration(monkeypatch, half)
    assert "older version" in refused(closed, read_only=True).message
    assert tables(closed) == (schema.LATEST, False)


def test_a_migration_that_fails_leaves_the_old_version(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        half(connection)
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE big AS SELECT hex(zeroblob(1000000)) AS x")

    next_migration(monkeypatch, fail)
    assert "could not be brought up to date" in refused(closed).message
    assert tables(closed) == (schema.LATEST, False)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[2]).parent))
from engine.workspace import schema, workspace
real = schema.migrations
def more():
    steps = real()
    @steps(name="9-next")
    def upgrade(db):
        db.conn.execute("PRAGMA cache_size = 1")
        db.conn.execute("CREATE TABLE more (x)")
        db.conn.execute("UPDATE items SET split = 'val'")
        db.conn.execute("INSERT INTO more SELECT hex(randomblob(2000)) FROM items AS a, items AS b, items AS c")
        db.conn.execute(f"PRAGMA user_version = {schema.LATEST + 1}")
        os.kill(os.getpid(), signal.SIGKILL)
    return steps
schema.migrations = more
workspace.LATEST = schema.LATEST + 1
workspace.Workspace.open(sys.argv[1])
"""


def test_a_migration_that_is_killed_leaves_the_old_version(closed: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, str(closed), __file__], check=False, capture_output=True)
    assert ran.returncode == -9, ran.stderr
    assert (closed / "workspace.db-journal").stat().st_size > 0, "the kill came in the middle of writing"
    with Workspace.open(closed) as again:
        assert again.items.get("t1").split == ""
    assert tables(closed) == (schema.LATEST, False)


LIGHT = """
import sys
from engine.workspace import Workspace
import engine.triage
Workspace.open(sys.argv[1]).close()
heavy = {"sqlite_utils", "torch", "numpy", "filelock", "PIL", "PySide6", "transformers", "click"}
print(sorted(heavy & set(sys.modules)))
"""


def test_opening_loads_nothing_heavy(closed: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", LIGHT, str(closed)], stdout=subprocess.PIPE, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_connection_belongs_to_its_thread_and_closes_twice(workspace: Workspace) -> None:
    workspace.close()
    workspace.close()


def test_create_leaves_no_half_made_workspace(
    folder: Path, taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(workspace_module, "migrate", fail)
    with pytest.raises(StorageError, match="cannot be made"):
        Workspace.create(folder, taxonomy)
    assert not (folder / "workspace.db").exists()
    assert os.listdir(folder / "captures") == []  # noqa: PTH208
