"""`secondlook pack`: items for a reviewer who is offline; and what `import` and `init` do with a pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, progress, turn, typed
from engine.errors import InputError
from engine.intake.formats import Writing
from engine.intake.pack import Choice, is_pack, merge_pack, workspace_from_pack, write_pack
from engine.intake.pack.words import SHOWN, merged_words, packed
from engine.workspace import Workspace
from engine.workspace.merging import Merged

EXAMPLES = (
    "secondlook pack tweets.secondlook for-ben.zip --queue uncertain --limit 200 --blind",
    "secondlook init ben.secondlook --from for-ben.zip",
    "secondlook pack ben.secondlook from-ben.zip",
    "secondlook import tweets.secondlook from-ben.zip",
)


def pack(
    workspace: WorkspaceArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip file to write.")],
    queue: Annotated[
        str, typer.Option("--queue", metavar="NAME", help="The items of a queue.", show_default="all items")
    ] = "",
    item: Annotated[
        list[str] | None, typer.Option("--item", metavar="ID", help="One item; repeat it for more.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="At most so many items.", show_default="no limit")
    ] = 0,
    blind: Annotated[
        bool, typer.Option("--blind", help="Leave out earlier decisions and the labels that came with the import.")
    ] = False,
    without_explanations: Annotated[
        bool, typer.Option("--without-explanations", help="Leave out stored explanations, which takes less room.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pack items with screenshots, verdicts, explanations and tasks for a reviewer who is offline.

    The reviewer makes a workspace of their own from it (init --from), decides there, and packs it in turn; import
    merges that pack: every decision is kept with its reviewer and time, and answers that differ are listed.
    """
    choice = Choice(
        items=tuple(item or ()),
        queue=queue,
        limit=limit,
        truths=not blind,
        decisions=not blind,
        explanations=not without_explanations,
    )
    with Workspace.open(workspace, read_only=True) as ws, progress("Packing") as show:
        report = write_pack(ws, file, choice, Writing(progress=show))
    answer(report, lambda: packed(report), as_json=as_json)


def merge_all(workspace: Path, paths: Sequence[Path], *, as_json: bool) -> int:
    """Merge packs into a workspace, one after the other, and say what came of each."""
    merged: list[Merged] = []
    with Workspace.open(workspace) as ws, turn(ws.path, "secondlook import"):
        for path in paths:
            with progress(f"Checking {path.name}") as show:
                merged.append(merge_pack(ws, path, progress=show))
    answer(merged, lambda: "\n".join(line for one in merged for line in told(one)), as_json=as_json)
    return 0


def only_packs(paths: Sequence[Path]) -> bool:
    """Whether these are packs; raises `InputError` where some are and some are not."""
    packs = [path for path in paths if is_pack(path)]
    if packs and len(packs) < len(paths):
        raise InputError(f"'{packs[0]}' is a review pack, the others are not.", "Import packs by themselves.")
    return bool(packs)


def init_from(workspace: Path, path: Path, *, as_json: bool) -> None:
    """Make a workspace of a pack and say what is in it."""
    with progress(f"Checking {path.name}") as show:
        merged = workspace_from_pack(workspace, path, progress=show)
    document = {"workspace": str(workspace), "merged": merged}
    text = f"Made {workspace}.\nNext: secondlook open {typed(workspace)}"
    answer(document, lambda: "\n".join([*told(merged), text]), as_json=as_json)


def told(merged: Merged) -> Iterator[str]:
    """Give the lines that tell what a merge did."""
    first, *rest = merged_words(merged)
    yield f"Pack {merged.pack[:12]}: {first}"
    yield from rest
    if len(merged.conflicts) > SHOWN:
        yield "  --json lists them all."
