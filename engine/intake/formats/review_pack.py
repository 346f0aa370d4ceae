"""Review packs as a format to export to. They come in another way, as merges: see `engine.intake.pack`."""

from __future__ import annotations

from pathlib import Path

from engine.intake.formats.base import Format, Writing
from engine.intake.report import ExportReport
from engine.workspace import Workspace


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write a pack of every item; `secondlook pack` chooses among them."""
    from engine.intake.pack import Choice, write_pack

    report = write_pack(ws, path, Choice(), how)
    return ExportReport(file=str(path), format=FORMAT.name, items=report.items, rows=report.decisions)


FORMAT = Format(
    name="pack",
    title="review pack",
    describes="a zip for a reviewer who is offline; secondlook pack chooses what goes in",
    suffixes=(".zip",),
    write=write,
)
