"""The only way out for a guarded browser: a small forwarding proxy that connects to nothing but public addresses.

Chromium sends every request through it (pages, frames, images, fetches, websockets, workers, preconnects), resolves no
name itself, and speaks no UDP past it; so one check at one place covers redirects, subresources and DNS rebinding.
Encrypted traffic passes as a tunnel (RFC 9110, 9.3.6) and stays encrypted. A thread a connection: captures are few.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import socketserver
import threading
from typing import Any
from urllib.parse import urlsplit

from engine.intake.capture.browser.guard import Guard, RefusedError

log = logging.getLogger(__name__)

_CHUNK = 65536
_MOST_HEAD = 65536
_PATIENCE = 30.0
_HOP = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:")


class Proxy:
    """A proxy on a free loopback port, from construction until `close`."""

    def __init__(self, guard: Guard) -> None:
        self._server = _Server(guard)
        self._thread = threading.Thread(target=self._server.serve_forever, name="capture-proxy", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Close every connection and stop."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(timeout=5)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def remember(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the library's signature)
        log.exception("The capture's proxy failed on one request of %s", client_address)


class _Handler(socketserver.BaseRequestHandler):
    """One connection of the browser: one request, or one tunnel."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.server.remember(self.request)
        try:
            self.request.settimeout(_PATIENCE)
            self._serve()
        except OSError as error:
            log.debug("A connection through the capture's proxy ended: %s", error)
        finally:
            self.server.forget(self.request)

    def _serve(self) -> None:
        head, rest = _read_head(self.request)
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3:
            return self._say(b"400 Bad Request")
        method, target, version = words
        tunnel = method == b"CONNECT"
        try:
            host, port, path = _split(target, tunnel=tunnel)
        except ValueError:
            return self._say(b"400 Bad Request")
        try:
            upstream = self.server.guard.open(host, port, _PATIENCE)
        except RefusedError as error:
            return self._say(b"403 Forbidden", str(error).encode())
        except OSError:
            return self._say(b"502 Bad Gateway")
        with upstream:
            if tunnel:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(_one_request(head, b" ".join((method, path, version))))
            upstream.sendall(rest)
            self._relay(upstream)
        return None

    def _relay(self, upstream: socket.socket) -> None:
        """Pass bytes both ways until one side ends or nobody says anything for a while."""
        self.server.remember(upstream)
        other = {self.request: upstream, upstream: self.request}
        try:
            with selectors.DefaultSelector() as ready:
                for side in other:
                    ready.register(side, selectors.EVENT_READ, side)
                while events := ready.select(_PATIENCE):
                    for key, _ in events:
                        data = key.data.recv(_CHUNK)
                        if not data:
                            return
                        other[key.data].sendall(data)
        finally:
            self.server.forget(upstream)

    def _say(self, status: bytes, body: bytes = b"") -> None:
        head = (
            b"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        )
        self.request.sendall(head % (status, len(body)) + body)


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return a request's head (with its empty line) and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(_CHUNK)
        if not more or len(data) > _MOST_HEAD:
            raise ConnectionError("no request")
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def _split(target: bytes, *, tunnel: bool) -> tuple[str, int, bytes]:
    """Return host, port and path of a request target.

    Raises:
        ValueError: it names no host, or no http address.
    """
    text = target.decode("ascii")
    parts = urlsplit(f"//{text}" if tunnel else text)
    if not parts.hostname or (not tunnel and parts.scheme != "http"):
        raise ValueError(text)
    path = parts.path or "/"
    return parts.hostname, parts.port or 80, (f"{path}?{parts.query}" if parts.query else path).encode()


def _one_request(head: bytes, first: bytes) -> bytes:
    """Return the head for the server: the path alone, and no second request on this connection.

    A websocket's upgrade comes as a tunnel, so nothing that needs the connection's headers is lost.
    """
    lines = [line for line in head.split(b"\r\n")[1:] if line and not line.lower().startswith(_HOP)]
    return b"\r\n".join((first, *lines, b"Connection: close", b"", b""))
