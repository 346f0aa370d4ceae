"""What an import left out, row by row, in a panel over the page."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.theme import GAP, PAD, WIDE, ThemeManager, fixed
from desktop.widgets import KeyCap, Overlay, button, label
from engine.counting import counted
from engine.intake import MEND, ImportReport, RowError, grouped

SHOWN = 2000
"""Rows in the panel; the copy holds all of them."""


def headline(report: ImportReport) -> str:
    """Return one sentence on how an import went."""
    parts = [f"{counted(report.imported, 'item')} imported"]
    if report.skipped:
        parts.append(f"{report.skipped:,} already here")
    if report.errors:
        parts.append(f"{counted(len(report.errors), 'row')} left out")
    if report.warnings:
        parts.append(counted(len(report.warnings), "remark"))
    return ", ".join(parts) + "."


def describe(row: RowError) -> str:
    """Return one line on a row: the file, the line where there is one, and the reason."""
    return f"{row.file}:{row.line}: {row.reason}" if row.line else f"{row.file}: {row.reason}"


def _remark(first: RowError, count: int) -> str:
    return describe(first) if count == 1 else f"{counted(count, 'row')}, the first {describe(first)}"


class ImportReportPanel(Overlay):
    """Lists the rows of one report. Call `show_report`."""

    def __init__(self, theme: ThemeManager, around: QWidget) -> None:
        super().__init__(theme, around)
        self._lines: list[str] = []
        self.title = label("", "heading", self.panel, wrap=True)
        self.rows = QPlainTextEdit(self.panel)
        self.rows.setReadOnly(True)
        self.rows.setFont(fixed())
        self.rows.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.rows.setAccessibleName("Rows that were left out")
        self.hint = label(MEND, "quiet", self.panel, wrap=True)
        copy = button("Copy all", "", self.panel)
        copy.clicked.connect(self.copy)
        done = button("Done", "primary", self.panel)
        done.clicked.connect(self.put_away)
        foot = QHBoxLayout()
        foot.addWidget(copy)
        foot.addStretch(1)
        foot.addWidget(KeyCap(("Esc",), theme, self.panel))
        foot.addWidget(done)
        column = QVBoxLayout(self.panel)
        column.setContentsMargins(WIDE, PAD, WIDE, PAD)
        column.setSpacing(PAD)
        column.addWidget(self.title)
        column.addWidget(self.rows, 1)
        column.addWidget(self.hint)
        column.addLayout(foot)

    def show_report(self, report: ImportReport) -> None:
        """Show what was left out and what was remarked on."""
        self._lines = [describe(row) for row in (*report.errors, *report.warnings)]
        shown = [describe(row) for row in report.errors[:SHOWN]]
        if len(report.errors) > SHOWN:
            shown.append(f"… and {len(report.errors) - SHOWN:,} more; Copy all takes every one.")
        shown += [_remark(first, count) for first, count in grouped(report.warnings)]
        self.title.setText(headline(report))
        self.hint.setVisible(bool(report.errors))
        self.rows.setPlainText("\n".join(shown))
        self.open()
        self.rows.setFocus(Qt.FocusReason.OtherFocusReason)

    def copy(self) -> None:
        """Put every row into the clipboard."""
        QGuiApplication.clipboard().setText("\n".join(self._lines))

    def place(self) -> None:
        width = min(96 * GAP, self.width() - 6 * GAP)
        height = min(64 * GAP, self.height() - 6 * GAP)
        self.panel.setGeometry((self.width() - width) // 2, (self.height() - height) // 2, width, height)
