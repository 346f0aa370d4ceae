"""From labels to statements of reasons: the file `dsa.toml` in a workspace's folder, filled in by its owner.

`[every]` holds fields that every statement has, `[content_type]` a list for each kind of items, and each
`[[statement]]` the fields for one label of one task. A label without a statement is not reported. In texts, `{date}`,
`{kind}`, `{label}` and `{note}` stand for the day of the decision, the item's kind, the label's title and what the
reviewer noted; nothing of the item itself is ever put in.
"""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path
from typing import Any

from engine.errors import InputError, did_you_mean
from engine.intake.formats.dsa_fields import FIELDS, value_problems
from engine.taxonomy import ITEM_KINDS, Taxonomy
from engine.types import Struct

NAME = "dsa.toml"
PLACEHOLDERS = ("{date}", "{kind}", "{label}", "{note}")
_TABLES = {"every", "content_type", "statement", "puid_prefix", "content_date_from"}
_FILLED_IN = {"application_date", "puid"}
"""Fields that follow from the decision and are not for the mapping to set."""


class Mapping(Struct, frozen=True, kw_only=True):
    """What the file says. `statements` is by (task, label); each has the fields of `every` already.

    `content_date_from` names the item's field that holds the content's date: "captured_at" or "meta.NAME".
    """

    statements: dict[tuple[str, str], dict[str, Any]]
    content_types: dict[str, list[str]]
    puid_prefix: str = "secondlook-"
    content_date_from: str = "captured_at"


def load_mapping(folder: Path, taxonomy: Taxonomy) -> Mapping:
    """Return a workspace's mapping.

    Raises:
        InputError: it is missing or holds mistakes, of which all are named.
    """
    path = folder / NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"There is no '{path}', which says what each label means as a statement of reasons.",
            f"Make one to fill in with: secondlook export {shlex.join((str(folder), str(path)))} --format dsa-mapping.",
        ) from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"'{path}' cannot be read ({error}).", "Correct it.") from error
    mistakes: list[str] = []
    mapping = _Reader(document, taxonomy, mistakes).mapping()
    if mistakes:
        raise InputError(f"'{path}' holds mistakes: {'; '.join(mistakes)}.", "Correct them and export again.")
    return mapping


class _Reader:
    """Reads the document and collects what is wrong on the way."""

    def __init__(self, document: dict[str, Any], taxonomy: Taxonomy, mistakes: list[str]) -> None:
        self.document = document
        self.taxonomy = taxonomy
        self.mistakes = mistakes

    def mapping(self) -> Mapping:
        for name in sorted(set(self.document) - _TABLES):
            self.mistakes.append(f"there is no `{name}`. {did_you_mean(name, _TABLES)}".rstrip("."))
        every = self.fields("[every]", self.document.get("every", {}))
        statements: dict[tuple[str, str], dict[str, Any]] = {}
        given = self.document.get("statement", [])
        for number, one in enumerate(given if isinstance(given, list) else [given], start=1):
            place = f"[[statement]] {number}"
            if not isinstance(one, dict):
                self.mistakes.append(f"{place} is no table")
                continue
            key = self.key(place, one)
            if key in statements:
                self.mistakes.append(f"{place} is the second one for '{key[1]}'")
            own = {name: value for name, value in one.items() if name not in {"task", "label"}}
            statements[key] = every | self.fields(place, own)
        return Mapping(
            statements=statements,
            content_types=self.content_types(),
            puid_prefix=self.text("puid_prefix", "secondlook-"),
            content_date_from=self.text("content_date_from", "captured_at"),
        )

    def key(self, place: str, one: dict[str, Any]) -> tuple[str, str]:
        task, label = one.get("task"), one.get("label")
        known = {task.name: task.label_names for task in self.taxonomy.tasks}
        if task not in known:
            self.mistakes.append(f"{place}: there is no task '{task}'. {did_you_mean(str(task), known)}".rstrip("."))
        elif label not in known[task]:
            near = did_you_mean(str(label), known[task])
            self.mistakes.append(f"{place}: '{task}' has no label '{label}'. {near}".rstrip("."))
        return str(task), str(label)

    def fields(self, place: str, given: Any) -> dict[str, Any]:
        """Return the fields that are not empty."""
        if not isinstance(given, dict):
            self.mistakes.append(f"{place} is no table")
            return {}
        for name, value in given.items():
            if name not in FIELDS or name in _FILLED_IN:
                self.mistakes.append(f"{place}: there is no field `{name}`. {did_you_mean(name, FIELDS)}".rstrip("."))
            elif value not in ("", []):
                self.mistakes += [f"{place}: {problem}" for problem in value_problems(name, value)]
        return {name: value for name, value in given.items() if name in FIELDS and value not in ("", [])}

    def content_types(self) -> dict[str, list[str]]:
        given = self.document.get("content_type", {})
        if not isinstance(given, dict) or not set(given) <= set(ITEM_KINDS):
            self.mistakes.append(f"[content_type] must name kinds of items: {', '.join(ITEM_KINDS)}")
            return {}
        for kind, value in given.items():
            self.mistakes += [f"[content_type] {kind}: {one}" for one in value_problems("content_type", value)]
        return dict(given)

    def text(self, name: str, default: str) -> str:
        value = self.document.get(name, default)
        if not isinstance(value, str):
            self.mistakes.append(f"`{name}` must be text")
        return str(value)


def template(taxonomy: Taxonomy) -> str:
    """Return a mapping to be filled in, with a statement for every label that has a severity."""
    kinds = [kind for kind in ITEM_KINDS if taxonomy.tasks_for(kind)]
    types = {
        "product": '["CONTENT_TYPE_PRODUCT"]',
        "tweet": '["CONTENT_TYPE_TEXT"]',
        "profile": '["CONTENT_TYPE_TEXT"]',
    }
    parts = [_HEAD, *(f"{kind} = {types.get(kind, '[]')}\n" for kind in kinds)]
    for task in taxonomy.tasks:
        parts += [_STATEMENT.format(task=task.name, label=one.name) for one in task.labels if one.severity > 0]
    return "".join(parts)


_HEAD = """\
# What each label means as a statement of reasons (Digital Services Act, Articles 17 and 24(5)).
# Fields and values: transparency.dsa.ec.europa.eu/page/api-documentation. Leave out the labels that are not reported.
# Statements are public: write no personal data. {date}, {kind}, {label} and {note} are filled in.

puid_prefix = "secondlook-"
content_date_from = "captured_at"  # or "meta.NAME": the field that says when the content was published

[every]
territorial_scope = []  # two-letter countries; empty: everywhere
source_type = "SOURCE_VOLUNTARY"
automated_detection = ""  # "Yes" or "No"
automated_decision = ""  # AUTOMATED_DECISION_NOT_AUTOMATED, AUTOMATED_DECISION_PARTIALLY or AUTOMATED_DECISION_FULLY

[content_type]
"""
_STATEMENT = """
[[statement]]
task = "{task}"
label = "{label}"
decision_visibility = []  # such as ["DECISION_VISIBILITY_CONTENT_REMOVED"]
decision_ground = ""  # DECISION_GROUND_ILLEGAL_CONTENT or DECISION_GROUND_INCOMPATIBLE_CONTENT
incompatible_content_ground = ""  # the clause; for illegal content: illegal_content_legal_ground
incompatible_content_explanation = ""  # why; for illegal content: illegal_content_explanation
category = ""  # such as STATEMENT_CATEGORY_OTHER_VIOLATION_TC
decision_facts = ""  # such as "Reviewed on {{date}} and found to be {{label}}."
"""
