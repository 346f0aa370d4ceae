"""How far a capture is, on standard error: one line that is rewritten, lines now and then, or JSON lines."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from engine.cli.output import PROGRESS_LINES, note, table
from engine.counting import counted
from engine.intake.capture.campaign import CampaignReport, Progress, Standing

_EVERY_LINE, _EVERY_REWRITE = 30.0, 0.2
_SHOWN = 20
REFUSED = "refused"
"""The kind of a page that the browser was not let to: it is not on the public internet."""


@contextlib.contextmanager
def showing(clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Give a function that shows how far a capture is, with its pace and its failures by reason.

    On a terminal one line is rewritten five times a second at most; elsewhere a line comes every 30 seconds; with
    `PROGRESS_LINES` in the environment each page gives a JSON line: `title`, `done`, `total` and what `Standing` has.
    """
    as_json, terminal = bool(os.environ.get(PROGRESS_LINES)), sys.stderr.isatty()
    last = clock() if not terminal else float("-inf")

    def show(standing: Standing) -> None:
        nonlocal last
        if as_json:
            line = {"title": "Capturing", **msgspec.to_builtins(standing)}
            note(msgspec.json.encode(line).decode())
        elif clock() - last >= (_EVERY_REWRITE if terminal else _EVERY_LINE) or (terminal and _is_over(standing)):
            last = clock()
            if terminal:
                sys.stderr.write(f"\r\x1b[K{in_words(standing)}")
                sys.stderr.flush()
            else:
                note(in_words(standing))

    try:
        yield show
    finally:
        if terminal and not as_json:
            sys.stderr.write("\n")


def in_words(standing: Standing) -> str:
    """Return how far a capture is in one line: "Captured 120 of 900, 48 a minute; 3 login wall, 2 blank"."""
    parts = [f"{count} {kind}" for kind, count in standing.failed.items()]
    parts += [f"{standing.gone} gone"] if standing.gone else []
    parts += [f"{standing.there} there already"] if standing.there else []
    parts += [f"{standing.again} to be tried again"] if standing.again else []
    start = (
        f"Captured {standing.captured}, {standing.done} of {standing.total} done, {standing.per_minute:.0f} a minute"
    )
    return "; ".join([start, *([", ".join(parts)] if parts else [])])


def ending(report: CampaignReport) -> str:
    """Return the final table: what became of how many pages, and the reasons."""
    rows = [("captured", report.captured, ""), ("deleted", report.deleted, "set aside as skipped items")]
    rows += [("suspended", report.suspended, "set aside as skipped items")] if report.suspended else []
    rows += [("there already", report.there, "")] if report.there else []
    rows += [(kind, count, reason) for (kind, reason), count in _by_reason(report).items()]
    return table(["what", "pages", "why"], [(what, str(count), why) for what, count, why in rows])


def name_failures(report: CampaignReport) -> None:
    """Name each address without an item on standard error, up to twenty."""
    for one in report.failures[:_SHOWN]:
        note(f"{one.url}: {one.kind} after {counted(one.tries, 'try', 'tries')}: {one.reason}")
    if len(report.failures) > _SHOWN:
        note(f"… and {len(report.failures) - _SHOWN} more; --json lists them all.")


def name_way_out(report: CampaignReport) -> None:
    """Say on standard error what can be done about the failures: another try helps no address that was refused."""
    refused = report.failed.get(REFUSED, 0)
    if refused:
        which = counted(refused, "refused address", "refused addresses")
        note(f"To capture {which}, add --resume --allow-local: only for pages of your own network.")
    if len(report.failures) > refused:
        note(f"To try {'the others' if refused else 'these'} again later, give the same command with --resume.")


def _by_reason(report: CampaignReport) -> Mapping[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for one in report.failures:
        counts[one.kind, one.reason] = counts.get((one.kind, one.reason), 0) + 1
    return dict(sorted(counts.items(), key=lambda row: -row[1])[:_SHOWN])


def _is_over(standing: Standing) -> bool:
    return standing.done >= standing.total
