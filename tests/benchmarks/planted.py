"""Which method finds what was planted? Captures with a badge in a corner and a certain word; a small model learns both.

    python tests/benchmarks/planted.py [--methods all] [--items 40] [--captures 400] [--size 128] [--epochs 3]
        [--threads N] [--seed 0] [--keep FOLDER] [--out FILE]

The model (ResNet-18 at `--size` pixels from nothing, a text CNN) sees `--captures` captures. The methods explain
others: those that have the badge or the word and that the model judges rightly. Printed beside a row of random
weights and one of the `lime` library itself (`lime_image` and `lime_text` with their defaults): how often the strongest
superpixel or word is the planted one (pointing game), how much of the positive weight lies in it, and its mean rank.

Captures, model and every finished explanation are kept in `--keep`: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from lime.lime_text import LimeTextExplainer
from PIL import Image

from engine import explain
from engine.cli.output import table
from engine.errors import EngineError, InputError
from engine.explain.faithfulness.measure import RANDOM, spread
from engine.explain.faithfulness.planted import (
    BADGE,
    LABELS,
    THE_WORD,
    WITH,
    WORD,
    Found,
    Planted,
    find_badge,
    find_word,
    found,
    plant,
    share_inside,
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
from tests.benchmarks.kept_rows import KeptRows, code_version

FINDERS: dict[str, Callable[[Explanation, Planted], Found | None]] = {BADGE: find_badge, WORD: find_word}
BATCH, RATE, TEXT_EPOCHS = 16, 2e-3, 12
LIBRARY = "lime library"
FRAME = "occlusion"
"""Whose superpixels and words the random weights are given to: all methods have the same."""
WORDS = 100
"""More than a text here has."""


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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Throw away what the library prints on standard error (a progress bar)."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def library(predictor: Predictor, planted: Planted, task: str, seed: int, samples: int) -> Found:
    """How well `lime_image` or `lime_text` finds what was planted."""
    column = predictor.card.tasks[task].index(WITH)
    pixels = predictor.pixels(planted.content)
    assert pixels is not None
    text = predictor.text_vectors([predictor.text_of(planted.content)])
    image = predictor.image_vectors(torch.from_numpy(pixels)[None])

    def see(screenshots: Sequence[Any]) -> Any:
        squares = [np.asarray(Image.fromarray(one).resize(pixels.shape[1:])) for one in screenshots]
        vectors = predictor.image_vectors(torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2) / np.float32(255)))
        return predictor.probabilities(task, text.expand(len(vectors), -1), vectors)

    def read(texts: Sequence[str]) -> Any:
        vectors = predictor.text_vectors(texts)
        return predictor.probabilities(task, vectors, image.expand(len(vectors), -1))

    if task == WORD:
        told = LimeTextExplainer(random_state=seed).explain_instance(
            planted.content.text, read, labels=(column,), num_features=WORDS, num_samples=samples
        )
        weights = dict(told.as_list(column))
        return found(np.array(list(weights.values())), np.array([float(word == THE_WORD) for word in weights]))
    assert planted.content.capture is not None
    assert planted.box is not None
    with Image.open(planted.content.capture) as screenshot, quiet():
        seen = LimeImageExplainer(random_state=seed).explain_instance(
            np.asarray(screenshot.convert("RGB")),
            see,
            labels=(column,),
            top_labels=None,
            num_samples=samples,
            random_seed=seed,
        )
    inside = share_inside(seen.segments, planted.box, screenshot.width, screenshot.height)
    return found(np.array([weight for _, weight in sorted(seen.local_exp[column])]), inside)


def at_random(explanation: Explanation, random: np.random.Generator) -> Explanation:
    """The same superpixels and words with random weights."""
    words = {token.text: float(random.normal()) for token in explanation.tokens}
    replaced = msgspec.structs.replace
    return replaced(
        explanation,
        tokens=tuple(replaced(token, weight=words[token.text]) for token in explanation.tokens),
        segments=tuple(replaced(segment, weight=float(random.normal())) for segment in explanation.segments),
    )


class Asked(NamedTuple):
    """A method, and what it is asked of every capture; `samples` are the library's."""

    method: str
    predictor: Predictor
    task: str
    seed: int
    samples: int


def found_by(asked: Asked, planted: Planted) -> Found | None:
    """How well a method's explanation finds what was planted; None where the method says nothing of it."""
    method, predictor, task, seed, samples = asked
    if method == LIBRARY:
        return library(predictor, planted, task, seed, samples)
    if method == RANDOM:
        number = int(planted.content.id.rpartition("-")[2])
        frame = explain_by(FRAME, predictor, planted.content, task, WITH, seed=seed)
        return FINDERS[task](at_random(frame, np.random.default_rng([seed, number])), planted)
    return FINDERS[task](explain_by(method, predictor, planted.content, task, WITH, seed=seed), planted)


def one_row(asked: Asked, planted: Planted) -> dict[str, Any]:
    """What is kept of one explanation; nothing but its time where the method says nothing of the task."""
    begun, cpu = time.perf_counter(), time.process_time()
    one = found_by(asked, planted)
    spent = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - cpu}
    return spent if one is None else {"hit": one.hit, "share": one.share, "rank": one.rank, **spent}


def measure(asked: Sequence[Asked], chosen: Sequence[Planted], kept: KeptRows) -> dict[str, Any]:
    """Rows by method: hits, share and rank with their spread, seconds and CPU seconds an explanation."""
    rows: dict[str, Any] = {}
    for one in asked:
        names = [f"{one.task} {one.method} {planted.content.id}" for planted in chosen]
        measures = [functools.partial(one_row, one, planted) for planted in chosen]
        try:
            every = [kept.row(name, run) for name, run in zip(names, measures, strict=True)]
        except InputError as error:
            sys.stderr.write(f"{one.method} is left out: {error}\n")
            continue
        told = [row for row in every if "hit" in row]
        if told:
            rows[one.method] = row_of(told)
    return rows


def row_of(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is reported of a method on one task."""
    return {
        "hits": spread([float(one["hit"]) for one in told]),
        "share": spread([one["share"] for one in told]),
        "rank": spread([float(one["rank"]) for one in told]),
        "seconds": sum(one["seconds"] for one in told) / len(told),
        "cpu_seconds": sum(one["cpu_seconds"] for one in told) / len(told),
    }


def words_of(found: dict[str, Any]) -> str:
    """The tables of what was written as people read them."""
    blocks = []
    for task in (BADGE, WORD):
        one = found[task]
        lines = [
            [
                name,
                *(f"{row[key]['mean']:.2f} ± {row[key]['error'] or 0:.2f}" for key in ("hits", "share", "rank")),
                f"{row['cpu_seconds']:.2f}",
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
    methods = [*(METHODS if options.methods == "all" else options.methods.split(",")), LIBRARY, RANDOM]
    sizes = {"size": options.size, "captures": options.captures, "epochs": options.epochs, "seed": options.seed}
    folder = options.keep / "-".join(str(size) for size in sizes.values())
    learned = plant(folder / "train", options.captures, options.seed)
    others = plant(folder / "others", 2 * options.items + 2, options.seed + 1)
    if (folder / "model").exists():
        predictor = Predictor.load(folder / "model", "cpu")
        predictor.trust_encoders()
    else:
        predictor = train(folder / "model", learned, size=options.size, epochs=options.epochs, seed=options.seed)
    code = [Path(explain.__path__[0]) / name for name in (".", "methods", "faithfulness")]
    about = {"code": code_version([*code, Path(__file__)]), "samples": options.library_samples}
    kept = KeptRows(folder / "rows.jsonl", about)
    results: dict[str, Any] = {**sizes}
    for task in (BADGE, WORD):
        chosen, accuracy = questions(predictor, others, task)
        chosen = chosen[: options.items]
        asked = [Asked(method, predictor, task, options.seed, options.library_samples) for method in methods]
        rows = measure(asked, chosen, kept)
        results[task] = {"items": len(chosen), "accuracy": accuracy, "rows": rows}
    written = msgspec.json.encode(results)
    print(words_of(msgspec.json.decode(written)))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(written, indent=2))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="all", help="which methods, with commas")
    parser.add_argument("--items", type=int, default=40, help="at most so many captures are explained for each task")
    parser.add_argument("--captures", type=int, default=400, help="how many the model learns from")
    parser.add_argument("--size", type=int, default=128, help="of the network's square, in pixels")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--library-samples", type=int, default=1000, help="which the lime library draws")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("build/bench/planted"), help="where what is done is kept")
    parser.add_argument("--out", type=Path, default=Path("build/bench/planted.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as error:
        sys.exit(str(error))
