"""Saved pages: which there are in a folder, where they came from, and a server that shows each to the browser alone.

A page is served on loopback under a path with a secret of its own, together with the folder of its parts (`NAME_files`)
and nothing else: no other program can guess the path, and one saved page cannot reach another.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import mimetypes
import re
import secrets
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from engine.errors import InputError, NotFoundError
from engine.intake.capture.addresses import AddressList, ProfileOf, checked, normalised
from engine.intake.capture.campaign import Task
from engine.intake.capture.record import SAVED
from engine.intake.capture.types import Address
from engine.intake.report import RowError
from engine.taxonomy import Taxonomy

MOST_BYTES = 64 << 20
"""A saved page that is larger, after decompression, is not served."""

_SUFFIXES = (".html", ".htm", ".html.gz", ".htm.gz")
_PARTS = ("_files", ".files")
_HEAD = 256 << 10
_UNKNOWN = "http://saved.invalid/"
"""Where a page was saved from that does not say it; RFC 6761, 6.4: a name that nobody can have."""

_SAVED_FROM = re.compile(r"<!--\s*saved from url=\(\d+\)(\S{1,2000}?)\s*-->", re.IGNORECASE)
_LINK = re.compile(r"<(?:link|meta)\b[^<>]{0,4000}>", re.IGNORECASE)
_CANONICAL = re.compile(r"""\b(?:rel\s*=\s*["']?canonical\b|property\s*=\s*["']?og:url\b)""", re.IGNORECASE)
_TARGET = re.compile(r"""\b(?:href|content)\s*=\s*(?:"([^"]{1,2000})"|'([^']{1,2000})')""", re.IGNORECASE)


def read_saved(folder: Path, taxonomy: Taxonomy, profile_of: ProfileOf) -> tuple[AddressList, list[Path]]:
    """Return the saved pages of a folder and its subfolders, in order of their names, with their files.

    An item's id is the file's path in the folder without its suffix. Its address is where the page says that it was
    saved from (the browser's remark, else `link rel=canonical` or `og:url`), "" where it does not. The file's SHA-256
    is kept in the item's meta: it tells the page from another one of that name.

    Raises:
        NotFoundError: there is no such folder.
        InputError: it holds no saved page.
    """
    if not folder.is_dir():
        raise NotFoundError(f"There is no folder '{folder}'.", "Give a folder of saved pages (.html or .html.gz).")
    found = [path for path in sorted(folder.rglob("*")) if _is_page(path, folder)]
    if not found:
        raise InputError(
            f"The folder '{folder}' holds no saved page.", "Put files that end in .html or .html.gz there."
        )
    addresses: list[Address] = []
    files: list[Path] = []
    problems: list[RowError] = []
    for path in found:
        try:
            addresses.append(_address(path, folder, taxonomy, profile_of))
            files.append(path)
        except InputError as error:
            problems.append(RowError(file=str(path), line=0, reason=str(error).rstrip(".")))
    return AddressList(addresses=tuple(addresses), problems=tuple(problems)), files


def read_page(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return up to `most` bytes of a saved page, decompressed; raises `InputError` for one that cannot be read."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return file.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error


class SavedPages:
    """A server of saved pages on a free loopback port, for the length of a block."""

    def __init__(self) -> None:
        self.pages: dict[str, Path] = {}
        self._server = _Server(self.pages)
        self._thread = threading.Thread(target=self._server.serve_forever, name="saved-pages", daemon=True)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return int(self._server.server_address[1])

    def tasks(self, addresses: AddressList, files: list[Path], profile_of: ProfileOf) -> list[Task]:
        """Return what is to be captured; from now on the files are served."""
        return [
            Task(
                key=f"saved:{one.id}",
                ask=self._serve(path),
                host="",
                address=one,
                profile=profile_of(one.url),
                base=one.url or _UNKNOWN + quote(path.name),
            )
            for one, path in zip(addresses.addresses, files, strict=True)
        ]

    def _serve(self, path: Path) -> str:
        secret = secrets.token_urlsafe(18)
        self.pages[secret] = path
        return f"http://127.0.0.1:{self.port}/{secret}/{quote(path.name.removesuffix('.gz'))}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pages: dict[str, Path]) -> None:
        self.pages = pages
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is nobody's fault."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a page whose secret the path holds, or with one of its parts."""
        secret, _, name = urlsplit(self.path).path.lstrip("/").partition("/")
        page = self.server.pages.get(secret)
        own_host = self.headers.get("Host") == f"127.0.0.1:{self.server.server_address[1]}"
        file = _asked(page, unquote(name)) if page and own_host else None
        try:
            body = b"" if file is None else read_page(file)
        except InputError:
            file, body = None, b""
        self.send_response(404 if file is None else 200)
        self.send_header("Content-Type", "text/html" if file in (None, page) else _type(name))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing: standard error is for people."""


def _asked(page: Path, name: str) -> Path | None:
    """Return the file that a path names: the page, or one in the folder of its parts; None for anything else."""
    if name == page.name.removesuffix(".gz"):
        return page
    parts = Path(name).parts
    if len(parts) < 2 or parts[0] not in [f"{_stem(page.name)}{end}" for end in _PARTS]:
        return None
    try:
        file = (page.parent / name).resolve()
        inside = file.is_relative_to((page.parent / parts[0]).resolve()) and file.is_relative_to(page.parent.resolve())
        return file if inside and file.is_file() else None
    except (OSError, ValueError):
        return None


def _type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _is_page(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts[:-1]
    if not path.name.lower().endswith(_SUFFIXES) or any(part.endswith(_PARTS) for part in inside):
        return False
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _stem(name: str) -> str:
    return next((name[: -len(end)] for end in reversed(_SUFFIXES) if name.lower().endswith(end)), name)


def _address(path: Path, folder: Path, taxonomy: Taxonomy, profile_of: ProfileOf) -> Address:
    url = _origin(read_page(path, _HEAD).decode("utf-8", "replace"))
    inside = path.relative_to(folder)
    name = inside.with_name(_stem(inside.name)).as_posix()
    with path.open("rb") as file:
        fields = {SAVED: hashlib.file_digest(file, "sha256").hexdigest()}
    return checked(Address(url=url, id=name, fields=fields), taxonomy, profile_of(url))


def _origin(head: str) -> str:
    """Return where a page says that it was saved from, "" where it does not or where that is no address."""
    return next(_usable(_origins(head)), "")


def _origins(head: str) -> Iterator[str]:
    remark = _SAVED_FROM.search(head[:8_000])
    if remark:
        yield remark[1]
    for tag in _LINK.finditer(head):
        target = _TARGET.search(tag[0]) if _CANONICAL.search(tag[0]) else None
        if target:
            yield html.unescape(target[1] or target[2])


def _usable(urls: Iterator[str]) -> Iterator[str]:
    for url in urls:
        try:
            if url.lower().startswith(("http://", "https://")):
                yield normalised(url)
        except InputError:
            continue
