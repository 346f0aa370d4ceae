"""Scoring captures with text: the same model run the naive way and by the predictor, in the same run.

    python tests/benchmarks/scoring.py [--items 240] [--repeats 5] [--out build/bench/scoring.json]

The naive way is what a first script does: eager 32-bit floats, one item at a time, text padded to 128 tokens. Both ways
run in processes of their own (so that peak memory is theirs alone) and take turns on the same items. Networks are
random but for their fusion and heads, which are fitted to two made-up tasks, so that verdicts differ between items.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image, ImageDraw

from engine.models import checkpoint
from engine.models.batches import image_batch
from engine.models.encoders import full_precision
from engine.models.images import prepare_capture
from engine.models.network import Batch, FusionNetwork, TextBatch, build
from engine.models.precision import PROBE_ITEMS
from engine.models.predictor import Predictor
from engine.models.scorer import Scorer
from engine.models.spec import CNN, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.text import model_text
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.types import ItemContent, ModelCard

SIDE = 600
TOKENS = 128
HEADS = (HeadSpec(task="hue", labels=("warm", "cold")), HeadSpec(task="word", labels=("with", "without")))
WORDS = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter", "summer", "bridge", "orange")
NAIVE_SHARE = 5
"""The naive way gets one item in this many, a different one each repeat, else a repeat takes minutes."""

Answers = dict[str, dict[str, float]]
"""The probability of each task's first label, per item."""


class Naive:
    """One item at a time, eager, 32-bit floats, text padded to the maximum."""

    def __init__(self, folder: Path) -> None:
        self._loaded = checkpoint.load(folder)
        self.name = f"eager fp32, one at a time, {TOKENS} tokens"

    @torch.no_grad()
    def run(self, items: Sequence[ItemContent]) -> Answers:
        return {item.id: self._one(item) for item in items}

    def _one(self, item: ItemContent) -> dict[str, float]:
        network, tokenizer = self._loaded.network, self._loaded.tokenizer
        assert tokenizer is not None
        tokens = tokenizer.encode([model_text(item)])[0]
        ids = torch.full((1, TOKENS), tokenizer.pad)
        ids[0, : len(tokens)] = torch.tensor(tokens)
        text = TextBatch(ids=ids, mask=torch.arange(TOKENS)[None] < len(tokens), present=torch.tensor([True]))
        image = image_batch([prepare_capture(item, network.spec.image)], network.spec.image.size)
        logits = network(Batch(text=text, image=image))
        return {task: float(torch.softmax(values[0], 0)[0]) for task, values in logits.items()}


class Ours:
    """The predictor as the engine uses it."""

    def __init__(self, folder: Path) -> None:
        self._predictor = Predictor.load(folder, "cpu")

    @property
    def name(self) -> str:
        return self._predictor.device_name

    def run(self, items: Sequence[ItemContent]) -> Answers:
        answers: Answers = {item.id: {} for item in items}
        for part in self._predictor.predict_stream(items):
            for verdict in part:
                answers[verdict.item][verdict.task] = next(iter(verdict.probabilities.values()))
        return answers


def child(way: str, folder: Path) -> None:
    """Answer requests, one line of item numbers each, with seconds, peak memory and answers."""
    items = make_items(folder.parent, len(list(folder.parent.glob("*.png"))))
    runner = Naive(folder) if way == "naive" else Ours(folder)
    for line in sys.stdin:
        chosen = [items[number] for number in json.loads(line)]
        start = time.perf_counter()
        answers = runner.run(chosen)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak": peak, "name": runner.name, "answers": answers}), flush=True)  # noqa: T201


class Child:
    """A way of scoring in a process of its own."""

    def __init__(self, way: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--child", way, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, numbers: Sequence[int]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(numbers)).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def make_items(folder: Path, count: int) -> list[ItemContent]:
    """Texts of 5 to 60 words beside the captures in `folder`; the same for the same count."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(5, 60, count)
    return [
        ItemContent(
            id=str(number),
            kind="tweet",
            text=" ".join(rng.choice(WORDS if number % 2 else WORDS[1:], length)),
            capture=str(folder / f"{number}.png"),
        )
        for number, length in enumerate(lengths)
    ]


def draw(folder: Path, items: Sequence[ItemContent]) -> None:
    """600×600 screenshots: a handle, the text, and in every other pair a photograph (shapes, sensor noise)."""
    rng = np.random.default_rng(2)
    for number, item in enumerate(items):
        hue = (235, 120, 90) if number % 3 else (90, 120, 235)
        page = Image.new("RGB", (SIDE, SIDE), "white")
        pen = ImageDraw.Draw(page)
        pen.ellipse((16, 16, 64, 64), fill=hue)
        words = item.text.split()
        for row in range(0, len(words), 10):
            pen.text((20, 80 + 3 * row), " ".join(words[row : row + 10]), fill=(15, 20, 25), font_size=15)
        if number % 4 < 2:
            page.paste(_photograph(rng, hue), (20, 270))
        else:
            pen.rectangle((20, 270, 580, 580), fill=hue)
        page.save(folder / f"{number}.png")


def _photograph(rng: np.random.Generator, hue: tuple[int, int, int]) -> Image.Image:
    coarse = np.clip(rng.integers(-90, 90, (8, 14, 3)) + np.array(hue), 0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((560, 310), Image.Resampling.BICUBIC), dtype=np.float64)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8))


def make_model(folder: Path, backbone: str, items: Sequence[ItemContent]) -> None:
    """A network with random backbones, its fusion and heads fitted to the items' made-up labels."""
    torch.manual_seed(3)
    spec = NetworkSpec(heads=HEADS, text=TextSpec(backbone=backbone, max_tokens=TOKENS), image=ImageSpec())
    tokenizer = tokenizer_for(spec, [item.text for item in items])
    network = build(spec, tokenizer).eval()
    _fit(network, tokenizer, items)
    tasks = {head.task: head.labels for head in HEADS}
    card = ModelCard(id=folder.name, created="", recipe="", tasks=tasks, network=to_plain(spec))
    checkpoint.save(folder, network, card, tokenizer)


def _fit(network: FusionNetwork, tokenizer: TextTokenizer | None, items: Sequence[ItemContent]) -> None:
    scorer = Scorer(network, tokenizer, {}, full_precision(network), torch.device("cpu"))
    text = scorer.text_vectors([item.text for item in items]).clone()
    image = scorer.square_vectors([prepare_capture(item, network.spec.image) for item in items]).clone()
    targets = {
        "hue": torch.tensor([number % 3 == 0 for number in range(len(items))]).long(),
        "word": torch.tensor([WORDS[0] not in item.text for item in items]).long(),
    }
    optimiser = torch.optim.Adam([*network.fusion.parameters(), *network.heads.parameters()], lr=1e-3)
    for _ in range(30):  # few, so that probabilities stay away from 0 and 1 and differences show
        logits = network.fuse(text, image)
        loss = torch.stack([torch.nn.functional.cross_entropy(logits[task], targets[task]) for task in targets]).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def make_encoder(folder: Path, items: Sequence[ItemContent]) -> str:
    """A randomly initialised encoder of BERT-base's size, with a word-piece vocabulary of its own, in a folder."""
    from transformers import AutoModel, BertConfig, BertTokenizer

    folder.mkdir()
    words = sorted({word for item in items for word in item.text.split()})
    vocabulary = {token: at for at, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(4)
    AutoModel.from_config(BertConfig(vocab_size=30_000)).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return str(folder)


def compare(folder: Path, count: int, repeats: int) -> dict[str, Any]:
    """Let both ways take turns on the model in `folder`."""
    naive, ours = Child("naive", folder), Child("ours", folder)
    try:
        naive.run(range(8))
        first = ours.run([number % count for number in range(PROBE_ITEMS + 56)])
        settled = ours.run([number % count for number in range(PROBE_ITEMS)])
        rounds = [
            (naive.run(range(turn % NAIVE_SHARE, count, NAIVE_SHARE)), ours.run(range(count)))
            for turn in range(repeats)
        ]
        return _summary(rounds, first["seconds"] + settled["seconds"], 2 * PROBE_ITEMS + 56)
    finally:
        naive.close()
        ours.close()


def _summary(rounds: Sequence[tuple[dict[str, Any], dict[str, Any]]], first: float, first_items: int) -> dict[str, Any]:
    rates = [[len(one["answers"]) / one["seconds"] for one in way] for way in zip(*rounds, strict=True)]
    ratios = [fast / slow for slow, fast in zip(*rates, strict=True)]
    pairs = [
        (probability, ours["answers"][item][task])
        for naive, ours in rounds
        for item, tasks in naive["answers"].items()
        for task, probability in tasks.items()
    ]
    return {
        "naive": {"how": rounds[-1][0]["name"], **_spread(rates[0]), "peak_rss_mb": rounds[-1][0]["peak"]},
        "ours": {"how": rounds[-1][1]["name"], **_spread(rates[1]), "peak_rss_mb": rounds[-1][1]["peak"]},
        "ratio": _spread(ratios),
        "verdicts_compared": len(pairs),
        "agreement": statistics.mean((slow >= 0.5) == (fast >= 0.5) for slow, fast in pairs),
        "mean_difference": statistics.mean(abs(slow - fast) for slow, fast in pairs),
        "share_of_first_label": statistics.mean(slow >= 0.5 for slow, _ in pairs),
        "first_items": {"items": first_items, "items_per_second": first_items / first},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def report(name: str, result: dict[str, Any]) -> str:
    """Lines for people."""
    lines = [name]
    for way in ("naive", "ours"):
        one = result[way]
        lines.append(
            f"  {one['median']:7.1f} items/s ({one['least']:.1f}–{one['most']:.1f})  "
            f"peak {one['peak_rss_mb']:5.0f} MB  {way}: {one['how']}"
        )
    ratio, first = result["ratio"], result["first_items"]
    lines.append(
        f"  {ratio['median']:7.2f} × naive ({ratio['least']:.2f}–{ratio['most']:.2f}); verdicts agree "
        f"{100 * result['agreement']:.1f} % of {result['verdicts_compared']}, probabilities differ by "
        f"{result['mean_difference']:.4f}; a job of {first['items']} items from a fresh start, with the check of the "
        f"arithmetic: {first['items_per_second']:.1f} items/s"
    )
    return "\n".join(lines)


def measure(count: int, repeats: int) -> dict[str, Any]:
    """Make captures and models in a temporary folder and compare both ways on them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = make_items(folder, count)
        draw(folder, items)
        sizes = [Path(item.capture).stat().st_size / 1024 for item in items if item.capture]
        models = {"ResNet-18 + text CNN": CNN, "ResNet-18 + BERT-base": make_encoder(folder / "encoder", items)}
        results: dict[str, Any] = {"captures_kb": _spread(sizes), "items": count, "cpus": os.cpu_count()}
        for number, (title, backbone) in enumerate(models.items()):
            model = folder / f"model-{number}"
            make_model(model, backbone, items)
            results[title] = compare(model, count, repeats)
            print(report(title, results[title]))  # noqa: T201
        return results


def main() -> None:
    """Run the benchmark, or one of its children."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/bench/scoring.json"))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    results = measure(options.items, options.repeats)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))


if __name__ == "__main__":
    main()
