"""What a capture starts from and what it brings: shared by browser, reading and campaign. Light."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from engine.types import Box, Struct

Kind = Literal[
    "captured",
    "deleted",
    "suspended",
    "login wall",
    "consent wall",
    "blank",
    "still loading",
    "error page",
    "refused",
    "failed",
]
"""How the capture of one address ended."""


class Address(Struct, frozen=True, kw_only=True):
    """One page to capture: its address, and what the list said of it (the item's id, its kind, further fields)."""

    url: str
    id: str = ""
    kind: str = ""
    fields: dict[str, Any] = msgspec.field(default_factory=dict)


class Settings(Struct, frozen=True, kw_only=True):
    """How pages are captured.

    `width` and `height` are pixels of the screenshot, `workers` tabs at work at once, `timeout` seconds that a page may
    take to be ready, `max_bytes` what it may bring after decompression, `max_redirects` how often it may send the
    browser on. `allow_local` lets pages reach loopback and private networks; `scripts` lets them run JavaScript.
    """

    width: int = 600
    height: int = 600
    workers: int = 4
    timeout: float = 20.0
    allow_local: bool = False
    scripts: bool = True
    max_bytes: int = 64 << 20
    max_redirects: int = 10


class Job(Struct, frozen=True, kw_only=True):
    """One page to capture.

    `html` is the page itself where it comes from a file: it is served to the browser under `url` (http or https, so
    that the page gets a web page's rights and no more), and relative addresses in it are resolved against `url`.
    `regions` and `texts` name CSS selectors: rectangles are taken of every visible element that one of a region's
    selectors matches, the inner text of the first element that one of a text's selectors matches.
    The page is ready only when every one of `present` matches something and none of `absent` (skeleton placeholders)
    matches anything in view; `failed` are selectors of which one is enough to stop waiting (an error panel). Its
    scripts run where `scripts` here and in the settings says so.
    """

    url: str
    html: str | None = None
    regions: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    scripts: bool = True


class Snapshot(Struct, frozen=True, kw_only=True):
    """What the browser brings of one page.

    `status` is the page's HTTP status, 0 where there was none. `png` is empty where no picture could be taken.
    `regions` are rectangles in screenshot pixels, `texts` inner texts, both by the profile's names. `ready` is False
    where the page was still at work when its time was up. `problem` is one plain sentence where something went wrong,
    "" otherwise; it starts with "Refused: " where the address may not be captured.
    """

    url: str
    final_url: str = ""
    status: int = 0
    png: bytes = b""
    html: str = ""
    title: str = ""
    regions: dict[str, tuple[Box, ...]] = msgspec.field(default_factory=dict)
    texts: dict[str, str] = msgspec.field(default_factory=dict)
    ready: bool = False
    seconds: float = 0.0
    problem: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one capture, why, and whether another pass may help."""

    kind: Kind
    reason: str = ""
    retry: bool = False


class Captured(Struct, frozen=True, kw_only=True):
    """One finished capture: the fields of the item that it becomes, its regions and how it ended."""

    address: Address
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    regions: dict[str, tuple[Box, ...]] = msgspec.field(default_factory=dict)
    outcome: Outcome
