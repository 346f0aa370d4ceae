"""Out to a reviewer and home again, with every decision kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from engine.errors import InputError, StorageError, WorkspaceError
from engine.intake.pack import Choice, merge_pack, workspace_from_pack, write_pack
from engine.types import Action, Decision, Item
from engine.workspace import NewDecision, Workspace

Decide = Callable[..., NewDecision]


@pytest.fixture
def away(packed: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The reviewer's own workspace, made of the pack."""
    workspace_from_pack(tmp_path / "away.secondlook", packed)
    with Workspace.open(tmp_path / "away.secondlook") as ws:
        yield ws


@pytest.fixture
def back(away: Workspace, tmp_path: Path) -> Callable[[], Path]:
    """Pack what the reviewer has."""

    def make() -> Path:
        write_pack(away, tmp_path / "back.zip", Choice())
        return tmp_path / "back.zip"

    return make


def said(rows: list[Decision]) -> list[object]:
    """What rows say, without their place in a chain."""
    return [msgspec.structs.replace(row, number=0, previous="", hash="") for row in rows]


def intact(ws: Workspace) -> bool:
    ws.check(full=True)
    return ws.decisions.verify().ok and ws.annotations.verify().ok and ws.origins.verify().ok


def test_a_pack_becomes_a_workspace_with_everything_that_was_packed(home: Workspace, away: Workspace) -> None:
    assert list(away.items.iter()) == list(home.items.iter())
    for item in home.items.iter():
        assert item.capture is not None
        assert away.captures.path_of(item.capture).read_bytes() == home.captures.path_of(item.capture).read_bytes()
        assert away.verdicts.of(item.id) == home.verdicts.of(item.id)
        assert said(away.decisions.of(item.id)) == said(home.decisions.of(item.id))
        assert away.decisions.resolved(item.id) == home.decisions.resolved(item.id)
    asked = ("t0", "toxicity", "non-toxic", "model-1")
    assert away.explanations.get(*asked) == home.explanations.get(*asked) is not None
    assert away.taxonomy == home.taxonomy
    champion = away.models.champion()
    assert champion is not None
    assert champion.card == home.models.list()[0].card
    assert intact(away)


def test_an_undone_decision_stays_undone_and_an_own_one_can_be_taken_back(away: Workspace) -> None:
    assert [one.action for one in away.decisions.of("t1")] == [Action.CORRECT, Action.UNDO, Action.CONFIRM]
    undone = away.decisions.undo("ann")
    assert undone is not None
    assert undone.decisions[0].labels == ("non-toxic",)
    assert away.decisions.resolved("t1") == {}


def test_decisions_come_home_with_their_reviewer_time_and_origin(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide
) -> None:
    made = away.decisions.record([decide("t2", "toxic", "ben", seconds=4.25, note="mild", shown_model="model-1")])
    report = merge_pack(home, back())
    assert (report.decisions, report.known, report.items, report.there) == (1, 4, 0, 6)
    assert report.reviewers == {"ben": 1}
    (came,) = home.decisions.of("t2")
    assert said([came]) == said(made)
    origin = home.origins.of("t2")[came.number]
    assert (origin.pack, origin.number, origin.hash) == (report.pack, made[0].number, made[0].hash)
    assert origin.previous == made[0].previous
    assert home.decisions.resolved("t2") == {"toxicity": ("toxic",)}
    assert intact(home)


def test_the_same_pack_twice_adds_nothing(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide
) -> None:
    away.decisions.record([decide("t2", "toxic", "ben"), decide("t3", "toxic", "ben")])
    pack = back()
    merge_pack(home, pack)
    before = home.decisions.head()
    again = merge_pack(home, pack)
    assert home.decisions.head() == before
    assert (again.decisions, again.verdicts, again.explanations, again.items) == (0, 0, 0, 0)
    assert again.known == 6


def test_decisions_go_round_three_workspaces_and_stay_one(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide, tmp_path: Path
) -> None:
    away.decisions.record([decide("t2", "toxic", "ben")])
    workspace_from_pack(tmp_path / "third", back())
    with Workspace.open(tmp_path / "third") as third:
        third.decisions.record([decide("t3", "toxic", "cem")])
        write_pack(third, tmp_path / "third.zip", Choice())
        assert intact(third)
    assert merge_pack(home, tmp_path / "third.zip").reviewers == {"ben": 1, "cem": 1}
    assert merge_pack(home, back()).decisions == 0
    assert merge_pack(away, tmp_path / "third.zip").reviewers == {"cem": 1}
    assert intact(home)
    assert intact(away)


def test_a_reviewer_who_takes_back_an_answer_elsewhere_takes_it_back_at_home(
    home: Workspace, away: Workspace, back: Callable[[], Path]
) -> None:
    away.decisions.undo("ann", item="t0")
    assert home.decisions.resolved("t0") == {"toxicity": ("toxic",)}
    merge_pack(home, back())
    assert home.decisions.resolved("t0") == {}
    assert home.decisions.last("ann") == home.decisions.of("t1")[-1]


def test_conflicts_name_both_reviewers_and_what_counts(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide
) -> None:
    away.decisions.record([decide("t0", "non-toxic", "ben"), decide("t1", "non-toxic", "ben")])
    pack = back()
    for _ in range(2):
        (conflict,) = merge_pack(home, pack).conflicts
        assert (conflict.item, conflict.task, conflict.why) == ("t0", "toxicity", "reviewers")
        assert {(one.reviewer, one.labels) for one in conflict.answers} == {
            ("ann", ("toxic",)),
            ("ben", ("non-toxic",)),
        }
        assert conflict.counts == home.decisions.resolved("t0")["toxicity"] == ("non-toxic",)


def test_a_reviewer_who_answered_here_later_is_told_that_the_older_answer_counts(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(["2026-01-01T09:00:00.000Z", "2026-01-01T10:00:00.000Z"])
    monkeypatch.setattr("engine.workspace.decisions.now", lambda: next(clock))
    away.decisions.record([decide("t2", "toxic", "ben")])
    home.decisions.record([decide("t2", "non-toxic", "ben")])
    (conflict,) = merge_pack(home, back()).conflicts
    assert (conflict.why, conflict.counts) == ("one reviewer", ("toxic",))
    assert [one.labels for one in conflict.answers] == [("non-toxic",), ("toxic",)]


def test_what_was_crossed_out_travels(home: Workspace, away: Workspace, back: Callable[[], Path]) -> None:
    (mark,) = away.annotations.of("t0")
    assert (mark.text, mark.label, mark.reviewer, mark.stands) == ("Words", "toxic", "ann", True)
    assert merge_pack(home, back()).crossed_out == 0
    assert home.annotations.count() == 1


def test_an_item_with_other_content_keeps_its_own_and_its_decisions_stay_out(
    tmp_path: Path, home: Workspace, packed: Path
) -> None:
    with Workspace.create(tmp_path / "other", home.taxonomy) as other:
        other.items.add([(Item(id="t0", kind="tweet", text="another text"), None)])
        report = merge_pack(other, packed)
        assert (report.differing, report.items, report.left_out, report.decisions) == (("t0",), 5, 1, 3)
        assert other.items.get("t0").text == "another text"
        assert other.decisions.of("t0") == []
        assert other.verdicts.of("t0") == {}


def test_splits_are_each_workspace_s_own(home: Workspace, packed: Path) -> None:
    home.items.set_splits({"t0": "test"})
    assert merge_pack(home, packed).there == 6
    assert home.items.get("t0").split == "test"


def test_a_blind_pack_holds_no_answers_and_comes_home_all_the_same(
    home: Workspace, decide: Decide, tmp_path: Path
) -> None:
    write_pack(home, tmp_path / "blind.zip", Choice(truths=False, decisions=False))
    workspace_from_pack(tmp_path / "blind", tmp_path / "blind.zip")
    with Workspace.open(tmp_path / "blind") as blind:
        assert blind.decisions.head() == (0, "")
        assert all(not item.truths for item in blind.items.iter())
        blind.decisions.record([decide("t5", "toxic", "ben")])
        write_pack(blind, tmp_path / "back.zip", Choice(truths=False))
    report = merge_pack(home, tmp_path / "back.zip")
    assert (report.differing, report.decisions) == ((), 1)
    assert home.items.get("t5").truths == {"toxicity": ("toxic",)}


def test_another_model_of_the_same_name_keeps_its_verdicts(home: Workspace, packed: Path, tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "other", home.taxonomy) as other:
        card = msgspec.structs.replace(home.models.list()[0].card, recipe="another")
        (other.path / "models" / card.id).mkdir()
        other.models.register(card, other.path / "models" / card.id)
        report = merge_pack(other, packed)
    assert (report.verdicts, report.explanations, report.decisions) == (0, 0, 4)
    assert "another model has that id" in report.notes[0]


def test_an_answer_that_the_taxonomy_does_not_know_is_kept_but_counts_for_nothing(
    home: Workspace, packed: Path, tmp_path: Path
) -> None:
    from engine.taxonomy import preset

    with Workspace.create(tmp_path / "other", preset("products")) as other:
        report = merge_pack(other, packed)
        assert report.idle == {"toxicity": 3}
        assert report.verdicts == 0
        assert len(other.decisions.of("t0")) == 1
        assert other.decisions.resolved("t0") == {}


def test_a_queue_some_items_and_a_limit_choose_what_is_packed(home: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    assert write_pack(home, path, Choice(items=("t3", "t0", "t3"))).items == 2
    assert write_pack(home, path, Choice(queue="decided")).items == 2
    report = write_pack(home, path, Choice(queue="to-review", limit=3))
    assert (report.items, report.captures, report.decisions) == (3, 3, 0)
    for choice, words in (
        (Choice(items=("t0",), queue="all"), "both named"),
        (Choice(items=("tt",)), "no item 'tt'"),
        (Choice(queue="nope"), "no queue"),
        (Choice(queue="escalated"), "holds no items"),
        (Choice(limit=-1), "-1 items"),
    ):
        with pytest.raises(InputError, match=words):
            write_pack(home, path, choice)
    assert path.stat().st_size > 0


def test_the_same_content_gives_the_same_bytes(home: Workspace, packed: Path, tmp_path: Path) -> None:
    write_pack(home, tmp_path / "again.zip", Choice())
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_a_workspace_is_not_made_over_another_one(home: Workspace, packed: Path) -> None:
    with pytest.raises(WorkspaceError, match="already is a workspace"):
        workspace_from_pack(home.path, packed)


def test_doctor_finds_a_decision_from_elsewhere_that_was_changed(
    home: Workspace, away: Workspace, back: Callable[[], Path], decide: Decide
) -> None:
    away.decisions.record([decide("t2", "toxic", "ben")])
    merge_pack(home, back())
    connection = sqlite3.connect(home.path / "workspace.db")
    connection.execute("DROP TRIGGER origins_never_change")
    connection.execute("UPDATE origins SET number = number + 1")
    connection.commit()
    connection.close()
    report = home.origins.verify()
    assert (report.ok, report.first_bad) == (False, home.decisions.of("t2")[0].number)


def test_what_repeats_itself_endlessly_is_packed_so_that_it_can_be_opened(home: Workspace, tmp_path: Path) -> None:
    home.items.add([(Item(id="long", kind="tweet", text="a" * 3_000_000), None)])
    report = write_pack(home, tmp_path / "long.zip", Choice(items=("long",)))
    assert workspace_from_pack(tmp_path / "long", tmp_path / "long.zip").pack == report.pack


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"no picture")])
def test_a_lost_screenshot_is_never_packed_and_a_pack_that_has_it_brings_it_back(
    home: Workspace, packed: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    capture = home.items.get("t3").capture
    assert capture is not None
    file = home.captures.path_of(capture)
    whole = file.read_bytes()
    damage(file)
    (tmp_path / "new.zip").write_bytes(b"precious")
    with pytest.raises(StorageError, match=r"The screenshot of 't3' is missing from .* or damaged") as refusal:
        write_pack(home, tmp_path / "new.zip", Choice())
    assert refusal.value.way_out.startswith("Import the item again")
    assert (tmp_path / "new.zip").read_bytes() == b"precious"
    (note,) = merge_pack(home, packed).notes
    assert note.startswith("1 screenshot was missing or damaged here and was brought back")
    assert file.read_bytes() == whole
    assert merge_pack(home, packed).notes == ()
