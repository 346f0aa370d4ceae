"""What a writer writes, its reader reads: with nothing lost that the format can hold."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.intake import export, import_paths
from engine.intake.formats import FORMATS
from engine.types import Item
from engine.workspace import Workspace
from engine.workspace.marks import plain
from engine.workspace.resolution import standing

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t\r=+-@',;\"")
TEXTS = st.lists(st.text(LETTERS, max_size=30), min_size=1, max_size=8)
FEW = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = {"jsonl": "out.jsonl", "csv": "out.csv", "label-studio": "out.json", "prodigy": "p.jsonl", "doccano": "d.jsonl"}


def marks_of(ws: Workspace, item: str) -> list[Any]:
    return [(plain(one, label=one.label), one.act, one.reviewer) for one in ws.annotations.of(item) if one.stands]


def there_and_back(name: str, source: Workspace, target: Workspace) -> None:
    file = source.path.parent / NAMES[name]
    export(source, file, format=name)
    (file.parent / "captures").symlink_to(source.path / "captures")  # screenshots are looked for beside the file
    assert import_paths(target, [file], format=name).errors == ()
    again = import_paths(target, [file], format=name)
    assert (again.imported, again.decisions, again.errors) == (0, 0, ())
    assert target.decisions.verify().ok
    assert target.annotations.verify().ok


@FEW
@given(texts=TEXTS, seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_our_own_formats_keep_everything(
    new_workspace: Any, fill: Any, said: Any, name: str, texts: list[str], seed: int
) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, seed, texts)
    there_and_back(name, source, target)
    assert list(target.items.iter()) == list(source.items.iter())
    for item in source.items.iter():
        assert said(target.decisions.of(item.id)) == said(source.decisions.of(item.id))
        assert target.decisions.resolved(item.id) == source.decisions.resolved(item.id)
        assert marks_of(target, item.id) == marks_of(source, item.id)


@FEW
@given(texts=TEXTS, seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", ["label-studio", "prodigy"])
def test_tools_that_know_annotators_keep_items_and_standing_answers(
    new_workspace: Any, fill: Any, said: Any, name: str, texts: list[str], seed: int
) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, seed, texts)
    there_and_back(name, source, target)
    assert list(target.items.iter()) == list(source.items.iter())
    for item in source.items.iter():
        assert said(target.decisions.of(item.id)) == said(standing(source.decisions.of(item.id)))
        assert target.decisions.resolved(item.id) == source.decisions.resolved(item.id)
        assert marks_of(target, item.id) == marks_of(source, item.id)


@FEW
@given(texts=TEXTS, seed=st.integers(0, 10_000))
def test_doccano_keeps_items_and_what_their_label_is(
    new_workspace: Any, fill: Any, texts: list[str], seed: int
) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, seed, texts)
    there_and_back("doccano", source, target)

    def labelled(item: Item) -> Item:
        listed = {task: labels for task, labels in source.decisions.resolved(item.id).items() if labels}
        return msgspec.structs.replace(item, truths={**item.truths, **listed})

    texted = [item for item in source.items.iter() if item.text or item.title]
    assert list(target.items.iter()) == [labelled(item) for item in texted]


def test_every_format_that_goes_both_ways_is_tried(new_workspace: Any) -> None:
    ours = {name for name, one in FORMATS.items() if one.reads and one.writes}
    assert {*NAMES, "doccano-spans"} <= ours
