"""How structured values sit in text columns: compact JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.types import Box

_encoder = msgspec.json.Encoder()
_labels = msgspec.json.Decoder(tuple[str, ...])
_truths = msgspec.json.Decoder(dict[str, tuple[str, ...]])
_box = msgspec.json.Decoder(Box | None)
_boxes = msgspec.json.Decoder(tuple[Box, ...])
_regions = msgspec.json.Decoder(dict[str, tuple[Box, ...]])
_meta = msgspec.json.Decoder(dict[str, Any])
_probabilities = msgspec.json.Decoder(dict[str, float])

read_labels = _labels.decode
read_truths = _truths.decode
read_box = _box.decode
read_boxes = _boxes.decode
read_regions = _regions.decode
read_meta = _meta.decode
read_probabilities = _probabilities.decode


def dump(value: object) -> str:
    """Return compact JSON."""
    return _encoder.encode(value).decode()


def rows_parameter(rows: Iterable[int]) -> str:
    """Return row numbers for one `json_each(?)` parameter, so that a statement's text never depends on how many."""
    return f"[{','.join(map(str, rows))}]"


def now() -> str:
    """Return the present moment, UTC, ISO 8601 with milliseconds."""
    moment = dt.datetime.now(dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
