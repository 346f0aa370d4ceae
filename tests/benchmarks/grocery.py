"""Photographs of groceries: image alone, text alone, both fused early and late, with the title, without, with scraps.

    python tests/benchmarks/grocery.py --data FOLDER [--task coarse|fine] [--texts title,masked,scraps] [--size 96]
        [--epochs 24] [--seeds 1] [--limit N] [--set K=V …] [--records FOLDER] [--out build/bench/grocery.json]

`--data` is a folder with `grocery_store/` (photographs and `metadata.jsonl`, split train and val); nothing of it is
copied but the pictures, as PNG, into the records' folder. Everything is trained from nothing: no ImageNet weights.

The data has one description a class, so a text is a class's name in other words, with the title or without; text alone
is then as good as perfect. What fusion is worth shows where neither part suffices: `scraps` leaves each item two words
of its description, drawn by its file name, and none that occurs in the name of a class.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from engine.cli.experiment import Follower, words_of
from engine.cli.signals import cancelled_by_signals
from engine.errors import EngineError
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.runner import Settings, run_table
from engine.training.experiment.sources import Source, load_items
from engine.training.experiment.table import Table
from engine.training.recipe import load_recipe
from engine.training.worker import be_modest
from engine.types import TrainingItem

IMAGE, TEXT, EARLY, LATE = "image alone", "text alone", "fusion, early", "fusion, late"
ROWS = {
    IMAGE: ["text.backbone=none"],
    TEXT: ["image.backbone=none"],
    EARLY: ["fusion.kind=early"],
    LATE: ["fusion.kind=late"],
}
TEXTS = ("title", "masked", "scraps")
SCRAPS = 2
RECIPE = """
[data]
val = 0.15
[text]
backbone = "cnn"
max_tokens = 64
vocabulary = 2000
width = 64
filters = 64
windows = [1, 2]
[image]
backbone = "resnet18"
weights = "scratch"
[fusion]
hidden = [256]
dropout = 0.3
drop_parts = 0.2
[training]
batch_size = 32
learning_rate = 1e-3
shift = 0.08
brightness = 0.3
best_by = "val-loss"
"""
_WORD = re.compile(r"\w+")


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 2 where the data is not there."""
    options = _options(arguments)
    folder = options.data / "grocery_store"
    if not (folder / "metadata.jsonl").is_file():
        sys.stderr.write(f"Not measured: there is no grocery_store/metadata.jsonl in {options.data}.\n")
        return 2
    be_modest()
    whole = load_items(folder, captures=options.records / "captures").only([options.task])
    settings = Settings(seeds=options.seeds)
    found: dict[str, Table] = {}
    with cancelled_by_signals() as cancelled, Follower(cancelled) as follower:
        for text in ("none", *options.texts.split(",")):
            rows = [_row(name, options) for name in ((IMAGE,) if text == "none" else (TEXT, EARLY, LATE))]
            source = with_text(whole, text).limited(options.limit)
            found[text] = run_table(rows, source, options.records, settings, follower.watch)
            print(words_of(found[text]), "\n", flush=True)  # noqa: T201
    sentences = {text: verdict(text, found) for text in found if text != "none"}
    print("\n".join(sentences.values()))  # noqa: T201
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        document = {"task": options.task, "limit": options.limit, "tables": found, "verdicts": sentences}
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    return 0


def verdict(text: str, found: dict[str, Table]) -> str:
    """Say whether each fusion is at least as good as the better part, in accuracy and in macro-F1."""
    blocks = {IMAGE: found["none"].blocks[0], **dict.fromkeys((TEXT, EARLY, LATE), found[text].blocks[0])}
    rows = {name: row for name, block in blocks.items() if (row := block.row(name)) is not None}
    if IMAGE not in rows or TEXT not in rows:
        return f"{text}: not compared, a part alone could not be measured."
    better = max((IMAGE, TEXT), key=lambda name: rows[name].macro_f1.mean)
    said = []
    for name in (EARLY, LATE):
        if name in rows:
            gap = 100 * (rows[name].macro_f1.mean - rows[better].macro_f1.mean)
            words = "at least as good as" if gap >= 0 else "NOT as good as"
            said.append(f"{name} {rows[name].macro_f1} is {words} {better} ({gap:+.1f} points)")
    return f"{text}: macro-F1 image {rows[IMAGE].macro_f1}, text {rows[TEXT].macro_f1}; {'; '.join(said)}."


def with_text(source: Source, kind: str) -> Source:
    """The same items with other words: "title" (title and description), "masked" (the description without the words
    of the classes' names), "scraps" (two of those words, drawn by the item's name) or "none".
    """
    names = {word for item in source.items for word in _words(f"{item.content.title} {_labels(item)}")}
    items = tuple(_reworded(item, kind, names) for item in source.items)
    return replace(source, name=f"{source.name}-{kind}", items=items)


def _reworded(item: TrainingItem, kind: str, names: set[str]) -> TrainingItem:
    if kind == "title":
        return item
    words = [] if kind == "none" else [word for word in _WORD.findall(item.content.text) if word.lower() not in names]
    if kind == "scraps":
        seed = int.from_bytes(hashlib.sha256(item.content.id.encode()).digest()[:8], "little")
        words = random.Random(seed).sample(words, min(SCRAPS, len(words)))
    return msgspec.structs.replace(item, content=msgspec.structs.replace(item.content, title="", text=" ".join(words)))


def _labels(item: TrainingItem) -> str:
    return " ".join(label for labels in item.labels.values() for label in labels)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text.replace("_", " "))]


def _row(name: str, options: argparse.Namespace) -> RecipeRow:
    overrides = [f"image.size={options.size}", f"training.epochs={options.epochs}", *ROWS[name], *options.set]
    return RecipeRow(name, load_recipe(RECIPE, overrides))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with grocery_store/")
    parser.add_argument("--task", choices=("coarse", "fine"), default="coarse", help="43 or 81 classes")
    parser.add_argument("--texts", default=",".join(TEXTS), help="which texts, with commas")
    parser.add_argument("--size", type=int, default=96, help="the side of the network's input in pixels")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--limit", type=int, default=0, help="at most so many items of each split")
    parser.add_argument("--set", action="append", default=[], help="change a setting of all recipes; repeatable")
    parser.add_argument("--records", type=Path, default=Path("build/bench/grocery-records"))
    parser.add_argument("--out", type=Path, default=None, help="write all figures as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
