"""Write a taxonomy as TOML that `parse_taxonomy` reads back to an equal one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from engine.taxonomy.model import Label, Task, Taxonomy


def dump_taxonomy(taxonomy: Taxonomy) -> str:
    """Return the taxonomy as TOML text, every field written out."""
    return (
        "\n".join([f"name = {_text(taxonomy.name)}", *(line for task in taxonomy.tasks for line in _task(task))]) + "\n"
    )


def _task(task: Task) -> Iterator[str]:
    yield from ("", "[[tasks]]", f"name = {_text(task.name)}", f"title = {_text(task.title)}")
    yield f"kind = {_text(task.kind)}"
    yield f"applies_to = {_list(task.applies_to)}"
    if task.when:
        conditions = ", ".join(f"{_text(name)} = {_list(labels)}" for name, labels in task.when.items())
        yield f"when = {{ {conditions} }}"
    for label in task.labels:
        yield from _label(label)


def _label(label: Label) -> Iterator[str]:
    yield from ("", "[[tasks.labels]]")
    for field in ("name", "title", "key", "colour"):
        yield f"{field} = {_text(getattr(label, field))}"
    yield f"severity = {label.severity}"
    yield f"guideline = {_text(label.guideline)}"


def _text(value: str) -> str:
    # JSON's escapes are all valid in a TOML basic string; DEL is the one character that only TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"
