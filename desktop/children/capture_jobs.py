"""What the worker threads do for a capture: check addresses, make its folder, take finished captures in.

The engine's intake is imported where a job runs: a window that captures nothing loads none of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.children import orphans
from desktop.children.capture_states import FAILED, CaptureOptions, Page
from desktop.children.jobs import JobContext

if TYPE_CHECKING:
    from engine.intake.capture.addresses import AddressList
    from engine.intake.capture.job_folder import JobFolder, Taken
    from engine.intake.capture.profile import Profile
    from engine.intake.capture.types import Address
    from engine.workspace import Workspace

JOB_FOLDER = Path("captures-in-progress") / "window"
"""Where a workspace's job folder lies, as `JobFolder.of` has it."""
WAY_TO_LOCAL = "Where it is your own, make a new list (N) and allow addresses of this computer and its network."
_AT_ONCE = 5_000
_GONE = ("deleted", "suspended")


class Checked(msgspec.Struct, frozen=True):
    """A list of addresses and how many of them the workspace has already."""

    found: AddressList
    there: int


class Standing(msgspec.Struct, frozen=True):
    """The pages of a job, where its folder lies, and the items that were taken in just now."""

    folder: Path
    pages: tuple[Page, ...]
    taken: tuple[str, ...] = ()


class CheckAddresses(msgspec.Struct, frozen=True):
    """Check pasted text, or a file where one is given, as the command does."""

    text: str
    file: Path | None
    profile: str

    def run(self, context: JobContext) -> Checked:
        """Return the addresses and the bad lines; raises `InputError` for a file that cannot be read."""
        from engine.intake.capture.addresses import read_addresses, read_pasted

        taxonomy, profile_of = context.workspace.taxonomy, _profiles(self.profile)
        if self.file is not None:
            found = read_addresses(self.file, taxonomy, profile_of)
        else:
            found = read_pasted(self.text, taxonomy, profile_of)
        return Checked(found, len(_there(context.workspace, found.addresses)))


class BeginCapture(msgspec.Struct, frozen=True):
    """Make the folder of a new list; one that was there before is given up."""

    addresses: tuple[Address, ...]
    options: CaptureOptions

    def run(self, context: JobContext) -> Standing:
        """Return the pages; those that the workspace has are marked."""
        from engine.intake.capture.job_folder import Job, JobFolder
        from engine.intake.capture.types import Settings

        options = self.options
        settings = Settings(
            width=options.width, height=options.height, allow_local=options.allow_local, scripts=options.scripts
        )
        job = Job(
            addresses=self.addresses,
            settings=settings,
            profile=options.profile,
            rate=float(options.rate),
            passes=options.passes,
        )
        folder = JobFolder.of(context.workspace.path)
        orphans.end(folder.path)
        folder.begin(job, context.workspace.taxonomy)
        return _standing(context.workspace, folder)


class SettleCapture(msgspec.Struct, frozen=True):
    """Take in what is finished, and see how a job stands; no child works on it now."""

    def run(self, context: JobContext) -> Standing | None:
        """Return its pages, or None where there is no job."""
        if not (context.workspace.path / JOB_FOLDER).exists():
            return None  # without loading what reads one
        from engine.intake.capture.job_folder import JobFolder

        folder = JobFolder.of(context.workspace.path)
        if not folder.begun:
            return None
        orphans.end(folder.path)
        taken = folder.take(context.workspace, folder.finished())
        return _standing(context.workspace, folder, tuple(one.item for one in taken if not one.problem))


class WriteTodo(msgspec.Struct, frozen=True):
    """Say what the child is to capture when it starts."""

    folder: Path
    keys: tuple[str, ...]
    again: tuple[str, ...]

    def run(self, context: JobContext) -> Path:
        """Return the folder."""
        from engine.intake.capture.job_folder import JobFolder, Todo

        JobFolder(self.folder).write_todo(Todo(keys=self.keys, again=self.again))
        return self.folder


class TakeCaptures(msgspec.Struct, frozen=True):
    """Take finished captures into the workspace, each in a small transaction of its own."""

    folder: Path
    names: tuple[str, ...]

    def run(self, context: JobContext) -> tuple[Taken, ...]:
        """Return what became of them."""
        from engine.intake.capture.job_folder import JobFolder

        return tuple(JobFolder(self.folder).take(context.workspace, self.names))


class ForgetCapture(msgspec.Struct, frozen=True):
    """Remove a job's folder; items that were taken in stay."""

    folder: Path

    def run(self, context: JobContext) -> None:
        """Remove it."""
        from engine.intake.capture.job_folder import JobFolder

        JobFolder(self.folder).remove()


def _standing(ws: Workspace, folder: JobFolder, taken: tuple[str, ...] = ()) -> Standing:
    """Return a job's pages: what the workspace has, what the journal says of the others."""
    job = folder.job()
    there = _there(ws, job.addresses)
    tried = folder.journal.last_runs()
    pages = []
    for address in job.addresses:
        entry = tried.get(address.url)
        line, tries = (entry.last, entry.tries) if entry is not None else (None, 0)
        page = Page(key=address.url, item=address.id, tries=tries)
        if address.id in there:
            state = ("gone" if line.kind in _GONE else "captured") if line is not None else "there"
            capture, title = there[address.id]
            reason = words_of(line.kind, line.reason) if line is not None and state == "gone" else ""
            page = msgspec.structs.replace(page, state=state, capture=capture, title=title, reason=reason)
        elif line is not None and line.kind not in ("captured", *_GONE):
            failed = not line.again or tries >= job.passes
            picture = folder.failed_picture(address.url) if failed else ""
            reason = words_of(line.kind, line.reason)
            page = msgspec.structs.replace(page, state=FAILED if failed else "again", reason=reason, picture=picture)
        pages.append(page)
    return Standing(folder.path, tuple(pages), taken)


def words_of(kind: str, reason: str) -> str:
    """Return why a page failed, in plain words: the kind of failure, what was seen, and what it takes where we know."""
    start = kind.capitalize()
    words = f"{start}: {reason}" if reason and kind != "failed" else reason or f"{start}."
    return f"{words} {WAY_TO_LOCAL}" if kind == "refused" else words


def _there(ws: Workspace, addresses: tuple[Address, ...]) -> dict[str, tuple[str, str]]:
    """Return capture and title of those addresses' items that the workspace has."""
    from engine.intake.capture.record import is_same

    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(addresses), _AT_ONCE):
        part = {one.id: one for one in addresses[start : start + _AT_ONCE]}
        for item in ws.items.get_many(sorted(ws.items.exists(part))):
            if is_same(item, part[item.id]):
                found[item.id] = (item.capture or "", item.title or item.text)
    return found


def _profiles(given: str) -> Callable[[str], Profile]:
    from engine.intake.capture.profile import Profile, choose

    if not given:
        return functools.lru_cache(1)(choose)
    one = Profile.load(given)
    return lambda _: one
