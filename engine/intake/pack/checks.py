"""Whether a record of a pack is one that this program could have written; a pack may have been made by hand."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from engine.errors import EngineError
from engine.intake.captures import LONGEST_SIDE
from engine.intake.rows import BadRowError, read_row
from engine.taxonomy import Taxonomy
from engine.types import Decision, Explanation, Item, ModelCard, Verdict
from engine.workspace.names import check_name
from engine.workspace.origins import Carried, fault

MOST_CELLS = 16_000_000
_LONGEST_NAME = 200
_MOST_NOTE = 100_000
_MOST_LABELS = 1_000
_MOST_NUMBER = 2**53


def check_item(item: Item, taxonomy: Taxonomy) -> str:
    """Return what is wrong with an item by the rules of an import, "" for nothing."""
    record: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(item))
    if not (0 <= item.width <= LONGEST_SIDE and 0 <= item.height <= LONGEST_SIDE):
        return "its screenshot would be larger than any"
    for name in ("truths", "capture", "width", "height"):
        del record[name]
    record["screenshot"] = item.capture or ""
    try:
        row = read_row(record, taxonomy)
    except BadRowError as error:
        return error.message
    if not all(
        _named(name) for name in (*item.truths, *(label for labels in item.truths.values() for label in labels))
    ):
        return "a label's name is no name"
    return row.warnings[0] if row.warnings else ""


def check_carried(carried: Carried) -> str:
    """Return what is wrong with a decision, "" for nothing."""
    decision = carried.decision
    if not decision.reviewer.strip() or not _named(decision.reviewer) or not _named(decision.act):
        return f"decision {decision.number} has no reviewer or no act"
    if not (0 < decision.number <= _MOST_NUMBER and decision.seconds >= 0 and math.isfinite(decision.seconds)):
        return f"decision {decision.number} has an impossible number or duration"
    try:
        datetime.fromisoformat(decision.at)
    except ValueError:
        return f"decision {decision.number} was made at no time"
    return _check_words(decision) or fault(carried)


def _check_words(decision: Decision) -> str:
    names = (decision.task, decision.shown_model, *decision.labels, *decision.shown_labels)
    if not all(map(_named, names)):
        return f"decision {decision.number} names a task, a label or a model that is no name"
    if len(decision.labels) > _MOST_LABELS:
        return f"decision {decision.number} gives {len(decision.labels):,} labels"
    if len(decision.note) > _MOST_NOTE:
        return f"the note of decision {decision.number} is longer than {_MOST_NOTE:,} characters"
    return ""


def check_order(decision: Decision, before: Decision | None) -> str:
    """Return what is wrong with a decision behind the one before it, "" for nothing: numbers grow, and hashes link."""
    if before is not None and decision.number <= before.number:
        return f"decision {decision.number} comes after decision {before.number}"
    if before is not None and decision.number == before.number + 1 and decision.previous != before.hash:
        return f"decision {decision.number} does not continue decision {before.number}"
    return ""


def check_card(card: ModelCard) -> str:
    """Return what is wrong with a model's card, "" for nothing."""
    try:
        check_name(card.id, "model")
    except EngineError as error:
        return error.message.rstrip(".")
    return ""


def check_verdict(verdict: Verdict) -> str:
    """Return what is wrong with a verdict, "" for nothing."""
    shares = (verdict.probability, *verdict.probabilities.values())
    fits = all(0.0 <= share <= 1.0 for share in shares)
    return "" if fits else f"the verdict on '{verdict.item[:60]}' has a probability outside 0 to 1"


def check_explanation(explanation: Explanation) -> str:
    """Return what is wrong with an explanation, "" for nothing: its map of segments must have the size it says."""
    parts = explanation.segment_map
    if parts is None:
        return ""
    cells = parts.width * parts.height
    if not (parts.width > 0 and parts.height > 0 and cells <= MOST_CELLS):
        return f"the map of '{explanation.item[:60]}' is {parts.width} × {parts.height}"
    try:
        unpacked = zlib.decompressobj().decompress(parts.cells, 2 * cells + 1)
    except zlib.error:
        return f"the map of '{explanation.item[:60]}' is damaged"
    return "" if len(unpacked) == 2 * cells else f"the map of '{explanation.item[:60]}' is not of the size that it says"


def _named(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _printable(name)


def _printable(text: Iterable[str]) -> bool:
    return all(character >= " " and character != "\x7f" for character in text)
