"""The window's stylesheet: `resources/styles/desk.qss` with a theme's tokens filled in."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from string import Template

import resources
from desktop.theme.tokens import TYPE, Tokens


@cache
def _template() -> Template:
    return Template(resources.path("styles", "desk.qss").read_text(encoding="utf-8"))


@cache
def stylesheet(tokens: Tokens) -> str:
    """Return the stylesheet of a theme; raises KeyError if the file names a token that does not exist."""
    values = {name: value for name, value in asdict(tokens).items() if isinstance(value, str)}
    values |= {name: str(size) for name, size in asdict(TYPE).items()}
    values |= {
        "arrow_down": _url("arrow-down.svg"),
        "arrow_up": _url("arrow-up.svg"),
        "check": _url(f"check-{tokens.name}.svg"),
    }
    return _template().substitute(values)


def _url(name: str) -> str:
    return resources.path("styles", name).as_posix()
