from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.taxonomy import Taxonomy, preset
from engine.types import Action, Box, CrossedOut, Decision, Item, Mark
from engine.workspace import NewDecision, Workspace

REVIEWERS = ("ada", "grace@example.org", "label-studio:7", "=cmd()", "Ωμέγα")
MakeWorkspace = Callable[[], Workspace]
Fill = Callable[[Workspace, int, list[str]], None]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return preset("both")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Path:
    """An empty workspace's folder, to be copied: that is quicker than making one."""
    path = tmp_path_factory.mktemp("template") / "w.secondlook"
    Workspace.create(path, taxonomy).close()
    return path


@pytest.fixture
def new_workspace(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[MakeWorkspace]:
    """Return a function that opens another empty workspace; all are closed in the end."""
    made: list[Workspace] = []

    def make() -> Workspace:
        folder = tmp_path_factory.mktemp("made") / "w.secondlook"
        shutil.copytree(template, folder)
        made.append(Workspace.open(folder, check=False))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def fill(picture: Callable[..., bytes], taxonomy: Taxonomy) -> Fill:
    """Put items with these texts, and decisions on them, into a workspace: everything drawn from the seed."""

    def fill_one(ws: Workspace, seed: int, texts: list[str]) -> None:
        draw = random.Random(seed)
        items = [_item(draw, number, text, taxonomy) for number, text in enumerate(texts)]
        pictured = [draw.random() < 0.3 or not (item.text or item.title) for item in items]
        png = picture()
        sized = [
            msgspec.structs.replace(one, width=40, height=30) if has else one
            for one, has in zip(items, pictured, strict=True)
        ]
        ws.items.add((item, png if has else None) for item, has in zip(sized, pictured, strict=True))
        for item in items:
            for _ in range(draw.randrange(4)):
                _decide(draw, ws, item, taxonomy)

    return fill_one


def _item(draw: random.Random, number: int, text: str, taxonomy: Taxonomy) -> Item:
    kind = draw.choice(("tweet", "product"))
    task = taxonomy.tasks_for(kind)[0]
    truths: dict[str, tuple[str, ...]] = {task.name: (draw.choice(task.label_names),)}
    regions: dict[str, tuple[Box, ...]] = {"price": ((1.0, 2.0, 10.5, 3.3), (0.0, 0.0, 40.0, 30.0))}
    return Item(
        id=draw.choice((f"{number}", f"item {number}", f"=Ω{number}", f"a/{number}")),
        kind=kind,
        text=text,
        title=draw.choice(("", "a title", "-title", "'=quoted")),
        author=draw.choice(("", "@ann", "bob")),
        url=draw.choice(("", "https://example.org/1?a=b&c")),
        captured_at=draw.choice(("", "2026-01-31T12:00:00Z")),
        subsets=draw.choice(((), ("one", "two; three"))),
        exposure=draw.choice((None, 0.0, 12.5, 1e9)),
        split=draw.choice(("", "train", "val")),
        truths=truths if draw.random() < 0.5 else {},
        regions=regions if draw.random() < 0.5 else {},
        meta=draw.choice(({}, {"shop": {"deep": [1, None, "x"]}, "lang": "el"})),
    )


def _decide(draw: random.Random, ws: Workspace, item: Item, taxonomy: Taxonomy) -> None:
    reviewer = draw.choice(REVIEWERS)
    if draw.random() < 0.2 and ws.decisions.undo(reviewer, item=item.id):
        return
    common: dict[str, Any] = {
        "item": item.id,
        "reviewer": reviewer,
        "seconds": draw.choice((0.0, 0.25, 12.345678901)),
        "note": draw.choice(("", "+1 a note", "two\nlines")),
    }
    if draw.random() < 0.3:
        action = draw.choice((Action.SKIP, Action.ESCALATE))
        ws.decisions.record(
            [NewDecision(**common, action=action, task=draw.choice(("", taxonomy.tasks_for(item.kind)[0].name)))]
        )
        return
    shown: dict[str, Any] = {"shown_model": "m1", "shown_labels": ("toxic",), "shown_probability": 0.75}
    rows = []
    for task in taxonomy.tasks_for(item.kind):
        chosen = draw.sample(task.label_names, draw.randrange(4) if task.multi else 1)
        word = CrossedOut(kind=Mark.WORD, field="title", start=0, end=2, text=item.title[:2], label="toxic")
        rows.append(
            NewDecision(
                **common,
                **(shown if draw.random() < 0.5 else {}),
                task=task.name,
                action=draw.choice((Action.CONFIRM, Action.CORRECT)),
                labels=tuple(chosen),
                crossed_out=(word,) if item.title and draw.random() < 0.3 else (),
            )
        )
    ws.decisions.record(rows)


def _plain(decision: Decision) -> dict[str, Any]:
    """Return everything about a decision but its place in the chain."""
    fields = msgspec.structs.asdict(decision)
    return {name: value for name, value in fields.items() if name not in {"number", "previous", "hash"}}


Said = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def said() -> Said:
    """Return everything that decisions say, without their places in the chain: `said(decisions)`."""

    def plain(decisions: list[Decision]) -> list[dict[str, Any]]:
        return [_plain(one) for one in decisions]

    return plain
