"""`secondlook backbones`: what a recipe can name, and which of it can be used here and now."""

from __future__ import annotations

from typing import Any

from engine.cli.common import JsonOption, answer, table

EXAMPLES = (
    "secondlook backbones",
    "secondlook backbones --json",
)


def backbones(as_json: JsonOption = False) -> None:
    """List every text and image backbone, weights and fusion that a recipe can name, and which can be used here."""
    from engine.models.registry import CHOICES, here

    documents: list[dict[str, Any]] = []
    for choice in CHOICES:
        usable, state = here(choice)
        documents.append(
            {
                "setting": choice.setting,
                "name": choice.name,
                "usable": usable,
                "here": state,
                "summary": choice.summary,
            }
        )
    answer(documents, lambda: _text(documents), as_json=as_json)


def _text(documents: list[dict[str, Any]]) -> str:
    rows = [[one["setting"], one["name"], one["here"], one["summary"]] for one in documents]
    return table(["setting", "name", "here and now", "what it is"], rows)
