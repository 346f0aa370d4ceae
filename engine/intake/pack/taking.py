"""Take a checked pack in: merge it into a workspace, or make a workspace of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.intake.pack.reading import Pack, open_pack
from engine.workspace import Workspace
from engine.workspace.merging import Incoming, Merged

_AT_ONCE = 64
Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]


def merge_pack(
    ws: Workspace, path: Path, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> Merged:
    """Merge a pack into a workspace: every decision is kept, nothing is overwritten, nothing comes in twice.

    Raises:
        PackError: the pack is damaged or hostile; nothing was merged.
        InputError: its decisions do not fit together; nothing was merged.
        StorageError, CancelledError: nothing was merged.
    """
    with open_pack(path, progress=progress) as pack:
        return _merge(ws, pack, cancelled)


def workspace_from_pack(
    folder: Path, path: Path, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> Merged:
    """Make a workspace of a pack, with the pack's tasks and labels, and close it; raises as `merge_pack` does.

    The pack is looked over before the folder is made.
    """
    with open_pack(path, progress=progress) as pack, Workspace.create(folder, pack.taxonomy) as ws:
        return _merge(ws, pack, cancelled)


def _merge(ws: Workspace, pack: Pack, cancelled: Cancelled | None) -> Merged:
    lost = _keep_captures(ws, pack)
    incoming = Incoming(
        pack=pack.id,
        brought_back=lost,
        items=pack.items(),
        truths=pack.manifest.truths,
        cards=pack.cards(),
        champion=pack.manifest.champion,
        verdicts=pack.verdicts(),
        explanations=pack.explanations(),
        decisions=pack.decisions(),
    )
    return ws.merging.merge(incoming, cancelled=cancelled)


def _keep_captures(ws: Workspace, pack: Pack) -> frozenset[str]:
    """Store the screenshots that are not here yet (or damaged), before the rows that name them, and return which."""
    new = [sha for sha in pack.captures() if not ws.captures.is_intact(sha)]
    for start in range(0, len(new), _AT_ONCE):
        ws.captures.store_many(pack.capture(sha) for sha in new[start : start + _AT_ONCE])
    return frozenset(new)
