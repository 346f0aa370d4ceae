"""One question for all who ask at the same time; no browser here."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.intake.capture.browser.names import Names, look_up


class Server:
    """Answers once it is let go; counts who came for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.came, self.go = threading.Event(), threading.Event()
        self.fails: OSError | None = None

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        self.came.set()
        assert self.go.wait(10)
        if self.fails:
            raise self.fails
        return [f"1.1.1.{len(self.asked)}"]


@pytest.fixture
def server() -> Server:
    return Server()


class Waiting(dict):  # type: ignore[type-arg]
    """The questions under way; lets the server answer once three more have come for the same one."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.come = server, 0

    def setdefault(self, key: object, default: object = None) -> object:
        self.come += 1
        if self.come == 4:
            self.server.go.set()
        return super().setdefault(key, default)


def all_ask(names: Names, server: Server) -> list[object]:
    names._asked = Waiting(server)

    def ask(_: int) -> object:
        try:
            return names("a.test", 443)
        except OSError as error:
            return error.errno

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, range(4)))


def test_four_who_ask_at_once_share_a_question(server: Server) -> None:
    assert all_ask(Names(server), server) == [["1.1.1.1"]] * 4
    assert server.asked == ["a.test"]


def test_an_answer_is_not_kept(server: Server) -> None:
    server.go.set()
    names = Names(server)
    assert [names("a.test", 443) for _ in range(3)] == [["1.1.1.1"], ["1.1.1.2"], ["1.1.1.3"]]


def test_a_name_that_nobody_knows_is_not_asked_for_again_for_a_while(server: Server) -> None:
    now = [100.0]
    server.fails = socket.gaierror(socket.EAI_NONAME, "unknown")
    names = Names(server, lambda: now[0])
    assert all_ask(names, server) == [socket.EAI_NONAME] * 4
    with pytest.raises(OSError, match="unknown"):
        names("a.test", 80)
    assert server.asked == ["a.test"]
    now[0] += 31
    server.fails = None
    assert names("a.test", 443) == ["1.1.1.2"]


def test_a_server_that_is_down_is_asked_again(server: Server) -> None:
    server.go.set()
    server.fails = socket.gaierror(socket.EAI_AGAIN, "later")
    names = Names(server)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="later"):
            names("a.test", 443)
    assert server.asked == ["a.test"] * 2


def test_what_can_be_no_name_is_unknown() -> None:
    with pytest.raises(OSError, match="no name"):
        look_up("a" * 70 + ".test", 80)
