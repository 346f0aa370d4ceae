"""The work that the worker threads do on a workspace connection of their own, one small struct per job.

A job runs on the worker's thread and touches no Qt object. It returns what changed; whoever submitted it decides what
to refresh.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from desktop.children import orphans
from engine.errors import WorkspaceError
from engine.triage import teaching
from engine.types import Explanation, ItemContent, Outcome, Verdict
from engine.workspace import Workspace, exclusive
from engine.workspace.database import DATABASE_NAME
from engine.workspace.flips import FlipCounts
from engine.workspace.teaching import Batch

if TYPE_CHECKING:
    from engine.intake import ImportReport

T_co = TypeVar("T_co", covariant=True)
CHECK_AT_ONCE_BYTES = 48 * 1024 * 1024


class JobContext(msgspec.Struct, frozen=True):
    """What a running job may use: the thread's workspace, a progress callback (done, total), a question."""

    workspace: Workspace
    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]


class Job(Protocol[T_co]):
    """Something to do with a workspace, away from the GUI thread."""

    def run(self, context: JobContext) -> T_co:
        """Do it and return what changed; raises `EngineError` for what a person can mend."""


class StoreVerdicts(msgspec.Struct, frozen=True):
    """Store verdicts in one small transaction."""

    verdicts: tuple[Verdict, ...]

    def run(self, context: JobContext) -> tuple[str, ...]:
        """Return the items whose verdicts are now on disk in their first order, each once."""
        context.workspace.verdicts.put(list(self.verdicts))
        return tuple(dict.fromkeys(verdict.item for verdict in self.verdicts))


class CountFlips(msgspec.Struct, frozen=True):
    """Count the verdicts that a model changed."""

    model: str

    def run(self, context: JobContext) -> FlipCounts:
        """Return how many, and how many of them are to be looked at."""
        return context.workspace.flips.counts(self.model)


class PickBatch(msgspec.Struct, frozen=True):
    """Pick the items that the model would learn most from, by the verdicts that are stored, and a few at random."""

    seed: int

    def run(self, context: JobContext) -> Batch:
        """Return what was picked; the batch before is replaced."""
        return teaching.select(context.workspace, seed=self.seed)


class StoreExplanation(msgspec.Struct, frozen=True):
    """Store a final explanation, so that a second look costs nothing."""

    explanation: Explanation

    def run(self, context: JobContext) -> None:
        """Write it."""
        context.workspace.explanations.put(self.explanation)


class Window(msgspec.Struct, frozen=True):
    """The next items without a verdict of a model; `after` is where the window after this one starts."""

    items: tuple[ItemContent, ...]
    after: int


class NextWindow(msgspec.Struct, frozen=True):
    """Find the next items that lack a verdict of `model`, by keyset paging on the row number."""

    model: str
    after: int
    limit: int

    def run(self, context: JobContext) -> Window:
        """Return at most `limit` items; an empty window means that every item has a verdict."""
        rows = context.workspace.items.without_verdict(self.model, after=self.after, limit=self.limit)
        return Window(tuple(content for _, content in rows), rows[-1][0] if rows else self.after)


class SpreadItems(msgspec.Struct, frozen=True):
    """Find some items that `model` has a task for, spread over all that there are."""

    model: str
    limit: int

    def run(self, context: JobContext) -> tuple[ItemContent, ...]:
        """Return at most `limit` of them."""
        return tuple(context.workspace.items.spread(self.model, self.limit))


class CountUnscored(msgspec.Struct, frozen=True):
    """Count the items without a verdict of `model`."""

    model: str

    def run(self, context: JobContext) -> int:
        """Return the number."""
        return context.workspace.items.count_without_verdict(self.model)


class RefreshQueue(msgspec.Struct, frozen=True):
    """Bring the queue's rows up to date, a small transaction at a time; another change may have left some behind."""

    def run(self, context: JobContext) -> bool:
        """Return whether anything had to be done."""
        if not context.workspace.queues.pending:
            return False
        while not context.cancelled() and context.workspace.queues.refresh():
            pass
        return True


def is_large(workspace: Path) -> bool:
    """Return whether a workspace's database is too large to be checked before it is shown (0.1 s for the limit)."""
    try:
        return (workspace / DATABASE_NAME).stat().st_size > CHECK_AT_ONCE_BYTES
    except OSError:
        return False


class CheckDatabase(msgspec.Struct, frozen=True):
    """Check a large database while the window is already in use, and follow a changed taxonomy."""

    def run(self, context: JobContext) -> None:
        """Raise `WorkspaceError` where it is damaged."""
        Workspace.open(context.workspace.path).close()


class PrepareRun(msgspec.Struct, frozen=True):
    """Write the immutable snapshot and recipe of a training run into its own folder."""

    recipe: str

    def run(self, context: JobContext) -> Path:
        """Return the run folder."""
        return Path(context.workspace.runs.prepare(self.recipe).path)


class PrepareRefit(msgspec.Struct, frozen=True):
    """Write the snapshot and recipe of a refit into its own folder."""

    recipe: str

    def run(self, context: JobContext) -> Path:
        """Return the run folder."""
        run = context.workspace.runs.prepare_refit(self.recipe)
        context.workspace.runs.mark(run.id, "running")
        return run.path


class MarkRun(msgspec.Struct, frozen=True):
    """Note how a run stands: one of "running", "failed" (and why) and "cancelled"."""

    run_id: str
    state: str
    message: str = ""

    def run(self, context: JobContext) -> None:
        """Write it."""
        context.workspace.runs.mark(self.run_id, self.state, self.message)


class FindUnfinished(msgspec.Struct, frozen=True):
    """Find the newest run that a window left behind, and end a trainer that outlived it.

    Older ones are given up: the newest one's snapshot holds all that they would have learned from. A command that is
    at it right now keeps its runs: then there is nothing to go on with.
    """

    def run(self, context: JobContext) -> Path | None:
        """Return the run folder, or None."""
        runs = context.workspace.runs
        if not runs.unfinished():
            return None
        try:
            with exclusive(context.workspace.path, "look for unfinished runs"):
                newest, *older = runs.unfinished()
                for run in (newest, *older):
                    orphans.end(run.path)
                for run in older:
                    runs.mark(run.id, "cancelled", f"Given up for the newer run {newest.id}.")
                return newest.path
        except WorkspaceError:
            return None


class AdoptRun(msgspec.Struct, frozen=True):
    """Take a finished run's candidate into the workspace and promote it if it is better."""

    folder: Path

    def run(self, context: JobContext) -> Outcome:
        """Return how it compared with the champion."""
        return context.workspace.runs.adopt(self.folder)


class Promote(msgspec.Struct, frozen=True):
    """Make a model the champion because a person said so."""

    model: str
    reason: str

    def run(self, context: JobContext) -> str:
        """Return the champion's id."""
        context.workspace.models.promote(self.model, self.reason)
        return self.model


class RollBack(msgspec.Struct, frozen=True):
    """Make the champion before this one the champion again."""

    def run(self, context: JobContext) -> str:
        """Return the champion's id."""
        return context.workspace.models.rollback().card.id


class ImportPaths(msgspec.Struct, frozen=True):
    """Import files and folders, atomic per file; can be cancelled between rows."""

    paths: tuple[Path, ...]
    strict: bool = False

    def run(self, context: JobContext) -> ImportReport:
        """Return what came in and which rows did not, with their reasons."""
        from engine.intake import import_paths  # decoders of images: a window that imports nothing loads none

        workspace = context.workspace
        with exclusive(workspace.path, "import in the window"):
            return import_paths(
                workspace,
                self.paths,
                strict=self.strict,
                progress=context.progress,
                cancelled=context.cancelled,
            )


class MakeBackup(msgspec.Struct, frozen=True):
    """Make a verified backup if one is due (30 minutes of change), or in any case when `force`."""

    force: bool = False

    def run(self, context: JobContext) -> bool:
        """Return whether a backup was made."""
        if not (self.force or context.workspace.backup.due()):
            return False
        context.workspace.backup.make()
        return True
