"""`secondlook init`: make an empty workspace, or one of a review pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.common import JsonOption, WorkspaceArgument, answer, typed
from engine.counting import fit
from engine.errors import InputError
from engine.taxonomy import load_taxonomy, preset
from engine.workspace import Workspace

EXAMPLES = (
    "secondlook init tweets.secondlook --preset tweets",
    "secondlook init shop.secondlook --taxonomy shop.toml",
    "secondlook init ben.secondlook --from for-ben.zip",
)


def init(
    workspace: WorkspaceArgument,
    preset_name: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="tweets, products or both.", show_default="both")
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option("--taxonomy", metavar="FILE", help="A taxonomy of your own, as TOML.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A review pack: its tasks, items and verdicts.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make an empty workspace with the tasks and labels of a preset or of a taxonomy file, or one of a review pack."""
    if sum(given is not None for given in (preset_name, taxonomy, pack)) > 1:
        raise InputError("--preset, --taxonomy and --from exclude each other.", "Give one of them.")
    if pack is not None:
        from engine.cli.packing import init_from

        init_from(workspace, pack, as_json=as_json)
        return
    chosen = load_taxonomy(taxonomy) if taxonomy is not None else preset(preset_name or "both")
    with Workspace.create(workspace, chosen) as made:
        path = made.path
    tasks = {task.name: list(task.label_names) for task in chosen.tasks}
    document = {"workspace": str(path), "taxonomy": chosen.name, "tasks": tasks}
    asked = f"{fit(len(tasks), 'task', 'tasks')} {', '.join(tasks)}"
    text = f"Made {path} with the {asked}.\nNext: secondlook import {typed(path)} FILE"
    answer(document, text, as_json=as_json)
