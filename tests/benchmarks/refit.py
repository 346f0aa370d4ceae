"""Refitting heads on kept vectors, beside scikit-learn on the same features, and rescoring with and without them.

    python tests/benchmarks/refit.py [--items 4000] [--repeats 5] [--rescore 200] [--out build/bench/refit.json]

A champion with 384 + 512 numbers an item (text CNN and ResNet-18, random weights: speed does not depend on them), a
task of 3 labels and one of 13 that may hold together. The vectors of labelled items are drawn, not computed, so that
they can be told apart about as well as real ones; rescoring without kept vectors decodes and looks at real captures.
Each repeat is a refit as the service does it: read the run folder, take the vectors, fit along the whole path of
penalties, calibrate, compare on held-out items, write the candidate. scikit-learn fits the 3-label task alone, for one
penalty and for the same path of them, on the same standardised features.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from engine.models import checkpoint
from engine.models.network import build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.models.vector_store import VectorStore
from engine.taxonomy import Label, Task, Taxonomy, dump_taxonomy
from engine.training.data import targets_of
from engine.training.job import read_job
from engine.training.recipe import Recipe, RefitRecipe, dump_recipe
from engine.training.refit import Refitted, refit
from engine.training.refit.linear import PATH, Standard
from engine.training.refit.material import planned
from engine.training.splits import TRAIN, VAL
from engine.types import ItemContent, ModelCard, TrainingItem

SIDE = 600
MOOD, WHY = ("warm", "cold", "none"), tuple(f"reason-{number}" for number in range(13))
HEADS = (HeadSpec(task="mood", labels=MOOD), HeadSpec(task="why", labels=WHY, multi=True))
SPEC = NetworkSpec(
    heads=HEADS,
    text=TextSpec(filters=128, windows=(1, 2, 3), vocabulary=500, max_tokens=32),
    image=ImageSpec(),
    fusion=FusionSpec(hidden=(256,)),
)
HUNDRED = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer", "bridge")


def taxonomy() -> Taxonomy:
    """The two tasks as a workspace would have them."""

    def labels(names: Sequence[str]) -> tuple[Label, ...]:
        keys = "123456789qwrydfjkl"
        return tuple(
            Label(name=name, title=name.title(), key=keys[at], colour="#0072b2", severity=0, guideline="")
            for at, name in enumerate(names)
        )

    return Taxonomy(
        name="bench",
        tasks=(
            Task(name="mood", title="Mood", kind="single", applies_to=("tweet",), labels=labels(MOOD)),
            Task(name="why", title="Why", kind="multi", applies_to=("tweet",), labels=labels(WHY)),
        ),
    )


def labelled(count: int, rng: np.random.Generator) -> tuple[list[TrainingItem], np.ndarray]:
    """Items with answers to both tasks, and (n, 896) vectors in which the answers show, but not always."""
    moods = rng.integers(0, len(MOOD), count)
    reasons = rng.random((count, len(WHY))) < 0.15
    directions = rng.normal(size=(len(MOOD) + len(WHY), 896))
    truth = np.concatenate([np.eye(len(MOOD))[moods], reasons], axis=1)
    mixing = np.eye(896) + rng.normal(size=(896, 896)) * 0.02
    vectors = (rng.normal(size=(count, 896)) + 0.09 * truth @ directions) @ mixing
    items = [
        TrainingItem(
            content=ItemContent(id=f"i{number}", kind="tweet", text=f"{HUNDRED[number % 10]} {number}", capture=None),
            labels={
                "mood": (MOOD[moods[number]],),
                "why": tuple(name for name, given in zip(WHY, reasons[number], strict=True) if given),
            },
            group=f"g{number}",
            split=("train", "train", "train", "train", "train", "val", "test")[number % 7],
            decisions=(number + 1,),
        )
        for number in range(count)
    ]
    return items, vectors.astype(np.float32)


def make_champion(folder: Path) -> None:
    """A champion with random weights in `folder`/models."""
    torch.manual_seed(1)
    tokenizer = tokenizer_for(SPEC, [f"{word} {number}" for number, word in enumerate(HUNDRED * 20)])
    tasks = {head.task: head.labels for head in HEADS}
    card = ModelCard(id="champion", created="", recipe="", tasks=tasks, multi=("why",), network=to_plain(SPEC))
    checkpoint.save(folder / "models" / "champion", build(SPEC, tokenizer).eval(), card, tokenizer)


def make_run(folder: Path, name: str, items: Sequence[TrainingItem], head: str) -> Path:
    """A run folder as the workspace prepares it."""
    run = folder / "runs" / name
    run.mkdir(parents=True)
    (run / "snapshot.jsonl").write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    recipe = Recipe(text=SPEC.text, image=SPEC.image, fusion=SPEC.fusion, refit=RefitRecipe(head=head))
    (run / "recipe.toml").write_text(dump_recipe(recipe), encoding="utf-8")
    (run / "taxonomy.toml").write_text(dump_taxonomy(taxonomy()), encoding="utf-8")
    (run / "parent.txt").write_text("champion", encoding="utf-8")
    return run


def fill(store: VectorStore, items: Sequence[TrainingItem], vectors: np.ndarray) -> None:
    """Put drawn vectors where computed ones would be; every item has both parts."""
    parts = np.full(len(items), 3, np.uint8)
    halves = torch.from_numpy(vectors)
    store.add([item.content for item in items], parts, halves[:, :384], halves[:, 384:], keep=True)


def measure_refits(folder: Path, predictor: Predictor, items: Sequence[TrainingItem], repeats: int) -> dict[str, Any]:
    """Seconds of whole refits, and by phase."""
    found: dict[str, Any] = {}
    for head in ("linear", "hidden"):
        ends: list[Refitted] = []
        totals = []
        for number in range(repeats + 1):
            run = make_run(folder, f"{head}-{number}", items, head)
            start = time.perf_counter()
            ends.append(refit(run, lambda _folder: predictor))
            totals.append(time.perf_counter() - start)
            shutil.rmtree(run)
        phases = {name: spread([one.seconds[name] for one in ends[1:]]) for name in ends[0].seconds}
        metrics = ends[-1].card.metrics["test"]
        found[head] = {
            "seconds": spread(totals[1:]),
            "phases": phases,
            "macro_f1": {task: scores.macro_f1 for task, scores in metrics.items()},
        }
    return found


def measure_peer(
    folder: Path, items: Sequence[TrainingItem], vectors: np.ndarray, predictor: Predictor, repeats: int
) -> dict[str, Any]:
    """scikit-learn on the very features of the 3-label task, on one core as the refit is."""
    job = read_job(make_run(folder, "peer", items, "linear"))
    splits, _ = planned(job)
    with torch.inference_mode():
        halves = torch.from_numpy(vectors)
        features = predictor.loaded.network.features(halves[:, :384], halves[:, 384:])
    sides = {name: [at for at, item in enumerate(items) if splits.of[item.content.id] == name] for name in (TRAIN, VAL)}
    standard = Standard(features[sides[TRAIN]])
    inputs = standard(features[sides[TRAIN]])[:, :-1].numpy()
    truth = targets_of([items[at] for at in sides[TRAIN]], HEADS[0]).argmax(dim=1).numpy()

    def fit(penalty: float) -> None:
        LogisticRegression(C=1 / (penalty * len(inputs)), max_iter=1000).fit(inputs, truth)

    def path() -> None:
        for penalty in PATH:
            fit(penalty)

    middle = PATH[len(PATH) // 2]
    with threadpool_limits(1):
        return {
            "one penalty": spread([timed(lambda: fit(middle)) for _ in range(repeats)]),
            "the path": spread([timed(path) for _ in range(max(repeats // 2, 1))]),
        }


def measure_rescoring(
    folder: Path, predictor: Predictor, items: Sequence[TrainingItem], count: int, repeats: int
) -> dict[str, Any]:
    """Verdicts' items a second from `count` PNG files, and from the kept vectors of all labelled items."""
    rng = np.random.default_rng(3)
    contents = []
    for number in range(count):
        path = folder / f"{number}.png"
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE)).save(path)
        text = " ".join(rng.choice(HUNDRED, 20))
        contents.append(ItemContent(id=f"c{number}", kind="tweet", text=f"{text} {number}", capture=str(path)))
    known = [item.content for item in items]
    kept = [len(known) / timed(lambda: predictor.predict_known(known)) for _ in range(repeats)]
    predictor.store = None
    without = [count / timed(lambda: predictor.predict(contents)) for _ in range(max(repeats // 2, 1))]
    ratio = statistics.median(kept) / statistics.median(without)
    return {"without": spread(without), "kept": spread(kept), "ratio": ratio, "how": predictor.device_name}


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that this takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def measure(count: int, repeats: int, rescore: int) -> dict[str, Any]:
    """Everything, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_champion(folder)
        items, vectors = labelled(count, np.random.default_rng(0))
        predictor = Predictor.load(folder / "models" / "champion", "cpu")
        predictor.store = VectorStore.of(predictor.loaded, folder / "features")
        fill(predictor.store, items, vectors)
        return {
            "items": count,
            "cpus": len(os.sched_getaffinity(0)),
            "threads": torch.get_num_threads(),
            "refit": measure_refits(folder, predictor, items, repeats),
            "scikit-learn": measure_peer(folder, items, vectors, predictor, repeats),
            "rescoring": measure_rescoring(folder, predictor, items, rescore, repeats),
        }


def report(found: dict[str, Any]) -> str:
    """Lines for people."""
    lines = [f"Refit of {found['items']} labelled items, {found['threads']} threads on {found['cpus']} cores"]

    def line(name: str, one: dict[str, float]) -> str:
        return f"  {name:<24} {one['median']:7.3f} s ({one['least']:.3f}–{one['most']:.3f})"

    for head, one in found["refit"].items():
        lines.append(line(head, one["seconds"]))
        lines += [line(f"  {phase}", seconds) for phase, seconds in one["phases"].items()]
        lines.append(f"    macro-F1 on test: {', '.join(f'{task} {f1:.3f}' for task, f1 in one['macro_f1'].items())}")
    for name, one in found["scikit-learn"].items():
        lines.append(line(f"scikit-learn, {name}", one))
    again = found["rescoring"]
    lines.append(
        f"  rescoring: {again['without']['median']:.1f} items/s from PNG files ({again['how']}), "
        f"{again['kept']['median']:,.0f} from kept vectors: {again['ratio']:.0f} times"
    )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rescore", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("build/bench/refit.json"))
    options = parser.parse_args()
    found = measure(options.items, options.repeats, options.rescore)
    print(report(found))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))


if __name__ == "__main__":
    main()
