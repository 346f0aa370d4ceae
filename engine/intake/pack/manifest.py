"""What is in a review pack, under which names, and within which limits.

    manifest.json        what the others are: SHA-256 and size of each; the last entry of the zip
    taxonomy.toml        tasks and labels
    items.jsonl          one item a line, as the workspace holds it
    models.jsonl         cards of the models whose verdicts are here; their weights do not travel
    verdicts.jsonl       what the reviewer is shown
    explanations.jsonl   and why, where it was computed already
    decisions.jsonl      every decision on these items with its hash, where it came from, and what was crossed out
    captures/ab/….png    screenshots, named by the SHA-256 of their bytes

The pack's id is the SHA-256 of its manifest, so the same content is the same pack. Times of entries, their order and
their compression are fixed: the same workspace gives the same bytes.
"""

from __future__ import annotations

import re

from engine.errors import InputError
from engine.types import Struct

FORMAT = "second look review pack"
VERSION = 1
SUFFIX = ".zip"

MANIFEST, TAXONOMY = "manifest.json", "taxonomy.toml"
ITEMS, MODELS, VERDICTS = "items.jsonl", "models.jsonl", "verdicts.jsonl"
EXPLANATIONS, DECISIONS = "explanations.jsonl", "decisions.jsonl"
DOCUMENTS = (TAXONOMY, ITEMS, MODELS, VERDICTS, EXPLANATIONS, DECISIONS)
_CAPTURE = re.compile(r"captures/([0-9a-f]{2})/(\1[0-9a-f]{62})\.png")

MOST_ENTRIES = 200_000
MOST_DIRECTORY_BYTES = 64 << 20
MOST_DOCUMENT_BYTES = 8 << 30
MOST_MANIFEST_BYTES = 64 << 20
MOST_TAXONOMY_BYTES = 1 << 20
MOST_BYTES = 32 << 30
"""All entries unpacked. A pack is read in pieces, so this bounds the disk that it may take, not the memory."""

MOST_RATIO = 300
"""How many times larger than packed an entry of `LARGE` bytes or more may be; zeros reach 1,030, our text about 15."""
LARGE = 1 << 20


class PackError(InputError):
    """A pack cannot be used; nothing of it was."""


class Stated(Struct, frozen=True, kw_only=True):
    """What the manifest says of an entry."""

    sha256: str
    bytes: int


class Manifest(Struct, frozen=True, kw_only=True):
    """What the pack says of itself.

    `truths`: whether the labels that came with the import are in it; `decisions`: whether earlier decisions are.
    `champion` is the model whose verdicts the reviewer is shown, "" for none.
    """

    format: str
    version: int
    items: int
    truths: bool = True
    decisions: bool = True
    champion: str = ""
    files: dict[str, Stated]


def capture_name(sha: str) -> str:
    """Return the entry that holds the capture of this digest."""
    return f"captures/{sha[:2]}/{sha}.png"


def capture_of(name: str) -> str:
    """Return the digest that an entry's name gives for its capture, "" where it is no capture's name."""
    match = _CAPTURE.fullmatch(name)
    return match[2] if match else ""
