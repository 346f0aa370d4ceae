from __future__ import annotations

import pytest

from engine.errors import NotFoundError
from engine.triage import DEFAULT, named, queues
from engine.workspace.facets import STATES
from engine.workspace.queues import ORDERS


def test_the_queues_people_are_offered() -> None:
    names = [queue.name for queue in queues()]
    assert names == [
        "to-review",
        "uncertain",
        "high-risk",
        "flips",
        "teach",
        "disagreements",
        "escalated",
        "skipped",
        "decided",
        "all",
    ]
    assert names[0] == DEFAULT


def test_every_queue_can_be_asked_and_read() -> None:
    for queue in queues():
        assert queue.query.order in ORDERS
        assert set(queue.query.states) <= set(STATES)
        assert queue.title
        assert queue.description.endswith(".")


def test_a_misspelt_queue_is_named_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'uncertain'"):
        named("uncertian")
