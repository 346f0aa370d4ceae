"""Which items go into a pack: a named queue, ids, or everything."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from engine.counting import counted
from engine.errors import InputError
from engine.triage import named
from engine.types import Struct
from engine.workspace import Workspace

MOST_ITEMS = 100_000
_PAGE = 1_000


class Choice(Struct, frozen=True, kw_only=True):
    """What to put in: `items` by id, else the queue `queue`, else everything; at most `limit` (0: no limit).

    `truths`: with the labels that came with the import; `decisions`: with the decisions so far. Without both, a
    reviewer judges for themselves. `explanations`: with the stored ones.
    """

    items: tuple[str, ...] = ()
    queue: str = ""
    limit: int = 0
    truths: bool = True
    decisions: bool = True
    explanations: bool = True


def chosen(ws: Workspace, choice: Choice) -> list[str]:
    """Return the ids in the order of their adding or of their queue.

    Raises:
        InputError: both a queue and items are named, nothing is chosen, or more than a pack holds.
        NotFoundError: there is no such item or queue.
    """
    if choice.items and choice.queue:
        raise InputError("Items and a queue are both named.", "Name one of them.")
    if choice.limit < 0:
        raise InputError(
            f"A pack of {counted(choice.limit, 'item')} cannot be made.", "Give a number from 1 up, or leave it out."
        )
    ids = list(dict.fromkeys(choice.items)) or _all(ws, choice)
    if choice.items:
        ws.items.get_many(ids)
    if choice.limit:
        ids = ids[: choice.limit]
    if not ids:
        where = f"The queue '{choice.queue}'" if choice.queue else "The workspace"
        raise InputError(f"{where} holds no items, so there is nothing to pack.", "Choose another queue.")
    if len(ids) > MOST_ITEMS:
        raise InputError(
            f"That is {counted(len(ids), 'item')}; a pack holds {MOST_ITEMS:,} at most.",
            "Choose a queue, or give a limit.",
        )
    return ids


def _all(ws: Workspace, choice: Choice) -> list[str]:
    most = min(choice.limit or MOST_ITEMS + 1, MOST_ITEMS + 1)
    if choice.queue:
        return list(itertools.islice(_queued(ws, choice.queue), most))
    return [item.id for item in itertools.islice(ws.items.iter(), most)]


def _queued(ws: Workspace, queue: str) -> Iterator[str]:
    query = msgspec.structs.replace(named(queue).query, limit=_PAGE)
    while True:
        page = ws.queues.page(query)
        yield from (row.item for row in page.rows)
        if page.after is None:
            return
        query = msgspec.structs.replace(query, after=page.after)
