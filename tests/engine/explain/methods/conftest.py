"""Small random networks of every kind, saved and loaded as models, and an item in several scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.explain.methods.masked import MaskedItem
from engine.explain.methods.parts import Parts
from engine.explain.model import Question
from engine.models import checkpoint
from engine.models.backbones import HuggingFaceEncoder
from engine.models.checkpoint import Checkpoint
from engine.models.network import build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.types import ItemContent, ModelCard

TEXTS = [
    "a calm river and a stone bridge",
    "Καλημέρα, ωραία μέρα",
    "cheap silver watches, buy now",
    "πάρτι 🎉 @user",
] * 4
TEXT = "Buy cheap watches, Καλημέρα 🎉 @someone"
HEADS = (
    HeadSpec(task="toxicity", labels=("toxic", "non-toxic")),
    HeadSpec(task="reason", labels=("alcohol", "smoking", "fraud"), multi=True),
)

MakePredictor = Callable[..., Predictor]


@pytest.fixture(scope="session")
def made() -> dict[tuple[Any, ...], Checkpoint]:
    """Networks that were built before: that of an image backbone takes a while."""
    return {}


@pytest.fixture
def make_predictor(made: dict[tuple[Any, ...], Checkpoint]) -> MakePredictor:
    """A model with random weights, those of its heads multiplied by `sharp`."""

    def make(backbone: str = "cnn", fusion: str = "early", image: str = "resnet18", sharp: float = 5.0) -> Predictor:
        key = backbone, fusion, image, sharp
        if key not in made:
            made[key] = _checkpoint(backbone, fusion, image, sharp)
        return Predictor(made[key], torch.device("cpu"))

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Predictor], Predictor]:
    """Save a model and load it from its folder."""

    def saved(predictor: Predictor) -> Predictor:
        loaded, folder = predictor.loaded, tmp_path / "m1"
        checkpoint.save(folder, loaded.network, loaded.card, loaded.tokenizer)
        return Predictor.load(folder, "cpu")

    return saved


@pytest.fixture
def encoder_folder(tmp_path: Path) -> str:
    """A tiny BERT with a vocabulary, a mask token and word pieces of its own, as a local folder."""
    from transformers import AutoModel, BertConfig, BertTokenizer

    words = ["@", "user", "http", "buy", "cheap", "watch", "##es", ",", "καλη", "##μερα", "party", "popper"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    folder = tmp_path / "tiny-bert"
    BertTokenizer(vocab={token: at for at, token in enumerate(tokens)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return str(folder)


@pytest.fixture
def item(tmp_path: Path) -> ItemContent:
    """A text and a screenshot with two coloured pictures on white."""
    pixels = np.full((64, 64, 3), 255, dtype=np.uint8)
    rng = np.random.default_rng(0)
    pixels[6:26, 6:30] = rng.integers(0, 255, (20, 24, 3))
    pixels[36:58, 30:60] = (30, 60, 200)
    pixels[40:50, 34:50] = rng.integers(0, 255, (10, 16, 3))
    path = tmp_path / "page.png"
    Image.fromarray(pixels).save(path)
    return ItemContent(id="one", kind="tweet", text=TEXT, capture=str(path))


@pytest.fixture
def parts_of() -> Callable[..., Parts]:
    def make(predictor: Predictor, content: ItemContent, task: str = "toxicity", label: str = "toxic") -> Parts:
        return Parts(Question.ask(predictor, content, task, label), "ig", 0, None)

    return make


@pytest.fixture
def masked(parts_of: Callable[..., Parts]) -> Callable[..., MaskedItem]:
    def make(predictor: Predictor, content: ItemContent, task: str = "toxicity", label: str = "toxic") -> MaskedItem:
        return MaskedItem(parts_of(predictor, content, task, label), predictor.differentiable())

    return make


def _checkpoint(backbone: str, fusion: str, image: str, sharp: float) -> Checkpoint:
    text = TextSpec(
        backbone=backbone, max_tokens=24, vocabulary=400, width=16, filters=6, windows=(1, 2), layers=1, hidden=6
    )
    spec = NetworkSpec(
        heads=HEADS,
        text=text,
        image=ImageSpec(backbone=image, size=36),
        fusion=FusionSpec(kind=fusion, hidden=(8,)),
    )
    tokenizer = tokenizer_for(spec, TEXTS)
    torch.manual_seed(1)
    network = build(spec, tokenizer)
    with torch.no_grad():
        for weight in network.heads.parameters():
            weight.mul_(sharp)
        for weight in network.text.parameters() if isinstance(network.text, HuggingFaceEncoder) else ():
            weight.mul_(4 if weight.ndim > 1 else 1)  # a fresh one hardly looks beyond a token
    return Checkpoint(network.eval(), _card(spec), tokenizer)


def _card(spec: NetworkSpec) -> ModelCard:
    return ModelCard(
        id="m1",
        created="2024-05-01T10:00:00.000Z",
        recipe="",
        tasks={head.task: head.labels for head in spec.heads},
        multi=tuple(head.task for head in spec.heads if head.multi),
        network=to_plain(spec),
        temperatures={"toxicity": 1.7},
    )
