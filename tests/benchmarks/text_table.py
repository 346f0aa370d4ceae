"""One recipe for all sets of TweetEval and HateXplain, beside majority, TF-IDF + SVM and TF-IDF + LR in the same run.

    python tests/benchmarks/text_table.py --data FOLDER [--recipe default …] [--sets hate,irony] [--seeds 3]
        [--limit N] [--set training.epochs=3] [--records build/bench/text-records] [--out build/bench/text_table.json]

`--data` is a folder with `tweeteval/*.jsonl` and `hatexplain/`; nothing of it is copied. Rows learn from train and are
measured on val; a recipe takes the items that stop it and calibrate it out of train. Screenshots there are none, so the
image backbone is left out. Stopped or killed, the same command goes on from its records.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import msgspec

from engine.cli.experiment import Follower, recipe_files, words_of
from engine.cli.output import table
from engine.cli.signals import cancelled_by_signals
from engine.errors import EngineError
from engine.training.experiment import baselines
from engine.training.experiment.cells import read_rows
from engine.training.experiment.runner import Settings, run_table
from engine.training.experiment.sources import load_items
from engine.training.experiment.table import Block, Row, Table
from engine.training.worker import be_modest


@dataclass(frozen=True)
class Set:
    """A data set, where it lies, and its published metric where that is not macro-F1: the mean F1 of some labels."""

    path: str
    published: tuple[str, ...] = ()
    metric: str = "macro-F1"

    def score(self, row: Row) -> float:
        """The published metric of a row, in [0, 1], the mean over seeds."""
        if not self.published:
            return row.macro_f1.mean
        return mean(row.per_class[label].mean for label in self.published)


SETS = {
    "hate": Set("tweeteval/hate.jsonl"),
    "offensive": Set("tweeteval/offensive.jsonl"),
    "irony": Set("tweeteval/irony.jsonl", ("irony",), "F1 of irony"),
    "emotion": Set("tweeteval/emotion.jsonl"),
    "stance": Set("tweeteval/stance.jsonl", ("favor", "against"), "mean F1 of favor and against"),
    "hatexplain": Set("hatexplain"),
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 2 where the data is not there."""
    options = _options(arguments)
    names = options.sets.split(",")
    missing = [name for name in names if name not in SETS or not (options.data / SETS[name].path).exists()]
    if missing:
        sys.stderr.write(f"Not measured: {', '.join(missing)} is not in {options.data}. Give --data FOLDER.\n")
        return 2
    be_modest()
    rows = read_rows(recipe_files(options.recipe), ["image.backbone=none", *options.set])
    settings = Settings(seeds=options.seeds)
    found: dict[str, Table] = {}
    with cancelled_by_signals() as cancelled, Follower(cancelled) as follower:
        for name in names:
            source = load_items(options.data / SETS[name].path).limited(options.limit)
            found[name] = run_table(rows, source, options.records, settings, follower.watch)
            print(words_of(found[name]), "\n", flush=True)  # noqa: T201
    print(summary(found, [row.name for row in rows]))  # noqa: T201
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(document(found, options.limit))))
    return 0


def summary(found: dict[str, Table], recipes: Sequence[str]) -> str:
    """Macro-F1 of every row on every set, the mean over sets, the recipes' distance to the SVM row, then the metrics
    that the sets' publications use where they are others.
    """
    names = [*baselines.BASELINES, *recipes]
    lines = [[name, *(_cell(_row(one, name)) for one in found.values()), _means(found, name)] for name in names]
    for name in recipes:
        gaps = {key: gap for key, one in found.items() if (gap := _gap(one, name)) is not None}
        points = [f"{100 * gaps[key]:+.1f}" if key in gaps else "–" for key in found]
        lines.append([f"{name} less SVM", *points, f"{100 * mean(gaps.values()):+.1f} points" if gaps else "–"])
    text = [table(["macro-F1 on val", *found, "mean"], lines)]
    for key, one in found.items():
        if SETS[key].published:
            scores = [f"{name} {SETS[key].score(row):.3f}" for name in names if (row := _row(one, name)) is not None]
            text.append(f"{key}, {SETS[key].metric}: {', '.join(scores)}")
    return "\n".join(text)


def document(found: dict[str, Table], limit: int) -> dict[str, object]:
    """What goes into the JSON file: every table, and each row's published metric."""
    published = {
        key: {"metric": SETS[key].metric, "scores": {row.name: SETS[key].score(row) for row in _block(one).rows}}
        for key, one in found.items()
    }
    return {"limit": limit, "tables": found, "published": published}


def _block(one: Table) -> Block:
    return one.blocks[0]


def _row(one: Table, name: str) -> Row | None:
    return _block(one).row(name)


def _cell(row: Row | None) -> str:
    return str(row.macro_f1) if row is not None else "–"


def _means(found: dict[str, Table], name: str) -> str:
    """The mean over sets, for each seed that all sets have, as mean ± deviation over seeds."""
    rows = [_row(one, name) for one in found.values()]
    if not all(rows):
        return "–"
    scores = [row.macro_f1s for row in rows if row is not None]
    cells = set.intersection(*(set(one) for one in scores))
    means = [mean(one[cell] for one in scores) for cell in sorted(cells)]
    return f"{mean(means):.3f}" + (f" ± {stdev(means):.3f}" if len(means) > 1 else "")


def _gap(one: Table, name: str) -> float | None:
    ours, peer = _row(one, name), _row(one, baselines.SVM)
    return ours.macro_f1.mean - peer.macro_f1.mean if ours is not None and peer is not None else None


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with tweeteval/ and hatexplain/")
    parser.add_argument("--recipe", nargs="+", default=["default"], help="recipe files or names")
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, with commas")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="at most so many items of each split")
    parser.add_argument("--set", action="append", default=[], help="change a setting of the recipes; repeatable")
    parser.add_argument("--records", type=Path, default=Path("build/bench/text-records"))
    parser.add_argument("--out", type=Path, default=None, help="write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
