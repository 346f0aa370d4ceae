"""Looking names up once for all who ask at the same time: a page asks for a hundred things of one host at once.

A resolver that is asked a hundred times in a moment drops questions, and each that it drops costs five seconds.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

Resolve = Callable[[str, int], list[str]]

_UNKNOWN_S = 30.0
"""Seconds for which a name that nobody knows is not asked for again. What a name answers is never kept."""
_MOST_UNKNOWN = 10_000
_UNKNOWN = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


def look_up(host: str, port: int) -> list[str]:
    """Return the numeric addresses of `host` (IPv4 and IPv6), each once.

    Raises:
        OSError: the name is unknown.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"no name: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Names:
    """Resolves names with `resolve`; whoever asks while a name is being looked up gets that same answer.

    Called with a host and a port it returns numeric addresses.

    Raises:
        OSError: the name is unknown; every caller who shares the question gets it.
    """

    def __init__(self, resolve: Resolve = look_up, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve, self._clock = resolve, clock
        self._asked: dict[tuple[str, int], Future[list[str]]] = {}
        self._unknown: dict[str, tuple[float, OSError]] = {}
        self._lock = threading.Lock()

    def __call__(self, host: str, port: int) -> list[str]:
        """Return the numeric addresses of `host`."""
        with self._lock:
            since, error = self._unknown.get(host, (0.0, None))
            if error is not None and self._clock() - since < _UNKNOWN_S:
                raise OSError(*error.args)
            mine: Future[list[str]] = Future()
            asked = self._asked.setdefault((host, port), mine)
        return self._ask(host, port, mine) if asked is mine else asked.result()

    def _ask(self, host: str, port: int, answer: Future[list[str]]) -> list[str]:
        try:
            found = self._resolve(host, port)
        except OSError as error:
            self._note(host, error)
            answer.set_exception(error)
            raise
        else:
            answer.set_result(found)
            return found
        finally:
            with self._lock:
                del self._asked[host, port]

    def _note(self, host: str, error: OSError) -> None:
        if error.errno in _UNKNOWN:
            with self._lock:
                if len(self._unknown) >= _MOST_UNKNOWN:
                    self._unknown.clear()
                self._unknown[host] = (self._clock(), error)
