"""One text explained by ours and by `lime_text`; part of `explanations.py`, which says what is measured.

`same_ratio`: the library's very masks, answered our way, each distinct one once and all in one call. The library's
answer after 5,000 samples, by which the five strongest words are judged, is such an answer too: `same_rank` and
`same_top` say what that changes. `…_cpu` are ratios of the processor time of all threads, which other work on the
machine hardly changes. `longest_step` is the longest time between two looks at whether somebody cancelled.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lime.lime_text import LimeTextExplainer
from sklearn.linear_model import LogisticRegressionCV
from torch import Tensor

from engine.explain import explain_steps
from engine.explain.model import Question
from engine.explain.surrogate import TEXT_KERNEL_WIDTH, Regression, text_masks
from engine.explain.text_part import TextPart
from engine.explain.words import words_of
from engine.models import checkpoint
from engine.models.batches import text_batch
from engine.models.network import Batch, FusionNetwork, build
from engine.models.predictor import Predictor
from engine.models.spec import WHOLE, FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.types import ItemContent, ModelCard
from tests.benchmarks.explaining import (
    MANY,
    SAMPLES,
    SEEDS,
    Row,
    Timed,
    Values,
    demo_rows,
    rank,
    rested,
    seconds_of,
    settled,
    timed,
    top,
)

TEXT_TASK, TEXT_LABELS = "toxicity", ("toxic", "non-toxic")
GREEK = re.compile("[\u0370-\u03ff]")
LEAST, MOST = 23, 27
BATCH, RATE, WARM_UP, EPOCHS = 13, 1e-4, 20, 8
"""For an encoder that learns from nothing: texts and steps; the rate rises over so many of them."""


def posts(count: int) -> list[tuple[str, bool]]:
    """Some English posts in one, 23 to 27 different words, and whether the text of one of them makes it toxic."""
    tweets = [row for row in demo_rows() if row["kind"] == "tweet" and not GREEK.search(row["text"])]
    random = np.random.default_rng(0)
    found: dict[str, bool] = {}
    while len(found) < count:
        chosen = [tweets[at] for at in random.permutation(len(tweets))[: random.integers(2, 5)]]
        text = " ".join(row["text"] for row in chosen)
        if LEAST <= len({word.text for word in words_of(text)}) <= MOST:
            toxic = any(row["labels"]["toxicity"] == "toxic" and row["signal"] in ("text", "both") for row in chosen)
            found[text] = toxic
    return list(found.items())


def text_model(folder: Path, backbone: str, texts: Sequence[tuple[str, bool]], *, taught: bool = False) -> Predictor:
    """An encoder that stays as it is, with a head fitted on the texts, or one that is taught by them as a whole.

    A model that is in the folder already is taken as it is.
    """
    items = [ItemContent(id=str(at), kind="tweet", text=text) for at, (text, _) in enumerate(texts)]
    if folder.exists():
        return settled(folder, items)
    torch.manual_seed(0)
    spec = NetworkSpec(
        heads=(HeadSpec(task=TEXT_TASK, labels=TEXT_LABELS),),
        text=TextSpec(backbone=backbone, pooling="mean", freeze_layers=0 if taught else WHOLE),
        image=ImageSpec(backbone="none"),
        fusion=FusionSpec(hidden=(), dropout=0.0, drop_parts=0.0),
    )
    tokenizer = tokenizer_for(spec, [text for text, _ in texts])
    assert tokenizer is not None
    network = build(spec, tokenizer)
    targets = torch.tensor([int(not toxic) for _, toxic in texts])
    if taught:
        _teach(network, tokenizer.encode([text for text, _ in texts]), targets, tokenizer.pad)
    card = ModelCard(id=folder.name, created="", recipe="", tasks={TEXT_TASK: TEXT_LABELS}, network=to_plain(spec))
    if not taught:
        with tempfile.TemporaryDirectory() as name:
            checkpoint.save(Path(name) / "random", network.eval(), card, tokenizer)
            vectors = Predictor.load(Path(name) / "random", "cpu").text_vectors([text for text, _ in texts]).clone()
        _fit(network, vectors, targets)
    checkpoint.save(folder, network.eval(), card, tokenizer)
    return settled(folder, items)


def _teach(network: FusionNetwork, ids: Sequence[Sequence[int]], targets: Tensor, pad: int) -> None:
    """Train all weights on the texts; an encoder of BERT-base's size that knew nothing then tells other posts apart."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    steps = EPOCHS * (len(ids) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, (step + 1) / WARM_UP) * (1 - step / steps)
    )
    random = np.random.default_rng(0)
    network.train()
    for _ in range(EPOCHS):
        for rows in random.permutation(len(ids))[: len(ids) // BATCH * BATCH].reshape(-1, BATCH).tolist():
            with torch.autocast("cpu", torch.bfloat16):
                seen = text_batch([ids[row] for row in rows], [True] * BATCH, pad)
                logits = network(Batch(text=seen, image=None))[TEXT_TASK]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(logits.float(), targets[rows]).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()


@torch.no_grad()
def _fit(network: FusionNetwork, vectors: Tensor, targets: Tensor) -> None:
    """A head with the penalty that foretells other texts best, as a refit's: without one, nothing would move it."""
    features = network.features(vectors, vectors.new_zeros((len(vectors), 0)))
    found = LogisticRegressionCV(
        Cs=8, cv=5, scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False, l1_ratios=(0.0,)
    ).fit(features.numpy(), targets.numpy())
    slope, shift = torch.from_numpy(found.coef_[0]).float() / 2, float(found.intercept_[0]) / 2
    head = network.heads[TEXT_TASK]
    assert isinstance(head, torch.nn.Linear)
    head.weight.copy_(torch.stack([-slope, slope]))
    head.bias.copy_(torch.tensor([-shift, shift]))


class Texts:
    """One text: ours, and `lime_text` with a network in eager 32-bit floats."""

    def __init__(self, predictor: Predictor, eager: checkpoint.Checkpoint, text: str) -> None:
        self._predictor, self._eager, self._text = predictor, eager, text
        self._item = ItemContent(id="text", kind="tweet", text=text)
        self._image = predictor.missing_image[None]
        assert eager.tokenizer is not None
        self.tokens = len(eager.tokenizer.encode([text])[0])
        self._part = TextPart(Question.ask(predictor, self._item, TEXT_TASK, TEXT_LABELS[0]), self._image)

    def library(self, seed: int) -> Any:
        """`lime_text` with 1,000 samples and our words, all of which get a weight."""
        explainer = LimeTextExplainer(
            random_state=seed,
            feature_selection="none",
            split_expression=lambda text: [word.text for word in words_of(text)],
        )
        return explainer.explain_instance(self._text, self._classify, labels=(0,), num_samples=SAMPLES)

    def same(self, samples: int, seed: int) -> Values:
        """The library's masks, answered our way: weights, (words,)."""
        masks = text_masks(samples, self._part.features, np.random.RandomState(seed))
        distinct, which = np.unique(masks, axis=0, return_inverse=True)
        answers = self._part.answer(self._part.vectors(distinct))[which.reshape(-1)]
        return Regression(masks, TEXT_KERNEL_WIDTH).weights(answers)

    def longest_step(self, seed: int) -> tuple[float, float]:
        """The longest time between two looks at whether somebody cancelled: by the clock, and of one core."""
        steps = explain_steps(self._predictor, self._item, TEXT_TASK, TEXT_LABELS[0], seed=seed)
        marks = [(time.perf_counter(), time.process_time())]
        marks += [(time.perf_counter(), time.process_time()) for _ in steps]
        seconds, used = np.diff(np.array(marks), axis=0).max(axis=0)
        return float(seconds), float(used)

    def ours(self, seed: int) -> Timed:
        """Our explanation."""
        return timed(self._predictor, self._item, TEXT_TASK, TEXT_LABELS[0], seed)

    @torch.inference_mode()
    def _classify(self, texts: Sequence[str]) -> Any:
        network, tokenizer = self._eager.network, self._eager.tokenizer
        assert tokenizer is not None
        ids = tokenizer.encode([text or " " for text in texts])
        parts = [
            network.encode_text(text_batch(ids[at : at + 32], [True] * len(ids[at : at + 32]), tokenizer.pad))
            for at in range(0, len(ids), 32)
        ]
        vectors = torch.cat(parts)
        return self._predictor.probabilities(TEXT_TASK, vectors, self._image.expand(len(vectors), -1))


def measure_text(predictor: Predictor, eager: checkpoint.Checkpoint, text: str) -> Row:
    """All figures of one text."""
    one = Texts(predictor, eager, text)
    theirs, slow, slow_cpu = rested(lambda: seconds_of(lambda: one.library(SEEDS[1])))
    expected = np.array([weight for _, weight in sorted(theirs.local_exp[0])])
    same, answering, answering_cpu = rested(lambda: seconds_of(lambda: one.same(SAMPLES, SEEDS[1])))
    many = one.same(MANY, SEEDS[0])
    runs = [rested(partial(one.ours, seed)) for seed in SEEDS]
    weights = [np.array(list({word.text: word.weight for word in run.final.tokens}.values())) for run in runs]
    step, step_cpu = rested(lambda: one.longest_step(SEEDS[0]))
    return {
        "words": float(len(many)),
        "tokens": float(one.tokens),
        "lime_seconds": slow,
        "lime_cpu": slow_cpu,
        "same_ratio": slow / answering,
        "same_ratio_cpu": slow_cpu / answering_cpu,
        "same_rank": rank(expected, same),
        "same_top": top(expected, same),
        "first_seconds": statistics.mean(run.first for run in runs),
        "stable_seconds": statistics.mean(run.last for run in runs),
        "stable_cpu": statistics.mean(run.cpu for run in runs),
        "stable_ratio": slow / statistics.mean(run.last for run in runs),
        "stable_ratio_cpu": slow_cpu / statistics.mean(run.cpu for run in runs),
        "longest_step": step,
        "longest_step_cpu": step_cpu,
        "samples": statistics.mean(run.final.samples for run in runs),
        "ours_top_of_5000": statistics.mean(top(own, many) for own in weights),
        "lime_top_of_5000": top(expected, many),
        "same_top_of_5000": top(same, many),
        "ours_rank_of_5000": statistics.mean(rank(own, many) for own in weights),
        "lime_rank_of_5000": rank(expected, many),
        "ours_seeds_rank": rank(*weights),
        "ours_seeds_top": top(*weights),
    }
