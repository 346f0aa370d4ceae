"""Scoring captures with text: the same model run the naive way and by the predictor, in the same run.

    python tests/benchmarks/scoring.py [--items 240] [--repeats 5] [--only minilm] [--pooling mean]
        [--out build/bench/scoring.json]

The naive way is what a first script does: eager 32-bit floats, one item at a time, text padded to 128 tokens. Every way
runs in a process of its own (so that peak memory is its own alone) and they take turns on the same items: from PNG
files, and from screenshots that were prepared before (224×224 bytes in a file mapped into memory). A process before
them scores enough items for the check of the arithmetic, so that ours starts with what that left beside the model.

A text's vector is what its encoder is used with: of BERT-base the first token's (as in `resources/recipes/table1`), of
MiniLM the mean of all; `--pooling` sets it for both. Every way of scoring gets the same model.

What is trained: ResNet-18 wholly and from nothing, the text CNN wholly, of BERT-base (random: no pretrained one can be
fetched here) and of MiniLM (pretrained) the last layer, fusion and heads always; on two made-up tasks.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image, ImageDraw

from engine.models import checkpoint, minilm, proof
from engine.models.backbones import HuggingFaceEncoder
from engine.models.batches import image_batch, text_batch
from engine.models.images import prepare_capture
from engine.models.likeness import PROBE_ITEMS
from engine.models.network import Batch, FusionNetwork, TextBatch, build
from engine.models.registry import CNN, MINILM
from engine.models.spec import POOLINGS, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.text import model_text
from engine.models.tokenizer import tokenizer_for
from engine.types import ItemContent, ModelCard
from tests.benchmarks.scoring_child import CACHED, PIXELS, WORDS, Answers, Pixels, answer, items_and_pixels, make_items

SIDE = 600
TOKENS = 128
HEADS = (HeadSpec(task="hue", labels=("warm", "cold")), HeadSpec(task="word", labels=("with", "without")))
NAIVE_SHARE = 5
"""The naive way gets one item in this many, a different one each repeat, else a repeat takes minutes."""

WAYS = ("naive", "ours", f"naive-{CACHED}", f"ours-{CACHED}")
RATIOS = {
    "ratio": "naive, both from PNG files",
    "ratio_cached": "naive, ours from cached pixels, naive from PNG files",
    "ratio_both_cached": "naive, both from cached pixels",
}


class Naive:
    """One item at a time, eager, 32-bit floats, text padded to the maximum."""

    def __init__(self, folder: Path, pixels: Pixels | None) -> None:
        self._pixels = pixels
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
        square = prepare_capture(item, network.spec.image) if self._pixels is None else self._pixels[int(item.id)]
        image = image_batch([square], network.spec.image.size)
        logits = network(Batch(text=text, image=image))
        return {task: float(torch.softmax(values[0], 0)[0]) for task, values in logits.items()}


def child(way: str, folder: Path) -> None:
    """Answer requests the naive way."""
    items, pixels = items_and_pixels(folder, way)
    answer(Naive(folder, pixels), items)


def torch_alone() -> float:
    """Resident memory in MB of a process that has imported torch and done nothing: builds for GPUs take far more."""
    show = "import torch, psutil; print(psutil.Process().memory_info().rss / 2**20)"
    return float(subprocess.run([sys.executable, "-c", show], check=True, capture_output=True).stdout)


def _script(way: str) -> list[str]:
    return [__file__, "--child"] if way.startswith("naive") else [str(Path(__file__).with_name("scoring_child.py"))]


class Child:
    """A way of scoring in a process of its own."""

    def __init__(self, way: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *_script(way), way, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
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
        assert self._process.stdout is not None
        self._process.stdout.close()


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


def make_model(folder: Path, text: TextSpec, items: Sequence[ItemContent], squares: Pixels, epochs: int) -> None:
    """A network trained on the items' made-up labels for so many epochs."""
    torch.manual_seed(3)
    spec = NetworkSpec(heads=HEADS, text=text, image=ImageSpec())
    tokenizer = tokenizer_for(spec, [item.text for item in items])
    assert tokenizer is not None
    network = build(spec, tokenizer)
    train(network, tokenizer.encode([model_text(item) for item in items]), squares, targets(items), epochs)
    tasks = {head.task: head.labels for head in HEADS}
    card = ModelCard(id=folder.name, created="", recipe="", tasks=tasks, network=to_plain(spec))
    checkpoint.save(folder, network.eval(), card, tokenizer)


def targets(items: Sequence[ItemContent]) -> dict[str, torch.Tensor]:
    """Right answers by task: the colour of the picture, and whether a word is in the text."""
    return {
        "hue": torch.tensor([int(item.id) % 3 == 0 for item in items]).long(),
        "word": torch.tensor([WORDS[0] not in item.text for item in items]).long(),
    }


def train(
    network: FusionNetwork,
    ids: Sequence[Sequence[int]],
    squares: Pixels,
    answers: Mapping[str, torch.Tensor],
    epochs: int,
) -> None:
    """Train what is not frozen: of a Hugging Face encoder only the last layer learns."""
    if isinstance(network.text, HuggingFaceEncoder):
        network.text.requires_grad_(requires_grad=False)
        layers = network.text.encoder.get_submodule("encoder.layer")
        list(layers.children())[-1].requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=3e-4)
    network.train()
    generator = torch.Generator().manual_seed(5)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(ids), generator=generator), 16):
            part = [int(row) for row in rows]
            text = text_batch([ids[row] for row in part], [True] * len(part), 0)
            image = image_batch([squares[row] for row in part], network.spec.image.size)
            logits = network(Batch(text=text, image=image))
            losses = [torch.nn.functional.cross_entropy(logits[task], right[rows]) for task, right in answers.items()]
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def make_encoder(folder: Path, items: Sequence[ItemContent], **sizes: Any) -> str:
    """A random encoder with a word-piece vocabulary of its own, in a folder; of BERT-base's size without `sizes`."""
    from transformers import AutoModel, BertConfig, BertTokenizer

    folder.mkdir()
    words = sorted({word for item in items for word in item.text.split()})
    vocabulary = {token: at for at, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    torch.manual_seed(4)
    AutoModel.from_config(BertConfig(vocab_size=30_000, **sizes)).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return str(folder)


def compare(folder: Path, count: int, repeats: int) -> dict[str, Any]:
    """Let all ways take turns on the model in `folder`, after a first process that checks the arithmetic."""
    first = check(folder, count)
    children = {way: Child(way, folder) for way in WAYS}
    try:
        rounds = [
            {way: child.run(numbers_of(way, turn, count)) for way, child in children.items()}
            for turn in range(-1, repeats)
        ]
    finally:
        for one in children.values():
            one.close()
    return {**_summary(rounds[1:]), "first_items": first, "verified": verified(folder)}


def numbers_of(way: str, turn: int, count: int) -> range:
    """Which items a way gets in a turn; the one before the first only warms up."""
    if turn < 0:
        return range(min(count, 8 if way.startswith("naive") else 64))
    return range(turn % NAIVE_SHARE, count, NAIVE_SHARE) if way.startswith("naive") else range(count)


def check(folder: Path, count: int) -> dict[str, Any]:
    """Score as many items as it takes for the check to end, from a fresh start, in a process of its own."""
    one = Child("ours", folder)
    try:
        runs = [one.run([number % count for number in range(size)]) for size in (PROBE_ITEMS + 56, PROBE_ITEMS, 128)]
    finally:
        one.close()
    items, seconds = 2 * PROBE_ITEMS + 56 + 128, sum(run["seconds"] for run in runs)
    return {"items": items, "items_per_second": items / seconds, "peak_rss_mb": runs[-1]["peak"]}


def verified(folder: Path) -> dict[str, Any] | None:
    """What the check left beside the model."""
    found = [(kind, folder / kind.file) for kind in (proof.BULK, proof.TORCH) if (folder / kind.file).exists()]
    if not found:
        return None
    kept = json.loads(found[0][1].read_text("utf-8"))
    return {key: kept[key] for key in ("text", "image", "items", "agreement", "difference", "versions")}


def _summary(rounds: Sequence[Mapping[str, dict[str, Any]]]) -> dict[str, Any]:
    rates = {way: [len(one[way]["answers"]) / one[way]["seconds"] for one in rounds] for way in WAYS}
    pairs = [
        (probability, one[way]["answers"][item][task])
        for one in rounds
        for way in ("ours", f"ours-{CACHED}")
        for item, tasks in one["naive"]["answers"].items()
        for task, probability in tasks.items()
    ]
    ways = {way: {"how": rounds[-1][way]["name"], **_spread(rates[way]), **_memory(rounds[-1][way])} for way in WAYS}
    return {
        **ways,
        "ratio": _ratio(rates["ours"], rates["naive"]),
        "ratio_cached": _ratio(rates[f"ours-{CACHED}"], rates["naive"]),
        "ratio_both_cached": _ratio(rates[f"ours-{CACHED}"], rates[f"naive-{CACHED}"]),
        "verdicts_compared": len(pairs),
        "agreement": statistics.mean((slow >= 0.5) == (fast >= 0.5) for slow, fast in pairs),
        "mean_difference": statistics.mean(abs(slow - fast) for slow, fast in pairs),
        "share_of_first_label": statistics.mean(slow >= 0.5 for slow, _ in pairs),
    }


def _memory(one: Mapping[str, Any]) -> dict[str, float]:
    return {"peak_rss_mb": one["peak"], "resident_mb": one["resident"], "of_files_mb": one["of_files"]}


def _ratio(ours: Sequence[float], naive: Sequence[float]) -> dict[str, float]:
    return _spread([fast / slow for fast, slow in zip(ours, naive, strict=True)])


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def report(name: str, result: dict[str, Any]) -> str:
    """Lines for people."""
    lines = [f"{name}, text vectors: {result['pooling']}"]
    for way in WAYS:
        one = result[way]
        lines.append(
            f"  {one['median']:7.1f} items/s ({one['least']:.1f}–{one['most']:.1f})  "
            f"peak {one['peak_rss_mb']:5.0f} MB, "
            f"now {one['resident_mb']:5.0f} ({one['of_files_mb']:.0f} of files)  {way}: {one['how']}"
        )
    for key, what in RATIOS.items():
        ratio = result[key]
        lines.append(f"  {ratio['median']:7.2f} × ({ratio['least']:.2f}–{ratio['most']:.2f}) {what}")
    first, proved = result["first_items"], result["verified"]
    lines.append(
        f"  verdicts agree {100 * result['agreement']:.1f} % of {result['verdicts_compared']}, probabilities differ by "
        f"{result['mean_difference']:.4f}, first label {100 * result['share_of_first_label']:.0f} %"
    )
    lines.append(
        f"  the first process, with the check of the arithmetic: {first['items_per_second']:.1f} items/s over "
        f"{first['items']}, peak {first['peak_rss_mb']:.0f} MB; it found {proved or 'nothing faster that agrees'}"
    )
    return "\n".join(lines)


def text_spec(backbone: str, pooling: str | None) -> TextSpec:
    """How a backbone reads; without `pooling` its vectors are pooled as it is used elsewhere."""
    usual = "mean" if backbone == MINILM else "cls"
    return TextSpec(backbone=backbone, max_tokens=TOKENS, pooling=pooling or usual)


def measure(count: int, repeats: int, epochs: int, only: str, pooling: str | None) -> dict[str, Any]:
    """Make captures and models in a temporary folder and compare all ways on them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = make_items(folder, count)
        draw(folder, items)
        prepared = (prepare_capture(item, ImageSpec()) for item in items)
        squares = np.stack([square for square in prepared if square is not None])
        np.save(folder / PIXELS, squares)
        sizes = [Path(item.capture).stat().st_size / 1024 for item in items if item.capture]
        results: dict[str, Any] = {
            "captures_kb": _spread(sizes),
            "items": count,
            "cpus": os.cpu_count(),
            "torch": str(torch.__version__),
            "torch_alone_mb": torch_alone(),
        }
        for number, (title, backbone) in enumerate(models(folder, items, only).items()):
            model = folder / f"model-{number}"
            text = text_spec(backbone, pooling)
            make_model(model, text, items, squares, epochs)
            results[title] = {**compare(model, count, repeats), "pooling": text.pooling}
            print(report(title, results[title]), flush=True)  # noqa: T201
        return results


def models(folder: Path, items: Sequence[ItemContent], only: str) -> dict[str, str]:
    """The text backbone by the network's title."""
    found = {"ResNet-18 + text CNN": CNN}
    if minilm.folder() is None:
        print("all-MiniLM-L6-v2 is not installed, so it is not measured")  # noqa: T201
    else:
        found["ResNet-18 + MiniLM"] = MINILM
    if only.lower() in "resnet-18 + bert-base":
        found["ResNet-18 + BERT-base"] = make_encoder(folder / "encoder", items)
    return {title: backbone for title, backbone in found.items() if only.lower() in title.lower()}


def main() -> None:
    """Run the benchmark, or one of its children."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6, help="how long the networks are trained first")
    parser.add_argument("--only", default="", help="only networks with this in their title, such as bert")
    parser.add_argument("--pooling", choices=POOLINGS, help="of every encoder's tokens, in place of its usual one")
    parser.add_argument("--out", type=Path, default=Path("build/bench/scoring.json"))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    results = measure(options.items, options.repeats, options.epochs, options.only, options.pooling)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))


if __name__ == "__main__":
    main()
