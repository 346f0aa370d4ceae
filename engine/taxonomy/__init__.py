"""Tasks, labels, keys, colours, severity and guidelines, read from TOML and checked.

Light; imported by everyone.
"""

from __future__ import annotations

from engine.taxonomy.model import ITEM_KINDS, POSTS, PROFILE, Label, Task, Taxonomy
from engine.taxonomy.reading import PRESETS, load_taxonomy, parse_taxonomy, preset
from engine.taxonomy.writing import dump_taxonomy

__all__ = [
    "ITEM_KINDS",
    "POSTS",
    "PRESETS",
    "PROFILE",
    "Label",
    "Task",
    "Taxonomy",
    "dump_taxonomy",
    "load_taxonomy",
    "parse_taxonomy",
    "preset",
]
