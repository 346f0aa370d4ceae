"""Items that a model sees without their screenshots, which cannot be read: told wherever a number rests on them."""

from __future__ import annotations

from collections.abc import Collection

from engine.counting import counted, fit


def without_screenshots(ids: Collection[str], done: str, then: str = "") -> str:
    """Return a sentence on items, at least one, that were `done` ("judged") so; `then` is what to do after mending."""
    count = len(ids)
    which = f"{counted(count, 'item')}, such as '{min(ids)}', {fit(count, 'was', 'were')} {done}"
    they = fit(count, "its screenshot, which", "their screenshots, which")
    return f"{which} without {they} cannot be read: import {fit(count, 'it', 'them')} again{then}."
