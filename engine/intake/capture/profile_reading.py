"""Turn a profile's TOML tables into a checked `Profile`; all mistakes of a file are collected and raised together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints

import msgspec

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.intake.capture.extract_selectors import problem_of
from engine.intake.capture.profile import ORDER, TEXTS, Profile, Ready, Sign, shared_signs
from engine.taxonomy import ITEM_KINDS
from engine.taxonomy.checks import Mistakes
from engine.types import Struct

T = TypeVar("T", bound=Struct)
_FILE = "the file"
_OWN_SIGNS = ("sign",)
_PROFILE_FIELDS = (*(field for field in Profile.__struct_fields__ if field != "signs"), *_OWN_SIGNS)
_ATTRIBUTE = " @"
_TABLES = ("regions", "texts", "labels", "address", "clean")


def parse_profile(document: Mapping[str, Any], source: str) -> Profile:
    """Return the checked profile of these tables; `source` names them in messages.

    With `like = "NAME"` what the file leaves out is taken from that profile, and its selectors come before that one's.

    Raises:
        InputError: it holds mistakes (all are listed, one a line).
    """
    mistakes = Mistakes()
    mistakes.unknown_fields(_FILE, document, _PROFILE_FIELDS)
    name = mistakes.name(_FILE, document)
    signs = _signs(document.get("sign", []), mistakes)
    given = {field: value for field, value in document.items() if field not in _OWN_SIGNS}
    own = _fields(Profile, _FILE, given, mistakes)
    base = _base(str(own.get("like", "")), name, mistakes)
    profile = _joined(own, base)
    _check(profile, mistakes)
    _raise(mistakes, source)
    rest = base.signs if base else shared_signs()
    return msgspec.structs.replace(profile, name=name, signs=(*signs, *rest))


def parse_signs(document: Mapping[str, Any], source: str) -> tuple[Sign, ...]:
    """Return the signs of failure in these tables.

    Raises:
        InputError: they hold mistakes (all are listed, one a line).
    """
    mistakes = Mistakes()
    mistakes.unknown_fields(_FILE, document, _OWN_SIGNS)
    signs = _signs(document.get("sign", []), mistakes)
    _raise(mistakes, source)
    return signs


def _raise(mistakes: Mistakes, source: str) -> None:
    if mistakes.found:
        count = "1 mistake" if len(mistakes.found) == 1 else f"{len(mistakes.found)} mistakes"
        raise InputError("\n  ".join([f"{source} has {count}:", *mistakes.found]), "Correct the file, then try again.")


def _fields(kind: type[T], where: str, given: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """Return those fields of `given` that fit the struct's types, each checked by itself so that all mistakes show."""
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field, value in given.items():
        if field not in kind.__struct_fields__:
            continue
        try:
            found[field] = msgspec.convert(_listed(value), hints[field])
        except msgspec.ValidationError as error:
            mistakes.add(where, f"`{field}` does not fit: {error}.", _hint(field, value))
    return found


def _listed(value: Any) -> Any:
    """Return a table of selectors with single ones as lists of one."""
    if isinstance(value, dict):
        return {name: [one] if isinstance(one, str) else one for name, one in value.items()}
    return value


def _hint(field: str, value: Any) -> str:
    known = {"kind": _KINDS, "order": ORDER}.get(field)
    if known is None:
        return ""
    wrong = [one for one in (value if isinstance(value, list) else [value]) if one not in known]
    return did_you_mean(str(wrong[0]), known) if wrong else ""


def _signs(given: object, mistakes: Mistakes) -> tuple[Sign, ...]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        mistakes.add(_FILE, "`sign` must be a list of tables.", "Write [[sign]].")
        return ()
    signs = []
    for number, table in enumerate(given, 1):
        where = f"sign {number}"
        mistakes.unknown_fields(where, table, Sign.__struct_fields__)
        found = _fields(Sign, where, table, mistakes)
        for needed in ("kind", "reason"):
            if needed not in table:
                mistakes.add(where, f"it needs a `{needed}`.")
        sign = Sign(**{"kind": "failed", "reason": "", **found})
        if not (sign.selectors or sign.phrases or sign.addresses or sign.status):
            mistakes.add(where, "nothing can ever match it.", "Give selectors, phrases, addresses or status.")
        _check_selectors(where, sign.selectors, mistakes, attributes=False)
        signs.append(sign)
    return tuple(signs)


_KINDS = ("deleted", "suspended", "login wall", "consent wall", "blank", "still loading", "error page", "failed")


def _base(like: str, name: str, mistakes: Mistakes) -> Profile | None:
    if not like:
        return None
    if like == name:
        mistakes.add(_FILE, "`like` names the profile itself.", "Leave it out or name another.")
        return None
    try:
        return Profile.load(like)
    except NotFoundError as error:
        mistakes.add(_FILE, f"`like`: {error}")
        return None


def _joined(own: Mapping[str, Any], base: Profile | None) -> Profile:
    """Return the profile of a file's own fields, with what it leaves out from the one that it is like."""
    profile = Profile(**{"name": "", **own})
    if base is None:
        return profile
    joined = {field: _merged(getattr(profile, field), getattr(base, field)) for field in _TABLES}
    taken = {
        field: getattr(base, field) for field in ("kind", "order", "ready", "proof", "scripts") if field not in own
    }
    return msgspec.structs.replace(profile, **joined, **taken)


def _merged(own: dict[str, tuple[str, ...]], base: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: (*own.get(name, ()), *base.get(name, ())) for name in {**own, **base}}


def _check(profile: Profile, mistakes: Mistakes) -> None:
    if profile.kind and profile.kind not in ITEM_KINDS:
        mistakes.add(_FILE, f"there is no item kind '{profile.kind}'.", did_you_mean(profile.kind, ITEM_KINDS))
    for table in _TABLES[1:]:
        for field in getattr(profile, table):
            if field not in TEXTS:
                mistakes.add(table, f"there is no field '{field}'.", did_you_mean(field, TEXTS))
    for name in profile.proof:
        known = (*profile.regions, *profile.texts)
        if name not in known:
            mistakes.add(
                "proof", f"'{name}' is neither a region nor a text of this profile.", did_you_mean(name, known)
            )
    _check_patterns("clean", profile.clean, "*", mistakes)
    _check_patterns("address", profile.address, "{}", mistakes)
    for name, selectors in profile.regions.items():
        if ":" in name:
            mistakes.add("regions", f"a region's name cannot hold a colon, as '{name}' does.")
        _check_selectors(f"regions.{name}", selectors, mistakes, attributes=False)
    for name, selectors in profile.texts.items():
        _check_selectors(f"texts.{name}", selectors, mistakes, attributes=True)
    _check_ready(profile.ready, mistakes)


def _check_patterns(table: str, given: Mapping[str, Sequence[str]], mark: str, mistakes: Mistakes) -> None:
    for name, patterns in given.items():
        for pattern in patterns:
            if pattern.count(mark) != 1:
                mistakes.add(f"{table}.{name}", f"'{pattern}' needs exactly one {mark}.", "It stands for the value.")


def _check_ready(ready: Ready, mistakes: Mistakes) -> None:
    _check_selectors("ready.present", ready.present, mistakes, attributes=False)
    _check_selectors("ready.absent", ready.absent, mistakes, attributes=False)


def _check_selectors(where: str, selectors: Sequence[str], mistakes: Mistakes, *, attributes: bool) -> None:
    for selector in selectors:
        css = selector.rpartition(_ATTRIBUTE)[0] if attributes and _ATTRIBUTE in selector else selector
        problem = problem_of(css)
        if problem:
            mistakes.add(where, f"'{selector}' is no selector that can be used: {problem}.")
