"""Read a taxonomy from TOML and check it; all mistakes of a file are collected and raised together."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import resources
from engine.errors import InputError, NotFoundError, did_you_mean
from engine.taxonomy.checks import Mistakes, check_conditions, check_file, read_tasks
from engine.taxonomy.model import Taxonomy

PRESETS = ("tweets", "products", "both")
_MOST_BYTES = 1 << 20


def load_taxonomy(path: Path | str) -> Taxonomy:
    """Return the checked taxonomy of a TOML file.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, or it holds mistakes (all are listed).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"There is no taxonomy file '{path}'.", "Give the path of a TOML file.") from None
    except OSError as error:
        raise InputError(
            f"The taxonomy file '{path}' cannot be read: {error.strerror}.",
            "Check that the file is there and that you may read it.",
        ) from error
    if len(raw) > _MOST_BYTES:
        raise InputError(f"The taxonomy file '{path}' is larger than 1 MB.", "Give a taxonomy in TOML.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: this is not UTF-8 text.", "Save the file as UTF-8.") from error
    return parse_taxonomy(text, str(path))


def parse_taxonomy(text: str, source: str = "taxonomy") -> Taxonomy:
    """Return the checked taxonomy of a TOML text; `source` names it in messages.

    Raises:
        InputError: it is not TOML, or it holds mistakes (all are listed, one a line).
    """
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{source} is not valid TOML: {error}.", "Correct that line.") from error
    mistakes = Mistakes()
    name = check_file(document, mistakes)
    tasks = read_tasks(document.get("tasks"), mistakes)
    check_conditions(tasks, mistakes)
    if mistakes.found:
        count = "1 mistake" if len(mistakes.found) == 1 else f"{len(mistakes.found)} mistakes"
        raise InputError("\n  ".join([f"{source} has {count}:", *mistakes.found]), "Correct the file, then try again.")
    return Taxonomy(name=name, tasks=tuple(tasks))


def preset(name: str) -> Taxonomy:
    """Return a taxonomy that ships with Second Look: "tweets", "products" or "both".

    Raises:
        NotFoundError: there is no such preset.
    """
    if name not in PRESETS:
        raise NotFoundError(f"There is no preset '{name}'.", did_you_mean(name, PRESETS))
    return load_taxonomy(resources.path("taxonomies", f"{name}.toml"))
