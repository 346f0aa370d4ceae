"""One capture explained by ours and by `lime_image`; part of `explanations.py`, which says what is measured.

`same_ratio` is about the library's very masks: its own segments and masks are given, quickshift (`quickshift_seconds`)
is taken from its time and is not in ours. `same_ratio_with_quickshift` has it in both. The library's second seed and
its 5,000 samples are answered our way, which gives the library's weights (`same_rank`) in a tenth of the time: the
samples of the second seed are the last 1,000 of the 5,000, so that they are drawn independently of the first 1,000.

Deletion and insertion take pixels by weight per area, and for the library also by weight alone (`_by_weight`), as its
own pictures do: small segments with chance weights do not come first then.
"""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from lime.lime_image import LimeImageExplainer
from PIL import Image
from scipy import ndimage
from skimage.segmentation import quickshift

import resources
from engine.explain.image_part import ImagePart
from engine.explain.model import Question
from engine.explain.perturbed import Page, Perturbed
from engine.explain.render import clear_weight
from engine.explain.sampling import asked
from engine.explain.screenshot import screenshot
from engine.explain.superpixels import Superpixels, decoded
from engine.explain.surrogate import IMAGE_KERNEL_WIDTH, Regression, image_masks
from engine.intake import import_paths
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.training.run import train
from engine.types import Explanation, ItemContent
from engine.workspace import Workspace
from tests.benchmarks.explaining import (
    DEMO,
    MANY,
    SAMPLES,
    SEEDS,
    Row,
    Timed,
    Values,
    rank,
    rested,
    seconds_of,
    timed,
    top,
)

KEPT = Path("build/bench/explanations")
TASKS = {"tweet": "toxicity", "product": "verdict"}
PICTURED = ("picture", "both")
SIZE, STEPS, BLUR = 224, 24, 10.0
MOVED = 0.005
"""Where hiding half of the screenshot moves the probability by less (standard deviation), its weights are mostly the
rounding of pixels to bytes, in the library's own pictures too: `same_rank_moved` leaves such captures out.
"""


class Cut(NamedTuple):
    """The library's segments, and what it took to cut them."""

    labels: npt.NDArray[np.int64]
    seconds: float
    cpu: float


def item_of(row: dict[str, Any]) -> ItemContent:
    """An item as it is in a workspace: capture and text."""
    regions = {name: tuple(tuple(box) for box in boxes) for name, boxes in row["regions"].items()}
    capture, title = str(DEMO / row["screenshot"]), row.get("title", "")
    return ItemContent(id=row["id"], kind=row["kind"], title=title, text=row["text"], capture=capture, regions=regions)


def capture_of(row: dict[str, Any]) -> ItemContent:
    """A capture without its text."""
    return msgspec.structs.replace(item_of(row), title="", text="")


def captures_model(epochs: int) -> Path:
    """The folder of a model that is trained on the demo at 224 pixels; made on the first call, then kept."""
    path = KEPT / f"demo-{SIZE}-{epochs}.secondlook"
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = Workspace.open(path) if path.exists() else Workspace.create(path, preset("both"))
    with opened as ws:
        if ws.models.champion() is None:
            import_paths(ws, [resources.path("demo")], strict=True)
            recipe = resources.path("recipes", "starter.toml").read_text("utf-8")
            recipe = recipe.replace("size = 96", f"size = {SIZE}")
            recipe = recipe.replace("epochs = 12", f"epochs = {epochs}\nthreads = 1")
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

    def library(self, seed: int) -> tuple[Values, Cut]:
        """Weights of `lime_image` with its defaults, (segments,), and its segments."""
        cuts: list[Cut] = []

        def segment(image: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
            cuts.append(Cut(*seconds_of(lambda: shifted(image))))
            return cuts[0].labels

        explainer = LimeImageExplainer(random_state=seed)
        labels = (self.question.column,)
        with quiet():
            found = explainer.explain_instance(
                self.screenshot, self._classify, labels=labels, top_labels=None, segmentation_fn=segment, random_seed=0
            )
        return np.array([weight for _, weight in sorted(found.local_exp[labels[0]])]), cuts[0]

    def same(self, cut: Cut) -> SameMasks:
        """The library's masks of its segments, answered our way."""
        height, width = cut.labels.shape
        found = Superpixels(width=width, height=height, labels=cut.labels)
        page = Page(screenshot(self.question.content), found)
        perturbed = Perturbed(self.question, self.pixels, paint_plain=False, page=page)
        return SameMasks(ImagePart(self.question, perturbed, self._text), found.count, SEEDS[0])

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


class SameMasks:
    """The masks that the library draws with a seed, answered our way."""

    def __init__(self, part: ImagePart, segments: int, seed: int) -> None:
        self._part = part
        self._masks = image_masks(MANY, segments, np.random.RandomState(seed))
        self._answers = np.empty(0)

    def first(self) -> Values:
        """The weights from the library's default number of samples, (segments,): the very masks of its own run."""
        self._answer(SAMPLES)
        return self._weights(slice(0, SAMPLES))

    def second(self) -> Values:
        """Those from as many other samples."""
        self._answer(MANY)
        return self._weights(slice(MANY - SAMPLES, MANY))

    def many(self) -> Values:
        """Those from all samples."""
        self._answer(MANY)
        return self._weights(slice(0, MANY))

    @property
    def spread(self) -> float:
        """The standard deviation of the label's probability over the answers so far."""
        return float(self._answers.std())

    def _answer(self, samples: int) -> None:
        known = len(self._answers)
        own = self._masks[known:samples, list(self._part.visible)]
        self._answers = np.concatenate([self._answers, asked(self._part, own, lambda: None)])

    def _weights(self, rows: slice) -> Values:
        return Regression(self._masks[rows], IMAGE_KERNEL_WIDTH).weights(self._answers[rows])


def shifted(image: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Quickshift as `lime_image` sets it by default."""
    found = quickshift(image, kernel_size=4, max_dist=200, ratio=0.2, rng=0)  # type: ignore[no-untyped-call]
    labels: npt.NDArray[np.int64] = found.astype(np.int64)
    return labels


def measure_image(predictor: Predictor, folder: Path, row: dict[str, Any]) -> Row:
    """All figures of one capture."""
    one = Pictures(predictor, folder, capture_of(row))
    (expected, cut), slow, slow_cpu = rested(lambda: seconds_of(lambda: one.library(SEEDS[0])))
    (same, first), answering, answering_cpu = rested(lambda: seconds_of(lambda: _first(one.same(cut))))
    runs = [rested(partial(one.ours, seed)) for seed in SEEDS]
    many = same.many()
    return {
        "lime_seconds": slow,
        "lime_cpu": slow_cpu,
        "quickshift_seconds": cut.seconds,
        "same_ratio": (slow - cut.seconds) / answering,
        "same_ratio_cpu": (slow_cpu - cut.cpu) / answering_cpu,
        "same_ratio_with_quickshift": slow / (cut.seconds + answering),
        "same_rank": rank(expected, first),
        "same_pearson": float(np.corrcoef(expected, first)[0, 1]),
        "same_spread": same.spread,
        **({"same_rank_moved": rank(expected, first)} if same.spread >= MOVED else {}),
        **times(runs, slow, slow_cpu),
        **likeness(cut, [expected, same.second()], [run.final for run in runs]),
        **faithfulness(one, cut, many, runs[0].final),
        **planted(row, {"ours": _density(runs[0].final), "lime": _per_area(many, cut.labels)}),
        "load": os.getloadavg()[0],
    }


def times(runs: Sequence[Timed], slow: float, slow_cpu: float) -> Row:
    """How long our first and final maps take, and how often that goes into the library's time."""
    first, last, cpu = (statistics.mean(one) for one in zip(*((r.first, r.last, r.cpu) for r in runs), strict=True))
    return {
        "first_seconds": first,
        "first_ratio": slow / first,
        "stable_seconds": last,
        "stable_ratio": slow / last,
        "stable_ratio_cpu": slow_cpu / cpu,
        "samples": statistics.mean(run.final.samples for run in runs),
        "reliability": statistics.mean(run.final.reliability.get("image", 0.0) for run in runs),
    }


def likeness(cut: Cut, theirs: Sequence[Values], finals: Sequence[Explanation]) -> Row:
    """What two seeds agree on, ours beside the library's."""
    weights = [np.array([segment.weight for segment in final.segments]) for final in finals]
    shown = [np.array([clear_weight(segment) for segment in final.segments]) for final in finals]
    assert finals[0].segment_map is not None
    grid = decoded(finals[0].segment_map)
    return {
        "segments": float(len(weights[0])),
        "lime_segments": float(len(theirs[0])),
        **agreement("ours", weights[0], weights[1], [one[grid] for one in weights]),
        **agreement("lime", theirs[0], theirs[1], [one[cut.labels] for one in theirs]),
        "ours_shown_rank": rank(*shown),
        "ours_shown_share": float(np.mean([one != 0 for one in shown])),
    }


def faithfulness(one: Pictures, cut: Cut, many: Values, final: Explanation) -> Row:
    """The areas under the deletion and insertion curves, of ours and of the library with many samples."""
    maps = {
        ("ours", ""): _density(final),
        ("lime", ""): _per_area(many, cut.labels),
        ("lime", "_by_weight"): many[cut.labels],
    }
    found: Row = {}
    for (who, how), values in maps.items():
        found[f"{who}_deletion{how}"], found[f"{who}_insertion{how}"] = one.curves(values)
    return found


def _first(same: SameMasks) -> tuple[SameMasks, Values]:
    return same, same.first()


def _density(final: Explanation) -> Values:
    assert final.segment_map is not None
    weights = np.array([segment.weight for segment in final.segments])
    return _per_area(weights, decoded(final.segment_map))


def _per_area(weights: Values, labels: npt.NDArray[np.int64]) -> Values:
    density: Values = (weights / np.bincount(labels.ravel(), minlength=len(weights)))[labels]
    return density


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
