"""From what a file says of a decision to what the workspace records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.types import Annotation, CrossedOut, Decision
from engine.workspace import GivenDecision
from engine.workspace.marks import plain

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def given_of(decisions: Sequence[Decision], annotations: Iterable[Annotation]) -> tuple[GivenDecision, ...]:
    """Return the rows of our own export as they are to be recorded again, what was crossed out with them included."""
    crossed: dict[int, list[CrossedOut]] = {}
    for mark in annotations:
        crossed.setdefault(mark.decision, []).append(plain(mark, label=mark.label))
    return tuple(
        GivenDecision(
            item=one.item,
            task=one.task,
            action=one.action,
            labels=one.labels,
            reviewer=one.reviewer,
            seconds=one.seconds,
            note=one.note,
            shown_model=one.shown_model,
            shown_labels=one.shown_labels,
            shown_probability=one.shown_probability,
            act=one.act,
            crossed_out=tuple(crossed.get(one.number, ())),
            at=moment(one.at),
            undoes=one.undoes,
        )
        for one in sorted(decisions, key=lambda one: one.number)
    )


def moment(value: object) -> str:
    """Return a time as decisions hold it (UTC, ISO 8601 with milliseconds); "" for what is no time.

    Takes ISO 8601 text (UTC where it names no zone) and seconds since 1970.
    """
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return ""
    except (ValueError, OverflowError, OSError):
        return ""
    if not _EARLIEST <= found <= _LATEST:
        return ""
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def act_of(*parts: Any) -> str:
    """Return the name of an act that follows from what tells it apart, so that it is the same the next time."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32]
