"""`secondlook capture`: take pictures of pages with a real browser, read them, and bring them in as items."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.capture_showing import ending, name_failures, name_way_out, showing
from engine.cli.common import JsonOption, WorkspaceArgument, answer, note, turn
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted, fit
from engine.errors import InputError
from engine.intake.capture.addresses import AddressList, read_addresses
from engine.intake.capture.addresses_saved import SavedPages, read_saved
from engine.intake.capture.campaign import CampaignReport, run_campaign, web_tasks
from engine.intake.capture.profile import Profile, choose
from engine.intake.capture.record import InWorkspace
from engine.intake.capture.record_journal import Journal, Plan
from engine.intake.capture.types import Settings
from engine.types import Struct
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.intake.capture.browser import Browser

EXAMPLES = (
    "secondlook capture tweets.secondlook addresses.txt",
    "secondlook capture shop.secondlook products.csv --profile product --workers 8 --rate 30",
    "secondlook capture shop.secondlook --from-html saved-pages/ --profile product",
    "secondlook capture tweets.secondlook addresses.txt --resume",
)
_LEAST_SIDE, _MOST_SIDE = 100, 4_000
_SHOWN = 20
_LOOK = 0.1


class _Asked(Struct, frozen=True, kw_only=True):
    """The command's options that matter beyond reading the command line."""

    source: Path
    from_html: bool
    settings: Settings
    profile: str
    rate: float
    passes: int


def capture(
    workspace: WorkspaceArgument,
    addresses: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Addresses: text (one a line), CSV or JSON lines with `url`."),
    ] = None,
    *,
    window: Annotated[
        str, typer.Option("--window", metavar="WxH", help="The size of the pictures, in pixels.")
    ] = "600x600",
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=32, help="Tabs at work at once.")] = 4,
    rate: Annotated[
        float,
        typer.Option("--rate", metavar="PER_MINUTE", min=0, help="Pages a minute of one host, or 0 for no limit."),
    ] = 60.0,
    passes: Annotated[
        int, typer.Option("--passes", metavar="N", min=1, max=20, help="How often a page is tried at most.")
    ] = 3,
    profile: Annotated[
        str,
        typer.Option(
            "--profile", metavar="NAME", help="tweet, product, page, … or a TOML file.", show_default="by the address"
        ),
    ] = "",
    from_html: Annotated[
        Path | None,
        typer.Option("--from-html", metavar="FOLDER", help="Capture the saved pages of a folder (.html, .html.gz)."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a capture that was begun before.")] = False,
    allow_local: Annotated[
        bool, typer.Option("--allow-local", help="Let pages reach this computer and private networks.")
    ] = False,
    no_scripts: Annotated[
        bool, typer.Option("--no-scripts", help="For hostile pages: run none of their scripts; some then stay empty.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Capture pages with a headless Chromium and bring them in as items.

    Each page is captured once it is ready, checked, and tried again later where another try may help. A page that is
    gone becomes an item that is set aside (state: skipped). Walls, errors and blank pages are listed with their reason.

    Whatever ends the command, what was captured is kept: the same command with --resume goes on, and gives pages that
    failed before a new set of tries. Pages whose item is there are never captured again.

    In CSV and JSON lines, `id` names the item, `kind` says what it is, and further fields are kept with it.
    The exit status is 2 where no page could be captured, else 0.
    """
    source = _one_source(addresses, from_html)
    settings = _settings(window, workers, allow_local=allow_local, scripts=not no_scripts)
    asked = _Asked(
        source=source,
        from_html=from_html is not None,
        settings=settings,
        profile=profile,
        rate=rate,
        passes=passes,
    )
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook capture"):
        journal = _journal(ws, asked, resume=resume)
        found, report = _captured(ws, asked, journal)
        if not report.failures:
            journal.remove()
    answer(_document(found, report), lambda: ending(report), as_json=as_json)
    name_failures(report)
    name_way_out(report)
    return 0 if report.captured + report.deleted + report.suspended + report.there else 2


def _one_source(addresses: Path | None, from_html: Path | None) -> Path:
    if (addresses is None) == (from_html is None):
        raise InputError("Give either a file of addresses or --from-html FOLDER.", "See 'secondlook capture --help'.")
    return addresses or from_html or Path()


def _settings(window: str, workers: int, *, allow_local: bool, scripts: bool) -> Settings:
    size = re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", window.strip())
    if size is None or not all(_LEAST_SIDE <= int(side) <= _MOST_SIDE for side in size.groups()):
        raise InputError(f"'{window}' is no size.", f"Write it like 600x600, each side {_LEAST_SIDE} to {_MOST_SIDE}.")
    width, height = int(size[1]), int(size[2])
    return Settings(width=width, height=height, workers=workers, allow_local=allow_local, scripts=scripts)


def _journal(ws: Workspace, asked: _Asked, *, resume: bool) -> Journal:
    journal = Journal.of(ws.path, asked.source)
    if journal.begun and not resume:
        way_out = f"Add --resume to go on with it, or delete the folder '{journal.folder}' to begin anew."
        raise InputError(f"A capture of '{asked.source}' was begun before and has pages left.", way_out)
    if resume and not journal.begun:
        note("There is nothing to go on with: this capture begins.")
    return journal


def _captured(ws: Workspace, asked: _Asked, journal: Journal) -> tuple[AddressList, CampaignReport]:
    """Read the list, capture what is on it and return both."""
    profile_of = _profiles(asked.profile)
    with contextlib.ExitStack() as open_:
        if asked.from_html:
            found, files = read_saved(asked.source, ws.taxonomy, profile_of)
            server = open_.enter_context(SavedPages())
            tasks = server.tasks(found, files, profile_of)
        else:
            found, server = read_addresses(asked.source, ws.taxonomy, profile_of), None
            tasks = web_tasks(found.addresses, profile_of)
        _name_problems(found)
        if not tasks:
            raise InputError(f"'{asked.source}' holds no address that can be captured.", "Mend the lines named above.")
        size = asked.settings
        plan = Plan(source=journal.source, width=size.width, height=size.height, profile=asked.profile)
        if journal.begun:
            journal.begin(plan)
        browser = open_.enter_context(browser_for(asked.settings, server))
        journal.begin(plan)
        show = open_.enter_context(showing())
        open_.enter_context(_stopped_by_signals(browser))
        open_.enter_context(journal)
        keeper, rate, passes = InWorkspace(ws), asked.rate, asked.passes
        return found, run_campaign(keeper, tasks, browser, journal, rate=rate, passes=passes, progress=show)


def browser_for(settings: Settings, server: SavedPages | None) -> Browser:
    """Return the browser; it may reach the saved pages' own server, whatever else it may reach."""
    from engine.cli.capture_guard import SavedPagesGuard
    from engine.intake.capture.browser import Browser

    guard = None if server is None else SavedPagesGuard(server.port)
    return Browser(settings, guard)


@contextlib.contextmanager
def _stopped_by_signals(browser: Browser) -> Iterator[None]:
    """Stop the browser's work at an interrupt or terminate signal; a thread does it, for it waits for locks."""
    over = threading.Event()
    with cancelled_by_signals() as stopped:

        def watch() -> None:
            while not over.wait(_LOOK):
                if stopped():
                    browser.cancel()
                    return

        watcher = threading.Thread(target=watch, name="capture-signals")
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _profiles(given: str) -> Callable[[str], Profile]:
    """Return what says which profile reads an address."""
    if not given:
        return functools.lru_cache(1)(choose)
    one = Profile.load(given)
    return lambda _: one


def _name_problems(found: AddressList) -> None:
    for row in found.problems[:_SHOWN]:
        note(f"{row.file}, line {row.line}: {row.reason}" if row.line else f"{row.file}: {row.reason}")
    if len(found.problems) > _SHOWN:
        note(f"… and {counted(len(found.problems) - _SHOWN, 'more bad line')}; --json lists them all.")
    if found.repeated:
        repeat = f"{counted(found.repeated, 'line')} {fit(found.repeated, 'repeats', 'repeat')}"
        note(f"{repeat} an address; each page is captured once.")


def _document(found: AddressList, report: CampaignReport) -> dict[str, Any]:
    return {
        "captured": report.captured,
        "deleted": report.deleted,
        "suspended": report.suspended,
        "there": report.there,
        "failed": report.failed,
        "failures": report.failures,
        "bad_lines": found.problems,
        "repeated": found.repeated,
        "tries": report.tries,
        "seconds": report.seconds,
    }
