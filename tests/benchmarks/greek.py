"""Greek offensive tweets: an encoder pretrained here by masked-language modelling against the same one without it.

    python tests/benchmarks/greek.py --data FOLDER [--folds 5] [--pretrain-epochs 30] [--epochs 8] [--limit N]
        [--threads N] [--set training.learning_rate=…] [--work build/bench/greek] [--out build/bench/greek.json]

`--data` is a folder with `ogtd_greek/offenseval-gr-training-v1.tsv`; nothing of it is copied into the project.
Stratified k-fold over all rows, near-duplicates on one side. In every fold the encoder and its vocabulary learn from
the texts of the training folds alone: not even the unlabelled texts of the measured fold are seen. The row without
pretraining has the same vocabulary, architecture and first weights, and both are fine-tuned by the same recipe, which
sets 15 % of the training folds aside to choose the epoch. Majority, TF-IDF + linear SVM and TF-IDF + logistic
regression stand beside them on the same folds. Stopped or killed, the same command goes on; folds that are done are not
measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import msgspec
import torch
from scipy.stats import t as student

from engine.cli.experiment import words_of
from engine.cli.output import note, table
from engine.cli.signals import cancelled_by_signals
from engine.errors import CancelledError
from engine.models.text import model_text
from engine.training.device import derived_seed
from engine.training.experiment import baselines
from engine.training.experiment.cells import RecipeRow, measure
from engine.training.experiment.folds import Fold, grouped_folds
from engine.training.experiment.records import Cell, Record, Records
from engine.training.experiment.sources import Source, load_items
from engine.training.experiment.table import Table
from engine.training.pretraining.card import CARD, PretrainingCard
from engine.training.pretraining.corpus import split_texts
from engine.training.pretraining.encoder import new_encoder
from engine.training.pretraining.run import Wanted, pretrain
from engine.training.pretraining.settings import PretrainingSettings, make_settings
from engine.training.recipe import load_recipe
from engine.training.worker import be_modest

FILE = Path("ogtd_greek") / "offenseval-gr-training-v1.tsv"
PRETRAINED, BLANK = "pretrained here", "same encoder, not pretrained"
ARCHITECTURE = {"vocabulary": 4000, "layers": 2, "width": 128, "heads": 2, "max_tokens": 64}
PRETRAINING: dict[str, Any] = {"batch_size": 32, "learning_rate": 1e-3, "mask": 0.3, **ARCHITECTURE}
"""Twice the usual share of tokens is hidden: the texts are few, and every hidden token teaches (Wettig et al. 2023)."""
RECIPE = """
[text]
backbone = "none"
max_tokens = 64
pooling = "mean"
[image]
backbone = "none"
[fusion]
hidden = []
[training]
batch_size = 32
learning_rate = 5e-4
warmup = 0.1
best_by = "macro-f1"
"""


@dataclass(frozen=True)
class Bench:
    """What is measured, and where it is kept."""

    source: Source
    folds: tuple[Fold, ...]
    records: Records
    encoders: Path
    settings: PretrainingSettings
    overrides: tuple[str, ...]
    cancelled: Callable[[], bool]

    def check(self) -> None:
        if self.cancelled():
            raise CancelledError("Stopped. What was measured is kept: the same command goes on from here.")


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 2 where the data is not there."""
    options = _options(arguments)
    if not (options.data / FILE).is_file():
        sys.stderr.write(f"Not measured: there is no {options.data / FILE}. Give --data FOLDER.\n")
        return 2
    logging.getLogger("transformers").setLevel(logging.ERROR)  # its reports of a head that is left out, every time
    be_modest()
    begun = time.monotonic()
    with cancelled_by_signals() as cancelled:
        bench = _bench(options, cancelled)
        try:
            records = [record for fold in bench.folds for record in _measured(bench, fold)]
        except CancelledError as error:
            note(str(error))
            return 130
    found = Table.of(bench.source, len(bench.folds), records)
    seconds = time.monotonic() - begun
    print(report(bench, found), f"\nThis run took {seconds:.0f} s.")  # noqa: T201
    if options.out:
        document = {
            "limit": options.limit,
            "table": found,
            "pretraining": list(_cards(bench)),
            "paired": _paired(found),
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    return 0


def _bench(options: argparse.Namespace, cancelled: Callable[[], bool]) -> Bench:
    source = load_items(options.data / FILE).limited(options.limit).grouped(lambda: None)
    given = {"epochs": options.pretrain_epochs, "threads": options.threads, **PRETRAINING}
    settings = make_settings(given, {}, continued=False)
    overrides = [f"training.epochs={options.epochs}", f"training.threads={options.threads}", *options.set]
    asked = msgspec.json.encode((source.fingerprint, msgspec.structs.replace(settings, threads=0), options.folds))
    return Bench(
        source=source,
        folds=tuple(grouped_folds(source.items, options.folds, 0)),
        records=Records(options.work),
        encoders=options.work / "encoders" / hashlib.sha256(asked).hexdigest()[:12],
        settings=settings,
        overrides=tuple(overrides),
        cancelled=cancelled,
    )


def _measured(bench: Bench, fold: Fold) -> Iterator[Record]:
    """The fold's records, those that are there already from the disk."""
    task = bench.source.taxonomy.tasks[0]

    def peer(name: str) -> Callable[[Cell], Record]:
        def run(cell: Cell) -> Record:
            begun = time.monotonic()
            one = baselines.measure(name, fold, task, 0, bench.check)
            assert one is not None, "every fold has texts of both labels"
            return cell.record({task.name: one.figures}, time.monotonic() - begun, one.details)

        return run

    for name in baselines.BASELINES:
        fingerprint = hashlib.sha256(f"{name}/{baselines.VERSION}".encode()).hexdigest()
        yield _kept(bench, fold, name, fingerprint, peer(name))
    for name, folder in ((BLANK, _blank(bench, fold)), (PRETRAINED, _pretrained(bench, fold))):
        text = load_recipe(RECIPE, [f"text.backbone={folder.absolute()}", *bench.overrides])
        row = RecipeRow(name, text)
        yield _kept(bench, fold, name, row.fingerprint, partial(_network, bench, fold, row))


def _kept(bench: Bench, fold: Fold, name: str, fingerprint: str, run: Callable[[Cell], Record]) -> Record:
    cell = Cell(name, fingerprint, bench.source.name, bench.source.fingerprint, fold.name, 0)
    record = bench.records.get(cell)
    if record is None:
        record = run(cell)
        bench.records.put(cell, record)
        scores = next(iter(record.figures.values()))
        note(f"fold {fold.name}: {name}: macro-F1 {scores.macro_f1:.3f} ({record.seconds:.0f} s)")
    return record


def _network(bench: Bench, fold: Fold, row: RecipeRow, cell: Cell) -> Record:
    work = bench.records.work(cell)
    taxonomy = bench.source.taxonomy
    found = measure(row, fold, taxonomy, 0, work, emit=lambda _: None, cancelled=bench.cancelled)
    return cell.record(found.figures, found.seconds, found.details, row.text)


def _texts(fold: Fold) -> list[str]:
    return [model_text(item.content) for item in fold.train]


def _pretrained(bench: Bench, fold: Fold) -> Path:
    """The fold's encoder, pretrained now where it is not there yet."""
    folder = bench.encoders / fold.name / "pretrained"
    if not folder.exists():
        settings = msgspec.structs.asdict(bench.settings)
        card = pretrain(Wanted(lambda: _texts(fold), fold.name, folder, settings), cancelled=bench.cancelled)
        note(
            f"fold {fold.name}: pretrained in {card.seconds:.0f} s: perplexity {card.before.perplexity:.0f} before, "
            f"{card.after.perplexity:.1f} after, {card.unigram.perplexity:.0f} by token frequencies alone"
        )
    return folder


def _blank(bench: Bench, fold: Fold) -> Path:
    """The same encoder before its first step."""
    folder = bench.encoders / fold.name / "blank"
    if not folder.exists():
        beside = folder.with_name(".blank.part")
        beside.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(derived_seed(bench.settings.seed, "weights"))
        new_encoder(split_texts(_texts(fold), bench.settings).train, bench.settings).save(beside)
        beside.rename(folder)
    return folder


def report(bench: Bench, found: Table) -> str:
    """Lines for people."""
    cards = list(_cards(bench))
    rows = [
        [
            fold.name,
            f"{card.before.perplexity:.0f}",
            f"{card.after.perplexity:.1f}",
            f"{card.unigram.perplexity:.0f}",
            f"{card.after.accuracy:.1%}",
            f"{card.unigram.accuracy:.1%}",
            f"{card.seconds:.0f} s",
        ]
        for fold, card in zip(bench.folds, cards, strict=True)
    ]
    headers = ["fold", "perplexity before", "after", "frequencies", "predicted right", "frequencies", "took"]
    learned = (
        "Pretraining, on hidden tokens of 5 % of the training folds' texts (the measured fold's texts were never seen):"
    )
    paired = [
        [one["row"], one["peer"], f"{100 * one['mean']:+.1f} ± {100 * one['deviation']:.1f}", f"{one['p']:.3f}"]
        for one in _paired(found)
    ]
    return "\n\n".join(
        [
            words_of(found),
            f"{learned}\n{table(headers, rows)}",
            "Paired differences of macro-F1 over the folds, in points (p: corrected resampled t-test, Nadeau and "
            f"Bengio 2003):\n{table(['row', 'less', 'mean ± deviation', 'p'], paired)}",
        ]
    )


def _cards(bench: Bench) -> Iterator[PretrainingCard]:
    for fold in bench.folds:
        path = bench.encoders / fold.name / "pretrained" / CARD
        yield msgspec.json.decode(path.read_bytes(), type=PretrainingCard)


def _paired(found: Table) -> list[dict[str, Any]]:
    rows = {row.name: row.macro_f1s for row in found.blocks[0].rows}
    pairs = ((PRETRAINED, BLANK), *((PRETRAINED, name) for name in baselines.BASELINES))
    return [_difference(one, other, rows[one], rows[other]) for one, other in pairs]


def _difference(name: str, peer: str, scores: dict[str, float], others: dict[str, float]) -> dict[str, Any]:
    gaps = [scores[cell] - others[cell] for cell in sorted(scores)]
    spread = stdev(gaps) if len(gaps) > 1 else 0.0
    return {"row": name, "peer": peer, "mean": mean(gaps), "deviation": spread, "p": _p_value(gaps, spread)}


def _p_value(gaps: Sequence[float], spread: float) -> float:
    """Two-sided. Folds share training items, so the variance of the mean is larger than 1/k says (section 5)."""
    folds = len(gaps)
    if spread == 0:
        return 1.0
    error = spread * math.sqrt(1 / folds + 1 / (folds - 1))
    return float(2 * student.sf(abs(mean(gaps)) / error, folds - 1))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with ogtd_greek/")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--pretrain-epochs", type=int, default=30, help="how often pretraining sees every text")
    parser.add_argument("--epochs", type=int, default=8, help="how often fine-tuning sees every text")
    parser.add_argument("--limit", type=int, default=0, help="at most so many tweets")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--set", action="append", default=[], help="change a setting of the recipe; repeatable")
    parser.add_argument(
        "--work", type=Path, default=Path("build/bench/greek"), help="where folds and encoders are kept"
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench/greek.json"), help="write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
