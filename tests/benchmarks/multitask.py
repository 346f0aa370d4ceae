"""Multitask learning against single tasks on TweetEval: hate, offensive, irony and stance, with emotion beside them.

    python tests/benchmarks/multitask.py --data FOLDER [--seeds 5] [--epochs 8] [--cap 2500] [--limit N] [--threads 1]
        [--processes 2] [--set text.hidden=96] [--out build/bench/multitask.json]

Ways of training on the same items: each task by itself with a BiLSTM; all tasks with that one encoder (hard sharing);
all tasks in the cross-stitched model (Sawhney et al. 2021), which has more layers, and therefore also each task by
itself in that model, so that its size is not taken for what sharing gives. Tasks together come in alternating batches.
Each task gives at most `--cap` items of its train rows, a part of which chooses the epoch (a different part for each
seed, the same one for all ways); figures are macro-F1 on the rows marked val, seen once at the end. Train texts
that are near-duplicates of a val text of any task are left out. The ways are compared seed by seed: a paired t-test and
an exact permutation test of signs, both two-sided. Cells that the JSON file holds already are not run again.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import msgspec

from engine.cli.output import table
from engine.errors import EngineError
from engine.taxonomy import Taxonomy
from engine.training.experiment import baselines, cells
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.folds import Fold
from engine.training.experiment.records import Figures
from engine.training.experiment.sources import load_items
from engine.training.paired import holm, paired_t, sign_permutations
from engine.training.recipe import load_recipe
from engine.training.splits import TRAIN, VAL, assign_splits
from engine.types import Struct, TrainingItem

PRIMARY, AUXILIARY = ("hate", "offensive", "irony", "stance"), ("emotion",)
TASKS = PRIMARY + AUXILIARY
SINGLE, ALONE, HARD, STITCHED = WAYS = ("single", "single, cross-stitch layers", "hard sharing", "cross-stitched")
PAIRINGS = ((HARD, SINGLE), (STITCHED, SINGLE), (STITCHED, ALONE))
STOPPING = 0.15
LEVEL = 0.05
RECIPE = """
[text]
backbone = "bilstm"
max_tokens = 48
vocabulary = 8000
width = 100
hidden = 64
layers = 2
dropout = 0.3
[image]
backbone = "none"
[fusion]
hidden = [64]
dropout = 0.3
[training]
epochs = 8
batch_size = 32
learning_rate = 0.002
threads = 1
"""
MULTITASK = ['training.batches="alternating"', *(f"tasks.{task}=0.5" for task in AUXILIARY)]


class Cell(Struct, frozen=True, kw_only=True):
    """What is run: one way with one seed; a single task by itself, all of them in the other ways."""

    way: str
    seed: int
    tasks: tuple[str, ...]

    @property
    def name(self) -> str:
        """The cell's key in the JSON file."""
        return f"{self.way}/{'+'.join(self.tasks) if len(self.tasks) == 1 else 'all'}/{self.seed}"


class Setting(Struct, frozen=True, kw_only=True):
    """What all cells have in common; cells of another setting are not comparable."""

    data: Path
    cap: int
    limit: int
    threads: int
    changes: tuple[str, ...]

    @property
    def key(self) -> str:
        """All that results depend on."""
        return f"cap {self.cap}, limit {self.limit}, {RECIPE} {MULTITASK} {' '.join(self.changes)}"


class Result(Struct, frozen=True, kw_only=True):
    """A cell's figures by task, how long it took in seconds of the clock and of the processor, and its weights."""

    figures: dict[str, Figures]
    seconds: float
    processor_seconds: float
    weights: int


class Comparison(Struct, frozen=True, kw_only=True):
    """A way against a way of single tasks, on the mean macro-F1 of some tasks.

    `t` and `permutation` are two-sided p-values. `holm` is `t` after Holm's correction for all pairs of tasks in this
    comparison of two ways; None for what is no pair.
    """

    way: str
    peer: str
    tasks: tuple[str, ...]
    difference: float
    deviation: float
    t: float
    permutation: float
    holm: float | None = None


class Document(msgspec.Struct, kw_only=True):
    """The JSON file. `majority` is the macro-F1 of the most frequent train label."""

    key: str
    cells: dict[str, Result] = msgspec.field(default_factory=dict)
    majority: dict[str, float] = msgspec.field(default_factory=dict)
    comparisons: list[Comparison] = msgspec.field(default_factory=list)
    verdict: list[str] = msgspec.field(default_factory=list)


class Sides(NamedTuple):
    """A task's items: what may be trained on and what is measured."""

    train: tuple[TrainingItem, ...]
    test: tuple[TrainingItem, ...]


def read(setting: Setting) -> tuple[dict[str, Sides], Taxonomy]:
    """Each task's items, capped, and the taxonomy of all tasks."""
    sources = {task: load_items(setting.data / "tweeteval" / f"{task}.jsonl") for task in TASKS}
    tasks = tuple(source.taxonomy.tasks[0] for source in sources.values())
    caps = [cap for cap in (setting.cap, setting.limit) if cap]
    kept = {task: source.limited(min(caps, default=0)).items for task, source in sources.items()}
    measured = {item.group for items in kept.values() for item in items if item.split == VAL}
    sides = {
        task: Sides(
            tuple(item for item in items if item.split == TRAIN and item.group not in measured),
            tuple(item for item in items if item.split == VAL),
        )
        for task, items in kept.items()
    }
    return sides, Taxonomy(name="tweeteval", tasks=tasks)


def fold_of(sides: Sequence[Sides], seed: int) -> Fold:
    """The items of some tasks, each task's train side divided by itself, so that all ways stop on the same items."""
    train: list[TrainingItem] = []
    stop: list[TrainingItem] = []
    for side in sides:
        free = [msgspec.structs.replace(item, split="") for item in side.train]
        parts = assign_splits(free, val=STOPPING, test=0.0, seed=seed)
        train += parts.pick(free, TRAIN)
        stop += parts.pick(free, VAL)
    return Fold("fixed", tuple(train), tuple(item for side in sides for item in side.test), stop=tuple(stop))


def run(cell: Cell, setting: Setting) -> Result:
    """Train and measure one cell."""
    sides, taxonomy = read(setting)
    changes = [*setting.changes, f"training.threads={setting.threads}"]
    if cell.way in {HARD, STITCHED}:
        changes = [*MULTITASK, *changes]
    if cell.way in {ALONE, STITCHED}:
        changes.append("text.backbone=cross-stitch")
    row = RecipeRow(cell.way, load_recipe(RECIPE, changes))
    fold = fold_of([sides[task] for task in cell.tasks], cell.seed)
    tasks = tuple(task for task in taxonomy.tasks if task.name in cell.tasks)
    known = msgspec.structs.replace(taxonomy, tasks=tasks)
    begun, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as work:
        measured = cells.measure(
            row, fold, known, cell.seed, Path(work) / "run", emit=lambda _: None, cancelled=lambda: False
        )
    return Result(
        figures=measured.figures,
        seconds=time.perf_counter() - begun,
        processor_seconds=time.process_time() - worked,
        weights=int(measured.details["weights"]),
    )


def all_cells(seeds: int) -> list[Cell]:
    """Every cell, seed by seed, the longest first."""
    found: list[Cell] = []
    for seed in range(seeds):
        found += [Cell(way=way, seed=seed, tasks=TASKS) for way in (STITCHED, HARD)]
        found += [Cell(way=way, seed=seed, tasks=(task,)) for way in (ALONE, SINGLE) for task in TASKS]
    return found


def majority(setting: Setting) -> dict[str, float]:
    """Macro-F1 of always answering each task's most frequent train label."""
    sides, taxonomy = read(setting)
    found: dict[str, float] = {}
    for task in taxonomy.tasks:
        measured = baselines.measure(baselines.MAJORITY, fold_of([sides[task.name]], 0), task, 0, lambda: None)
        if measured is not None:
            found[task.name] = measured.figures.macro_f1
    return found


def scores(document: Document, way: str, task: str) -> dict[int, float]:
    """A task's macro-F1 in one way, by seed."""
    found: dict[int, float] = {}
    for name, result in document.cells.items():
        kind, _, seed = name.split("/")
        if kind == way and task in result.figures:
            found[int(seed)] = result.figures[task].macro_f1
    return found


def differences(document: Document, way: str, peer: str, tasks: Sequence[str]) -> list[float]:
    """By seed, how much more macro-F1 than its peer a way has in the mean over some tasks."""
    ours = [scores(document, way, task) for task in tasks]
    peers = [scores(document, peer, task) for task in tasks]
    seeds = sorted(set.intersection(*(set(one) for one in (*ours, *peers))))
    return [mean(one[seed] - other[seed] for one, other in zip(ours, peers, strict=True)) for seed in seeds]


def compare(document: Document) -> list[Comparison]:
    """Multitask ways against single tasks: every task, every pair of primary tasks, all primary tasks."""
    groups = [*((task,) for task in TASKS), *itertools.combinations(PRIMARY, 2), PRIMARY]
    found: list[Comparison] = []
    for way, peer in PAIRINGS:
        ours = [_comparison(way, peer, tasks, differences(document, way, peer, tasks)) for tasks in groups]
        pairs = [place for place, one in enumerate(ours) if len(one.tasks) == 2]
        for place, adjusted in zip(pairs, holm([ours[place].t for place in pairs]), strict=True):
            ours[place] = msgspec.structs.replace(ours[place], holm=adjusted)
        found += ours
    return found


def _comparison(way: str, peer: str, tasks: tuple[str, ...], values: Sequence[float]) -> Comparison:
    return Comparison(
        way=way,
        peer=peer,
        tasks=tasks,
        difference=mean(values),
        deviation=stdev(values) if len(values) > 1 else 0.0,
        t=paired_t(values),
        permutation=sign_permutations(values),
    )


def verdict(comparisons: Sequence[Comparison]) -> list[str]:
    """Where multitask learning wins, loses or makes no difference that these seeds could show, in words."""
    lines: list[str] = []
    for way, peer in PAIRINGS:
        ours = [one for one in comparisons if (one.way, one.peer) == (way, peer)]
        against = f"{way} against {peer}"
        for word, sign in (("better", 1), ("worse", -1)):
            named = [
                one.tasks[0] for one in ours if len(one.tasks) == 1 and one.t < LEVEL and one.difference * sign > 0
            ]
            lines.append(f"{against}: {word} with p < {LEVEL:g} on {', '.join(named) or 'no task'}.")
        pairs = [one for one in ours if one.holm is not None and one.t < LEVEL and one.difference > 0]
        said = ", ".join(f"{' + '.join(one.tasks)} (p {_p(one.t)}, {_p(one.holm)} after Holm)" for one in pairs)
        lines.append(f"{against}: two tasks taken together are better on {said or 'no two tasks'}.")
        lines += [
            f"{against}: {100 * one.difference:+.1f} points on the four primary tasks together, p {_p(one.t)}."
            for one in ours
            if one.tasks == PRIMARY
        ]
    return lines


def report(document: Document) -> Iterator[str]:
    """The tables, then the verdict."""
    rows = [["majority", *(f"{document.majority[task]:.3f}" for task in TASKS)]]
    rows += [[way, *(_spread(scores(document, way, task).values()) for task in TASKS)] for way in WAYS]
    yield table(["macro-F1 on val", *TASKS], rows)
    yield table(
        ["way", "against", "tasks", "points", "p (t)", "p (permutation)", "p (t, Holm)"],
        [
            [
                one.way,
                one.peer,
                " + ".join(one.tasks),
                f"{100 * one.difference:+.1f} ± {100 * one.deviation:.1f}",
                _p(one.t),
                _p(one.permutation),
                "" if one.holm is None else _p(one.holm),
            ]
            for one in document.comparisons
        ],
    )
    yield "\n".join(document.verdict)


def fill(document: Document, setting: Setting, options: argparse.Namespace) -> None:
    """Run the cells that are missing, in processes side by side, and write the file after each."""
    missing = [cell for cell in all_cells(options.seeds) if cell.name not in document.cells]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        running = {pool.submit(run, cell, setting): cell for cell in missing}
        for done, future in enumerate(as_completed(running), start=1):
            cell, result = running[future], future.result()
            document.cells[cell.name] = result
            write(document, options.out)
            figures = ", ".join(f"{task} {one.macro_f1:.3f}" for task, one in result.figures.items())
            worked = f"{result.seconds:.0f} s, {result.processor_seconds:.0f} s of processor"
            print(f"{done}/{len(missing)} {cell.name}: {figures} ({worked})", flush=True)  # noqa: T201


def stored(path: Path, key: str) -> Document:
    """What the file holds of this very setting; an empty document where it holds another, or none."""
    if path.exists():
        found = msgspec.json.decode(path.read_bytes(), type=Document)
        if found.key == key:
            return found
    return Document(key=key)


def write(document: Document, path: Path) -> None:
    """Replace the JSON file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    beside.replace(path)


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 2 where the data is not there."""
    options = _options(arguments)
    missing = [task for task in TASKS if not (options.data / "tweeteval" / f"{task}.jsonl").exists()]
    if missing:
        sys.stderr.write(f"Not measured: tweeteval/{missing[0]}.jsonl is not in {options.data}. Give --data FOLDER.\n")
        return 2
    epochs = [f"training.epochs={options.epochs}"] if options.epochs else []
    setting = Setting(
        data=options.data.absolute(),
        cap=options.cap,
        limit=options.limit,
        threads=options.threads,
        changes=(*epochs, *options.set),
    )
    try:
        load_recipe(RECIPE, setting.changes)
        document = stored(options.out, setting.key)
        fill(document, setting, options)
        document.majority = majority(setting)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    document.comparisons = compare(document)
    document.verdict = verdict(document.comparisons)
    write(document, options.out)
    for part in report(document):
        print(part, "\n")  # noqa: T201
    return 0


def _spread(values: Iterable[float]) -> str:
    found = list(values)
    if not found:
        return "–"
    return f"{mean(found):.3f}" + (f" ± {stdev(found):.3f}" if len(found) > 1 else "")


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with tweeteval/")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=0, help="0: as the recipe in this script says")
    parser.add_argument("--cap", type=int, default=2500, help="at most so many train items of each task; 0: all")
    parser.add_argument("--limit", type=int, default=0, help="at most so many items of each split, to try it out")
    parser.add_argument("--threads", type=int, default=1, help="of each process; small LSTMs gain nothing from more")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="change a setting of all recipes; repeatable")
    parser.add_argument("--out", type=Path, default=Path("build/bench/multitask.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
