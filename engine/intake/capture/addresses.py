"""Lists of addresses to capture, from text, CSV or JSON lines: every bad line named, each address once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import msgspec

from engine.errors import InputError, NotFoundError
from engine.intake.capture.profile import Profile
from engine.intake.capture.types import Address
from engine.intake.report import RowError
from engine.intake.rows import BadRowError, kinds_of, read_row
from engine.intake.sources import Record, read_json_lines
from engine.intake.tables import TableError, table_rows, text_lines
from engine.taxonomy import Taxonomy
from engine.types import Struct

LONGEST = 2_000
"""Characters of an address that an item can hold."""

ProfileOf = Callable[[str], Profile]
"""Says which profile reads the page at an address."""

_PORTS = {"http": 80, "https": 443}
_BARE = re.compile(r"[\w-]+(\.[\w-]+)+(:\d{1,5})?([/?#].*)?")
_COMMENT = re.compile(r"\s#.*")
_JSON_CELLS = ("labels", "meta")
_PARTED = "subsets"
_LABEL_COLUMN = "label:"
_OWN = ("url", "id", "kind")
_NOT_FROM_LISTS = ("screenshot", "file_name", "captured_at", "regions")


class AddressList(Struct, frozen=True, kw_only=True):
    """What a list held: addresses in its order, each once; its bad lines; how many lines repeated an address."""

    addresses: tuple[Address, ...]
    problems: tuple[RowError, ...] = ()
    repeated: int = 0


def read_addresses(path: Path, taxonomy: Taxonomy, profile_of: ProfileOf) -> AddressList:
    """Return the addresses of a file: `.csv` and `.jsonl` name the column or key `url`, all else is one a line.

    In CSV and JSON lines, `id` names the item, `kind` says what it is, and further fields are kept with it as an
    import would (`subsets`, `labels`, `split`, anything else in its meta). They are checked here, so that no page is
    captured whose item the workspace would refuse. In text, empty lines and what follows a `#` are left out.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"There is no file '{path}'.", "Give a file of addresses: text, CSV or JSON lines.")
    reading = _Reading(path, taxonomy, profile_of)
    for record in _records(path):
        reading.take(record)
    return AddressList(
        addresses=tuple(reading.addresses.values()), problems=tuple(reading.problems), repeated=reading.repeated
    )


def read_pasted(text: str, taxonomy: Taxonomy, profile_of: ProfileOf) -> AddressList:
    """Return the addresses of a text, one a line, as `read_addresses` does for a file of text."""
    reading = _Reading(Path(), taxonomy, profile_of)
    for record in _text(iter(text.split("\n"))):
        reading.take(record)
    return AddressList(
        addresses=tuple(reading.addresses.values()), problems=tuple(reading.problems), repeated=reading.repeated
    )


def normalised(url: str) -> str:
    """Return the form of an address in which it is asked for and compared.

    Scheme and host are in lower case (RFC 3986, 6.2.2.1), the scheme's own port, an empty path and the fragment, which
    no server sees, are left out; an address without a scheme gets https.

    Raises:
        InputError: it is no http or https address of a host.
    """
    given = url.strip()
    if "://" not in given and _BARE.fullmatch(given):
        given = f"https://{given}"
    shown = f"'{given[:200]}'"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{shown} is no address ({error})") from None
    if parts.scheme.lower() not in _PORTS or not parts.hostname:
        raise InputError(f"{shown} is no http or https address")
    if "@" in parts.netloc:
        raise InputError("it holds a user name or a password, which would be kept with the item")
    if re.search(r"[\s\x00-\x1f\x7f<>\"]", given):
        raise InputError(f"{shown} holds a space or another character that no address has")
    plain = _plain(parts, port)
    if len(plain) > LONGEST:
        raise InputError(f"it is longer than {LONGEST} characters")
    return plain


def host_of(url: str) -> str:
    """Return the host whose pace an address counts for: in lower case, without "www."."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


def id_of(url: str) -> str:
    """Return the id that an item gets whose list names none: its host and 16 digits of the address's SHA-256.

    The same address gets the same id, so that a second run knows it.
    """
    return f"{host_of(url)[:100]}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def checked(address: Address, taxonomy: Taxonomy, profile: Profile) -> Address:
    """Return the address with its id and kind filled in; raises `BadRowError` where it could not become an item."""
    kind = address.kind or profile.kind
    if not kind and len(kinds := kinds_of(taxonomy)) > 1:
        raise BadRowError(f"its address does not say whether it is a {' or a '.join(kinds)}; choose the kind of page")
    filled = msgspec.structs.replace(address, id=address.id or id_of(address.url), kind=kind)
    stood_in = {"text": "text", "author": "author", **address.fields}
    item = read_row({**stood_in, "id": filled.id, "kind": kind, "url": filled.url}, taxonomy).item
    return msgspec.structs.replace(filled, id=item.id, kind=item.kind)


class _Reading:
    """One list: what was found so far."""

    def __init__(self, path: Path, taxonomy: Taxonomy, profile_of: ProfileOf) -> None:
        self.path, self.taxonomy, self.profile_of = path, taxonomy, profile_of
        self.addresses: dict[str, Address] = {}
        self.ids: dict[str, int] = {}
        self.problems: list[RowError] = []
        self.repeated = 0

    def take(self, record: Record) -> None:
        try:
            address = self.address(record)
        except InputError as error:
            self.problems.append(RowError(file=str(self.path), line=record.line, reason=str(error).rstrip(".")))
            return
        if address.url in self.addresses:
            self.repeated += 1
            return
        self.addresses[address.url] = address
        self.ids[address.id] = record.line

    def address(self, record: Record) -> Address:
        if record.fields is None:
            raise InputError(record.problem)
        given = {name: value for name, value in record.fields.items() if name not in _NOT_FROM_LISTS}
        if not isinstance(given.get("url"), str) or not given["url"].strip():
            raise InputError("it has no `url`")
        url = normalised(given["url"])
        fields = {name: value for name, value in given.items() if name not in _OWN}
        own = {name: given[name] for name in ("id", "kind") if given.get(name) not in (None, "")}
        for name, value in own.items():
            if not isinstance(value, str) and type(value) is not int:
                raise BadRowError(f"`{name}` must be text, not {str(value)[:60]!r}")
        plain = Address(url=url, id=str(own.get("id", "")), kind=str(own.get("kind", "")), fields=fields)
        address = checked(plain, self.taxonomy, self.profile_of(url))
        if address.id in self.ids and url not in self.addresses:
            raise InputError(f"the id '{address.id}' is already on line {self.ids[address.id]}")
        return address


def _plain(parts: SplitResult, port: int | None) -> str:
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    at = host if port in (None, _PORTS[scheme]) else f"{host}:{port}"
    return urlunsplit((scheme, at, parts.path or "/", parts.query, ""))


# --- Files --------------------------------------------------------------------------------------------------------


def _records(path: Path) -> Iterator[Record]:
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".json"):
        yield from read_json_lines(path)
        return
    try:
        with path.open("rb") as file:
            start = file.read(3)
            file.seek(3 if start == b"\xef\xbb\xbf" else 0)
            yield from (_csv if suffix == ".csv" else _text)(text_lines(file))
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}.", "Check that the file is there and that you may read it."
        ) from error
    except TableError as error:
        what = f"'{path}' cannot be read as a list of addresses: in the row that starts in line {error.line}"
        raise InputError(f"{what}, {error.reason}.", "Mend that row.") from error


def _text(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        url = "" if line.lstrip().startswith("#") else _COMMENT.sub("", line).strip()
        if _broken(url):
            yield Record(line=number, problem="it is not UTF-8; save the file as UTF-8")
        elif url:
            yield Record(line=number, fields={"url": url})


def _csv(lines: Iterator[str]) -> Iterator[Record]:
    rows = table_rows(lines)
    header = [name.strip() for name in next(rows, (1, []))[1]]
    if "url" not in header or len(set(header)) < len(header):
        problem = "the first line must name the columns, `url` among them and none twice"
        yield Record(line=1, problem=f"{problem}; it has: {', '.join(header)[:200]}")
        return
    for line, cells in rows:
        if cells:
            yield _row(line, header, cells)


def _row(line: int, header: list[str], cells: list[str]) -> Record:
    if any(map(_broken, cells)):
        return Record(line=line, problem="it is not UTF-8; save the file as UTF-8")
    if len(cells) != len(header):
        return Record(line=line, problem=f"it has {len(cells)} cells, but the header has {len(header)} columns")
    fields: dict[str, Any] = {}
    labels: dict[str, list[str]] = {}
    for name, cell in zip(header, cells, strict=True):
        if not cell.strip():
            continue
        if name.startswith(_LABEL_COLUMN):
            labels[name.removeprefix(_LABEL_COLUMN).strip()] = _parts(cell)
            continue
        try:
            fields[name] = msgspec.json.decode(cell) if name in _JSON_CELLS else cell
        except (msgspec.DecodeError, RecursionError):
            return Record(line=line, problem=f"`{name}` is not valid JSON: {cell[:60]!r}")
    if _PARTED in fields:
        fields[_PARTED] = _parts(fields[_PARTED])
    return Record(line=line, fields={**fields, "labels": labels} if labels else fields)


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


def _broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
