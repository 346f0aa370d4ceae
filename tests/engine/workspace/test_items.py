from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from engine.errors import InputError, NotFoundError, StorageError
from engine.types import Item
from engine.workspace import QueueQuery, Workspace

Make = Callable[..., Item]
PNG = b"\x89PNG pretended"


def test_an_item_comes_back_as_it_was_added(workspace: Workspace) -> None:
    item = Item(
        id="x",
        kind="tweet",
        title="τίτλος",
        text="a\x00b 🙂",
        author="@one",
        url="https://example.org/1",
        width=600,
        height=600,
        captured_at="2026-01-02T03:04:05Z",
        subsets=("a", "b"),
        exposure=12.5,
        split="val",
        truths={"toxicity": ("toxic",)},
        regions={"text": ((1.0, 2.0, 3.0, 4.5),)},
        meta={"row": {"deep": [1, None, True]}},
    )
    assert workspace.items.add([(item, PNG)]) == 1
    kept = workspace.items.get("x")
    assert kept.capture is not None
    assert msgspec.structs.replace(kept, capture=None) == item
    content = workspace.items.content(kept)
    assert content.capture is not None
    assert content.capture == str(workspace.captures.path_of(kept.capture).absolute())
    assert workspace.captures.path_of(kept.capture).read_bytes() == PNG


def test_adding_is_all_or_nothing(workspace: Workspace, make_tweet: Make) -> None:
    def broken() -> Iterator[tuple[Item, bytes | None]]:
        for number in range(200):
            yield make_tweet(f"new{number}"), None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.items.add(broken())
    with pytest.raises(InputError, match="already an item 't1'"):
        workspace.items.add([(make_tweet("new"), None), (make_tweet("t1"), None)])
    with pytest.raises(InputError, match="'new' is given twice"):
        workspace.items.add([(make_tweet("new"), None), (make_tweet("new"), None)])
    assert workspace.items.count() == 8
    assert workspace.queues.counts().total == 8
    assert workspace.items.add([(make_tweet("new"), None)]) == 1


@pytest.mark.parametrize(
    "item",
    [
        Item(id="", kind="tweet"),
        Item(id="x", kind=""),
        Item(id="x", kind="tweet", text="half \ud83d"),
        Item(id="x", kind="tweet", capture="0" * 64),
        Item(id="x", kind="tweet", capture="../../etc/passwd"),
    ],
)
def test_what_cannot_be_kept_is_refused(workspace: Workspace, item: Item) -> None:
    with pytest.raises(InputError):
        workspace.items.add([(item, None)])
    assert workspace.items.count() == 8


def test_bytes_must_match_the_digest_they_come_with(workspace: Workspace, make_tweet: Make) -> None:
    with pytest.raises(InputError, match="not the one that its digest names"):
        workspace.items.add([(make_tweet("x", capture="0" * 64), PNG)])
    sha = workspace.captures.store(PNG)
    assert workspace.items.add([(make_tweet("x", capture=sha), PNG), (make_tweet("y", capture=sha), None)]) == 2


def test_other_readers_are_not_held_up_while_items_arrive(workspace: Workspace, make_tweet: Make) -> None:
    """The caller's stream may take minutes; a decision elsewhere must not wait for it."""
    with Workspace.open(workspace.path, check=False) as other:

        def stream() -> Iterator[tuple[Item, bytes | None]]:
            for number in range(200):
                if number == 150:
                    other.items.set_splits({"t1": "val"})
                yield make_tweet(f"new{number}"), None

        workspace.items.add(stream())
    assert workspace.items.get("t1").split == "val"
    assert workspace.items.count() == 208


def test_get_many_keeps_the_order_asked_for(workspace: Workspace) -> None:
    assert [item.id for item in workspace.items.get_many(["p2", "t1", "p2"])] == ["p2", "t1", "p2"]
    with pytest.raises(NotFoundError, match="t9"):
        workspace.items.get_many(["t1", "t9"])
    assert workspace.items.exists(["t1", "t9"]) == {"t1"}


def test_an_unknown_id_names_the_nearest(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 't1'"):
        workspace.items.get("t11")
    with pytest.raises(NotFoundError, match="List the ids"):
        workspace.items.get("🙂")


def test_iter_pages_through_a_split_and_kind(workspace: Workspace) -> None:
    assert workspace.items.set_splits({"t1": "val", "t3": "val", "p1": "val", "t2": ""}) == 3
    found = [item.id for item in workspace.items.iter(split="val", kind="tweet", batch=1)]
    assert found == ["t1", "t3"]
    assert [item.id for item in workspace.items.iter(batch=3)] == ["t1", "t2", "t3", "t4", "p1", "p2", "p3", "p4"]


def test_splits_reach_the_queue_and_mistakes_change_nothing(workspace: Workspace) -> None:
    workspace.items.set_splits({"t1": "val"})
    assert [row.item for row in workspace.queues.page(QueueQuery(split="val")).rows] == ["t1"]
    with pytest.raises(InputError, match="'dev'"):
        workspace.items.set_splits({"t2": "val", "t3": "dev"})
    with pytest.raises(NotFoundError):
        workspace.items.set_splits({"t2": "val", "t99": "val"})
    assert workspace.items.get("t2").split == ""


@pytest.mark.parametrize(("limit", "expected"), [(3, "t1 t3 p2"), (8, "t1 t2 t3 t4 p1 p2 p3 p4")])
def test_items_spread_over_all(workspace: Workspace, champion: str, limit: int, expected: str) -> None:
    assert [content.id for content in workspace.items.spread(champion, limit)] == expected.split()
    assert workspace.items.spread(champion, 256) == workspace.items.spread(champion, 8)


def test_without_verdict_pages_and_counts(workspace: Workspace, champion: str, judge: Callable[..., object]) -> None:
    workspace.verdicts.put([judge("t2", "toxic", 0.9), judge("p1", "ok", 0.9, task="verdict")])  # type: ignore[list-item]
    first = workspace.items.without_verdict(champion, limit=4)
    second = workspace.items.without_verdict(champion, after=first[-1][0], limit=4)
    assert [content.id for _, content in first + second] == ["t1", "t3", "t4", "p2", "p3", "p4"]
    assert workspace.items.count_without_verdict(champion) == 6
    with pytest.raises(NotFoundError, match="Did you mean 'm1'"):
        workspace.items.without_verdict("m11")


def test_a_model_is_not_asked_about_kinds_it_has_no_task_for(
    workspace: Workspace, card: Callable[[str], object]
) -> None:
    folder = workspace.path / "models" / "tweets-only"
    folder.mkdir()
    only = msgspec.structs.replace(card("tweets-only"), tasks={"toxicity": ("toxic", "non-toxic")})  # type: ignore[type-var]
    workspace.models.register(only, folder)  # type: ignore[arg-type]
    assert {content.kind for _, content in workspace.items.without_verdict("tweets-only")} == {"tweet"}
    assert workspace.items.count_without_verdict("tweets-only") == 4
    assert [content.id for content in workspace.items.spread("tweets-only", 8)] == ["t1", "t2", "t3", "t4"]


def test_a_read_only_workspace_takes_no_items(workspace: Workspace, make_tweet: Make) -> None:
    with Workspace.open(workspace.path, read_only=True) as reading, pytest.raises(StorageError, match="reading only"):
        reading.items.add([(make_tweet("new"), None)])
