"""`secondlook experiment`: measure recipes beside their peers on the same folds, in one table."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import resources
from engine.cli.common import JsonOption, Progress, answer, note, progress, table
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted
from engine.errors import InputError, TrainingError, did_you_mean

if TYPE_CHECKING:
    from engine.training.experiment.records import Record
    from engine.training.experiment.table import Table

EXAMPLES = (
    "secondlook experiment default --data hate.jsonl --split fixed",
    "secondlook experiment mine.toml other.toml --data tweets.secondlook --folds 5 --seeds 3 --out results",
    "secondlook experiment recipes/ --data irony.jsonl --data stance.jsonl --set training.epochs=3 --limit 500",
)
DEFAULT_OUT = Path("experiments")


def experiment(
    recipes: Annotated[
        list[str], typer.Argument(metavar="RECIPES…", help="Recipe files, folders of them, or names of shipped ones.")
    ],
    *,
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="PATH", help="JSON lines, CSV, an image folder or a workspace."),
    ],
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="Measure this task alone.")] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="N", min=2, help="Number of folds.", show_default="5")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="fixed", help="Use the split that the data came with.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", min=1, help="Repeat with this many seeds.")] = 1,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the records are kept, and found again.")
    ] = DEFAULT_OUT,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="At most so many items of each split, to try it out.",
            show_default="no limit",
        ),
    ] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting in all recipes."),
    ] = None,
    joined: Annotated[
        bool, typer.Option("--join", help="Take all data sets as one, with a head for each task.")
    ] = False,
    no_baselines: Annotated[bool, typer.Option("--no-baselines", help="Leave the peers' rows out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train each recipe on each fold and print one table a data set, beside majority, TF-IDF + SVM and TF-IDF + LR.

    Every cell that is measured is kept: stopped or killed, the same command goes on where it was.
    """
    folds = _folds(folds, split)
    files = recipe_files(recipes)
    from engine.training.experiment.cells import read_rows
    from engine.training.experiment.runner import Settings, run_table
    from engine.training.experiment.sources import join, load_items
    from engine.training.worker import be_modest

    be_modest()
    rows = read_rows(files, tuple(settings or ()))
    chosen = Settings(folds=folds, seeds=seeds, peers=not no_baselines)
    sources = [load_items(path, captures=out / "captures") for path in data]
    sources = [(source.only([task]) if task else source).limited(limit) for source in sources]
    if joined:
        sources = [join(sources)]
    with cancelled_by_signals() as cancelled, Follower(cancelled) as follower:
        tables = [run_table(rows, source, out, chosen, follower.watch) for source in sources]
    answer({"tables": tables}, lambda: "\n\n".join(words_of(one) for one in tables), as_json=as_json)
    failures = [sentence for one in tables for sentence in one.failures]
    if failures:
        raise TrainingError(f"{counted(len(failures), 'cell')} could not be measured.", failures[0])


class Follower:
    """Says on standard error which cell is at work and what came of it: a bar a cell on a terminal, else lines."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        from engine.training.experiment.runner import Watch

        self._bar = contextlib.ExitStack()
        self._show: Progress | None = None
        self.watch = Watch(
            cell=self._begin, progress=self._progress, measured=self._end, failed=self._fail, cancelled=cancelled
        )

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _begin(self, sentence: str) -> None:
        self._bar.close()
        if sys.stderr.isatty():
            self._show = self._bar.enter_context(progress(sentence))
        else:
            note(sentence)

    def _progress(self, done: int, total: int) -> None:
        if self._show is not None:
            self._show(done, total)

    def _fail(self, sentence: str) -> None:
        self._bar.close()
        note(f"  {sentence}")

    def _end(self, record: Record) -> None:
        self._bar.close()
        self._show = None
        scores = ", ".join(f"{task} {one.macro_f1:.3f}" for task, one in record.figures.items())
        note(f"  macro-F1 {scores or 'not to be had'} ({record.seconds:.0f} s)")


def _folds(folds: int | None, split: str | None) -> int:
    if split not in {None, "fixed"}:
        raise InputError(f"There is no split '{split}'.", "Use --split fixed, or --folds 5.")
    if split and folds:
        raise InputError("--split fixed and --folds exclude each other.", "Give one of them.")
    return 0 if split else folds or 5


def recipe_files(recipes: Sequence[str]) -> list[Path]:
    """Return the recipe files that are meant, in order: a file, the TOML files of a folder, or a shipped name."""
    shipped = resources.path("recipes")
    found: list[Path] = []
    for name in recipes:
        places = [Path(name), shipped / name, shipped / f"{name}.toml"]
        place = next((path for path in places if path.exists()), None)
        if place is None:
            known = sorted(path.stem for path in shipped.iterdir() if path.suffix == ".toml" or path.is_dir())
            raise InputError(f"There is no recipe {name!r}.", did_you_mean(name, known))
        files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
        if not files:
            raise InputError(f"The folder {name} holds no recipe.", "Give a folder of .toml files.")
        found += files
    return list(dict.fromkeys(found))


def words_of(one: Table) -> str:
    """Return a table as people read it, one block a task."""
    from engine.training.experiment.table import MOST_CLASSES, cells_of, headers

    split = counted(one.folds, "fold") if one.folds else "fixed split"
    blocks = [f"{one.data}: {counted(one.items, 'item')}, {split}."]
    for block in one.blocks:
        labels = ", ".join(f"{label} {count:.0f}" for label, count in block.labels.items())
        labels = labels if len(block.labels) <= MOST_CLASSES else counted(len(block.labels), "label")
        blocks.append(f"{block.task}, measured on {counted(round(block.n), 'item')} ({labels})")
        blocks.append(table(headers(block), cells_of(block)))
    heading = "What a split that ignores authors and near-duplicates would have claimed:"
    leak = ["\n".join((heading, *one.leak.words))] if one.leak is not None else []
    return "\n\n".join([*blocks, *leak, *one.notes, *one.failures])
