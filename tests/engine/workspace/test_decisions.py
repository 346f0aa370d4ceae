from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.errors import InputError, NotFoundError, StorageError
from engine.types import Action
from engine.workspace import NewDecision, Workspace

Decide = Callable[..., NewDecision]


def test_a_decision_is_there_after_opening_again(workspace: Workspace, decide: Decide) -> None:
    (recorded,) = workspace.decisions.record([decide("t1", "toxic")])
    workspace.close()
    with Workspace.open(workspace.path) as again:
        assert again.decisions.of("t1") == [recorded]
        assert again.decisions.resolved("t1") == {"toxicity": ("toxic",)}
        assert again.queues.row("t1").state == "decided"


def test_record_is_all_or_nothing(workspace: Workspace, decide: Decide) -> None:
    with pytest.raises(InputError, match="label"):
        workspace.decisions.record([decide("t1", "toxic"), decide("t2", "nonsense")])
    assert list(workspace.decisions.iter()) == []
    assert workspace.queues.counts().open == 8


def test_labels_of_a_multi_label_task_are_kept_in_the_taxonomys_order(workspace: Workspace, decide: Decide) -> None:
    rows = workspace.decisions.record(
        [decide("p1", "prohibited", task="verdict"), decide("p1", "smoking", "alcohol", "smoking", task="reason")]
    )
    assert rows[1].labels == ("alcohol", "smoking")
    assert rows[0].act == rows[1].act


def test_an_empty_answer_to_a_multi_label_task_is_an_answer(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("p1", "prohibited", task="verdict", act="a")])
    assert workspace.queues.row("p1").state == "open"
    workspace.decisions.record([decide("p1", task="reason", act="a")])
    assert workspace.queues.row("p1").state == "decided"
    assert workspace.decisions.resolved("p1") == {"verdict": ("prohibited",), "reason": ()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ("toxic", "non-toxic")}, "exactly one label"),
        ({"labels": ()}, "exactly one label"),
        ({"labels": ("toxick",)}, "Did you mean 'toxic'"),
        ({"task": "toxic"}, "no task"),
        ({"task": "verdict", "labels": ("ok",)}, "not asked of a tweet"),
        ({"item": "t99"}, "no item"),
        ({"reviewer": " "}, "reviewer"),
        ({"action": Action.UNDO, "labels": ()}, "undo"),
        ({"action": Action.SKIP}, "labels"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": -1.0}, "seconds"),
        ({"shown_probability": float("inf")}, "probability"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_plain_sentence(
    workspace: Workspace, decide: Decide, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        workspace.decisions.record([msgspec.structs.replace(decide("t1", "toxic"), **change)])
    assert workspace.decisions.head() == (0, "")


def test_a_note_with_half_a_character_pair_does_not_lose_the_decision(workspace: Workspace, decide: Decide) -> None:
    (row,) = workspace.decisions.record([msgspec.structs.replace(decide("t1", "toxic"), note="\ud83d look")])
    assert row.note == "? look"
    assert workspace.decisions.verify().ok


def test_undo_takes_back_the_whole_visit_and_says_where_to_go(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("p1", "prohibited", task="verdict", act="visit")])
    workspace.decisions.record([decide("p1", "alcohol", task="reason", act="visit")])
    undone = workspace.decisions.undo("ann")
    assert undone is not None
    assert (undone.act, undone.item, len(undone.decisions)) == ("visit", "p1", 2)
    assert (undone.undo.action, undone.undo.undoes) == (Action.UNDO, "visit")
    assert workspace.decisions.resolved("p1") == {}
    assert workspace.queues.row("p1").state == "open"


def test_undo_goes_back_across_items_and_restarts_and_is_no_redo(workspace: Workspace, decide: Decide) -> None:
    for item in ("t1", "t2", "t3"):
        workspace.decisions.record([decide(item, "toxic")])
    workspace.close()
    seen = []
    for _ in range(4):
        with Workspace.open(workspace.path) as again:
            undone = again.decisions.undo("ann")
            seen.append(None if undone is None else undone.item)
    assert seen == ["t3", "t2", "t1", None]
    with Workspace.open(workspace.path) as again:
        assert again.queues.counts().open == 8
        assert again.decisions.verify().rows == 6


def test_undo_takes_back_only_the_reviewers_own_acts(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t1", "toxic", reviewer="ann")])
    workspace.decisions.record([decide("t1", "non-toxic", reviewer="bob")])
    undone = workspace.decisions.undo("ann")
    assert undone is not None
    assert workspace.decisions.resolved("t1") == {"toxicity": ("non-toxic",)}
    assert workspace.decisions.undo("ann") is None


def test_undo_of_one_item_leaves_later_acts(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t1", "toxic")])
    workspace.decisions.record([decide("t2", "toxic")])
    undone = workspace.decisions.undo("ann", item="t1")
    assert undone is not None
    assert undone.item == "t1"
    assert workspace.decisions.undo("ann", item="t1") is None
    last = workspace.decisions.last("ann")
    assert last is not None
    assert last.item == "t2"


def test_rows_for_an_act_that_was_taken_back_start_a_new_one(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("p1", "prohibited", task="verdict", act="visit")])
    workspace.decisions.undo("ann")
    (row,) = workspace.decisions.record([decide("p1", "ok", task="verdict", act="visit")])
    assert row.act != "visit"
    assert workspace.decisions.resolved("p1") == {"verdict": ("ok",)}


def test_an_act_belongs_to_one_item_and_reviewer(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t1", "toxic", act="visit")])
    for other in (decide("t2", "toxic", act="visit"), decide("t1", "toxic", act="visit", reviewer="bob")):
        with pytest.raises(InputError, match="act"):
            workspace.decisions.record([other])
    with pytest.raises(InputError, match="One act"):
        workspace.decisions.record([decide("t3", "toxic", act="new"), decide("t4", "toxic", act="new")])


def test_counts_speak_of_standing_acts(workspace: Workspace, decide: Decide) -> None:
    workspace.decisions.record([decide("t1", "toxic")])
    (second,) = workspace.decisions.record([decide("t2", "toxic", action=Action.CONFIRM)])
    workspace.decisions.record([decide("t3", "toxic", reviewer="bob")])
    assert workspace.decisions.count() == 3
    assert workspace.decisions.count("ann") == 2
    assert workspace.decisions.count("ann", since="9999") == 0
    assert workspace.decisions.corrections_since(0) == 2
    assert workspace.decisions.corrections_since(second.number) == 1
    workspace.decisions.undo("bob")
    assert workspace.decisions.count() == 2
    assert workspace.decisions.corrections_since(0) == 1


def test_writers_at_the_same_time_leave_no_gap(workspace: Workspace, decide: Decide) -> None:
    """Every connection takes the write lock before it reads the end of the chain."""
    failures: list[BaseException] = []

    def review(name: str) -> None:
        try:
            with Workspace.open(workspace.path, check=False) as own:
                for number in range(20):
                    own.decisions.record([decide(f"t{number % 4 + 1}", "toxic", reviewer=name)])
                    if number % 5 == 4:
                        own.decisions.undo(name)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=review, args=(name,)) for name in ("ann", "bob", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    report = workspace.decisions.verify()
    assert (report.ok, report.rows) == (True, 3 * 24)
    assert workspace.decisions.count("bob") == 16


def test_reading_only_refuses_to_write(workspace: Workspace, decide: Decide) -> None:
    with Workspace.open(workspace.path, read_only=True) as reading, pytest.raises(StorageError, match="reading only"):
        reading.decisions.record([decide("t1", "toxic")])
    assert workspace.decisions.head() == (0, "")


def test_unknown_items_are_named(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="t99"):
        workspace.decisions.of("t99")
    with pytest.raises(NotFoundError, match="t99"):
        workspace.decisions.resolved_many(["t1", "t99"])
