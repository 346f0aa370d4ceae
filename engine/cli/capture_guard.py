"""What a browser that shows saved pages may reach: their server, and beside it the public internet."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from engine.intake.capture.browser.guard import Guard, dial

_HOST = "127.0.0.1"


class SavedPagesGuard(Guard):
    """Lets through to one port of this computer, and to nothing else that is not public.

    A page that is refused another port of this computer does not make the saved pages themselves refused.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def reason(self, url: str) -> str:
        """Return why the host of `url` was refused, "" if it was not."""
        parts = urlsplit(url)
        return "" if (parts.hostname, parts.port) == (_HOST, self._port) else super().reason(url)

    def open(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a connection to `host`; raises as `Guard.open`."""
        return dial(host, port, timeout) if (host, port) == (_HOST, self._port) else super().open(host, port, timeout)
