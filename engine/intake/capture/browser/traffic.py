"""What a page loads: whether it is still loading, how much it brought, where it was sent, and when it goes too far."""

from __future__ import annotations

import time
from typing import Any

from engine.intake.capture.types import Settings

_NEVER_QUIET = frozenset(
    {"Media", "EventSource", "WebSocket", "Ping", "CSPViolationReport", "Preflight", "Prefetch", "Manifest", "Other"}
)
"""Kinds of requests that may stay open as long as the page, or that show nothing (the tab's icon is an "Other")."""

Params = dict[str, Any]


class Traffic:
    """Bookkeeping of one page from the protocol's Network and Page events.

    `status` and `url` are the main document's. `over` is one sentence once a limit is passed. `started` counts
    requests, `last` is the monotonic time of the last request that began or ended.
    """

    def __init__(self, settings: Settings, frame: str) -> None:
        self._settings, self._frame = settings, frame
        self._loading: dict[str, tuple[str, str]] = {}
        self._bytes = self._moves = 0
        self._loader = ""
        self.status, self.url, self.over, self.error = 0, "", "", ""
        self.committed = False
        self.started, self.last = 0, time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether nothing that a page waits for is under way."""
        return not self._loading

    def requested(self, params: Params, session: str) -> None:
        """Network.requestWillBeSent; a redirect comes as the same request once more."""
        document = params.get("type") == "Document" and params.get("frameId") == self._frame
        if document and "redirectResponse" in params:
            self._move()
        if document:
            self._loader = params["loaderId"]
        if params.get("type") not in _NEVER_QUIET:
            self._loading[params["requestId"]] = (session, params.get("loaderId", ""))
            self.started += 1
            self.last = time.monotonic()

    def answered(self, params: Params, _session: str) -> None:
        """Network.responseReceived."""
        if params.get("type") == "Document" and params.get("frameId") == self._frame:
            self.status, self.url = int(params["response"]["status"]), str(params["response"]["url"])

    def received(self, params: Params, _session: str) -> None:
        """Network.dataReceived; what counts is what it became in memory, so a decompression bomb counts in full."""
        self._bytes += int(params.get("dataLength", 0))
        if self._bytes > self._settings.max_bytes:
            self.over = f"The page brought more than {self._settings.max_bytes:,} bytes."

    def ended(self, params: Params, _session: str) -> None:
        """Network.loadingFinished or loadingFailed."""
        if self._loading.pop(params["requestId"], None):
            self.last = time.monotonic()
        if params["requestId"] == self._loader:
            self.error = str(params.get("errorText", ""))

    def navigated(self, params: Params, _session: str) -> None:
        """Page.frameNavigated: a new document; requests of the one before it are no longer waited for."""
        if params["frame"]["id"] != self._frame or params["frame"]["url"] == "about:blank":
            return
        if self.committed:
            self._move()
        self.committed = True
        loader = params["frame"]["loaderId"]
        self._loading = {key: of for key, of in self._loading.items() if of[1] == loader or of[0]}

    def left(self, session: str) -> None:
        """A child session ended: what it was loading is no longer waited for."""
        self._loading = {key: of for key, of in self._loading.items() if of[0] != session}

    def _move(self) -> None:
        self._moves += 1
        if self._moves > self._settings.max_redirects:
            self.over = f"The page sent the browser on more than {self._settings.max_redirects} times."
