from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.intake import export, import_paths
from engine.intake.formats.table import _cell, _restored
from engine.types import Item
from engine.workspace import Workspace


@given(text=st.text(st.sampled_from("'=+-@\t\r\na")))
def test_no_cell_starts_like_a_formula_and_each_is_restored(text: str) -> None:
    written = _cell(text)
    assert isinstance(written, str)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert _restored(written) == text


def test_an_apostrophe_in_a_table_of_others_is_text(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,kind,text\n1,tweet,'=quoted\n")
    assert import_paths(ws, [tmp_path / "in.csv"]).errors == ()
    assert ws.items.get("1").text == "'=quoted"


def test_a_table_that_a_spreadsheet_saved_with_semicolons_is_read(ws: Workspace, tmp_path: Path) -> None:
    ws.items.add([(Item(id="a", kind="tweet", text="=1+1; or so"), None)])
    export(ws, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    written = io.StringIO()
    csv.writer(written, delimiter=";").writerows(rows)
    (tmp_path / "saved.csv").write_text(written.getvalue())
    report = import_paths(ws, [tmp_path / "saved.csv"])
    assert (report.errors, report.skipped) == ((), 1)


def test_a_row_that_was_changed_is_named(ws: Workspace, tmp_path: Path, new_workspace: Any, fill: Any) -> None:
    source = new_workspace()
    fill(source, 1, ["one", "two", "three", "four"])
    export(source, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert "correct" in text
    (tmp_path / "out.csv").write_text(text.replace("correct", "corect", 1))
    (error,) = import_paths(ws, [tmp_path / "out.csv"]).errors
    assert "corect" in error.reason
    assert error.line == text[: text.index("correct")].count("\n") + 1
