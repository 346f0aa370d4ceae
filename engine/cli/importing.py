"""`secondlook import`: bring captured items into a workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, note, progress, reviewer_name, turn
from engine.cli.packing import merge_all, only_packs
from engine.counting import counted, fit
from engine.intake import MEND, ImportReport, RowError, grouped, import_paths
from engine.intake.formats import FORMATS
from engine.workspace import Workspace
from engine.workspace.imports import Unfinished

EXAMPLES = (
    "secondlook import tweets.secondlook captured.jsonl",
    "secondlook import shop.secondlook pages/ more.csv --strict",
    "secondlook import tweets.secondlook project-1.json --format label-studio --kind tweet",
    "secondlook import tweets.secondlook from-ben.zip",
)
_SHOWN = 20


_Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH…", help="Files of a known format, folders of images with a list, or review packs."),
]
_Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help=f"One of: {', '.join(n for n, f in FORMATS.items() if f.reads)}.",
        show_default="guessed",
    ),
]
_Kind = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="What the items are, where the file does not say it.")
]
_Reviewer = Annotated[
    str | None,
    typer.Option("--reviewer", metavar="NAME", help="Whose the answers are, where the file does not say it."),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Import nothing if any row is bad.")]


def import_items(
    workspace: WorkspaceArgument,
    paths: _Paths,
    format_name: _Format = "",
    kind: _Kind = "",
    reviewer: _Reviewer = None,
    strict: _Strict = False,
    as_json: JsonOption = False,
) -> int:
    """Import captured items; bad rows are named with their line and reason, good ones come in. Merge review packs.

    An import that was stopped is simply started again: it goes on where it stood (in parts of 10,000 rows; a smaller
    file from its beginning), and what is already there with the same content is skipped. Answers of people who are
    named come in as their decisions. Review packs (.zip) are merged, and the conflicts between reviewers are listed.
    The exit status is 2 where bad rows kept everything out or the files hold no items, else 0.

    Fields, as JSON keys or CSV columns: id, kind (tweet, product, profile), text, title, author, url, screenshot (a
    path beside the file), captured_at, subsets, exposure, split, labels ({task: label}), regions
    ({name: [[x, y, w, h], …]}). In CSV, labels, regions and meta hold JSON, and a column 'label:TASK' holds that task's
    label, several parted by ';'. Other fields are kept in meta.
    """
    whose = "" if reviewer is None else reviewer_name(reviewer)
    if only_packs(paths):
        return merge_all(workspace, paths, as_json=as_json)
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook import"):
        _say_unfinished(ws.imports.unfinished(), paths, strict=strict)
        with progress("Importing") as show:
            report = import_paths(
                ws, paths, format=format_name, kind=kind, reviewer=whose, strict=strict, progress=show
            )
    if not format_name:
        _say_formats(report.read_as)
    answer(report, lambda: _summary(report, strict), as_json=as_json)
    _name_errors(report.errors)
    _sum_up_warnings(report.warnings)
    return 0 if report.imported + report.skipped + report.decisions + report.known else 2


def _say_unfinished(found: Sequence[Unfinished], paths: Sequence[Path], *, strict: bool) -> None:
    """Say which imports were stopped before: of files that come now (a strict one reads them anew), and of others."""
    given = {path.absolute() for path in paths}
    for one in found:
        file = Path(one.path)
        if given.isdisjoint((file, *file.parents)):
            note(one.words)
        elif not strict:
            note(f"The import of '{one.path}' stopped behind record {one.records:,}; the same file goes on there.")


def _say_formats(read_as: dict[str, str]) -> None:
    for file, name in read_as.items():
        note(f"Read {file} as {FORMATS[name].title}; name another with --format.")


def _summary(report: ImportReport, strict: bool) -> str:
    kept_out = " Nothing was imported because of --strict." if strict and report.errors else ""
    there = f"{report.skipped:,} {fit(report.skipped, 'was', 'were')} there already"
    bad = f"{counted(len(report.errors), 'row')} {fit(len(report.errors), 'is', 'are')} bad"
    came = counted(report.imported, "item")
    if report.decisions or report.known:
        came += f" and {counted(report.decisions, 'decision')}"
        there += f" (and {counted(report.known, 'decision')})" if report.known else ""
    return f"Imported {came}; {there}, {bad}.{kept_out}"


def _name_errors(rows: tuple[RowError, ...]) -> None:
    """Name each bad row, for each has to be mended."""
    for row in rows[:_SHOWN]:
        note(f"{_place(row)}: {row.reason}")
    if len(rows) > _SHOWN:
        note(f"… and {counted(len(rows) - _SHOWN, 'more bad row')}; --json lists them all.")
    if rows:
        note(MEND)


def _sum_up_warnings(rows: tuple[RowError, ...]) -> None:
    """Say each kind of warning once, so that one that matters is not lost among many of another kind."""
    kinds = grouped(rows)
    for first, count in kinds[:_SHOWN]:
        if count == 1:
            note(f"warning: {_place(first)}: {first.reason}")
        else:
            note(f"warning: {counted(count, 'row')}, the first in {_place(first)}: {first.kind or first.reason}")
    if len(kinds) > _SHOWN:
        note(f"… and {counted(len(kinds) - _SHOWN, 'more kind')} of warnings; --json lists every row.")


def _place(row: RowError) -> str:
    return f"{row.file}, line {row.line}" if row.line else row.file
