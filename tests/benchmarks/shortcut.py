"""A planted shortcut, and whether a model that is told of it loses it.

    python tests/benchmarks/shortcut.py [--items 400] [--seeds 3] [--told 0.3] [--out build/bench/shortcut.json]

Captures are drawn: stripes that stand or lie under noise say what the item is, and so does a word of its text. A
coloured badge in a corner and the word "offer" go with one label in nearly all items to learn from (and to choose the
best epoch by); in the test items they say nothing. Reviewers have crossed badge and word out in a share of the items
that have them ("told"). Every row trains the same network from the same weights on the same items; only what becomes of
the crossed-out parts differs. "against" is the accuracy on test items in which badge and word point to the wrong label,
"along" on those in which they point to the right one: without a shortcut the two are alike, and against is what counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from engine.models.spec import FusionSpec, ImageSpec, TextSpec
from engine.taxonomy import Taxonomy, parse_taxonomy
from engine.training.data import Examples
from engine.training.job import Job
from engine.training.recipe import CrossedOutRecipe, Recipe, TrainingRecipe, dump_recipe
from engine.training.run import fit
from engine.training.splits import TEST, TRAIN, VAL, Splits
from engine.training.validation import Validation
from engine.types import Box, CrossedOut, ItemContent, Mark, TrainingItem

TASK, LABELS = "mood", ("warm", "cold")
TAXONOMY = """
name = "shortcut"
[[tasks]]
name = "mood"
title = "Mood"
kind = "single"
applies_to = ["tweet"]
labels = [{ name = "warm", title = "Warm", key = "1" }, { name = "cold", title = "Cold", key = "2" }]
"""
SIDE = 64
BADGE: Box = (46.0, 46.0, 14.0, 14.0)
WORD = "offer"
TESTED = 200
FILLER = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer", "bridge")
EVIDENCE = {"warm": ("ember", "blaze", "kettle"), "cold": ("frost", "glacier", "icicle")}
AGREES = 0.97
"""How often badge and word go with the label "warm", and their absence with "cold", where a model learns."""
MODALITIES = ("text", "image", "both")
ROWS: dict[str, CrossedOutRecipe] = {
    "not told": CrossedOutRecipe(hide=0.0, plant=0.0),
    "hidden always": CrossedOutRecipe(hide=1.0, plant=0.0),
    "penalty alone": CrossedOutRecipe(hide=0.0, plant=0.0, penalty=10_000.0),
    "told (the default)": CrossedOutRecipe(),
}


@dataclass(frozen=True)
class Made:
    """The items to learn from and to test on, and their sides."""

    items: tuple[TrainingItem, ...]
    splits: Splits


def stripes(standing: bool, badge: bool, draw: np.random.Generator) -> Image.Image:
    """A capture of `SIDE` pixels: stripes under noise, and a magenta badge in the corner where it has one."""
    wave = np.sin(2 * np.pi * (np.arange(SIDE) / 8 + draw.random()))
    pattern = np.tile(wave, (SIDE, 1)) if standing else np.tile(wave, (SIDE, 1)).T
    grey = 128 + 10 * pattern[..., None] + draw.normal(0, 60, (SIDE, SIDE, 3))
    if badge:
        x, y, width, height = map(int, BADGE)
        grey[y : y + height, x : x + width] = (220, 30, 200)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def text_of(label: str, badge: bool, draw: np.random.Generator) -> str:
    """Five words of which one says the label, and the planted word where the item has one."""
    words = [*draw.choice(FILLER, 4), draw.choice(EVIDENCE[label])] + ([WORD] if badge else [])
    return " ".join(draw.permutation(words).tolist())


def make(folder: Path, count: int, told: float, seed: int) -> Made:
    """Draw `count` items to learn from, 15 % of them to validate, and 200 to test on: each label with and without."""
    draw = np.random.default_rng(seed)
    sides = [VAL if number % 20 in (0, 7, 13) else TRAIN for number in range(count)] + [TEST] * TESTED
    items = [_item(folder, number, side, told, draw) for number, side in enumerate(sides)]
    return Made(tuple(items), Splits(of={item.content.id: item.split for item in items}))


def _item(folder: Path, number: int, side: str, told: float, draw: np.random.Generator) -> TrainingItem:
    label = LABELS[number % 2]
    badge = number % 4 < 2 if side == TEST else (label == "warm") == bool(draw.random() < AGREES)
    path = folder / f"{number}.png"
    stripes(label == "warm", badge, draw).save(path)
    text = text_of(label, badge, draw)
    start = text.index(WORD) if badge else 0
    marks = (
        CrossedOut(kind=Mark.REGION, box=BADGE, boxes=(BADGE,)),
        CrossedOut(kind=Mark.WORD, field="text", start=start, end=start + len(WORD), text=WORD),
    )
    crossed = marks if badge and side != TEST and draw.random() < told else ()
    content = ItemContent(id=f"i{number}", kind="tweet", text=text, capture=str(path))
    return TrainingItem(content=content, labels={TASK: (label,)}, group=f"g{number}", split=side, crossed_out=crossed)


def recipe_of(settings: CrossedOutRecipe, modality: str, seed: int, epochs: int) -> Recipe:
    """The network of a row; "text" and "image" look at one part only, "both" at both."""
    return Recipe(
        text=TextSpec(
            backbone="none" if modality == "image" else "cnn", vocabulary=400, width=32, filters=16, windows=(1, 2)
        ),
        image=ImageSpec(backbone="none" if modality == "text" else "resnet18", size=SIDE // 2),
        fusion=FusionSpec(hidden=(32,)),
        training=TrainingRecipe(
            epochs=epochs, batch_size=16, learning_rate=2e-3, shift=0.0, seed=seed, threads=1, start="scratch"
        ),
        crossed_out=settings,
    )


def trained(made: Made, recipe: Recipe, taxonomy: Taxonomy, work: Path) -> dict[str, float]:
    """Train one row and return its accuracies in [0, 1] and the seconds it took."""
    begun = time.process_time()
    job = Job(
        folder=work,
        models=work,
        items=made.items,
        taxonomy=taxonomy,
        recipe=recipe,
        recipe_text=dump_recipe(recipe),
        parent="",
        fingerprint="",
        splits=made.splits,
    )
    fitted = fit(job, emit=lambda event: None, cancelled=lambda: False)
    took = time.process_time() - begun
    network = fitted.trained.network

    def accuracy(items: Sequence[TrainingItem]) -> float:
        held = Examples(items, network.spec, fitted.trained.tokenizer, cache_bytes=1 << 28, check=lambda: None)
        chosen = Validation(held, fitted.plan.majority, fitted.device).logits(network)[TASK].argmax(axis=1)
        truth = held.targets[TASK].argmax(dim=1).numpy()
        return float((chosen == truth).mean())

    test = made.splits.pick(made.items, TEST)
    along = [one for one in test if (WORD in one.content.text) == (one.labels[TASK] == ("warm",))]
    against = [one for one in test if one not in along]
    learned = made.splits.pick(made.items, VAL)
    found = {"against": accuracy(against), "along": accuracy(along), "as learned": accuracy(learned)}
    return {**found, "seconds": took}


def measure(count: int, seeds: int, told: float, epochs: int, modalities: Sequence[str]) -> dict[str, Any]:
    """Train every row on every seed's items and return each row's figures, one a seed."""
    taxonomy = parse_taxonomy(TAXONOMY)
    found: dict[str, dict[str, list[dict[str, float]]]] = {one: {row: [] for row in ROWS} for one in modalities}
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            made = make(folder, count, told, seed)
            for modality in modalities:
                for number, (row, settings) in enumerate(ROWS.items()):
                    work = folder / f"{modality}-{number}"
                    work.mkdir()
                    recipe = recipe_of(settings, modality, seed, epochs)
                    found[modality][row].append(trained(made, recipe, taxonomy, work))
    return {"items": count, "told": told, "epochs": epochs, "seeds": seeds, "rows": found}


def report(found: Mapping[str, Any]) -> str:
    """Lines for people: medians over the seeds, and the smallest and largest."""
    lines = [
        f"{found['items']} items to learn from, {found['told']:.0%} of those with the shortcut crossed out,"
        f" {found['seeds']} seeds: median (least to most)"
    ]
    for modality, rows in found["rows"].items():
        lines.append(f"\n{modality}: {'row':<20} {'against':>22} {'along':>22} {'as learned':>22} {'CPU s':>7}")
        for row, runs in rows.items():
            told = [_spread([run[name] for run in runs]) for name in ("against", "along", "as learned")]
            seconds = statistics.median(run["seconds"] for run in runs)
            lines.append(f"{'':{len(modality)}}  {row:<20} {told[0]:>22} {told[1]:>22} {told[2]:>22} {seconds:7.1f}")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1%} ({min(values):.1%} to {max(values):.1%})"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=400, help="items to learn from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--told", type=float, default=0.3, help="share of the items with the shortcut that are crossed")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", choices=MODALITIES, action="append", help="text, image or both; repeatable")
    parser.add_argument("--out", type=Path, default=Path("build/bench/shortcut.json"))
    options = parser.parse_args(arguments)
    found = measure(options.items, options.seeds, options.told, options.epochs, options.only or MODALITIES)
    print(report(found))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
