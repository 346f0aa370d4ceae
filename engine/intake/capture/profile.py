"""A profile says how to read one kind of page: which address, which parts, when it is ready, what can be wrong.

Profiles are TOML files (`resources/profiles/`, or one's own by path), so that a site's redesign is an edit.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

import resources
from engine.errors import InputError, NotFoundError, did_you_mean
from engine.intake.capture.types import Job, Kind
from engine.types import Struct

Source = Literal["json-ld", "microdata", "opengraph", "page", "labels", "address"]
"""Sources of fields: "page" are the profile's selectors, "labels" its names of values, "address" its patterns."""

ORDER: tuple[Source, ...] = ("json-ld", "microdata", "opengraph", "page", "labels", "address")

TEXTS = (
    "text",
    "title",
    "author",
    "time",
    "price",
    "currency",
    "brand",
    "sku",
    "gtin",
    "mpn",
    "language",
    "quoted",
    "links",
    "link-preview",
)
"""The fields that a profile can have selectors for."""

VISIBLE = "visible"
"""The name under which the browser is asked for all text that can be seen."""

SIGN = "sign:"
"""Start of the names under which the browser is asked where the signs of failure are."""

SKELETON = "skeleton:"
"""The name under which the browser is asked for what stands in for content that is still to come."""

_SHARED = "signs"
_NO_PROFILES = (_SHARED, "currencies")
_MOST_BYTES = 1 << 20
_UNSPECIFIC = ("www.", "m.", "mobile.")


class Ready(Struct, frozen=True, kw_only=True):
    """When a page may be captured: all of `present` match something, none of `absent` (skeletons) is in view."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class Sign(Struct, frozen=True, kw_only=True):
    """How to know that a capture did not bring the item, and what to say of it.

    One match is enough: `selectors` of elements that cover at least `covers` of the capture (in [0, 1]); `phrases` in a
    short page or its title (upper and lower case are the same); `addresses` that the page was sent on to (patterns as a
    profile's `urls`); HTTP `status`.
    """

    kind: Kind
    reason: str
    retry: bool = False
    selectors: tuple[str, ...] = ()
    covers: float = 0.0
    phrases: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    status: tuple[int, ...] = ()


class Profile(Struct, frozen=True, kw_only=True):
    """How to read one kind of page.

    `kind` is the kind of item that it becomes, "" where the list of addresses decides. `urls` are patterns of host
    and path in which `*` stands for anything. `order` says which source of a field is believed first. `texts` maps a
    field to selectors, of which the first with a value counts (`SELECTOR @NAME` takes an attribute, not the text);
    `labels` to names, in lower case, that stand beside its value; `address` to patterns of the address with one `{}`,
    a part of its path; `clean` to patterns with one `*`, which stands for the value ("Brand: *"). `proof` names
    regions or fields of which one shows that the item is there: phrases of failure then do not count. `scripts` says
    whether scripts may run. What is not in the file is taken from the profile named by `like`.
    """

    name: str
    title: str = ""
    kind: str = ""
    like: str = ""
    urls: tuple[str, ...] = ()
    scripts: bool = True
    order: tuple[Source, ...] = ORDER
    regions: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    labels: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    address: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    clean: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ready: Ready = Ready()
    proof: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()

    @classmethod
    def load(cls, name_or_path: str | Path) -> Profile:
        """Return a profile that ships with Second Look by its name, or one's own by the path of its TOML file.

        Raises:
            NotFoundError: there is no such profile or file.
            InputError: the file cannot be read, or it holds mistakes (all are listed).
        """
        path = Path(name_or_path)
        if path.suffix != ".toml" and not path.is_file():
            return _shipped(str(name_or_path))
        return _read(path)

    @property
    def asked_regions(self) -> dict[str, tuple[str, ...]]:
        """What the browser is to find the rectangles of: the regions, the skeletons, and what could be in the way."""
        signs = {f"{SIGN}{number}": sign.selectors for number, sign in enumerate(self.signs) if sign.selectors}
        skeleton = {SKELETON: self.ready.absent} if self.ready.absent else {}
        return {**self.regions, **skeleton, **signs}

    @property
    def asked_texts(self) -> dict[str, tuple[str, ...]]:
        """What the browser is to read as it is seen: texts without an attribute, and all that is visible."""
        own = {field: tuple(one for one in given if " @" not in one) for field, given in self.texts.items()}
        return {**{field: selectors for field, selectors in own.items() if selectors}, VISIBLE: ("body",)}

    @property
    def failed(self) -> tuple[str, ...]:
        """Selectors of which one is enough to stop waiting: signs that no later pass changes."""
        return tuple(one for sign in self.signs if not sign.retry and not sign.covers for one in sign.selectors)

    def job(self, url: str, html: str | None = None) -> Job:
        """Return what is asked of the browser for the page at `url`, or for this HTML served under `url`."""
        return Job(
            url=url,
            html=html,
            regions=self.asked_regions,
            texts=self.asked_texts,
            present=self.ready.present,
            absent=self.ready.absent,
            failed=self.failed,
            scripts=self.scripts,
        )


def names() -> tuple[str, ...]:
    """Return the names of the profiles that ship with Second Look."""
    return tuple(
        sorted(path.stem for path in resources.path("profiles").glob("*.toml") if path.stem not in _NO_PROFILES)
    )


def choose(url: str, profiles: Iterable[Profile] | None = None) -> Profile:
    """Return the profile whose pattern says most about this address, `page` where none fits.

    `profiles` are the ones to choose from, by default all that ship with Second Look.
    """
    known = tuple(_shipped(name) for name in names()) if profiles is None else tuple(profiles)
    found = [
        (len(pattern.replace("*", "")), number)
        for number, profile in enumerate(known)
        for pattern in profile.urls
        if fits(url, pattern)
    ]
    if not found:
        return _shipped("page")
    return known[max(found, key=lambda one: (one[0], -one[1]))[1]]


def fits(url: str, pattern: str) -> bool:
    """Return whether host and path of `url` fit a pattern such as "x.com/*/status/*"; "www." and "m." are left out."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    for prefix in _UNSPECIFIC:
        host = host.removeprefix(prefix)
    query = f"?{parts.query}" if parts.query else ""
    return _like(f"{host}{parts.path}{query}"[:4096], pattern)


def part_of(url: str, pattern: str) -> str:
    """Return what stands for `{}` in a pattern such as "*/item/{}": a part of the address's path, "" for no match."""
    start, _, end = pattern.partition("{}")
    try:
        parts = [part for part in urlsplit(url).path.split("/") if part]
    except ValueError:
        return ""
    return next((part for part in parts if fits(url, f"{start}{part}{end}") or fits(url, f"{start}{part}{end}*")), "")


def _like(text: str, pattern: str) -> bool:
    """Return whether the text is the pattern with something for each `*`; linear, whatever the text."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])


def shared_signs() -> tuple[Sign, ...]:
    """Return the signs of failure that every profile shares (`resources/profiles/signs.toml`)."""
    return _signs()


@functools.cache
def _signs() -> tuple[Sign, ...]:
    from engine.intake.capture.profile_reading import parse_signs

    path = resources.path("profiles", f"{_SHARED}.toml")
    return parse_signs(_document(path), str(path))


@functools.cache
def _shipped(name: str) -> Profile:
    if name not in names():
        hint = f"{did_you_mean(name, names())} Or give the path of a TOML file."
        raise NotFoundError(f"There is no profile '{name[:80]}'.", hint)
    return _read(resources.path("profiles", f"{name}.toml"))


def _read(path: Path) -> Profile:
    from engine.intake.capture.profile_reading import parse_profile

    return parse_profile(_document(path), str(path))


def _document(path: Path) -> dict[str, Any]:
    """Return a TOML file's tables.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, is too large or no TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"There is no profile file '{path}'.", "Give the path of a TOML file.") from None
    except OSError as error:
        raise InputError(
            f"The profile file '{path}' cannot be read: {error.strerror}.",
            "Check that the file is there and that you may read it.",
        ) from error
    if len(raw) > _MOST_BYTES:
        raise InputError(f"The profile file '{path}' is larger than 1 MB.", "Give a profile in TOML.")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.", "Correct that line.") from error
