"""Small facts about the workspace itself, by name (the champion, the chain's head, a refresh under way)."""

from __future__ import annotations

from engine.workspace.database import Database

CHAMPION = "champion"
CHAIN_HEAD = "chain_head"
ANNOTATION_HEAD = "annotation_head"
REFRESH = "refresh"
TAXONOMY = "taxonomy"
TEACHING = "teaching"


def get(db: Database, key: str) -> str | None:
    """Return the fact, or None."""
    value: str | None = db.value("SELECT value FROM meta WHERE key = ?", (key,))
    return value


def put(db: Database, key: str, value: str | None) -> None:
    """Set the fact, or forget it where `value` is None."""
    if value is None:
        db.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        db.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )
