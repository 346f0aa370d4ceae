"""What the page says of a verdict that changed, and of an item that was picked to teach the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.desk import Desk
from desktop.review.page import ReviewPage
from desktop.review.sight import look
from desktop.review.story import story
from engine.triage import teaching
from engine.types import Action, ModelCard, Verdict
from engine.workspace import NewDecision, Workspace


@pytest.fixture
def flipped(desk: Desk, make_verdict: Callable[..., Verdict]) -> Desk:
    """tweet-0 was decided by ana and tweet-1 by ben, both as the first model said; the second says otherwise."""
    ws = desk.workspace
    for item, reviewer in (("tweet-0", "ana"), ("tweet-1", "ben")):
        ws.decisions.record(
            [NewDecision(item=item, task="toxicity", action=Action.CONFIRM, labels=("toxic",), reviewer=reviewer)]
        )
    crown(ws, "second-model")
    ws.verdicts.put(
        [make_verdict(f"tweet-{n}", "toxicity", model="second-model", toxic=0.1, non_toxic=0.9) for n in range(3)]
    )
    return desk


def crown(ws: Workspace, name: str) -> None:
    folder = ws.path / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    ws.models.register(ModelCard(id=name, created="2026-01-02T00:00:00+00:00", recipe="", tasks={}), Path(folder))
    ws.models.promote(name, "for the test")


def test_what_the_verdict_was_and_who_said_what(flipped: Desk) -> None:
    ws = flipped.workspace

    def told(item: str, reviewer: str = "ana") -> str:
        return story(ws.taxonomy, look(ws, item), reviewer)

    assert told("tweet-0") == "was: Toxic, 0.80; you said: Toxic"
    assert told("tweet-1") == "was: Toxic, 0.80; ben said: Toxic"
    assert told("tweet-2") == "was: Toxic, 0.80"
    assert told("tweet-3") == told("product-0") == ""
    ws.decisions.record(
        [NewDecision(item="tweet-0", task="toxicity", action=Action.CONFIRM, labels=("toxic",), reviewer="ana")]
    )
    assert told("tweet-0") == ""


def test_why_an_item_was_picked_is_said_until_it_is_decided(desk: Desk) -> None:
    ws = desk.workspace
    teaching.select(ws, count=8, random_share=0.0, kind="tweet")
    sight = look(ws, "tweet-0")
    why = "Picked to teach the model: the model wavers between Toxic (80%) and Non-toxic (20%)."
    assert story(ws.taxonomy, sight, "ana") == why
    ws.decisions.record(
        [NewDecision(item="tweet-0", task="toxicity", action=Action.CONFIRM, labels=("toxic",), reviewer="ana")]
    )
    assert story(ws.taxonomy, look(ws, "tweet-0"), "ana") == ""


def test_the_queue_of_flips_is_walked_with_its_story_on_the_page(
    flipped: Desk, show_page: Callable[[Desk], ReviewPage]
) -> None:
    page = show_page(flipped)
    page.show_queue("flips")
    assert page.queue.title == "Flips"
    assert page.queue.chooser.currentText() == "Flips   3"
    assert page.model.items == ["tweet-1", "tweet-0", "tweet-2"]
    assert page.panel.story.text() == "was: Toxic, 0.80; ben said: Toxic"
    assert page.panel.story.isVisible()
    page.controller.choose("toxic")
    assert page.panel.story.text() == "was: Toxic, 0.80; you said: Toxic"
    page.controller.confirm()
    page.controller.choose("toxic")
    assert page.controller.visit is None
    page.show_queue("flips")
    assert page.model.items == []
    page.show_queue("to-review")
    assert not page.panel.story.isVisible()


def test_the_queue_to_teach_goes_on_with_what_is_open(desk: Desk, show_page: Callable[[Desk], ReviewPage]) -> None:
    teaching.select(desk.workspace, "random", count=3, seed=1, kind="tweet")
    page = show_page(desk)
    page.show_queue("teach")
    assert page.queue.title == "Teach the model"
    items = [pick.item for pick in desk.workspace.teaching.picks()]
    assert page.model.items == items
    assert page.panel.story.text().endswith("drawn at random, to find what the model is wrongly sure of.")
    for _ in items:
        page.controller.choose("toxic")
    assert page.controller.visit is None
    assert page.empty.isVisible()
