"""What merging a pack would do, found out on a copy, so that somebody can be asked before anything changes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.errors import StorageError
from engine.intake.pack.taking import merge_pack
from engine.workspace import Workspace
from engine.workspace.database import DATABASE_NAME
from engine.workspace.merging import Merged
from engine.workspace.workspace import TAXONOMY_NAME


def rehearse_merge(
    ws: Workspace,
    path: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Merged:
    """Return what merging this pack would do, with every conflict; the workspace is not touched.

    The database is copied into a temporary folder and the pack is merged there. Raises as `merge_pack` does.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="secondlook-") as folder:
            copy = Path(folder) / "rehearsal.secondlook"
            copy.mkdir()
            shutil.copyfile(ws.path / TAXONOMY_NAME, copy / TAXONOMY_NAME)
            ws.backup.copy(copy / DATABASE_NAME)
            with Workspace.open(copy, check=False) as rehearsal:
                return merge_pack(rehearsal, path, progress=progress, cancelled=cancelled)
    except OSError as error:
        raise StorageError(
            f"The pack cannot be looked at ({error.strerror or error}).", "Free some space and try again."
        ) from error
