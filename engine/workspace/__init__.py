"""One folder a person can copy: the SQLite file, the captures, the models and the runs.

The only room that writes SQL. Light: imports no torch, and sqlite-utils only when a database is created or migrated.
"""

from __future__ import annotations

from engine.workspace.chain import ChainReport
from engine.workspace.decisions import Decisions, GivenDecision, NewDecision, Undone
from engine.workspace.lock import exclusive
from engine.workspace.models import ModelRow
from engine.workspace.queues import Cursor, QueueCounts, QueuePage, QueueQuery, QueueRow
from engine.workspace.runs import RunFolder, RunInfo
from engine.workspace.workspace import Workspace

__all__ = [
    "ChainReport",
    "Cursor",
    "Decisions",
    "GivenDecision",
    "ModelRow",
    "NewDecision",
    "QueueCounts",
    "QueuePage",
    "QueueQuery",
    "QueueRow",
    "RunFolder",
    "RunInfo",
    "Undone",
    "Workspace",
    "exclusive",
]
