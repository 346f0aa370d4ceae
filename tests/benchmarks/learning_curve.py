"""Labels needed to reach 95 % of full-data macro-F1, for each order of labelling against drawing at random.

    python tests/benchmarks/learning_curve.py --data FOLDER [--sets hate,hatexplain] [--seeds 3] [--limit N]
        [--cache build/bench/learning-curve] [--out build/bench/learning_curve.json]

`--data` is a folder with `tweeteval/*.jsonl` and `hatexplain/`; nothing of it is copied but vectors, into `--cache`.
Texts become frozen vectors once: all-MiniLM-L6-v2, mean-pooled, where the extra `secondlook[minilm]` is installed, else
TF-IDF and a truncated SVD; the output says which. The head is a regularised multinomial logistic regression, fitted
anew after each batch on what is labelled so far and measured on val. Every order starts from the same 50 random labels
of a seed. What was measured is kept in `--cache`: stopped or killed, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from engine.models import minilm
from engine.training.active.core_set import k_centre_greedy
from engine.training.active.selection import WIDER, unit
from engine.training.experiment.sources import Source, load_items
from engine.triage.teaching import DOUBTS, MARGIN, RANDOM_SHARE

SETS = {"hate": "tweeteval/hate.jsonl", "hatexplain": "hatexplain"}
SIZES = (50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200, 4800, 6400, 9600, 12800)
"""So many labels there are at each measurement; what is between two of them is a batch."""
AT_LEAST = 1600
"""A curve is followed this far even where the target was reached before."""
CORE_SET = 3200
"""So many items of a core-set are picked, each of which means a look at every item; what comes after is random."""
TARGET = 0.95
STRENGTH = 10.0
"""The inverse strength of regularisation on vectors of length 1."""
WIDTH = 256

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Problem:
    """One data set as vectors (n, D) of length 1 and label numbers (n,), to train on and to measure on."""

    name: str
    train: Floats
    train_labels: NDArray[np.int64]
    val: Floats
    val_labels: NDArray[np.int64]
    labels: tuple[str, ...]
    features: str

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all of it."""
        found = hashlib.sha256(f"{self.labels}{self.features}".encode())
        for part in (self.train, self.train_labels, self.val, self.val_labels):
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


@dataclass
class State:
    """Where an order stands: what is labelled, the probabilities of all training items by the head fitted on it."""

    problem: Problem
    labelled: list[int]
    probabilities: NDArray[np.float64]
    draw: np.random.Generator
    core_set: list[int]


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 2 where the data is not there."""
    options = _options(arguments)
    names = options.sets.split(",")
    missing = [name for name in names if name not in SETS or not (options.data / SETS[name]).exists()]
    if missing:
        sys.stderr.write(f"Not measured: {', '.join(missing)} is not in {options.data}. Give --data FOLDER.\n")
        return 2
    warnings.simplefilter("ignore", ConvergenceWarning)
    started = time.perf_counter()
    options.cache.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"cpus": os.cpu_count(), "python": platform.python_version(), "limit": options.limit}
    report["target"], report["seeds"], report["sets"] = TARGET, options.seeds, {}
    for name in names:
        problem = _problem(name, load_items(options.data / SETS[name]).limited(options.limit), options.cache)
        report["sets"][name] = measure(problem, options.seeds, options.cache)
        print(table(name, report["sets"][name]), "\n", flush=True)  # noqa: T201
    report["seconds"] = time.perf_counter() - started
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=2), encoding="utf-8")
    return 0


# --- vectors --------------------------------------------------------------------------------------------------------


def _problem(name: str, source: Source, cache: Path) -> Problem:
    task = source.taxonomy.tasks[0]
    numbers = {label: number for number, label in enumerate(task.label_names)}
    sides: dict[str, tuple[list[str], list[int]]] = {"train": ([], []), "val": ([], [])}
    for item in source.items:
        if item.split in sides:
            sides[item.split][0].append(item.content.text)
            sides[item.split][1].append(numbers[item.labels[task.name][0]])
    train, val = sides["train"], sides["val"]
    vectors, features = _vectors(train[0], val[0], cache)
    return Problem(
        name=name,
        train=vectors[: len(train[0])],
        train_labels=np.array(train[1]),
        val=vectors[len(train[0]) :],
        val_labels=np.array(val[1]),
        labels=task.label_names,
        features=features,
    )


def _vectors(train: list[str], val: list[str], cache: Path) -> tuple[Floats, str]:
    """Return all texts' vectors of length 1, train first, and what they are; from the cache where they were made."""
    folder = minilm.folder()
    if folder is None:
        return unit(_tfidf(train, val)), f"TF-IDF + SVD to {WIDTH} (MiniLM is not installed)"
    digest = hashlib.sha256("\0".join([minilm.DIGEST, *train, *val]).encode("utf-8", "replace")).hexdigest()
    file = cache / f"vectors-{digest[:16]}.npy"
    if not file.is_file():
        part = file.with_suffix(".part")
        with part.open("wb") as stream:
            np.save(stream, _minilm([*train, *val]), allow_pickle=False)
        part.replace(file)
    vectors: Floats = np.load(file, allow_pickle=False)
    return unit(vectors), "all-MiniLM-L6-v2, mean-pooled"


def _minilm(texts: list[str]) -> Floats:
    """Return (n, 384) means over each text's last hidden states; texts of like length go together."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = minilm.checked_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    vectors = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        batch = tokenizer(
            [texts[row] for row in rows], padding=True, truncation=True, max_length=128, return_tensors="pt"
        )
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        vectors[rows] = ((states * mask).sum(1) / mask.sum(1)).numpy()
        if start % 3200 == 0:
            sys.stderr.write(f"vectors: {start:,} of {len(texts):,}\n")
    return vectors


def _tfidf(train: list[str], val: list[str]) -> Floats:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit(train)
    table = words.transform(train)
    reduced = TruncatedSVD(min(WIDTH, table.shape[1] - 1), random_state=0).fit(table)
    found: Floats = np.vstack([reduced.transform(table), reduced.transform(words.transform(val))]).astype(np.float32)
    return found


# --- orders ---------------------------------------------------------------------------------------------------------

Order = Callable[[State, int], list[int]]


def _random(state: State, count: int) -> list[int]:
    free = np.setdiff1d(np.arange(len(state.problem.train)), state.labelled)
    return [int(place) for place in state.draw.choice(free, count, replace=False)]


def _doubtful(name: str) -> Order:
    measure = DOUBTS[name].measure

    def order(state: State, count: int) -> list[int]:
        known = set(state.labelled)
        scores = [
            (-measure(row), place) for place, row in enumerate(state.probabilities.tolist()) if place not in known
        ]
        return [place for _, place in sorted(scores)[:count]]

    return order


def _core_set(state: State, count: int) -> list[int]:
    """The greedy picks do not depend on the head nor on the batches, so that they are made once for the whole curve."""
    if not state.core_set:
        free = np.setdiff1d(np.arange(len(state.problem.train)), state.labelled)
        picked, _ = k_centre_greedy(state.problem.train[free], state.problem.train[state.labelled], CORE_SET)
        rest = np.setdiff1d(np.arange(len(free)), picked)
        state.core_set += [int(free[place]) for place in [*picked, *state.draw.permutation(rest)]]
    known = set(state.labelled)
    return [place for place in state.core_set if place not in known][:count]


def _combined(state: State, count: int) -> list[int]:
    pool = _doubtful(MARGIN)(state, WIDER * count)
    picked, _ = k_centre_greedy(state.problem.train[pool], state.problem.train[state.labelled], count)
    return [pool[place] for place in picked]


def _with_a_random_share(order: Order) -> Order:
    def mixed(state: State, count: int) -> list[int]:
        drawn = _random(state, round(RANDOM_SHARE * count))
        best = [place for place in order(state, count) if place not in set(drawn)]
        return [*drawn, *best[: count - len(drawn)]]

    return mixed


ORDERS: dict[str, Order] = {
    "random": _random,
    **{name: _doubtful(name) for name in DOUBTS},
    f"margin, {RANDOM_SHARE:.0%} random": _with_a_random_share(_doubtful(MARGIN)),
    "core-set": _core_set,
    "combined": _combined,
}


# --- curves ---------------------------------------------------------------------------------------------------------


def measure(problem: Problem, seeds: int, cache: Path) -> dict[str, Any]:
    """Return the full-data score, and each order's curves and labels needed, by seed."""
    everything = list(range(len(problem.train)))
    full, _ = _fit(problem, everything)
    majority = int(np.bincount(problem.train_labels).argmax())
    found: dict[str, Any] = {
        "features": problem.features,
        "train": len(problem.train),
        "val": len(problem.val),
        "full_macro_f1": full,
        "majority_macro_f1": _macro_f1(problem, np.full(len(problem.val), majority)),
        "target_macro_f1": TARGET * full,
        "orders": {},
    }
    for name, order in ORDERS.items():
        curves = [_kept(problem, name, order, seed, TARGET * full, cache) for seed in range(seeds)]
        needed = [labels_needed(curve, TARGET * full) for curve in curves]
        found["orders"][name] = {"curves": curves, "labels": needed}
    for one in found["orders"].values():
        pairs = zip(one["labels"], found["orders"]["random"]["labels"], strict=True)
        one["ratio_to_random"] = [mine / theirs if mine and theirs else None for mine, theirs in pairs]
    return found


def _kept(problem: Problem, name: str, order: Order, seed: int, target: float, cache: Path) -> list[list[float]]:
    """Return a curve, measured before or now."""
    facts = [problem.digest, SIZES, AT_LEAST, STRENGTH, name, seed, round(target, 6)]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    file = cache / f"curve-{key}.json"
    if file.is_file():
        kept: list[list[float]] = json.loads(file.read_text("utf-8"))
        return kept
    made = _curve(problem, order, seed, target)
    file.with_suffix(".part").write_text(json.dumps(made), encoding="utf-8")
    file.with_suffix(".part").replace(file)
    sys.stderr.write(f"{problem.name}, {name}, seed {seed}: {made[-1][0]:.0f} labels, macro-F1 {made[-1][1]:.3f}\n")
    return made


def _curve(problem: Problem, order: Order, seed: int, target: float) -> list[list[float]]:
    """Return pairs of labels and macro-F1 on val, as far as the target, at least to `AT_LEAST` labels."""
    draw = np.random.default_rng(seed)
    sizes = [*(size for size in SIZES if size < len(problem.train)), len(problem.train)]
    first = [int(place) for place in draw.permutation(len(problem.train))[: sizes[0]]]
    state = State(problem, first, np.zeros((0, 0)), draw, [])
    curve: list[list[float]] = []
    for size in sizes:
        if size > len(state.labelled):
            state.labelled += order(state, size - len(state.labelled))
        score, state.probabilities = _fit(problem, state.labelled)
        curve.append([float(size), score])
        if size >= AT_LEAST and max(one for _, one in curve) >= target:
            break
    return curve


def _fit(problem: Problem, labelled: Sequence[int]) -> tuple[float, NDArray[np.float64]]:
    """Return macro-F1 on val and the probabilities of all training items, (n, classes seen)."""
    seen = problem.train_labels[list(labelled)]
    if len(np.unique(seen)) < 2:
        return _macro_f1(problem, np.full(len(problem.val), seen[0])), np.ones((len(problem.train), 1))
    head = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300, tol=1e-3)
    head.fit(problem.train[list(labelled)], seen)
    return _macro_f1(problem, head.predict(problem.val)), head.predict_proba(problem.train)


def _macro_f1(problem: Problem, answers: NDArray[np.int64]) -> float:
    labels = list(range(len(problem.labels)))
    return float(f1_score(problem.val_labels, answers, average="macro", labels=labels, zero_division=0))


def labels_needed(curve: Sequence[Sequence[float]], target: float) -> float | None:
    """Return where a curve first reaches the target, on the straight line between two measurements; None if never."""
    for place, (size, score) in enumerate(curve):
        if score >= target:
            if place == 0:
                return size
            before, low = curve[place - 1]
            return before + (size - before) * (target - low) / (score - low)
    return None


def table(name: str, found: dict[str, Any]) -> str:
    """Return the report of one set as lines for people."""
    lines = [
        f"{name}: {found['train']:,} train, {found['val']:,} val, {found['features']}",
        f"Macro-F1 with all labels {found['full_macro_f1']:.3f} (majority {found['majority_macro_f1']:.3f}),"
        f" target {found['target_macro_f1']:.3f}",
        f"{'order':22}{'labels, median (range)':>28}{'ratio to random':>22}"
        + "".join(f"{f'F1 at {n}':>12}" for n in _AT),
    ]
    for order, one in found["orders"].items():
        at = "".join(f"{_at(one['curves'], size):>12}" for size in _AT)
        lines.append(f"{order:22}{_spread(one['labels'], ',.0f'):>28}{_spread(one['ratio_to_random'], '.2f'):>22}{at}")
    return "\n".join(lines)


_AT = (100, 400, 1600)


def _at(curves: Sequence[Sequence[Sequence[float]]], size: int) -> str:
    scores = [score for curve in curves for there, score in curve if there == size]
    return f"{median(scores):.3f}" if scores else "–"


def _spread(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "not reached"
    missed = f", {len(values) - len(known)} not reached" if len(known) < len(values) else ""
    return f"{median(known):{form}} ({min(known):{form}}–{max(known):{form}}){missed}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=0, help="at most so many items of each split; 0 is all")
    parser.add_argument("--cache", type=Path, default=Path("build/bench/learning-curve"))
    parser.add_argument("--out", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
