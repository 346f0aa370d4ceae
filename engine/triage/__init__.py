"""Which items come first: the named queues, their filters and their order.

Light; builds queries that the workspace answers.
"""

from __future__ import annotations

from engine.triage.named import DEFAULT, NamedQueue, named, queues
from engine.triage.where import parse_where

__all__ = ["DEFAULT", "NamedQueue", "named", "parse_where", "queues"]
