"""What the exchange's thread does, one small struct per job. Each takes its turn with commands on the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.children.jobs import JobContext
from engine.workspace import exclusive

if TYPE_CHECKING:
    from engine.intake import ExportReport
    from engine.intake.pack import Choice, PackReport
    from engine.workspace.merging import Merged


class RehearseMerge(msgspec.Struct, frozen=True):
    """Find out what merging a review pack would do."""

    pack: Path

    def run(self, context: JobContext) -> Merged:
        """Return it; nothing is changed."""
        from engine.intake.pack import rehearse_merge  # decoders of images: a window that merges nothing loads none

        return rehearse_merge(context.workspace, self.pack, progress=context.progress, cancelled=context.cancelled)


class MergePack(msgspec.Struct, frozen=True):
    """Merge a review pack: all of it or, on any error, nothing."""

    pack: Path

    def run(self, context: JobContext) -> Merged:
        """Return what it did."""
        from engine.intake.pack import merge_pack

        with exclusive(context.workspace.path, "merge a review pack in the window"):
            return merge_pack(context.workspace, self.pack, progress=context.progress, cancelled=context.cancelled)


class WritePack(msgspec.Struct, frozen=True):
    """Write a review pack of chosen items."""

    file: Path
    choice: Choice

    def run(self, context: JobContext) -> PackReport:
        """Return what is in it."""
        from engine.intake.formats import Writing
        from engine.intake.pack import write_pack

        how = Writing(progress=context.progress, cancelled=context.cancelled)
        return write_pack(context.workspace, self.file, self.choice, how)


class Export(msgspec.Struct, frozen=True):
    """Write everything in one of the formats (a name of `FORMATS`)."""

    file: Path
    format: str

    def run(self, context: JobContext) -> ExportReport:
        """Return what was written."""
        from engine.intake import export

        return export(
            context.workspace, self.file, format=self.format, progress=context.progress, cancelled=context.cancelled
        )
