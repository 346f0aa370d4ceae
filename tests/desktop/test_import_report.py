"""The panel with the rows of an import: mistakes one by one, remarks of one kind together."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.import_report import ImportReportPanel, headline
from desktop.theme import ThemeManager
from engine.intake import MEND, ImportReport, RowError

REMARKS = tuple(RowError(file="a.jsonl", line=n, reason="converted from JPEG", kind="jpeg") for n in range(1, 945))
MISTAKES = (RowError(file="a.jsonl", line=7, reason="there is no kind 'twet'"),)


def test_remarks_of_one_kind_are_one_line_behind_the_mistakes(qtbot: QtBot) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    panel = ImportReportPanel(ThemeManager("light"), around)
    report = ImportReport(imported=944, skipped=0, errors=MISTAKES, warnings=REMARKS)
    panel.show_report(report)
    assert panel.rows.toPlainText().splitlines() == [
        "a.jsonl:7: there is no kind 'twet'",
        "944 rows, the first a.jsonl:1: converted from JPEG",
    ]
    assert panel.hint.text() == MEND
    assert not panel.hint.isHidden()
    assert panel.title.text() == headline(report) == "944 items imported, 1 row left out, 944 remarks."
