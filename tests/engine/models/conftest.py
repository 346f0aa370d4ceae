"""Tiny networks, texts and captures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.models import checkpoint
from engine.models.network import FusionNetwork, build
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.types import ItemContent, ModelCard

TEXTS = ["a calm river and a stone bridge", "Καλημέρα, ωραία μέρα σήμερα", "cheap silver watches, buy now"] * 4
HEADS = (
    HeadSpec(task="toxicity", labels=("toxic", "non-toxic")),
    HeadSpec(task="reason", labels=("alcohol", "smoking", "fraud"), multi=True, applies_to=("product",)),
)

MakeCapture = Callable[..., str]
MakeModel = Callable[..., Path]


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def spec() -> NetworkSpec:
    return NetworkSpec(
        heads=HEADS,
        text=TextSpec(max_tokens=16, vocabulary=400, width=8, filters=4),
        image=ImageSpec(size=32),
    )


@pytest.fixture
def tokenizer(spec: NetworkSpec) -> TextTokenizer:
    made = tokenizer_for(spec, TEXTS)
    assert made is not None
    return made


@pytest.fixture
def network(spec: NetworkSpec, tokenizer: TextTokenizer) -> FusionNetwork:
    torch.manual_seed(0)
    return _moved(build(spec, tokenizer))


@pytest.fixture
def card(spec: NetworkSpec) -> ModelCard:
    return _card(spec)


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Save a random network of a spec and return its folder."""

    def make(spec: NetworkSpec, name: str = "m1", temperatures: dict[str, float] | None = None) -> Path:
        torch.manual_seed(0)
        tokenizer = tokenizer_for(spec, TEXTS)
        folder = tmp_path / "models" / name
        checkpoint.save(folder, _moved(build(spec, tokenizer)), _card(spec, name, temperatures or {}), tokenizer)
        return folder

    return make


@pytest.fixture
def make_capture(tmp_path: Path) -> MakeCapture:
    """Write a PNG and return its path."""

    def make(seed: int = 0, size: tuple[int, int] = (48, 40), name: str = "") -> str:
        rng = np.random.default_rng(seed)
        path = tmp_path / (name or f"{seed}.png")
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path, format="PNG")
        return str(path)

    return make


@pytest.fixture
def make_items(make_capture: MakeCapture) -> Callable[[int], list[ItemContent]]:
    """Items of both kinds; every fifth lacks text, every seventh a screenshot."""

    def make(count: int) -> list[ItemContent]:
        return [
            ItemContent(
                id=f"i{number}",
                kind="product" if number % 2 else "tweet",
                text="" if number % 5 == 4 else f"{TEXTS[number % 3]} " * (1 + number % 4),
                capture=None if number % 7 == 6 else make_capture(number),
            )
            for number in range(count)
        ]

    return make


@pytest.fixture
def encoder_folder(tmp_path: Path) -> str:
    """A tiny BERT with a vocabulary of its own, as a local folder."""
    from transformers import AutoModel, BertConfig, BertTokenizer

    words = sorted({word for text in TEXTS for word in text.lower().replace(",", " ").split()})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "@", "user", "http", *words]
    folder = tmp_path / "tiny-bert"
    BertTokenizer(vocab={token: at for at, token in enumerate(tokens)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    return str(folder)


def _moved(network: FusionNetwork) -> FusionNetwork:
    """Learned vectors that differ from zero and heads that differ between items, as after training."""
    with torch.no_grad():
        for vector in (network.missing_text, network.missing_image):
            vector.normal_()
        for weight in network.heads.parameters():
            if weight.ndim > 1:
                weight.mul_(5)
    return network.eval()


def _card(spec: NetworkSpec, name: str = "m1", temperatures: dict[str, float] | None = None) -> ModelCard:
    return ModelCard(
        id=name,
        created="2024-05-01T10:00:00.000Z",
        recipe="",
        tasks={head.task: head.labels for head in spec.heads},
        multi=tuple(head.task for head in spec.heads if head.multi),
        network=to_plain(spec),
        temperatures=temperatures or {},
    )
