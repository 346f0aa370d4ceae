"""What a run does so that its figures can be trusted: copies and authors stay on one side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.training.run import train
from engine.types import TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

replace = msgspec.structs.replace


def splits_of(folder: Path) -> dict[str, str]:
    return msgspec.json.decode((folder / "candidate/splits.json").read_bytes(), type=dict[str, str])


def said_again(item: TrainingItem, number: int, split: str = "") -> TrainingItem:
    """The item as somebody else repeats it."""
    text = f"@someone {item.content.text.upper()}!! https://t.example/{number}"
    content = replace(item.content, id=f"copy{number}", text=text)
    return replace(item, content=content, group=f"copier{number}", split=split)


def test_copies_and_authors_are_never_on_both_sides(make_run: RunMaker) -> None:
    items = make_run.items()
    copies = [said_again(items[number], number) for number in range(12)]
    authored = [replace(item, group=f"author:{'@' if n % 2 else ''}A{n // 4}") for n, item in enumerate(items[12:])]
    folder = make_run([*items[:12], *authored, *copies])
    train(folder, emit=lambda _: None, cancelled=lambda: False)
    sides = splits_of(folder)
    assert all(sides[f"i{number}"] == sides[f"copy{number}"] for number in range(12))
    assert all(len({sides[f"i{n + 12 + k}"] for k in range(4)}) == 1 for n in range(0, 36, 4))
    assert set(sides.values()) == {"train", "val", "test"}


def test_copies_that_came_in_on_several_sides_train_and_are_told(make_run: RunMaker) -> None:
    items = make_run.items()
    fixed = [replace(items[number], split="test") for number in range(4)]
    copies = [said_again(items[0], 0, "train"), said_again(items[1], 1, "test")]
    folder = make_run([*fixed, *items[4:], *copies])
    _, outcome = train(folder, emit=lambda _: None, cancelled=lambda: False)
    sides = splits_of(folder)
    assert (sides["i0"], sides["copy0"]) == ("train", "train")
    assert (sides["i1"], sides["copy1"]) == ("test", "test")
    assert "1 group (an author and near-duplicates) came in on several sides" in outcome.reason
