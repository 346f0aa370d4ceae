"""Which method finds what was planted? Captures with a badge in a corner and a certain word; a small model learns both.

    python tests/benchmarks/planted.py [--methods all] [--items 40] [--captures 400] [--size 128] [--epochs 3]
        [--threads N] [--seed 0] [--out FILE]

The model (ResNet-18 at `--size` pixels from nothing, a text CNN) sees `--captures` captures. The methods explain
others: those that have the badge or the word and that the model judges rightly. Printed beside a row of random
weights: how often the strongest superpixel or word is the planted one (pointing game), how much of the positive weight
lies in it, and its mean rank.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from engine.cli.output import table
from engine.errors import EngineError, InputError
from engine.explain.faithfulness.measure import RANDOM, spread
from engine.explain.faithfulness.planted import (
    BADGE,
    LABELS,
    WITH,
    WORD,
    Found,
    Planted,
    find_badge,
    find_word,
    plant,
)
from engine.explain.methods import METHODS, explain_by
from engine.models import checkpoint
from engine.models.batches import image_batch, text_batch
from engine.models.images import prepare_capture
from engine.models.network import Batch, FusionNetwork, build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.text import model_text
from engine.models.tokenizer import tokenizer_for
from engine.types import Explanation, ModelCard

FINDERS: dict[str, Callable[[Explanation, Planted], Found | None]] = {BADGE: find_badge, WORD: find_word}
BATCH, RATE, TEXT_EPOCHS = 16, 2e-3, 12


def train(folder: Path, captures: Sequence[Planted], *, size: int = 128, epochs: int = 3, seed: int = 0) -> Predictor:
    """A small model that answers both tasks, in `folder`, which must not exist yet."""
    torch.manual_seed(seed)
    spec = NetworkSpec(
        heads=tuple(HeadSpec(task=task, labels=LABELS) for task in (BADGE, WORD)),
        text=TextSpec(vocabulary=600, width=32, filters=32, max_tokens=48),
        image=ImageSpec(size=size),
        fusion=FusionSpec(hidden=(32,), dropout=0.0, drop_parts=0.0),
    )
    tokenizer = tokenizer_for(spec, [one.content.text for one in captures])
    network = build(spec, tokenizer)
    _fit(network, captures, lambda texts: tokenizer.encode(texts) if tokenizer is not None else [], epochs, seed)
    tasks: dict[str, tuple[str, ...]] = dict.fromkeys((BADGE, WORD), LABELS)
    card = ModelCard(id=folder.name, created="", recipe="", tasks=tasks, network=to_plain(spec))
    checkpoint.save(folder, network.eval(), card, tokenizer)
    predictor = Predictor.load(folder, "cpu")
    predictor.trust_encoders()
    return predictor


def _fit(
    network: FusionNetwork,
    captures: Sequence[Planted],
    encode: Callable[[Sequence[str]], list[list[int]]],
    epochs: int,
    seed: int,
) -> None:
    """Train on texts alone first, which costs little, then on captures; rates fall to nothing in both."""
    ids = encode([model_text(one.content) for one in captures])
    squares = [prepare_capture(one.content, network.spec.image) for one in captures]

    def batch(rows: Sequence[int], *, seen: bool) -> Batch:
        text = text_batch([ids[row] for row in rows], [True] * len(rows), 0)
        image = image_batch([squares[row] for row in rows], network.spec.image.size) if seen else None
        return Batch(text=text, image=image)

    targets = {task: torch.tensor([LABELS.index(one.labels[task]) for one in captures]) for task in (BADGE, WORD)}
    _run(network, lambda rows: batch(rows, seen=False), {WORD: targets[WORD]}, TEXT_EPOCHS, seed)
    _run(network, lambda rows: batch(rows, seen=True), targets, epochs, seed)


def _run(
    network: FusionNetwork,
    batch: Callable[[Sequence[int]], Batch],
    targets: Mapping[str, torch.Tensor],
    epochs: int,
    seed: int,
) -> None:
    count = len(next(iter(targets.values())))
    steps = epochs * (count // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    random = np.random.default_rng(seed)
    network.train()
    for _ in range(epochs):
        for rows in random.permutation(count)[: count // BATCH * BATCH].reshape(-1, BATCH).tolist():
            logits = network(batch(rows))
            losses = [torch.nn.functional.cross_entropy(logits[task], of[rows]) for task, of in targets.items()]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def questions(predictor: Predictor, captures: Sequence[Planted], task: str) -> tuple[list[Planted], float]:
    """The captures that have what the task asks for and are judged so, and the task's accuracy on all of them."""
    verdicts = {v.item: v.label for v in predictor.predict([one.content for one in captures]) if v.task == task}
    right = [verdicts[one.content.id] == one.labels[task] for one in captures]
    chosen = [one for one, well in zip(captures, right, strict=True) if well and one.labels[task] == WITH]
    return chosen, float(np.mean(right))


def finds(explain: Callable[[Planted], Explanation], chosen: Sequence[Planted], task: str) -> list[Found]:
    """How well explanations of these captures find what was planted; empty where the method says nothing of it."""
    return [one for planted in chosen if (one := FINDERS[task](explain(planted), planted)) is not None]


def at_random(explanation: Explanation, random: np.random.Generator) -> Explanation:
    """The same superpixels and words with random weights."""
    words = {token.text: float(random.normal()) for token in explanation.tokens}
    replaced = msgspec.structs.replace
    return replaced(
        explanation,
        tokens=tuple(replaced(token, weight=words[token.text]) for token in explanation.tokens),
        segments=tuple(replaced(segment, weight=float(random.normal())) for segment in explanation.segments),
    )


def measure(predictor: Predictor, chosen: Sequence[Planted], task: str, methods: Sequence[str], seed: int) -> Any:
    """Rows by method: hits, share and rank with their spread, seconds and CPU seconds an explanation."""
    rows: dict[str, Any] = {}
    random = np.random.default_rng(seed)
    kept: dict[str, Explanation] = {}
    for method in methods:

        def explained(planted: Planted, method: str = method) -> Explanation:
            found = explain_by(method, predictor, planted.content, task, WITH, seed=seed)
            if found.tokens and found.segments:
                kept[found.item] = found
            return found

        begun, cpu = time.perf_counter(), time.process_time()
        try:
            found = finds(explained, chosen, task)
        except InputError as error:
            sys.stderr.write(f"{method} is left out: {error}\n")
            continue
        if found:
            rows[method] = row(found)
            rows[method]["seconds"] = (time.perf_counter() - begun) / len(chosen)
            rows[method]["cpu_seconds"] = (time.process_time() - cpu) / len(chosen)
    known = [planted for planted in chosen if planted.content.id in kept]
    if known:
        rows[RANDOM] = row(finds(lambda planted: at_random(kept[planted.content.id], random), known, task))
    return rows


def row(found: Sequence[Found]) -> dict[str, Any]:
    """What is reported of a method on one task."""
    return {
        "hits": spread([float(one.hit) for one in found]),
        "share": spread([one.share for one in found]),
        "rank": spread([float(one.rank) for one in found]),
    }


def words_of(found: dict[str, Any]) -> str:
    """The tables as people read them."""
    blocks = []
    for task in (BADGE, WORD):
        one = found[task]
        lines = [
            [
                name,
                *(f"{row[key].mean:.2f} ± {row[key].error or 0:.2f}" for key in ("hits", "share", "rank")),
                f"{row['cpu_seconds']:.2f}" if "cpu_seconds" in row else "–",
            ]
            for name, row in one["rows"].items()
        ]
        head = f"{task}: {one['items']} captures have it and are judged so; accuracy on all {one['accuracy']:.0%}."
        blocks.append(f"{head}\n{table([task, 'hit (high)', 'share inside (high)', 'rank (low)', 'CPU s'], lines)}")
    return "\n\n".join(blocks)


def main(arguments: Sequence[str]) -> int:
    """Train, explain, print and write."""
    options = _options(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    methods = list(METHODS) if options.methods == "all" else options.methods.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learned = plant(folder / "train", options.captures, options.seed)
        others = plant(folder / "others", 2 * options.items + 2, options.seed + 1)
        predictor = train(folder / "model", learned, size=options.size, epochs=options.epochs, seed=options.seed)
        found: dict[str, Any] = {"size": options.size, "captures": options.captures, "seed": options.seed}
        for task in (BADGE, WORD):
            chosen, accuracy = questions(predictor, others, task)
            chosen = chosen[: options.items]
            rows = measure(predictor, chosen, task, methods, options.seed)
            found[task] = {"items": len(chosen), "accuracy": accuracy, "rows": rows}
    print(words_of(found))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="all", help="which methods, with commas")
    parser.add_argument("--items", type=int, default=40, help="at most so many captures are explained for each task")
    parser.add_argument("--captures", type=int, default=400, help="how many the model learns from")
    parser.add_argument("--size", type=int, default=128, help="of the network's square, in pixels")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/bench/planted.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
