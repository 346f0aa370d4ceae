"""Look for what names or reaches a person, in text that is about to be published. A warning, not a guarantee."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[^\s@<>\"'.,;]{2,}")
_HANDLE = re.compile(r"(?<![\w@.])@\w{2,}")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)?\d(?:[ ./()-]{0,2}\d){7,14}(?!\w)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_PROFILE = re.compile(r"https?://\S+/(?:@|u/|user/|users/|profile/|in/)\S+", re.IGNORECASE)
_SHORTEST_NAME = 3


def personal_data(text: str, names: Iterable[str] = ()) -> list[str]:
    """Return what a text seems to hold, one phrase each: mail addresses, handles, phone numbers, profiles, `names`."""
    found = [f"the mail address '{match}'" for match in _MAIL.findall(text)]
    rest = _MAIL.sub(" ", text)
    found += [f"the profile '{match}'" for match in _PROFILE.findall(rest)]
    rest = _PROFILE.sub(" ", rest)
    found += [f"the handle '{match}'" for match in _HANDLE.findall(rest)]
    found += [f"the phone number '{match.strip()}'" for match in _PHONE.findall(_DATE.sub(" ", rest))]
    words = _HANDLE.sub(" ", rest)
    for name in sorted({name.strip().lstrip("@") for name in names}):
        whole = rf"(?<!\w){re.escape(name)}(?!\w)"
        if len(name) >= _SHORTEST_NAME and re.search(whole, words, re.IGNORECASE):
            found.append(f"the name '{name}'")
    return found
