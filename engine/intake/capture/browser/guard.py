"""Which addresses a captured page may reach: the public internet, unless it was asked for otherwise."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from engine.intake.capture.browser.names import Names, Resolve, look_up

Dial = Callable[[str, int, float], socket.socket]

_CLOSED = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "2001:db8::/32", "3fff::/20"))
)
"""What older versions of `ipaddress` take for public: IETF protocol assignments, local NAT64, site-local, examples."""

LONGEST = 8192
"""Characters of an address; browsers and servers agree on little more."""


class RefusedError(Exception):
    """The page wanted something that it may not have; the message says what and why."""


def dial(address: str, port: int, timeout: float) -> socket.socket:
    """Connect to a numeric address.

    Raises:
        OSError: nobody answers.
    """
    return socket.create_connection((address, port), timeout=timeout)


def is_public(address: str) -> bool:
    """Return whether a numeric address belongs to the public internet.

    Loopback, private (RFC 1918, RFC 4193), shared (RFC 6598), link-local (with the metadata services of clouds at
    169.254.169.254 and fd00:ec2::254), multicast, reserved and unspecified addresses do not; neither does an IPv6
    address that stands for an IPv4 one that does not (mapped, 6to4, Teredo, NAT64 of RFC 6052).
    """
    try:
        parsed = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _inside(parsed)
        if inner:
            return all(is_public(str(one)) for one in inner)
    if any(parsed in network for network in _CLOSED if network.version == parsed.version):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


def _inside(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address stands for, none where it is its own."""
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def check_form(url: str) -> None:
    """Check that `url` is one that a page can have at all.

    Raises:
        RefusedError: no http or https address, no host, a port that is none, or longer than 8192 characters.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedError(f"'{url[:200]}' is not an address: {error}.") from error
    if parts.scheme not in ("http", "https"):
        raise RefusedError(f"'{url[:200]}' is not an http or https address.")
    if not host or len(url) > LONGEST:
        raise RefusedError(f"'{url[:200]}' has {'more than 8192 characters' if host else 'no host'}.")


class Guard:
    """Resolves names and lets only public addresses through.

    A name is resolved here and the connection is made to the very address that was checked, so a name that answers
    differently the second time (DNS rebinding) gains nothing. A name with even one address that is not public is
    refused as a whole. What was refused is remembered per host, for the reason that a capture gives.
    """

    def __init__(self, resolve: Resolve = look_up, connect: Dial = dial) -> None:
        self._resolve, self._connect = Names(resolve), connect
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()

    def reason(self, url: str) -> str:
        """Return why the host of `url` was refused, "" if it was not."""
        with self._lock:
            return self._refused.get((urlsplit(url).hostname or "").lower(), "")

    def open(self, host: str, port: int, timeout: float) -> socket.socket:
        """Return a connection to `host`.

        Raises:
            RefusedError: the host is not on the public internet.
            OSError: the name is unknown or nobody answers.
        """
        addresses = self._resolve(host.strip("[]"), port)
        closed = [address for address in addresses if not is_public(address)]
        if closed or not addresses:
            raise self._refuse(host, closed[0] if closed else "nothing")
        failure: OSError = OSError(f"nobody answers at '{host}'")
        for address in addresses:
            try:
                connection = self._connect(address, port, timeout)
            except OSError as error:
                failure = error
            else:
                with self._lock:
                    self._refused.pop(host.strip("[]").lower(), None)
                return connection
        raise failure

    def _refuse(self, host: str, address: str) -> RefusedError:
        name = host.strip("[]").lower()
        where = "" if address == name else f" is at {address}, which"
        reason = f"'{name}'{where} is not on the public internet."
        with self._lock:
            self._refused[name] = reason
        return RefusedError(reason)
