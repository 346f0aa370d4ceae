"""Whatever is in a file, an import ends with a clean error that has a line, and the workspace holds what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.intake import export, import_paths
from engine.workspace import Workspace

SUFFIXES = {"jsonl": ".jsonl", "csv": ".csv", "doccano": ".jsonl", "prodigy": ".jsonl", "label-studio": ".json"}
ODD = (b"", b"[", b"{", b'"', b"\xff", b"\x00", b"null", b"9" * 400, b"1e999", b"\\ud800", b"\n", b"[" * 20_000, b"'=")
BREAKS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(ODD)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", SUFFIXES)
def test_broken_files_end_cleanly(new_workspace: Any, fill: Any, tmp_path: Path, name: str) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, 5, ["one", "=two", "three\nlines", "four Ω"])
    export(source, tmp_path / f"good{SUFFIXES[name]}", format=name)
    good = (tmp_path / f"good{SUFFIXES[name]}").read_bytes()
    broken = tmp_path / f"broken{SUFFIXES[name]}"

    @settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(breaks=BREAKS)
    def ends_cleanly(breaks: list[tuple[float, int, bytes]]) -> None:
        raw = good
        for where, left_out, put_in in breaks:
            at = int(where * len(raw))
            raw = raw[:at] + put_in + raw[at + left_out :]
        broken.write_bytes(raw)
        _try(target, broken, name)

    ends_cleanly()
    assert target.decisions.verify().ok
    assert target.annotations.verify().ok


def _try(target: Workspace, broken: Path, name: str) -> None:
    items, decisions = target.items.count(), target.decisions.head()[0]
    try:
        report = import_paths(target, [broken], format=name, kind="tweet")
    except EngineError:
        assert (target.items.count(), target.decisions.head()[0]) == (items, decisions)
        return
    assert all(error.line >= 1 and error.reason for error in report.errors)
    assert (target.items.count() - items, target.decisions.head()[0] - decisions) == (report.imported, report.decisions)
