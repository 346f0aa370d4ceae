"""One capture explained by ours and by `lime_image`; part of `explanations.py`, which says what is measured."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lime.lime_image import LimeImageExplainer
from PIL import Image
from scipy import ndimage
from skimage.segmentation import quickshift

import resources
from engine.evidence import is_clear
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.superpixels import Superpixels, decoded
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, fit, image_masks
from engine.intake import import_paths
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.training.run import train
from engine.types import ItemContent
from engine.workspace import Workspace
from tests.benchmarks.explaining import DEMO, MANY, SAMPLES, SEEDS, Row, Timed, Values, rank, seconds_of, timed, top

KEPT = Path("build/bench/explanations")
TASKS = {"tweet": "toxicity", "product": "verdict"}
PICTURED = ("picture", "both")
SIZE, STEPS, BLUR = 224, 24, 10.0


def capture_of(row: dict[str, Any]) -> ItemContent:
    """A capture without its text."""
    regions = {name: tuple(tuple(box) for box in boxes) for name, boxes in row["regions"].items()}
    capture = str(DEMO / row["screenshot"])
    return ItemContent(id=row["id"], kind=row["kind"], title="", text="", capture=capture, regions=regions)


def captures_model(epochs: int) -> Path:
    """The folder of a model that is trained on the demo at 224 pixels; made on the first call, then kept."""
    path = KEPT / f"demo-{SIZE}.secondlook"
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = Workspace.open(path) if path.exists() else Workspace.create(path, preset("both"))
    with opened as ws:
        if ws.models.champion() is None:
            import_paths(ws, [resources.path("demo")], strict=True)
            recipe = resources.path("recipes", "starter.toml").read_text("utf-8")
            recipe = recipe.replace("size = 96", f"size = {SIZE}").replace("epochs = 12", f"epochs = {epochs}")
            run = ws.runs.prepare(recipe).path
            ws.runs.mark(run.name, "running")
            train(run, emit=lambda _event: None, cancelled=lambda: False)
            ws.runs.adopt(run)
        champion = ws.models.champion()
        assert champion is not None, "the first model of a workspace is always promoted"
        return ws.models.folder(champion.card.id)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Throw away what the library prints on standard error (a progress bar)."""
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


class Pictures:
    """One capture: ours, and `lime_image` with a network in eager 32-bit floats."""

    def __init__(self, predictor: Predictor, folder: Path, item: ItemContent) -> None:
        self._predictor, self._item = predictor, item
        self._network = checkpoint.load(folder, torch.device("cpu")).network.eval()
        pixels = predictor.pixels(item)
        assert pixels is not None
        self.pixels, self._text = pixels, predictor.missing_text[None]
        self.task = TASKS[item.kind]
        verdict = next(one for one in predictor.predict([item]) if one.task == self.task)
        self.question = Question.ask(predictor, item, self.task, verdict.label)
        assert item.capture is not None
        with Image.open(item.capture) as picture:
            self.screenshot = np.asarray(picture.convert("RGB"))

    def library(self, seed: int) -> Any:
        """`lime_image` with its defaults; quickshift is called here, so that all runs have the very same segments."""
        explainer = LimeImageExplainer(random_state=seed)
        labels = (self.question.column,)
        with quiet():
            return explainer.explain_instance(
                self.screenshot, self._classify, labels=labels, top_labels=None, segmentation_fn=shifted, random_seed=0
            )

    def segments(self) -> Superpixels:
        """The library's."""
        labels = shifted(self.screenshot)
        height, width = labels.shape
        return Superpixels(width=width, height=height, labels=labels)

    def same(self, found: Superpixels, samples: int, seed: int) -> Values:
        """The library's masks of its segments, answered our way: weights, (segments,)."""
        part = ImagePart(self.question, self.pixels, self._text, paint_plain=False, superpixels=found)
        masks = image_masks(samples, found.count, np.random.RandomState(seed))
        own = masks[:, list(part.visible)]
        answers = np.concatenate([part.probabilities(own[rows]) for rows in part.batches(own)])
        return np.array(fit(masks, answers, IMAGE_KERNEL_WIDTH).weights)

    def ours(self, seed: int) -> Timed:
        """Our explanation."""
        return timed(self._predictor, self._item, self.task, self.question.label, seed)

    def curves(self, density: Values) -> tuple[float, float]:
        """The areas under the deletion and insertion curves for weights per area, (rows, columns)."""
        size = self.pixels.shape[-1]
        grid = np.asarray(Image.fromarray(density.astype(np.float32)).resize((size, size), Image.Resampling.NEAREST))
        order = np.argsort(-grid, axis=None, kind="stable")
        blurred = ndimage.gaussian_filter(self.pixels, (0, BLUR, BLUR))
        deleted, inserted = [], []
        for gone in np.linspace(0, grid.size, STEPS + 1).astype(int):
            flat = np.zeros(grid.size, dtype=bool)
            flat[order[:gone]] = True
            mask = flat.reshape(grid.shape)
            deleted.append(np.where(mask, blurred, self.pixels))
            inserted.append(np.where(mask, self.pixels, blurred))
        return self._mean(deleted), self._mean(inserted)

    def _mean(self, versions: Sequence[npt.NDArray[np.float32]]) -> float:
        vectors = self._predictor.image_vectors(torch.from_numpy(np.stack(versions)))
        return float(np.trapezoid(self.question.answer(self._text, vectors)) / (len(versions) - 1))

    @torch.inference_mode()
    def _classify(self, screenshots: Any) -> Any:
        squares = [
            np.asarray(Image.fromarray(one).resize((SIZE, SIZE), Image.Resampling.BILINEAR, reducing_gap=1.0))
            for one in screenshots
        ]
        pixels = torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2).copy()).float() / 255
        vectors = self._network.encode_image(pixels)
        return self._predictor.probabilities(self.task, self._text.expand(len(vectors), -1), vectors)


def shifted(image: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Quickshift as `lime_image` sets it by default."""
    found = quickshift(image, kernel_size=4, max_dist=200, ratio=0.2, rng=0)  # type: ignore[no-untyped-call]
    labels: npt.NDArray[np.int64] = found.astype(np.int64)
    return labels


def measure_image(predictor: Predictor, folder: Path, row: dict[str, Any]) -> Row:
    """All figures of one capture."""
    one = Pictures(predictor, folder, capture_of(row))
    theirs, slow, slow_cpu = seconds_of(lambda: one.library(SEEDS[0]))
    cut, cutting, cutting_cpu = seconds_of(one.segments)
    expected = np.array([weight for _, weight in sorted(theirs.local_exp[one.question.column])])
    same, answering, answering_cpu = seconds_of(lambda: one.same(cut, SAMPLES, SEEDS[0]))
    second, many = one.same(cut, SAMPLES, SEEDS[1]), one.same(cut, MANY, SEEDS[0])
    runs = [one.ours(seed) for seed in SEEDS]
    finals = [run.final for run in runs]
    weights = [np.array([segment.weight for segment in final.segments]) for final in finals]
    shown = [np.array([s.weight if is_clear(s.weight, s.error) else 0.0 for s in f.segments]) for f in finals]
    assert finals[0].segment_map is not None
    grid = decoded(finals[0].segment_map)
    maps = {"ours": [w[grid] for w in weights], "lime": [w[cut.labels] for w in (expected, second)]}
    density = weights[0] / np.bincount(grid.ravel(), minlength=len(weights[0]))
    curves = {
        "ours": one.curves(density[grid]),
        "lime": one.curves((many / np.bincount(cut.labels.ravel()))[cut.labels]),
    }
    return {
        "lime_seconds": slow,
        "lime_cpu": slow_cpu,
        "same_ratio": slow / (cutting + answering),
        "same_ratio_cpu": slow_cpu / (cutting_cpu + answering_cpu),
        "same_ratio_cpu_without_quickshift": (slow_cpu - cutting_cpu) / answering_cpu,
        "same_rank": rank(expected, same),
        "first_seconds": statistics.mean(run.first for run in runs),
        "first_ratio": slow / statistics.mean(run.first for run in runs),
        "stable_seconds": statistics.mean(run.last for run in runs),
        "stable_ratio": slow / statistics.mean(run.last for run in runs),
        "stable_ratio_cpu": slow_cpu / statistics.mean(run.cpu for run in runs),
        "samples": statistics.mean(final.samples for final in finals),
        "segments": float(len(weights[0])),
        "lime_segments": float(cut.count),
        "reliability": statistics.mean(final.reliability.get("image", 0.0) for final in finals),
        **agreement("ours", weights[0], weights[1], maps["ours"]),
        **agreement("lime", expected, second, maps["lime"]),
        "ours_shown_rank": rank(*shown),
        "ours_deletion": curves["ours"][0],
        "lime_deletion": curves["lime"][0],
        "ours_insertion": curves["ours"][1],
        "lime_insertion": curves["lime"][1],
        **planted(row, {"ours": density[grid], "lime": (many / np.bincount(cut.labels.ravel()))[cut.labels]}),
    }


def agreement(who: str, one: Values, other: Values, maps: Sequence[Values]) -> Row:
    """What two seeds agree on."""
    return {
        f"{who}_seeds_rank": rank(one, other),
        f"{who}_seeds_top": top(one, other),
        f"{who}_seeds_map": float(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]),
    }


def planted(row: dict[str, Any], densities: dict[str, Values]) -> Row:
    """Of the positive weight, the share in the picture on which the label hangs; nothing for other captures."""
    if row["signal"] not in PICTURED or "media" not in row["regions"]:
        return {}
    with Image.open(DEMO / row["screenshot"]) as picture:
        width, height = picture.size
    found = {}
    for who, density in densities.items():
        positive = np.clip(density, 0, None)
        inside = np.zeros(density.shape, dtype=bool)
        for left, upper, wide, high in row["regions"]["media"]:
            rows = slice(round(upper * len(density) / height), round((upper + high) * len(density) / height))
            columns = (left * density.shape[1] / width, (left + wide) * density.shape[1] / width)
            inside[rows, round(columns[0]) : round(columns[1])] = True
        found[f"{who}_planted"] = float(positive[inside].sum() / positive.sum()) if positive.any() else 0.0
    return found
