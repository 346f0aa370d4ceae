from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from engine.intake.capture.record import NoItemError, keep
from engine.intake.capture.types import Address, Captured, Outcome
from engine.types import Action, Box
from engine.workspace import QueueQuery, Workspace

AT = "2026-01-31T12:00:00.000Z"
PICTURE = Callable[..., bytes]


@pytest.fixture
def png(picture: PICTURE) -> bytes:
    return picture()


def captured(kind: Any = "captured", reason: str = "", **more: Any) -> Captured:
    address = {"url": "https://a.example/1", "id": "p1", "kind": "product", **more.pop("address", {})}
    fields = {"title": "Lamp", "text": "Warm", "url": "https://a.example/1", "meta": {"price": "12.50"}}
    fields |= more.pop("fields", {})
    regions: dict[str, tuple[Box, ...]] = {"title": ((1.0, 2.0, 30.0, 10.0),)}
    return Captured(
        address=Address(**address), fields=fields, regions=regions, outcome=Outcome(kind=kind, reason=reason)
    )


def test_a_capture_is_an_item_with_what_page_and_list_say(ws: Workspace, png: bytes) -> None:
    address = {
        "fields": {"subsets": ["spring"], "labels": {"verdict": "allowed"}, "campaign": "north", "title": "Mine"}
    }
    task = ws.taxonomy.tasks_for("product")[0]
    address["fields"]["labels"] = {task.name: task.label_names[0]}
    keep(ws, captured(address=address, fields={"url": "https://a.example/en/1"}), png, AT)
    item = ws.items.get("p1")
    assert (item.title, item.text, item.url, item.captured_at) == ("Mine", "Warm", "https://a.example/1", AT)
    assert (item.subsets, item.truths) == (("spring",), {task.name: (task.label_names[0],)})
    assert item.regions == {"title": ((1.0, 2.0, 30.0, 10.0),)}
    assert item.meta == {"price": "12.50", "capture": {"final_url": "https://a.example/en/1"}, "campaign": "north"}
    assert item.capture == hashlib.sha256(png).hexdigest()
    assert ws.captures.path_of(item.capture).read_bytes() == png
    assert (item.width, item.height) == Image.open(io.BytesIO(png)).size


@pytest.mark.parametrize("kind", ["deleted", "suspended"])
def test_a_page_that_is_gone_is_set_aside_with_its_reason(ws: Workspace, png: bytes, kind: str) -> None:
    task = ws.taxonomy.tasks_for("product")[0]
    address = {"fields": {"labels": {task.name: task.label_names[0]}, "split": "train", "campaign": "north"}}
    keep(ws, captured(kind, "The page is gone.", address=address), png, AT)
    item = ws.items.get("p1")
    assert (item.title, item.text, item.truths, item.split, item.regions) == ("", "", {}, "", {})
    assert item.meta == {"capture": {"outcome": kind, "reason": "The page is gone."}, "campaign": "north"}
    assert item.capture is not None
    assert ws.queues.page(QueueQuery(states=("open",))).rows == []
    (row,) = ws.queues.page(QueueQuery(states=("skipped",))).rows
    assert row.item == "p1"
    (decision,) = ws.decisions.of("p1")
    assert (decision.action, decision.reviewer) == (Action.SKIP, "capture")
    assert decision.note == f"{kind}: The page is gone."
    ws.decisions.undo("capture")
    (row,) = ws.queues.page(QueueQuery(states=("open",))).rows
    assert row.item == "p1"


def test_an_account_that_is_gone_needs_no_author(ws: Workspace, png: bytes) -> None:
    keep(ws, captured("suspended", "Gone.", address={"kind": "profile"}, fields={"text": ""}), png, AT)
    assert ws.items.get("p1").author == "p1"
    with pytest.raises(NoItemError, match="`author` is missing"):
        keep(ws, captured(address={"kind": "profile", "id": "p2"}), png, AT)


@pytest.mark.parametrize(
    ("change", "bad", "said"),
    [
        ({"address": {"kind": "horse"}}, None, "no kind 'horse'"),
        ({}, b"no picture", "picture of the page"),
        ({}, b"", "picture of the page"),
    ],
)
def test_what_cannot_be_an_item_leaves_nothing(
    ws: Workspace, png: bytes, change: dict[str, Any], bad: bytes | None, said: str
) -> None:
    with pytest.raises(NoItemError, match=said):
        keep(ws, captured(**change), png if bad is None else bad, AT)
    assert ws.items.count() == 0


def test_an_id_that_is_taken_keeps_its_item(ws: Workspace, png: bytes) -> None:
    keep(ws, captured(), png, AT)
    with pytest.raises(NoItemError, match="p1"):
        keep(ws, captured("deleted", fields={"text": "other"}), png, AT)
    assert ws.items.get("p1").text == "Warm"
    assert ws.decisions.of("p1") == []


def test_half_characters_of_a_page_do_not_keep_its_item_out(ws: Workspace, png: bytes) -> None:
    fields = {"text": "a\ud800b 😀", "meta": {"links": [{"text": "\udfff"}], "x\ud800": 1}}
    keep(ws, captured(fields=fields), png, AT)
    item = ws.items.get("p1")
    assert item.text == "a\ufffdb 😀"
    assert item.meta == {"links": [{"text": "\ufffd"}], "x\ufffd": 1}
