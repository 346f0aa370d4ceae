"""What the ids of models and runs may look like, since they become names of folders."""

from __future__ import annotations

import re

from engine.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


def check_name(name: str, what: str) -> str:
    """Return the name; raises `InputError` where it could not safely be a folder's."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot be the name of a {what}.",
            "Use up to 100 letters, digits, dots, hyphens and underscores, not beginning with a dot.",
        )
    return name
