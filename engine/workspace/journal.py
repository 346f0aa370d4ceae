"""Which journal mode is safe with which SQLite library: one pure rule.

SQLite 3.7.0 to 3.51.2 can lose a committed transaction when a write-ahead log is reset while another process
checkpoints (the "WAL-reset" bug). It is fixed in 3.51.3 and in the backports 3.50.7 and 3.44.6. Everywhere else the
rollback journal is used, truncated rather than deleted because that spares a directory sync per commit.
"""

from __future__ import annotations

Version = tuple[int, int, int]

FIXED: Version = (3, 51, 3)
BACKPORTS: tuple[Version, ...] = ((3, 50, 7), (3, 44, 6))


def journal_mode(version: Version) -> str:
    """Return "WAL" where this SQLite library version keeps it safe, else "TRUNCATE"."""
    if version >= FIXED:
        return "WAL"
    backported = any(version[:2] == fixed[:2] and version >= fixed for fixed in BACKPORTS)
    return "WAL" if backported else "TRUNCATE"
