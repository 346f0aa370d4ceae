"""Explaining one item: ours beside the `lime` library with its defaults, same model, same captures, same run.

    python tests/benchmarks/explanations.py [--captures 3] [--threads 2] [--out build/bench/explanations.json]

The library gets what its tutorials do: `lime_image` on the 600×600 screenshot (quickshift, 1,000 samples, every
perturbed screenshot resized to the model's square), `lime_text` on the words (5,000 samples). Both sides ask the same
predictor in the same arithmetic. The captures are the demo's, the network is a ResNet-18 at 224 pixels with a text
CNN, random but for its last layers. `agreement` is the rank correlation of superpixel weights between ours and the
library's on our superpixels, with the same masks and the same colours for what is hidden: what making the perturbed
inputs in the model's square, and not by resizing hidden screenshots, changes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from lime.lime_image import LimeImageExplainer
from lime.lime_text import LimeTextExplainer
from PIL import Image
from scipy.stats import spearmanr

from engine.explain import explain
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, fit, image_masks
from engine.models import checkpoint
from engine.models.network import FusionNetwork, build
from engine.models.predictor import Predictor
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.types import ItemContent, ModelCard

DEMO = Path(__file__).parents[2] / "resources" / "demo"
TASK, LABELS = "kind", ("tweet", "product")
SEEDS = (0, 1)
SAMPLES = 256
SETTLE = 256
"""Items scored before the last measurement, after which the predictor has chosen its fastest arithmetic."""


def demo_items() -> list[ItemContent]:
    """The demo's captures."""
    rows = [json.loads(line) for line in (DEMO / "metadata.jsonl").read_text().splitlines()]
    return [
        ItemContent(
            id=row["id"],
            kind=row["kind"],
            title=row.get("title", ""),
            text=row["text"],
            capture=str(DEMO / row["screenshot"]),
            regions={name: tuple(tuple(box) for box in boxes) for name, boxes in row["regions"].items()},
        )
        for row in rows
    ]


def make_predictor(folder: Path, items: Sequence[ItemContent]) -> Predictor:
    """ResNet-18 at 224 pixels and a text CNN, fitted for a moment to tell tweets from products."""
    torch.manual_seed(0)
    spec = NetworkSpec(heads=(HeadSpec(task=TASK, labels=LABELS),), text=TextSpec(), image=ImageSpec(size=224))
    tokenizer = tokenizer_for(spec, [item.text for item in items])
    network = build(spec, tokenizer).eval()
    card = ModelCard(id="bench", created="", recipe="", tasks={TASK: LABELS}, network=to_plain(spec))
    checkpoint.save(folder / "random", network, card, tokenizer)
    _fit(network, Predictor.load(folder / "random"), items)
    checkpoint.save(folder / "fitted", network, card, tokenizer)
    return Predictor.load(folder / "fitted")


def _fit(network: FusionNetwork, predictor: Predictor, items: Sequence[ItemContent]) -> None:
    """Train the layers after the backbones; few rounds, so that probabilities stay away from 0 and 1."""
    text = predictor.text_vectors([predictor.text_of(item) for item in items]).clone()
    pixels = [predictor.pixels(item) for item in items]
    image = torch.cat([predictor.image_vectors(torch.from_numpy(one)[None]) for one in pixels if one is not None])
    targets = torch.tensor([LABELS.index(item.kind) for item in items])
    optimiser = torch.optim.Adam([*network.fusion.parameters(), *network.heads.parameters()], lr=1e-3)
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(network.fuse(text, image.clone())[TASK], targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


class Library:
    """`lime` asked about one item through the same predictor."""

    def __init__(self, predictor: Predictor, item: ItemContent) -> None:
        self._predictor, self._item = predictor, item
        pixels = predictor.pixels(item)
        assert pixels is not None
        assert item.capture is not None
        self._size = pixels.shape[-1]
        self._text = predictor.text_vectors([predictor.text_of(item)])
        self._image = predictor.image_vectors(torch.from_numpy(pixels)[None])
        with Image.open(item.capture) as picture:
            self._screenshot = np.asarray(picture.convert("RGB"))

    def image(self, seed: int, **settings: Any) -> Any:
        """`lime_image` with its defaults but for `settings`."""
        explainer = LimeImageExplainer(random_state=seed, feature_selection=settings.pop("feature_selection", "auto"))
        return explainer.explain_instance(
            self._screenshot, self._of_screenshots, labels=(0,), top_labels=None, **settings
        )

    def text(self, seed: int) -> Any:
        """`lime_text` with its defaults."""
        explainer = LimeTextExplainer(random_state=seed)
        return explainer.explain_instance(self._predictor.text_of(self._item), self._of_texts, labels=(0,))

    def _of_screenshots(self, screenshots: Any) -> Any:
        squares = [
            np.asarray(
                Image.fromarray(one).resize((self._size, self._size), Image.Resampling.BILINEAR, reducing_gap=1.0)
            )
            for one in screenshots
        ]
        pixels = torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2).copy()).float() / 255
        vectors = self._predictor.image_vectors(pixels)
        return self._predictor.probabilities(TASK, self._text.expand(len(vectors), -1), vectors)

    def _of_texts(self, texts: Sequence[str]) -> Any:
        vectors = self._predictor.text_vectors(texts)
        return self._predictor.probabilities(TASK, vectors, self._image.expand(len(vectors), -1))


def ours(predictor: Predictor, item: ItemContent, seed: int) -> tuple[float, float]:
    """Seconds to the first preview and to the final explanation; words and superpixels together."""
    seen: list[float] = []
    start = time.perf_counter()
    explain(predictor, item, TASK, LABELS[0], seed=seed, emit=lambda _one: seen.append(time.perf_counter() - start))
    return seen[0], seen[-1]


def agreement(predictor: Predictor, library: Library, item: ItemContent) -> float:
    """Rank correlation of superpixel weights with the library's: our superpixels, the very same masks and colours."""
    pixels = predictor.pixels(item)
    assert pixels is not None
    text = predictor.text_vectors([predictor.text_of(item)])
    part = ImagePart(Question.ask(predictor, item, TASK, LABELS[0]), pixels, text, paint_plain=False)
    found = part.superpixels
    theirs = library.image(
        SEEDS[0],
        segmentation_fn=lambda _image: found.over(found.width, found.height),
        num_samples=SAMPLES,
        random_seed=0,
        feature_selection="none",
    )
    masks = image_masks(SAMPLES, found.count, np.random.RandomState(SEEDS[0]))
    batches = np.array_split(masks[:, list(part.visible)], SAMPLES // 8)
    weights = fit(masks, np.concatenate([part.probabilities(batch) for batch in batches]), IMAGE_KERNEL_WIDTH).weights
    expected = [weight for _, weight in sorted(theirs.local_exp[0])]
    return float(spearmanr(weights, expected).statistic)


def seconds_of(run: Callable[[], Any]) -> float:
    """How long a call takes; what it prints on standard error (a progress bar) is thrown away."""
    start = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        run()
    return time.perf_counter() - start


def measure(captures: int) -> dict[str, Any]:
    """Explain some captures both ways, turn by turn."""
    items = demo_items()
    chosen = items[:: max(1, len(items) // captures)][:captures]
    with tempfile.TemporaryDirectory() as name:
        predictor = make_predictor(Path(name), items)
    ours(predictor, chosen[0], 9)
    times: dict[str, list[float]] = {key: [] for key in ("first", "final", "lime_image", "lime_text", "agreement")}
    arithmetic = predictor.device_name
    for item in chosen:
        library = Library(predictor, item)
        for seed in SEEDS:
            first, final = ours(predictor, item, seed)
            times["first"].append(first)
            times["final"].append(final)
        times["lime_image"].append(seconds_of(partial(library.image, 0)))
        times["lime_text"].append(seconds_of(partial(library.text, 0)))
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            times["agreement"].append(agreement(predictor, library, item))
    predictor.predict([items[number % len(items)] for number in range(SETTLE)])
    predictor.predict(items[:8])
    settled = [ours(predictor, item, seed) for item in chosen for seed in SEEDS]
    both = statistics.median(image + text for image, text in zip(times["lime_image"], times["lime_text"], strict=True))
    return {
        "captures": len(chosen),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg(),
        "arithmetic": arithmetic,
        **{key: spread(values) for key, values in times.items()},
        "times_faster": {
            "final": both / statistics.median(times["final"]),
            "first": both / statistics.median(times["first"]),
        },
        "settled": {
            "arithmetic": predictor.device_name,
            "first": spread([first for first, _ in settled]),
            "final": spread([final for _, final in settled]),
        },
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def report(result: dict[str, Any]) -> str:
    """Lines for people."""

    def line(title: str, one: dict[str, float], unit: str = "s") -> str:
        return f"  {one['median']:7.2f} {unit:1} ({one['least']:.2f}–{one['most']:.2f})  {title}"

    settled = result["settled"]
    return "\n".join(
        [
            f"ResNet-18 224 px + text CNN, {result['captures']} captures, {result['arithmetic']}, "
            f"load {result['load'][0]:.1f} on {result['cpus']} CPUs",
            line("ours: first preview, words and superpixels", result["first"]),
            line("ours: final explanation, words and superpixels", result["final"]),
            line("lime_image, defaults", result["lime_image"]),
            line("lime_text, defaults", result["lime_text"]),
            f"  {result['times_faster']['first']:7.1f} ×          first preview against both of the library's",
            f"  {result['times_faster']['final']:7.1f} ×          final explanation against both of the library's",
            line("rank correlation with lime_image, same superpixels and masks", result["agreement"], ""),
            line(f"ours: first preview, {settled['arithmetic']}", settled["first"]),
            line(f"ours: final explanation, {settled['arithmetic']}", settled["final"]),
        ]
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument("--out", type=Path, default=Path("build/bench/explanations.json"))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    result = measure(options.captures)
    print(report(result))  # noqa: T201
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))


if __name__ == "__main__":
    main()
