"""Readers and writers of interchange formats, and the checks that a capture passes before it enters a workspace.

Light; pillow is imported only while captures are read.
"""

from __future__ import annotations

from engine.intake.exporting import export
from engine.intake.importing import import_paths
from engine.intake.report import MEND, ExportReport, ImportReport, RowError, grouped

__all__ = ["MEND", "ExportReport", "ImportReport", "RowError", "export", "grouped", "import_paths"]
