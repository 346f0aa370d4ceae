"""Which addresses are public, and what the proxy lets through; no browser here."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from engine.intake.capture.browser.guard import Guard, RefusedError, check_form, is_public
from engine.intake.capture.browser.proxy import Proxy


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "64:ff9b::7f00:1",
        "localhost", "", "127.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "172.15.0.1", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::101:101"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


def test_an_ipv6_address_is_as_public_as_the_ipv4_one_in_it() -> None:
    for plain in ("10.0.0.1", "1.1.1.1", "127.0.0.1", "8.8.8.8", "169.254.169.254"):
        number = int(ipaddress.IPv4Address(plain))
        for holder in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
            assert is_public(str(ipaddress.IPv6Address(holder))) == is_public(plain)


@pytest.mark.parametrize(
    "url",
    [
        "file:///x",
        "javascript:1",
        "http://",
        "//x/",
        "x",
        "",
        "http://[::1",
        "http://x:99999/",
        "http://x/" + "a" * 9000,
    ],
)
def test_addresses_that_no_page_can_have(url: str) -> None:
    with pytest.raises(RefusedError, match=r"address|host|characters"):
        check_form(url)


def test_a_host_that_is_fine_later_is_no_longer_called_refused() -> None:
    answers = [["10.0.0.1"], ["1.1.1.1"]]
    here, there = socket.socketpair()
    guard = Guard(lambda host, port: answers.pop(0), lambda address, port, timeout: here)
    with pytest.raises(RefusedError, match=r"10\.0\.0\.1"):
        guard.open("Example.org", 80, 1.0)
    assert "10.0.0.1" in guard.reason("https://example.org/x")
    with guard.open("example.org", 80, 1.0) as connection, there:
        assert connection is here
    assert guard.reason("https://example.org/x") == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://10.0.0.1/", "'10.0.0.1' is not on the public internet."),
        ("http://[::1]/", "'::1' is not on the public internet."),
        ("http://router.example/", "'router.example' is at 10.0.0.1, which is not on the public internet."),
    ],
)
def test_a_refusal_says_where_a_name_is_but_not_where_a_number_is(url: str, words: str) -> None:
    host = url.split("/")[2]
    guard = Guard(lambda name, port: ["10.0.0.1"] if name.islower() else [name], lambda *_: pytest.fail("connected"))
    with pytest.raises(RefusedError):
        guard.open(host, 80, 1.0)
    assert guard.reason(url) == words


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    tried: list[str] = []

    def connect(address: str, port: int, timeout: float) -> Any:
        tried.append(address)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        Guard(lambda host, port: ["1.1.1.1", "8.8.8.8"], connect).open("x.org", 80, 1.0)
    assert tried == ["1.1.1.1", "8.8.8.8"]


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    """What stands for the public server: listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


@pytest.fixture
def through(upstream: socket.socket) -> Iterator[socket.socket]:
    """A connection to a proxy that takes public.test to `upstream` and knows private.test as private."""
    known = {"public.test": ["1.1.1.1"], "private.test": ["10.0.0.1"]}

    def resolve(host: str, port: int) -> list[str]:
        if host not in known:
            raise socket.gaierror
        return known[host]

    def connect(address: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection(upstream.getsockname(), timeout)

    proxy = Proxy(Guard(resolve, connect))
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
        yield connection
    proxy.close()


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def test_proxy_passes_a_request_without_its_own_headers(through: socket.socket, upstream: socket.socket) -> None:
    through.sendall(
        b"POST http://public.test/a?b=c HTTP/1.1\r\nHost: public.test\r\nProxy-Connection: keep-alive\r\n"
        b"Connection: keep-alive\r\nContent-Length: 4\r\n\r\nbody"
    )
    server, _ = upstream.accept()
    with server:
        server.settimeout(5)
        got = b""
        while not got.endswith(b"body"):
            got += server.recv(65536)
        server.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert got == (b"POST /a?b=c HTTP/1.1\r\nHost: public.test\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
    assert read_all(through) == b"HTTP/1.1 200 OK\r\n\r\nhello"


def test_proxy_tunnels_bytes_as_they_are(through: socket.socket, upstream: socket.socket) -> None:
    through.sendall(b"CONNECT public.test:443 HTTP/1.1\r\n\r\n")
    server, _ = upstream.accept()
    with server:
        assert through.recv(100).startswith(b"HTTP/1.1 200 ")
        through.sendall(b"\x16\x03\x01")
        assert server.recv(100) == b"\x16\x03\x01"
        server.sendall(b"\x00\xff")
        assert through.recv(100) == b"\x00\xff"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET http://private.test/ HTTP/1.1", b"403"),
        (b"CONNECT private.test:443 HTTP/1.1", b"403"),
        (b"GET http://127.0.0.1/ HTTP/1.1", b"502"),
        (b"GET http://unknown.test/ HTTP/1.1", b"502"),
        (b"GET file:///etc/passwd HTTP/1.1", b"400"),
        (b"GET /etc/passwd HTTP/1.1", b"400"),
        (b"GET ftp://public.test/ HTTP/1.1", b"400"),
        (b"GET http://public.test:nine/ HTTP/1.1", b"400"),
        (b"nonsense", b"400"),
    ],
)
def test_proxy_refuses(through: socket.socket, request_line: bytes, status: bytes) -> None:
    through.sendall(request_line + b"\r\n\r\n")
    assert read_all(through).split(b" ")[1] == status
