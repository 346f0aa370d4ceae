"""Scoring and training on a GPU with BERT-base and ResNet-18, beside what the GPU multiplies at most.

    python tests/benchmarks/gpu.py [--items 100000] [--epochs 20] [--out build/bench/gpu.json]

Needs no network: weights are random, which serves for speed. Without a GPU it says that nothing was measured and ends
well. `--small` runs the very same code with a few items and tiny networks, on a CPU if need be. Items take a few
thousand drawn captures in turn; each is decoded, or copied from the prepared ones, every time anew.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.models import checkpoint
from engine.models.network import build
from engine.models.predictor import Predictor
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.text import model_text
from engine.models.tokenizer import tokenizer_for
from engine.training.device import choose_device
from engine.training.recipe import TrainingRecipe
from engine.types import ItemContent, ModelCard, TrainingItem, Verdict
from tests.benchmarks.scoring import TOKENS, draw, make_encoder
from tests.benchmarks.scoring_child import Pixels, make_items
from tests.benchmarks.training_speed import Timed, make_loop, matrix_rate, operations

HEADS = (
    HeadSpec(task="hue", labels=("warm", "cold")),
    HeadSpec(task="parity", labels=("odd", "even", "third"), multi=True),
)
LIMITS = {"cached_seconds": 20.0, "files_seconds": 60.0, "training_seconds": 240.0}
"""What 100,000 items, and 20 epochs over 4,004 items, may take."""
COUNTED = 256
"""So many items are scored while torch counts operations."""


@dataclass(frozen=True)
class Sizes:
    """How much is scored and trained, with how large a network."""

    items: int
    captures: int
    training_items: int
    epochs: int
    matrix: int
    side: int
    encoder: dict[str, int]


FULL = Sizes(items=100_000, captures=2000, training_items=4004, epochs=20, matrix=8192, side=224, encoder={})
SMALL = Sizes(
    items=20,
    captures=4,
    training_items=8,
    epochs=1,
    matrix=64,
    side=32,
    encoder={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32},
)


def items_of(folder: Path, sizes: Sizes) -> list[ItemContent]:
    """Items of different words that take the drawn captures in turn."""
    drawn = make_items(folder, sizes.captures)
    draw(folder, drawn)
    paths = [str(item.capture) for item in drawn]
    return [
        msgspec.structs.replace(item, capture=paths[number % len(paths)])
        for number, item in enumerate(make_items(folder, sizes.items))
    ]


def save_model(folder: Path, encoder: str, items: Sequence[ItemContent], sizes: Sizes) -> None:
    """A network with random weights."""
    torch.manual_seed(0)
    text = TextSpec(backbone=encoder, max_tokens=TOKENS)
    spec = NetworkSpec(heads=HEADS, text=text, image=ImageSpec(size=sizes.side))
    tokenizer = tokenizer_for(spec, [model_text(item) for item in items[:100]])
    card = ModelCard(
        id=folder.name,
        created="",
        recipe="",
        tasks={head.task: head.labels for head in HEADS},
        multi=tuple(head.task for head in HEADS if head.multi),
        network=to_plain(spec),
    )
    checkpoint.save(folder, build(spec, tokenizer), card, tokenizer)


def prepared(predictor: Predictor, items: Sequence[ItemContent], sizes: Sizes) -> Pixels:
    """The captures as the network takes them, as bytes in memory."""
    with ThreadPoolExecutor() as pool:
        squares = list(pool.map(predictor.prepare, items[: sizes.captures]))
    return np.stack([square for square in squares if square is not None])


def timed(stream: Callable[[], Iterator[list[Verdict]]], expected: int) -> float:
    """Seconds until all verdicts are there."""
    start = time.perf_counter()
    found = sum(len(part) for part in stream())
    seconds = time.perf_counter() - start
    assert found == expected * len(HEADS)
    return seconds


def score(folder: Path, items: Sequence[ItemContent], sizes: Sizes, peak: float) -> dict[str, Any]:
    """Score all items from prepared captures, then from files."""
    predictor = Predictor.load(folder)
    pixels = prepared(predictor, items, sizes)
    decoded = [(item, pixels[number % len(pixels)]) for number, item in enumerate(items)]
    with FlopCounterMode(display=False) as counter:
        list(predictor.predict_prepared(decoded[:COUNTED]))
    counted = counter.get_total_flops() / len(decoded[:COUNTED])
    cached = timed(lambda: predictor.predict_prepared(decoded), len(items))
    files = timed(lambda: predictor.predict_stream(items), len(items))
    return {
        "how": predictor.device_name,
        "operations_per_item": counted,
        "cached_seconds": cached,
        "files_seconds": files,
        "cached_share_of_peak": counted * len(items) / cached / peak,
        "files_share_of_peak": counted * len(items) / files / peak,
        "gpu_memory_mb": _gpu_memory(),
    }


def train(encoder: str, items: Sequence[ItemContent], sizes: Sizes, peak: float) -> dict[str, Any]:
    """Train all weights for some epochs with the project's own loop, without validation."""
    device = choose_device()
    taught = [
        TrainingItem(
            content=item, labels={"hue": (("warm", "cold")[number % 2],), "parity": ("odd",)}, group=str(number)
        )
        for number, item in enumerate(items[number % len(items)] for number in range(sizes.training_items))
    ]
    settings = TrainingRecipe(epochs=sizes.epochs, batch_size=min(32, sizes.training_items), learning_rate=1e-4)
    clock = Timed(sizes.epochs * sizes.training_items)  # never ends the run
    loop = make_loop(taught, encoder, device, settings, clock)
    counted = operations(loop)
    start = time.perf_counter()
    loop.run()
    seconds = time.perf_counter() - start
    return {
        "training_how": device.words,
        "training_steps": loop.steps,
        "operations_per_step": counted,
        "training_seconds": seconds,
        "training_share_of_peak": counted * loop.steps / seconds / peak,
        "training_gpu_memory_mb": _gpu_memory(),
    }


def _gpu_memory() -> float:
    return torch.cuda.max_memory_allocated() / (1 << 20) if torch.cuda.is_available() else 0.0


def measure(sizes: Sizes) -> dict[str, Any]:
    """Everything, on the GPU if there is one."""
    device = choose_device().torch
    peak = matrix_rate(device, torch.bfloat16, sizes.matrix, repeats=20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = items_of(folder, sizes)
        encoder = make_encoder(folder / "encoder", items[: sizes.captures], **sizes.encoder)
        save_model(folder / "model", encoder, items, sizes)
        return {
            "measured": True,
            "small": sizes is SMALL,
            "items": sizes.items,
            "cpus": os.cpu_count(),
            "torch": str(torch.__version__),
            "bf16_matrix_rate": peak,
            **score(folder / "model", items, sizes, peak),
            "epochs": sizes.epochs,
            "training_items": sizes.training_items,
            **train(encoder, items, sizes, peak),
        }


def report(found: dict[str, Any]) -> str:
    """Lines for people."""
    if not found["measured"]:
        return f"not measured: {found['why']}"
    lines = [f"{found['how']}, bf16 matrices: {found['bf16_matrix_rate'] / 1e12:.1f} T operations/s"]
    rows = (
        ("cached_seconds", "cached_share_of_peak", f"{found['items']:,} items scored from prepared captures"),
        ("files_seconds", "files_share_of_peak", f"{found['items']:,} items scored from PNG files"),
        (
            "training_seconds",
            "training_share_of_peak",
            f"{found['epochs']} epochs over {found['training_items']:,} items, all weights",
        ),
    )
    for key, share, what in rows:
        limit = "" if found["small"] else f" (limit {LIMITS[key]:.0f} s)"
        lines.append(f"  {found[key]:8.1f} s{limit}, {found[share]:.1%} of that rate: {what}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=FULL.items)
    parser.add_argument("--epochs", type=int, default=FULL.epochs)
    parser.add_argument("--small", action="store_true", help="a few items and tiny networks, on any machine")
    parser.add_argument("--out", type=Path, default=Path("build/bench/gpu.json"))
    options = parser.parse_args(arguments)
    if options.small:
        found = measure(SMALL)
    elif torch.cuda.is_available():
        found = measure(replace(FULL, items=options.items, epochs=options.epochs))
    else:
        found = {"measured": False, "why": "no GPU"}
    print(report(found))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))


if __name__ == "__main__":
    main()
