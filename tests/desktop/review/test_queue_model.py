from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.review.pixel_cache import PixelPool
from desktop.review.queue_model import QueueModel, Role
from desktop.review.thumbnails import Thumbnails
from engine.errors import StorageError
from engine.types import Action
from engine.workspace import NewDecision, QueueQuery

OLDEST = QueueQuery(states=("open",), order="oldest", limit=3)


@pytest.fixture
def pool(qapp: object) -> Iterator[PixelPool]:
    made = PixelPool(threads=1)
    yield made
    made.close()


@pytest.fixture
def model(desk: Desk, pool: PixelPool) -> QueueModel:
    return QueueModel(desk.workspace, Thumbnails(desk.workspace, pool, pool), pool)


def items(model: QueueModel) -> list[str]:
    return [model.row_at(place).item for place in range(model.rowCount())]


def decide(desk: Desk, item: str) -> None:
    desk.workspace.decisions.record(
        [NewDecision(item=item, task="toxicity", action=Action.CONFIRM, labels=("toxic",), reviewer="ben")]
    )


def test_it_is_a_sound_model(model: QueueModel, qtmodeltester: Any) -> None:
    qtmodeltester.check(model)


def test_it_is_sound_with_rows(model: QueueModel, qtmodeltester: Any) -> None:
    model.load(OLDEST)
    qtmodeltester.check(model)


def test_pages_follow_each_other_without_gaps_or_repeats(model: QueueModel) -> None:
    model.load(OLDEST)
    assert items(model) == ["tweet-0", "tweet-1", "tweet-2"]
    while model.canFetchMore():
        model.fetchMore()
    assert items(model) == [*(f"tweet-{n}" for n in range(6)), "product-0", "product-1"]


def test_decided_items_stay_where_they_are_marked(model: QueueModel, desk: Desk) -> None:
    model.load(OLDEST)
    decide(desk, "tweet-1")
    model.refresh(["tweet-1"])
    assert items(model) == ["tweet-0", "tweet-1", "tweet-2"]
    assert model.row_at(1).state == "decided"
    model.fetchMore()
    assert items(model)[3] == "tweet-3"
    assert model.next_open(0) == 2


def test_a_change_names_the_row_and_exactly_the_roles(
    model: QueueModel, desk: Desk, qtbot: QtBot, make_verdict: Any
) -> None:
    model.load(OLDEST)
    desk.workspace.verdicts.put([make_verdict("tweet-2", "toxicity", toxic=0.1, non_toxic=0.9)])
    with qtbot.waitSignal(model.dataChanged) as changed:
        model.refresh(["tweet-2", "tweet-0", "never-met"])
    assert changed.args is not None
    first, last, roles = changed.args
    assert (first.row(), last.row()) == (2, 2)
    assert Role.THUMBNAIL not in roles
    assert {Role.ROW, Role.LABEL} <= set(roles)
    with qtbot.assertNotEmitted(model.dataChanged):
        model.refresh(["tweet-0", "tweet-2"])


def test_an_item_of_another_visit_comes_in_where_the_reviewer_is(model: QueueModel) -> None:
    model.load(OLDEST)
    assert model.insert("product-0", 1) == 1
    assert items(model) == ["tweet-0", "product-0", "tweet-1", "tweet-2"]
    assert model.insert("tweet-2", 0) == 3
    while model.canFetchMore():
        model.fetchMore()
    assert items(model).count("product-0") == 1
    assert model.place_of("product-1") == 7


def test_the_end_is_told_from_more(model: QueueModel) -> None:
    model.load(OLDEST)
    assert model.next_open(2) == 3
    assert model.next_open(7) is None


def test_reading_on_that_fails_says_so_and_keeps_the_rows(
    model: QueueModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.load(OLDEST)

    class Broken:
        def page(self, query: QueueQuery) -> None:
            raise StorageError("The disk is gone.")

    monkeypatch.setattr(model, "_queues", Broken())
    with qtbot.waitSignal(model.failed) as failed:
        model.fetchMore()
    assert failed.args == ["The disk is gone."]
    assert len(items(model)) == 3
    assert not model.canFetchMore()


def test_thumbnails_arrive_later_under_their_own_role(model: QueueModel, qtbot: QtBot) -> None:
    model.load(msgspec.structs.replace(OLDEST, limit=8))
    index = model.index(0)
    assert index.data(Role.THUMBNAIL) is None
    with qtbot.waitSignal(model.dataChanged) as changed:
        pass
    assert changed.args is not None
    assert changed.args[2] == [Role.THUMBNAIL]
    assert not index.data(Role.THUMBNAIL).isNull()
    assert model.index(5).data(Role.THUMBNAIL) is None


def test_a_row_says_itself_to_a_screen_reader(model: QueueModel) -> None:
    from PySide6.QtCore import Qt

    model.load(OLDEST)
    words = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert words == "Item number 0 🙂 with words, Toxic 80%, open"
