"""Times as pages state them, as ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 64
_EPOCH = re.compile(r"\d{10}(\d{3})?")


def utc_of(text: str) -> str:
    """Return a time such as "2026-01-31T12:00:00Z", "" for a text that is none.

    Read are ISO 8601, the dates of mails and of HTTP (RFC 5322), and seconds or milliseconds since 1970. A time that
    does not name its zone is taken as UTC; a day is taken at its start.
    """
    given = text.strip()
    if not given or len(given) > _LONGEST:
        return ""
    try:
        return _utc(_parsed(given))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        return ""


def _parsed(text: str) -> datetime:
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        return datetime.fromtimestamp(int(text) / (1000 if epoch[1] else 1), UTC)
    if text[0].isdigit():
        return datetime.fromisoformat(text)
    return parsedate_to_datetime(text)


def _utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
