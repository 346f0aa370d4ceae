"""One text explained by ours and by `lime_text`; part of `explanations.py`, which says what is measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lime.lime_text import LimeTextExplainer

from engine.explain.model import Question
from engine.explain.surrogate import TEXT_KERNEL_WIDTH, fit, text_masks
from engine.explain.text_part import TextPart
from engine.explain.words import words_of
from engine.models import checkpoint
from engine.models.batches import text_batch
from engine.models.network import build
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
    seconds_of,
    settled,
    timed,
    top,
)

TEXT_TASK, TEXT_LABELS = "toxicity", ("toxic", "non-toxic")


def posts(count: int) -> list[tuple[str, bool]]:
    """Four posts in one, 36 to 44 words, and whether the text of one of them makes it toxic."""
    tweets = [row for row in demo_rows() if row["kind"] == "tweet"]
    random = np.random.default_rng(0)
    found: list[tuple[str, bool]] = []
    while len(found) < count:
        chosen = [tweets[at] for at in random.permutation(len(tweets))[:4]]
        text = " ".join(row["text"] for row in chosen)
        if 36 <= len({word.text for word in words_of(text)}) <= 44:
            toxic = any(row["labels"]["toxicity"] == "toxic" and row["signal"] in ("text", "both") for row in chosen)
            found.append((text, toxic))
    return found


def text_model(folder: Path, backbone: str, texts: Sequence[tuple[str, bool]]) -> Predictor:
    """An encoder that stays as it is, with a head fitted on the texts."""
    torch.manual_seed(0)
    spec = NetworkSpec(
        heads=(HeadSpec(task=TEXT_TASK, labels=TEXT_LABELS),),
        text=TextSpec(backbone=backbone, pooling="mean", freeze_layers=WHOLE),
        image=ImageSpec(backbone="none"),
        fusion=FusionSpec(hidden=(), dropout=0.0, drop_parts=0.0),
    )
    tokenizer = tokenizer_for(spec, [text for text, _ in texts])
    network = build(spec, tokenizer).eval()
    card = ModelCard(id=folder.name, created="", recipe="", tasks={TEXT_TASK: TEXT_LABELS}, network=to_plain(spec))
    random = folder.with_name(f"{folder.name}-random")
    checkpoint.save(random, network, card, tokenizer)
    vectors = Predictor.load(random, "cpu").text_vectors([text for text, _ in texts]).clone()
    image, targets = vectors.new_zeros((len(texts), 0)), torch.tensor([int(not toxic) for _, toxic in texts])
    optimiser = torch.optim.Adam([*network.text_norm.parameters(), *network.heads.parameters()], lr=0.02)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(network.fuse(vectors, image)[TEXT_TASK], targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    checkpoint.save(folder, network.eval(), card, tokenizer)
    return settled(folder, [ItemContent(id=str(at), kind="tweet", text=text) for at, (text, _) in enumerate(texts)])


class Texts:
    """One text: ours, and `lime_text` with a network in eager 32-bit floats."""

    def __init__(self, predictor: Predictor, eager: checkpoint.Checkpoint, text: str) -> None:
        self._predictor, self._eager, self._text = predictor, eager, text
        self._item = ItemContent(id="text", kind="tweet", text=text)
        self._image = predictor.missing_image[None]
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
        answers = np.empty(len(distinct))
        for rows in self._part.batches(distinct):
            answers[rows] = self._part.probabilities(distinct[rows])
        return np.array(fit(masks, answers[which.reshape(-1)], TEXT_KERNEL_WIDTH).weights)

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
    theirs, slow, slow_cpu = seconds_of(lambda: one.library(SEEDS[1]))
    expected = np.array([weight for _, weight in sorted(theirs.local_exp[0])])
    same, answering, answering_cpu = seconds_of(lambda: one.same(SAMPLES, SEEDS[1]))
    many = one.same(MANY, SEEDS[0])
    runs = [one.ours(seed) for seed in SEEDS]
    weights = [np.array(list({word.text: word.weight for word in run.final.tokens}.values())) for run in runs]
    return {
        "words": float(len(many)),
        "lime_seconds": slow,
        "lime_cpu": slow_cpu,
        "same_ratio": slow / answering,
        "same_ratio_cpu": slow_cpu / answering_cpu,
        "same_rank": rank(expected, same),
        "first_seconds": statistics.mean(run.first for run in runs),
        "stable_seconds": statistics.mean(run.last for run in runs),
        "stable_ratio": slow / statistics.mean(run.last for run in runs),
        "stable_ratio_cpu": slow_cpu / statistics.mean(run.cpu for run in runs),
        "samples": statistics.mean(run.final.samples for run in runs),
        "ours_top_of_5000": statistics.mean(top(own, many) for own in weights),
        "lime_top_of_5000": top(expected, many),
        "ours_rank_of_5000": statistics.mean(rank(own, many) for own in weights),
        "lime_rank_of_5000": rank(expected, many),
        "ours_seeds_rank": rank(*weights),
        "ours_seeds_top": top(*weights),
    }
