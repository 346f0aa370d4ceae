from __future__ import annotations

from engine.intake import RowError, grouped


def test_rows_of_one_kind_are_told_by_their_first() -> None:
    rows = [
        RowError(file="f", line=1, reason="screenshot 'a': converted", kind="screenshot: converted"),
        RowError(file="f", line=2, reason="plain"),
        RowError(file="g", line=1, reason="screenshot 'b': converted", kind="screenshot: converted"),
        RowError(file="g", line=5, reason="plain"),
        RowError(file="g", line=6, reason="other"),
    ]
    assert grouped(rows) == [(rows[0], 2), (rows[1], 2), (rows[4], 1)]
    assert grouped([]) == []
