"""The queues that have a name, in the order in which people are offered them."""

from __future__ import annotations

from engine.errors import NotFoundError, did_you_mean
from engine.types import Struct
from engine.workspace.facets import STATES
from engine.workspace.queues import QueueQuery


class NamedQueue(Struct, frozen=True, kw_only=True):
    """A queue people know by name: `query` says what is in it and in which order."""

    name: str
    title: str
    description: str
    query: QueueQuery


_QUEUES = (
    NamedQueue(
        name="to-review",
        title="To review",
        description="Items nobody has decided yet, in the order they were captured.",
        query=QueueQuery(states=("open",), order="oldest"),
    ),
    NamedQueue(
        name="uncertain",
        title="Uncertain",
        description="Open items, the ones the model is least sure of first: what it learns most from.",
        query=QueueQuery(states=("open",), order="uncertain"),
    ),
    NamedQueue(
        name="high-risk",
        title="High risk",
        description="Open items, the likeliest and most severe violations first.",
        query=QueueQuery(states=("open",), order="risk"),
    ),
    NamedQueue(
        name="flips",
        title="Flips",
        description=(
            "Items whose verdict a newer model changed and nobody has looked at since: those that contradict a decision"
            " first, then the surest."
        ),
        query=QueueQuery(states=STATES, order="flips", listed="flips"),
    ),
    NamedQueue(
        name="teach",
        title="Teach the model",
        description="Open items picked for what the model would learn from their labels, the most telling first.",
        query=QueueQuery(states=("open",), order="teach", listed="teach"),
    ),
    NamedQueue(
        name="disagreements",
        title="Disagreements",
        description="Decided items where reviewers and the model say different things, latest first.",
        query=QueueQuery(states=("decided",), order="recent", disagreement=True),
    ),
    NamedQueue(
        name="escalated",
        title="Escalated",
        description="Items a reviewer passed on to somebody else, latest first.",
        query=QueueQuery(states=("escalated",), order="recent"),
    ),
    NamedQueue(
        name="skipped",
        title="Skipped",
        description="Items a reviewer left for later, latest first.",
        query=QueueQuery(states=("skipped",), order="recent"),
    ),
    NamedQueue(
        name="decided",
        title="Decided",
        description="Items that have an answer to every question, latest first.",
        query=QueueQuery(states=("decided",), order="recent"),
    ),
    NamedQueue(
        name="all",
        title="All",
        description="Every item, in the order they were captured.",
        query=QueueQuery(states=STATES, order="oldest"),
    ),
)
DEFAULT = "to-review"


def queues() -> tuple[NamedQueue, ...]:
    """Return all named queues, the default one ("to-review") first."""
    return _QUEUES


def named(name: str) -> NamedQueue:
    """Return the queue of this name; raises `NotFoundError` with the nearest name."""
    for queue in _QUEUES:
        if queue.name == name:
            return queue
    raise NotFoundError(f"There is no queue '{name}'.", did_you_mean(name, [queue.name for queue in _QUEUES]))
