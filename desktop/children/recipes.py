"""Which recipe the next retrain uses, as TOML text. The trainer checks it; here it is only put together."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from engine.errors import InputError
from engine.looks import HANDLE
from engine.workspace import Workspace

DEFAULT, OWN = "default.toml", "recipe.toml"


def next_recipe(workspace: Workspace, recipe: str | None, overrides: Sequence[str]) -> str:
    """Return `recipe`, else the workspace's own, else the champion's, else the default one, with the overrides.

    A workspace's own recipe is a file `recipe.toml` in its folder. Raises `InputError` for a recipe that cannot be
    read or is no TOML, or an override that is not "section.key=value".
    """
    text = recipe or _own_recipe(workspace) or _champions_recipe(workspace) or default_recipe()
    return with_overrides(text, overrides) if overrides else text


def default_recipe() -> str:
    """Return the recipe for a workspace without a model."""
    return (resources.files("resources") / "recipes" / DEFAULT).read_text(encoding="utf-8")


def with_overrides(text: str, overrides: Sequence[str]) -> str:
    """Return the recipe with values replaced, each given as "section.key=value" with a TOML value or a bare word."""
    document = _read(text)
    for override in overrides:
        path, equals, value = override.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (equals and dot and section and key):
            raise InputError(
                f"The override {override!r} is not of the form section.key=value.", "Write it as section.key=value."
            )
        document.setdefault(section, {})[key] = _value(value.strip())
    return _dump(document)


def with_masked(text: str, region: str) -> str:
    """Return the recipe with a region of the page masked as well; with the handle, users in texts are masked too."""
    document = _read(text)
    image = document.setdefault("image", {})
    image["mask_regions"] = list(dict.fromkeys([*image.get("mask_regions", ()), region]))
    if region == HANDLE:
        document.setdefault("text", {})["mask_users"] = True
    return _dump(document)


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The recipe is not valid TOML: {error}.", "Correct that line.") from error


def _own_recipe(workspace: Workspace) -> str:
    file = workspace.path / OWN
    if not file.exists():
        return ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe {file} cannot be read ({error}).", "Mend it, or take it away.") from error


def _champions_recipe(workspace: Workspace) -> str:
    champion = workspace.models.champion()
    return champion.card.recipe if champion is not None else ""


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _dump(document: dict[str, Any]) -> str:
    """Write a flat document of sections; JSON's strings, numbers, booleans and lists are TOML's too."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, dict)]
    sections = [
        "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())])
        for name, section in document.items()
        if isinstance(section, dict)
    ]
    return "\n\n".join(["\n".join(plain), *sections]).strip() + "\n"
