from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.errors import InputError
from engine.types import Action, CrossedOut, Item, Mark
from engine.workspace import NewDecision, Workspace

Decide = Callable[..., NewDecision]

WORD = CrossedOut(kind=Mark.WORD, label="toxic", field="text", start=0, end=5, text="words")
OTHER = CrossedOut(kind=Mark.WORD, field="text", start=9, end=11, text="t1")
BADGE = CrossedOut(kind=Mark.REGION, box=(60.0, 2.0, 30.0, 10.0))


def png(width: int, height: int) -> bytes:
    """The smallest PNG there is: one grey, no filter."""
    rows = b"".join(b"\x00" + b"\x80" * width for _ in range(height))
    parts = [(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes((8, 0, 0, 0, 0)))]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(len(data).to_bytes(4) + n + data + zlib.crc32(n + data).to_bytes(4) for n, data in parts)
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def pictured(workspace: Workspace) -> Workspace:
    """The workspace with a tweet "s1" of 100 × 80 pixels and a region "media"."""
    item = Item(
        id="s1", kind="tweet", text="words of s1", width=100, height=80, regions={"media": ((10.0, 20.0, 50.0, 40.0),)}
    )
    workspace.items.add([(item, png(100, 80))])
    return workspace


def cross(decision: NewDecision, *marks: CrossedOut) -> NewDecision:
    return msgspec.structs.replace(decision, crossed_out=marks)


def sql(folder: Path, statement: str, *triggers: str) -> None:
    connection = sqlite3.connect(folder / "workspace.db", isolation_level=None)
    for trigger in triggers:
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(statement)
    connection.close()


def test_what_is_crossed_out_belongs_to_its_decision(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t2", "toxic")])
    (decision,) = workspace.decisions.record([cross(decide("t1", "toxic"), WORD, OTHER)])
    first, second = workspace.annotations.of("t1")
    assert (first.number, second.number) == (1, 2)
    assert (first.decision, first.act, first.item, first.task) == (decision.number, decision.act, "t1", "toxicity")
    assert (first.reviewer, first.at, first.stands) == ("ann", decision.at, True)
    assert (first.kind, first.field, first.start, first.end, first.text) == (Mark.WORD, "text", 0, 5, "words")
    assert (first.label, second.label) == ("toxic", "")
    assert workspace.annotations.of("t2") == []
    assert workspace.annotations.of("nobody") == []


def test_it_is_there_after_another_opening(pictured: Workspace, decide: Decide) -> None:
    pictured.decisions.record([cross(decide("s1", "toxic"), BADGE, WORD)])
    with Workspace.open(pictured.path, check=False) as again:
        region, word = again.annotations.of("s1")
        assert (region.kind, region.box, region.boxes) == (Mark.REGION, BADGE.box, (BADGE.box,))
        assert word.text == "words"
        assert again.annotations.count() == 2


def test_an_undo_takes_back_what_was_crossed_out_with_the_act_only(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([cross(decide("t1", "toxic", reviewer="bob"), OTHER)])
    workspace.decisions.record([cross(decide("t1", "toxic"), WORD)])
    workspace.decisions.undo("ann")
    assert [(one.text, one.stands) for one in workspace.annotations.of("t1")] == [("t1", True), ("words", False)]
    assert workspace.annotations.verify().ok


def test_marks_come_with_every_kind_of_decision(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([cross(decide("t1", action=Action.SKIP), WORD)])
    assert [one.text for one in workspace.annotations.of("t1")] == ["words"]


def test_the_same_part_is_kept_once(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([cross(decide("t1", "toxic"), WORD, WORD)])
    assert len(workspace.annotations.of("t1")) == 1


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (CrossedOut(kind=Mark.WORD, field="author", start=0, end=2), "'author' of 's1' cannot be crossed out"),
        (CrossedOut(kind=Mark.WORD, field="text", start=0, end=4, text="nope"), "has no 'nope' from character 0 to 4"),
        (CrossedOut(kind=Mark.WORD, field="text", start=5, end=5), "from character 5 to 5"),
        (CrossedOut(kind=Mark.WORD, field="text", start=-3, end=4), "from character -3 to 4"),
        (CrossedOut(kind=Mark.WORD, field="text", start=0, end=400), "from character 0 to 400"),
        (CrossedOut(kind=Mark.REGION), "of 0 rectangles"),
        (CrossedOut(kind=Mark.REGION, box=(90.0, 0.0, 20.0, 5.0)), "does not lie on the screenshot of 's1'"),
        (CrossedOut(kind=Mark.REGION, box=(float("nan"), 0.0, 1.0, 1.0)), "does not lie on the screenshot"),
        (CrossedOut(kind=Mark.REGION, box=(0.0, 0.0, 0.0, 5.0)), "does not lie on the screenshot"),
        (CrossedOut(kind=Mark.REGION, box=(0.0, 0.0, 9.0, 5.0), region="price"), "no region 'price'"),
    ],
)
def test_what_the_item_does_not_have_is_refused_with_its_decision(
    pictured: Workspace, decide: Decide, mark: CrossedOut, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        pictured.decisions.record([cross(decide("s1", "toxic"), WORD, mark)])
    assert pictured.decisions.of("s1") == []
    assert pictured.annotations.of("s1") == []


def test_a_region_needs_a_screenshot(workspace: Workspace, decide: Decide) -> None:
    with pytest.raises(InputError, match=r"does not lie on the screenshot of 't1' \(0 × 0 pixels\)"):
        workspace.decisions.record([cross(decide("t1", "toxic"), BADGE)])


def test_a_region_is_cut_at_the_edge_and_gets_a_box_around_its_parts(pictured: Workspace, decide: Decide) -> None:
    boxes = ((-0.5, 70.0, 20.0, 10.5), (40.0, 60.0, 10.0, 10.0))
    pictured.decisions.record([cross(decide("s1", "toxic"), CrossedOut(kind=Mark.REGION, boxes=boxes))])
    (mark,) = pictured.annotations.of("s1")
    assert mark.boxes == ((0.0, 70.0, 19.5, 10.0), (40.0, 60.0, 10.0, 10.0))
    assert mark.box == (0.0, 60.0, 50.0, 20.0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE annotations SET text = 'x'",
        "DELETE FROM annotations",
        "INSERT INTO annotations SELECT 9, decision, row, kind, label, field, start, stop, text, box, boxes, region,"
        " hash, 'x' FROM annotations WHERE number = 2",
        "INSERT INTO annotations SELECT 3, decision, row, kind, label, field, start, stop, text, box, boxes, region,"
        " 'x', 'x' FROM annotations WHERE number = 2",
        "REPLACE INTO annotations SELECT * FROM annotations WHERE number = 2",
    ],
)
def test_the_database_refuses_changes(workspace: Workspace, decide: Decide, statement: str) -> None:
    workspace.decisions.record([cross(decide("t1", "toxic"), WORD, OTHER)])
    connection = sqlite3.connect(workspace.path / "workspace.db", isolation_level=None)
    connection.execute("PRAGMA recursive_triggers = ON")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
    assert workspace.annotations.verify().ok


def test_hash_is_sha256_over_a_json_array_that_anybody_can_rebuild(pictured: Workspace, decide: Decide) -> None:
    pictured.decisions.record([cross(decide("s1", "toxic"), WORD)])
    (decision,) = pictured.decisions.record([cross(decide("s1", "non-toxic"), BADGE)])
    first, second = pictured.annotations.of("s1")
    box = "[60.0,2.0,30.0,10.0]"
    fields = [2, 2, decision.hash, "region", "", "", 0, 0, "", box, f"[{box}]", "", first.hash]
    text = "second look annotation 1\n" + json.dumps(fields, separators=(",", ":"))
    assert second.hash == hashlib.sha256(text.encode()).hexdigest()
    assert second.previous == first.hash


@pytest.mark.parametrize(
    ("statement", "first_bad", "words"),
    [
        ("UPDATE annotations SET start = 1 WHERE number = 2", 2, "changed"),
        ("UPDATE annotations SET label = 'x' WHERE number = 1", 1, "changed"),
        ("UPDATE annotations SET decision = 2 WHERE number = 1", 1, "not of the item"),
        ("UPDATE annotations SET decision = 3 WHERE number = 1", 1, "changed"),
        ("UPDATE annotations SET row = 3", 1, "not of the item"),
        ("DELETE FROM annotations WHERE number = 1", 1, "missing"),
        ("DELETE FROM annotations WHERE number = 3", 3, "another one"),
        ("DELETE FROM annotations", 1, "another one"),
        ("UPDATE annotations SET previous = 'x' WHERE number = 3", 3, "continue"),
    ],
)
def test_verify_names_the_first_bad_one(
    workspace: Workspace, decide: Decide, statement: str, first_bad: int, words: str
) -> None:
    workspace.decisions.record([cross(decide("t1", "toxic"), WORD, OTHER)])
    workspace.decisions.record([cross(decide("t2", "toxic"), WORD)])
    workspace.decisions.record([decide("t1", "toxic", reviewer="bob")])
    sql(workspace.path, statement, "annotations_never_change", "annotations_never_vanish")
    report = workspace.annotations.verify()
    assert (report.ok, report.first_bad) == (False, first_bad)
    assert words in report.reason


def test_recording_and_reading_do_not_grow_with_what_others_crossed_out(pictured: Workspace, decide: Decide) -> None:
    def work(item: str) -> int:
        """Return how many hundreds of the database's own instructions it takes to cross out a word and to read it."""
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        pictured._db.connection.set_progress_handler(step, 100)
        pictured.decisions.record([cross(decide(item, "toxic"), WORD)])
        assert len(pictured.annotations.of(item)) == 1
        pictured._db.connection.set_progress_handler(None, 100)
        return count

    before = work("t1")
    many = (CrossedOut(kind=Mark.REGION, box=(float(n % 90), float(n // 90), 5.0, 5.0)) for n in range(400))
    pictured.decisions.record([cross(decide("s1", "toxic"), *many)])
    assert work("t2") <= before + 10


def test_a_training_set_holds_what_was_crossed_out_with_the_standing_answers(
    pictured: Workspace, decide: Decide
) -> None:
    pictured.decisions.record([cross(decide("s1", "toxic"), WORD)])
    pictured.decisions.record([cross(decide("s1", "toxic", reviewer="bob"), WORD, BADGE)])
    pictured.decisions.record([cross(decide("t1", "toxic"), OTHER)])
    pictured.decisions.record([decide("t1", "toxic")])
    pictured.decisions.record([cross(decide("t2", "toxic"), WORD)])
    pictured.decisions.undo("ann")
    pictured.decisions.record([cross(decide("t3", "toxic"), WORD)])
    pictured.decisions.record([decide("t3", "non-toxic", reviewer="bob")])
    found = {one.content.id: one.crossed_out for one in pictured.runs.labelled()}
    plain = CrossedOut(kind=Mark.WORD, field="text", start=0, end=5, text="words")
    badge = CrossedOut(kind=Mark.REGION, box=BADGE.box, boxes=(BADGE.box,))  # type: ignore[arg-type]
    assert found["s1"] == (plain, badge), "each part once, whoever crossed it out"
    assert found["t1"] == (), "a later answer of the same reviewer replaces the earlier with all that is its"
    assert "t2" not in found
    assert found["t3"] == (), "the answer that it came with was outvoted by a newer one"
