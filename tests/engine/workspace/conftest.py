"""A small workspace with two kinds of items, and helpers that make its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from engine.taxonomy import Taxonomy, parse_taxonomy
from engine.types import Action, Item, ModelCard, Verdict
from engine.workspace import NewDecision, Workspace

TAXONOMY = """
name = "desk"

[[tasks]]
name = "toxicity"
title = "Toxicity"
kind = "single"
applies_to = ["tweet"]
labels = [
  { name = "toxic", title = "Toxic", key = "1", severity = 3 },
  { name = "non-toxic", title = "Non-toxic", key = "2", severity = 0 },
]

[[tasks]]
name = "verdict"
title = "Verdict"
kind = "single"
applies_to = ["product"]
labels = [
  { name = "ok", title = "OK", key = "1", severity = 0 },
  { name = "adult", title = "Adult", key = "2", severity = 2 },
  { name = "prohibited", title = "Prohibited", key = "3", severity = 4 },
]

[[tasks]]
name = "reason"
title = "Reason"
kind = "multi"
applies_to = ["product"]
when = { verdict = ["prohibited"] }
labels = [
  { name = "alcohol", title = "Alcohol", key = "1", severity = 3 },
  { name = "smoking", title = "Smoking", key = "2", severity = 3 },
]
"""


class Decide(Protocol):
    """Makes a new decision; an answer unless `action` says otherwise."""

    def __call__(
        self,
        item: str,
        *labels: str,
        task: str = "toxicity",
        reviewer: str = "ann",
        action: Action = Action.CORRECT,
        act: str = "",
    ) -> NewDecision: ...


class Judge(Protocol):
    """Makes a verdict."""

    def __call__(
        self, item: str, label: str, probability: float, *, task: str = "toxicity", model: str = "m1"
    ) -> Verdict: ...


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return parse_taxonomy(TAXONOMY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "desk.secondlook"


@pytest.fixture
def workspace(folder: Path, taxonomy: Taxonomy) -> Iterator[Workspace]:
    """Eight items: tweets t1 to t4 and products p1 to p4."""
    with Workspace.create(folder, taxonomy) as made:
        made.items.add((tweet(f"t{number}"), None) for number in range(1, 5))
        made.items.add((product(f"p{number}"), None) for number in range(1, 5))
        yield made


def tweet(name: str, **fields: object) -> Item:
    return Item(id=name, kind="tweet", text=f"words of {name}", **fields)  # type: ignore[arg-type]


def product(name: str, **fields: object) -> Item:
    return Item(id=name, kind="product", title=f"Product {name}", text="a page", **fields)  # type: ignore[arg-type]


@pytest.fixture
def make_tweet() -> Callable[..., Item]:
    return tweet


@pytest.fixture
def make_product() -> Callable[..., Item]:
    return product


@pytest.fixture
def decide() -> Decide:
    def make(
        item: str,
        *labels: str,
        task: str = "toxicity",
        reviewer: str = "ann",
        action: Action = Action.CORRECT,
        act: str = "",
    ) -> NewDecision:
        return NewDecision(item=item, task=task, action=action, labels=labels, reviewer=reviewer, act=act)

    return make


@pytest.fixture
def judge() -> Judge:
    def make(item: str, label: str, probability: float, *, task: str = "toxicity", model: str = "m1") -> Verdict:
        return Verdict(
            item=item,
            task=task,
            model=model,
            label=label,
            probability=probability,
            labels=(label,),
            probabilities={label: probability},
        )

    return make


@pytest.fixture
def card() -> Callable[[str], ModelCard]:
    """Make a card for both primary tasks."""

    def make(name: str) -> ModelCard:
        tasks = {"toxicity": ("toxic", "non-toxic"), "verdict": ("ok", "adult", "prohibited")}
        return ModelCard(id=name, created="2026-01-01T00:00:00.000Z", recipe="", tasks=tasks)

    return make


@pytest.fixture
def add_model(workspace: Workspace, card: Callable[[str], ModelCard]) -> Callable[[str], None]:
    """Register a model with an empty folder."""

    def add(name: str) -> None:
        folder = workspace.path / "models" / name
        folder.mkdir()
        workspace.models.register(card(name), folder)

    return add


@pytest.fixture
def champion(workspace: Workspace, add_model: Callable[[str], None]) -> str:
    """The promoted model m1."""
    add_model("m1")
    workspace.models.promote("m1", "the first one")
    return "m1"
