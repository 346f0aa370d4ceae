"""Explaining one item: ours beside the `lime` library, same model, same items, same run.

    python tests/benchmarks/explanations.py [--captures 50] [--texts 10] [--only PART] [--threads 2] [--out FILE]

Images: a ResNet-18 at 224 pixels, trained for a moment on the demo's captures by the demo's recipe (kept under
build/bench/explanations), items without their texts. The library's side is what its tutorials do: `lime_image` with its
defaults (quickshift, 1,000 samples) on a network in eager 32-bit floats, each hidden screenshot resized to the model's
square. Ours is the predictor once it has chosen its arithmetic.

- same masks: the library's very segments and masks, answered our way: how much faster, and the rank correlation;
- first and stable map: how much faster, and what two seeds agree on, beside the library's own two seeds;
- deletion and insertion (Petsiuk et al. 2018, "RISE", section 4.3; pixels by weight per area, blurred where they are
  gone), and how much of the positive weight lies in the picture of captures whose label hangs on it, beside `lime` with
  5,000 samples. Those, and its second seed's, are answered our way: the row "same masks" says what that changes.

Texts: some of the demo's English posts in one, about 40 tokens, for all-MiniLM-L6-v2 with a fitted head, and for an
encoder of BERT-base's size that 130 other such posts taught from nothing in two minutes or so.

Stopped or killed, the same command goes on after the last capture or text.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from engine import explain, models
from engine.explain.words import words_of
from engine.models import checkpoint, minilm
from engine.models.processor import cpu_features
from engine.models.registry import MINILM
from engine.types import ItemContent
from tests.benchmarks import explaining, explaining_images, explaining_texts
from tests.benchmarks.explaining import Row, demo_rows, settled
from tests.benchmarks.explaining_images import KEPT, Pictures, capture_of, captures_model, item_of, measure_image
from tests.benchmarks.explaining_texts import Texts, measure_text, posts, text_model
from tests.benchmarks.kept_rows import KeptRows, code_version
from tests.benchmarks.scoring import make_encoder

_EXPLAIN = Path(explain.__path__[0])
"""All of it but its folders, which are other methods, for figures of images and of texts: a list of those that matter
would one day lack one, and an old figure would pass for a new one.
"""
CODE = (
    _EXPLAIN,
    *(
        Path(models.__path__[0]) / f"{name}.py"
        for name in ("encoders", "images", "int8", "packed_image", "scorer", "bulk/resnet")
    ),
    Path(explaining_images.__file__),
    Path(explaining.__file__),
)
"""What figures of images depend on: where it changes, they are measured again."""
TEXT_CODE = (
    _EXPLAIN,
    *(
        Path(models.__path__[0]) / f"{name}.py"
        for name in ("encoders", "int8_text", "packed_text", "pieces", "scorer", "text", "tokenizer")
    ),
    *(Path(models.__path__[0]) / "bulk" / f"{name}.py" for name in ("bert", "packing", "runtime")),
    Path(explaining_texts.__file__),
    Path(explaining.__file__),
)
"""What figures of texts depend on."""
HEAD_TEXTS = 130
"""A text head is fitted on so many, other texts than those explained."""


def images(captures: int, epochs: int) -> dict[str, Any]:
    """Figures of so many captures, spread over the demo; those that an earlier run of the same code kept as they are.

    The arithmetic is chosen as in a workspace, on the items with their texts.
    """
    rows, folder = demo_rows(), captures_model(epochs)
    predictor = settled(folder, [item_of(row) for row in rows])
    chosen = rows[3 :: max(1, (len(rows) - 3) // captures)][:captures]
    Pictures(predictor, folder, capture_of(chosen[0])).ours(9)
    about = {"model": folder.name, "arithmetic": predictor.device_name, "code": code_version(CODE)}
    kept = KeptRows(KEPT / "images.rows.jsonl", about)
    measures = [partial(measure_image, predictor, folder, row) for row in chosen]
    found = progress("capture", [partial(kept.row, row["id"], one) for row, one in zip(chosen, measures, strict=True)])
    return {"arithmetic": predictor.device_name, "products": products(), **found}


def texts(count: int, backbones: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figures of so many texts for each encoder; those that an earlier run of the same code kept as they are."""
    every = posts(HEAD_TEXTS + count)
    for title, backbone in backbones.items():
        place = KEPT / "texts" / title
        predictor = text_model(place, backbone, every[:HEAD_TEXTS], taught=backbone != MINILM)
        eager = checkpoint.load(place, torch.device("cpu"))
        Texts(predictor, eager, every[-1][0]).ours(9)
        about = {"model": title, "arithmetic": predictor.device_name, "code": code_version(TEXT_CODE)}
        kept = KeptRows(KEPT / "texts.rows.jsonl", about)
        asked = [
            partial(kept.row, text, partial(measure_text, predictor, eager, text)) for text, _ in every[HEAD_TEXTS:]
        ]
        yield title, {"arithmetic": predictor.device_name, "products": products(), **progress(title, asked)}


def products() -> str:
    """With which instructions this CPU multiplies 8-bit integers, on which the ratios hang more than on anything."""
    named = {"amx_int8": "AMX", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI"}
    return next((words for feature, words in named.items() if feature in cpu_features()), "no 8-bit instructions")


def progress(what: str, asked: Sequence[Callable[[], Row]]) -> dict[str, Any]:
    """Ask one after the other, say how each came out, and return means and medians over all."""
    rows: list[Row] = []
    for number, one in enumerate(asked, start=1):
        rows.append(one())
        told = ", ".join(f"{key} {value:.3g}" for key, value in rows[-1].items() if "ratio" in key or "rank" in key)
        print(f"{what} {number}/{len(asked)}: {told}", flush=True)  # noqa: T201
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {"items": len(rows), "rows": rows, "of": {key: spread([r[key] for r in rows if key in r]) for key in keys}}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, median, least and most."""
    return {
        "mean": statistics.mean(values),
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
    }


def report(title: str, found: dict[str, Any]) -> str:
    """Lines for people."""
    about = f"{found['items']} items, {found['arithmetic']}, {found['products']}"
    lines = [f"{title}: {about}, load {os.getloadavg()[0]:.1f}"]
    for key, one in found["of"].items():
        lines.append(
            f"  {key:20} mean {one['mean']:8.3f}  median {one['median']:8.3f} ({one['least']:.3f}–{one['most']:.3f})"
        )
    return "\n".join(lines)


def encoders(folder: Path, only: str | None) -> dict[str, str]:
    """Text backbones by what they are called, all but for "minilm" and "bert"; MiniLM only where it is installed."""
    found = {"MiniLM": MINILM} if only != "bert" and minilm.folder() is not None else {}
    if only == "minilm":
        return found
    if not (folder / "encoder").exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_encoder(folder / "encoder", spelled())
    return {**found, "BERT-base-size": str(folder / "encoder")}


def spelled() -> list[ItemContent]:
    """The demo's texts as bare words, for a vocabulary."""
    texts = (" ".join(word.text.lower() for word in words_of(row["text"])) for row in demo_rows())
    return [ItemContent(id=str(at), kind="tweet", text=text) for at, text in enumerate(texts)]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=50)
    parser.add_argument("--texts", type=int, default=10)
    parser.add_argument("--only", choices=("image", "text", "minilm", "bert"), help="one part, one encoder")
    parser.add_argument("--epochs", type=int, default=30, help="how long the model of the captures is trained")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    parser.add_argument("--out", type=Path, default=Path("build/bench/explanations.json"))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    result = json.loads(options.out.read_text("utf-8")) if options.only and options.out.exists() else {}
    result |= {"cpus": os.cpu_count(), "threads": torch.get_num_threads()}
    options.out.parent.mkdir(parents=True, exist_ok=True)

    def keep(title: str, found: dict[str, Any]) -> None:
        result[title] = found
        print(report(title, found), flush=True)  # noqa: T201
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))

    if options.only in (None, "image"):
        keep("image", images(options.captures, options.epochs))
    if options.only != "image":
        for title, found in texts(options.texts, encoders(KEPT / "texts", options.only)):
            keep(title, found)


if __name__ == "__main__":
    main()
