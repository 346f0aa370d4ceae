"""Filters as people write them: "kind=tweet", "label=toxic", "probability<0.7"."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.errors import InputError, did_you_mean
from engine.triage.named import named
from engine.workspace.facets import STATES
from engine.workspace.queues import ORDERS, QueueQuery

_CONDITION = re.compile(r"\s*([A-Za-z][A-Za-z_-]*)\s*(<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_EXAMPLE = "Write them like kind=tweet, label=toxic or probability<0.7."
_SPLITS = ("train", "val", "test", "none")
Change = dict[str, Any]


def parse_where(conditions: Sequence[str], queue: str = "to-review") -> QueueQuery:
    """Return the named queue's query narrowed by all the conditions; all mistakes are raised together.

    Fields: kind, label, split (train, val, test, none), state (several with commas), order, search, disagreement
    (yes, no) with "="; probability with "=", "<", "<=", ">" and ">=" and a value in [0, 1]. A later condition on a
    field replaces an earlier one. Raises `InputError` with the nearest field or value, `NotFoundError` for the queue.
    """
    changes: Change = {}
    mistakes: list[str] = []
    for condition in conditions:
        try:
            changes |= _change(condition)
        except InputError as error:
            mistakes.append(str(error))
    query = named(queue).query
    low, high = changes.get("min_probability"), changes.get("max_probability")
    if low is not None and high is not None and low > high:
        mistakes.append(f"No probability is above {low:g} and below {high:g}.")
    if mistakes:
        raise InputError(" ".join(mistakes), "See 'secondlook items --help'.")
    return msgspec.structs.replace(query, **changes)


def _change(condition: str) -> Change:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise InputError(f"'{condition}' is no condition.", _EXAMPLE)
    field, operator, value = match[1].lower(), match[2], match[3]
    if field == "probability":
        return _probability(operator, value, condition)
    if field not in _FIELDS:
        raise InputError(f"'{match[1]}' in '{condition}' is no field.", did_you_mean(field, [*_FIELDS, "probability"]))
    if operator != "=":
        raise InputError(f"'{condition}' compares {field} with '{operator}'.", f"Write {field}={value}.")
    if not value:
        raise InputError(f"'{condition}' gives no value.", _EXAMPLE)
    return _FIELDS[field](value)


def _probability(operator: str, text: str, condition: str) -> Change:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise InputError(f"'{text}' in '{condition}' is no probability.", "Give a number from 0 to 1.")
    below, above = math.nextafter(value, -1.0), math.nextafter(value, 2.0)
    bounds: dict[str, Change] = {
        "<": {"max_probability": below},
        "<=": {"max_probability": value},
        ">": {"min_probability": above},
        ">=": {"min_probability": value},
        "=": {"min_probability": value, "max_probability": value},
    }
    return bounds[operator]


def _one_of(value: str, known: Sequence[str], what: str) -> str:
    if value.lower() not in known:
        raise InputError(f"'{value}' is no {what}.", did_you_mean(value, known))
    return value.lower()


def _split(value: str) -> Change:
    split = _one_of(value, _SPLITS, "split")
    return {"split": "" if split == "none" else split}


def _states(value: str) -> Change:
    names = [part.strip() for part in value.split(",")]
    return {"states": tuple(dict.fromkeys(_one_of(name, STATES, "state of an item") for name in names))}


_FIELDS: dict[str, Callable[[str], Change]] = {
    "kind": lambda value: {"kind": value},
    "label": lambda value: {"label": value},
    "split": _split,
    "state": _states,
    "order": lambda value: {"order": _one_of(value, tuple(ORDERS), "order of a queue")},
    "search": lambda value: {"search": value},
    "disagreement": lambda value: {"disagreement": _one_of(value, ("yes", "no"), "yes or no") == "yes"},
}
