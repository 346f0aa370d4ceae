"""From a captured page to an item of the workspace, through the same checks and the same door as imports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from engine.errors import InputError
from engine.intake.capture.types import Address, Captured
from engine.intake.captures import CaptureError, check_capture
from engine.intake.rows import BadRowError, read_row
from engine.taxonomy import PROFILE, Taxonomy
from engine.types import Action, Item, Struct
from engine.workspace import GivenDecision, Workspace

REVIEWER = "capture"
"""Who is named for setting items aside whose page was gone."""

SAVED = "saved_sha256"
"""The field that tells which saved file an item comes from."""

_OF_CONTENT = ("labels", "split")
"""What a list says of a page's content; it does not hold for the notice that the page is gone."""


class NoItemError(InputError):
    """What was captured cannot become an item; the message says why."""


class Keeper(Protocol):
    """Where the items of captured pages go."""

    def known(self, addresses: Sequence[Address]) -> dict[str, str]:
        """Return the ids that are taken: "" where it is the page's own item, else why it is not."""

    def keep(self, captured: Captured, png: bytes, at: str) -> None:
        """Keep the item of a capture durably; raises `NoItemError` where it cannot be one, and `StorageError`."""


class InWorkspace:
    """Keeps items in a workspace, which is open for writing; the caller holds its lock."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws

    def known(self, addresses: Sequence[Address]) -> dict[str, str]:
        """See `Keeper`."""
        items = self._ws.items
        there = {item.id: item for item in items.get_many(sorted(items.exists(one.id for one in addresses)))}
        return {
            one.id: "" if is_same(there[one.id], one) else f"The workspace has another page as the item '{one.id}'."
            for one in addresses
            if one.id in there
        }

    def keep(self, captured: Captured, png: bytes, at: str) -> None:
        """See `Keeper`."""
        keep(self._ws, captured, png, at)


class Made(Struct, frozen=True, kw_only=True):
    """The item that a capture becomes, its picture, and the decision that sets it aside where the page is gone."""

    item: Item
    png: bytes
    aside: GivenDecision | None = None


def keep(ws: Workspace, captured: Captured, png: bytes, at: str) -> Item:
    """Add the item of a capture in one transaction and return it; when this returns it is on the disk.

    A page that is gone ("deleted", "suspended") becomes an item too: without a text, with the picture of the notice,
    `meta["capture"]` saying what it is and why, and set aside by a skip of the reviewer "capture", so that nobody is
    asked to review it and no model learns from it. The skip can be taken back like any other.

    Args:
        ws: open for writing; the caller holds its lock.
        captured: the fields that the page gave and how the capture ended.
        png: the screenshot.
        at: when it was taken, ISO 8601.

    Raises:
        NoItemError: a field or the picture cannot be used, or the id is taken.
        StorageError: the disk refused; nothing was kept.
    """
    made = make(ws.taxonomy, captured, png, at)
    add(ws, made)
    return made.item


def make(taxonomy: Taxonomy, captured: Captured, png: bytes, at: str) -> Made:
    """Return what a capture becomes in a workspace of this taxonomy; raises `NoItemError` as `keep`."""
    lost = captured.outcome.kind != "captured"
    try:
        picture = check_capture(png)
        row = read_row(_record(captured, at, lost=lost), taxonomy, pictured=True)
    except CaptureError as error:
        raise NoItemError(
            f"The picture of the page cannot be used: {error.message}.",
            "Try the page again, or capture it in a smaller window.",
        ) from error
    except BadRowError as error:
        raise NoItemError(
            f"The page cannot become an item: {error.message}.",
            "Choose a profile that fits the page, then try it again.",
        ) from error
    item = msgspec.structs.replace(row.item, width=picture.width, height=picture.height)
    return Made(item=item, png=picture.png, aside=_set_aside(item, captured, at) if lost else None)


def add(ws: Workspace, made: Made) -> None:
    """Add what `make` returned in one transaction; raises as `keep`."""
    try:
        with ws.waiting() as waiting:
            if made.aside is not None:
                waiting.put([[made.aside]])
            ws.items.add([(made.item, made.png)], then=waiting.adopt)
    except InputError as error:
        raise NoItemError(error.message) from error


def gone(item: Item) -> dict[str, str] | None:
    """Return what became of the page of an item that was gone when it was captured: `outcome` and `reason`."""
    note = item.meta.get("capture")
    if not isinstance(note, Mapping) or note.get("outcome") not in ("deleted", "suspended"):
        return None
    return {"outcome": str(note["outcome"]), "reason": str(note.get("reason", ""))}


def is_same(item: Item, address: Address) -> bool:
    """Return whether an item of the workspace was captured from (or imported with) this address or this saved file."""
    return item.url == address.url and item.meta.get(SAVED) == address.fields.get(SAVED)


def _record(captured: Captured, at: str, *, lost: bool) -> dict[str, Any]:
    """Return the import record of a capture: what the list said goes before what the page says."""
    address, page = captured.address, _clean(captured.fields)
    listed = {name: value for name, value in address.fields.items() if not (lost and name in _OF_CONTENT)}
    own = {} if lost else {name: page[name] for name in ("text", "title", "author") if name in page}
    if address.kind == PROFILE and not own.get("author"):
        own["author"] = page.get("author", "") or (address.id if lost else "")
    said = listed.pop("meta", {})
    meta = {} if lost else dict(page.get("meta", {}))
    note: dict[str, str] = {"outcome": captured.outcome.kind} if lost else {}
    note |= {"reason": captured.outcome.reason} if captured.outcome.reason else {}
    if page.get("url", address.url) != address.url and address.url:
        note["final_url"] = page["url"]
    if note:
        meta["capture"] = note
    return {
        **own,
        **listed,
        "id": address.id,
        "kind": address.kind,
        "url": address.url,
        "captured_at": at,
        "regions": {} if lost else {name: [list(box) for box in boxes] for name, boxes in captured.regions.items()},
        "meta": {**meta, **(said if isinstance(said, Mapping) else {})},
    }


def _set_aside(item: Item, captured: Captured, at: str) -> GivenDecision:
    act = hashlib.sha256(f"{item.id}\n{at}".encode()).hexdigest()[:32]
    note = f"{captured.outcome.kind}: {captured.outcome.reason}"
    return GivenDecision(item=item.id, task="", action=Action.SKIP, reviewer=REVIEWER, note=note, act=act, at=at)


def _clean(value: Any) -> Any:
    """Return a value with U+FFFD for each half of a surrogate pair, which a page can hold and a database cannot."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_clean(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value
