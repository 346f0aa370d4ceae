"""How fast a fusion network trains, beside what the machine multiplies at most: measured in the same run.

    python tests/benchmarks/training_speed.py [--items 4000] [--steps 12] [--bert] [--out FILE]

The project's own loop trains on generated captures with texts for a few steps; the time of an epoch is their median
times the steps of an epoch. Operations are counted by torch while one step runs (padding counts: it is multiplied too),
and put beside the rate of one large matrix multiplication in 32-bit floats and in bfloat16. Nothing here is a score.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import CancelledError
from engine.models import minilm
from engine.models.network import build
from engine.models.registry import CNN, MINILM
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec
from engine.models.text import model_text
from engine.models.tokenizer import tokenizer_for
from engine.training.data import Examples
from engine.training.device import Device, choose_device
from engine.training.loop import Callback, Loop, Scores
from engine.training.losses import losses_for
from engine.training.recipe import TrainingRecipe
from engine.types import ItemContent, TrainingItem
from tests.benchmarks.scoring import TOKENS, draw, make_encoder
from tests.benchmarks.scoring_child import make_items, memory

HEADS = (
    HeadSpec(task="hue", labels=("warm", "cold")),
    HeadSpec(task="parity", labels=("odd", "even", "third"), multi=True),
)
DISTINCT = 200
"""So many different captures are drawn; items take them in turn. Each item's is decoded and kept by itself."""


class Timed(Callback):
    """Notes when each step ended, and ends the run after so many."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.ends = [time.perf_counter()]

    def started(self) -> None:
        """See `Callback`."""
        self.ends = [time.perf_counter()]

    def step_ended(self) -> None:
        """See `Callback`."""
        if self.loop.device.torch.type == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        if len(self.ends) > self._steps:
            raise CancelledError

    @property
    def seconds(self) -> list[float]:
        """Seconds of each step but the first, which also warms up."""
        return [end - start for start, end in zip(self.ends[1:], self.ends[2:], strict=False)]


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int, repeats: int = 5) -> float:
    """Operations a second of the best of some multiplications of two (size, size) matrices."""
    one, other = torch.randn(size, size, device=device).to(dtype), torch.randn(size, size, device=device).to(dtype)
    best = 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        product = one @ other
        product.flatten()[:1].cpu()  # waits for a GPU
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def training_items(folder: Path, count: int) -> list[TrainingItem]:
    """Items with two made-up answers each."""
    drawn = make_items(folder, min(DISTINCT, count))
    draw(folder, drawn)
    texts = make_items(folder, count)
    return [
        TrainingItem(
            content=ItemContent(
                id=one.id, kind="tweet", text=one.text, capture=str(folder / f"{number % len(drawn)}.png")
            ),
            labels={"hue": ("warm" if number % 3 == 0 else "cold",), "parity": ("odd" if number % 2 else "even",)},
            group=one.id,
        )
        for number, one in enumerate(texts)
    ]


def make_loop(
    items: Sequence[TrainingItem], backbone: str, device: Device, settings: TrainingRecipe, callback: Callback
) -> Loop:
    """The project's loop over the items, with a random image backbone and no validation."""
    torch.manual_seed(0)
    spec = NetworkSpec(heads=HEADS, text=TextSpec(backbone=backbone, max_tokens=TOKENS), image=ImageSpec())
    tokenizer = tokenizer_for(spec, [model_text(item.content) for item in items])
    network = build(spec, tokenizer).to(device.torch)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    examples = Examples(items, spec, tokenizer, cache_bytes=1 << 30, check=lambda: None)
    losses = losses_for(settings, HEADS, examples.targets, {}).to(device.torch)
    return Loop(network, examples, losses, settings, device, validate=lambda: Scores(0.0, {}), callbacks=[callback])


def operations(loop: Loop) -> int:
    """Multiplications and additions of one step, forward and backward, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        loop._gradients(loop._batches(0)[0])
    return int(counter.get_total_flops())


def measure(items: Sequence[TrainingItem], backbone: str, steps: int, rates: dict[str, float]) -> dict[str, Any]:
    """Train for some steps."""
    device = choose_device()
    timed = Timed(steps)
    settings = TrainingRecipe(epochs=1, batch_size=32, learning_rate=1e-4)
    begun = time.perf_counter()
    loop = make_loop(items, backbone, device, settings, timed)
    ready = time.perf_counter() - begun
    counted = operations(loop)
    with contextlib.suppress(CancelledError):
        loop.run()
    step = statistics.median(timed.seconds)
    rate = counted / step
    return {
        "device": device.words,
        "steps": len(timed.seconds),
        "step_seconds": {"median": step, "least": min(timed.seconds), "most": max(timed.seconds)},
        "items_per_second": settings.batch_size / step,
        "epoch_seconds": step * loop.steps_per_epoch,
        "ready_seconds": ready,
        "operations_per_step": counted,
        "operations_per_second": rate,
        "share_of_matrix_rate": {name: rate / most for name, most in rates.items()},
        "peak_rss_mb": memory()["peak"],
    }


def report(title: str, one: dict[str, Any]) -> str:
    """Lines for people."""
    shares = ", ".join(f"{share:.0%} of {name}" for name, share in one["share_of_matrix_rate"].items())
    step = one["step_seconds"]
    return (
        f"{title}: {one['epoch_seconds']:.0f} s an epoch (median of {one['steps']} steps: {step['median']:.2f} s, "
        f"{step['least']:.2f}–{step['most']:.2f}), {one['items_per_second']:.1f} items/s, "
        f"peak {one['peak_rss_mb']:.0f} MB, {one['operations_per_second'] / 1e9:.0f} G operations/s: {shares}; "
        f"{one['device']}"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--matrix", type=int, default=2048, help="side of the matrices to compare with")
    parser.add_argument("--bert", action="store_true", help="also a (random) encoder of BERT-base's size")
    parser.add_argument("--only", default="", help="only networks with this in their title, such as cnn")
    parser.add_argument("--out", type=Path, default=Path("build/bench/training_speed.json"))
    options = parser.parse_args()
    device = choose_device().torch
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    rates = {name: matrix_rate(device, kind, options.matrix) for name, kind in kinds.items()}
    results: dict[str, Any] = {"items": options.items, "cpus": os.cpu_count(), "matrix_rates": rates}
    print(*(f"{name} matrices: {rate / 1e9:.0f} G operations/s" for name, rate in rates.items()), sep="\n")  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        items = training_items(Path(name), options.items)
        for title, backbone in backbones(Path(name), items, options.bert).items():
            if options.only.lower() in title.lower():
                results[title] = measure(items, backbone, options.steps, rates)
                print(report(title, results[title]), flush=True)  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))


def backbones(folder: Path, items: Sequence[TrainingItem], bert: bool) -> dict[str, str]:
    """The text backbone by the network's title."""
    found = {"ResNet-18 + text CNN": CNN}
    if minilm.folder() is not None:
        found["ResNet-18 + MiniLM"] = MINILM
    if bert:
        found["ResNet-18 + BERT-base"] = make_encoder(folder / "encoder", [item.content for item in items])
    return found


if __name__ == "__main__":
    main()
