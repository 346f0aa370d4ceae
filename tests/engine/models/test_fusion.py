"""Late fusion against a mean taken by hand, with parts that are missing, saved, and in 16 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import InputError
from engine.models.fusion import ABSENT, LateHead, marked
from engine.models.network import FusionNetwork, TextBatch, build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, check
from engine.models.tokenizer import TextTokenizer
from engine.types import ItemContent

ONE_TASK = (HeadSpec(task="t", labels=("a", "b")),)


@pytest.fixture
def late(spec: NetworkSpec) -> NetworkSpec:
    return msgspec.structs.replace(spec, fusion=FusionSpec(kind="late", hidden=(12,), dropout=0, drop_parts=0.5))


@pytest.fixture
def network(late: NetworkSpec, tokenizer: TextTokenizer) -> FusionNetwork:
    torch.manual_seed(0)
    network = build(late, tokenizer).eval()
    for head in network.heads.values():
        assert isinstance(head, LateHead)
        torch.nn.init.normal_(head.neither)
    return network


def vectors(network: FusionNetwork, count: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(count, network.text_features, generator=generator),
        torch.rand(count, network.image_features, generator=generator),
    )


def by_hand(network: FusionNetwork, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of task "toxicity" of each part alone."""
    head, fusion = network.heads["toxicity"], network.fusion
    assert isinstance(head, LateHead)
    parts = zip(fusion.parts, head.votes, (network.text_norm(text), network.image_norm(image)), strict=True)  # type: ignore[arg-type]
    first, second = (vote(part(vector)) for part, vote, vector in parts)
    return first, second


@torch.inference_mode()
def test_logits_are_the_mean_over_the_parts_that_are_there(network: FusionNetwork) -> None:
    text, image = vectors(network)
    by_text, by_image = by_hand(network, text, image)
    text[1], image[2] = network.missing_text, network.missing_image
    text[3], image[3] = network.missing_text, network.missing_image
    head = network.heads["toxicity"]
    assert isinstance(head, LateHead)
    expected = torch.stack([(by_text[0] + by_image[0]) / 2, by_image[1], by_text[2], head.neither])
    torch.testing.assert_close(network.fuse(text, image)["toxicity"], expected)


@torch.inference_mode()
def test_encoding_marks_what_is_missing(network: FusionNetwork, tokenizer: TextTokenizer) -> None:
    ids = torch.tensor([[5, 6], [5, 6]])
    present = torch.tensor([True, False])
    text = network.encode_text(TextBatch(ids=ids, mask=torch.ones_like(ids, dtype=torch.bool), present=present))
    image = network.encode_image(torch.rand(2, 3, 32, 32), ~present)
    assert marked(text, network.missing_text).squeeze(1).tolist() == [False, True]
    assert marked(image, network.missing_image).squeeze(1).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_mark_is_known_again_in_any_precision(dtype: torch.dtype) -> None:
    absent = torch.full((3,), ABSENT)
    assert marked(absent.to(dtype).expand(2, -1), absent).all()
    assert marked(absent.to(dtype).float().expand(2, -1), absent).all()
    assert not marked(torch.tensor([[ABSENT, ABSENT, 0.0]], dtype=dtype), absent).any()


def test_the_mark_is_not_trained_and_gradients_are_finite(network: FusionNetwork) -> None:
    text, image = vectors(network)
    with torch.no_grad():
        text[1], image[3] = network.missing_text, network.missing_image
    network.train()
    sum(logits.square().sum() for logits in network.fuse(text, image).values()).backward()  # type: ignore[union-attr]
    assert not network.missing_text.requires_grad
    assert all(torch.isfinite(w.grad).all() for w in network.parameters() if w.grad is not None)
    assert network.heads["toxicity"].votes[0].weight.grad is not None  # type: ignore[index, union-attr]


def test_a_part_dropped_in_training_has_no_vote(network: FusionNetwork) -> None:
    text, image = vectors(network, 64)
    by_text, by_image = by_hand(network.eval(), text, image)
    torch.manual_seed(0)
    with torch.no_grad():
        found = network.train().fuse(text, image)["toxicity"]
    alone = (torch.isclose(found, by_text, atol=1e-4) | torch.isclose(found, by_image, atol=1e-4)).all(dim=1)
    assert alone.all()  # half the items lose one, half the other, none both
    assert 16 < int(torch.isclose(found, by_text, atol=1e-4).all(dim=1).sum()) < 48


def test_one_part_alone_is_its_own_vote_and_missing_gives_the_learned_answer() -> None:
    spec = NetworkSpec(
        heads=ONE_TASK,
        text=TextSpec(backbone="none"),
        image=ImageSpec(size=32),
        fusion=FusionSpec(kind="late", hidden=()),
    )
    torch.manual_seed(0)
    network = build(spec, None).eval()
    head = network.heads["t"]
    assert isinstance(head, LateHead)
    image = torch.rand(1, 512)
    with torch.inference_mode():
        alone = network.fuse(torch.empty(1, 0), image)["t"]
        torch.testing.assert_close(alone, head.votes[0](network.image_norm(image)))
        missing = network.fuse(torch.empty(1, 0), network.missing_image.expand(1, -1))["t"]
    torch.testing.assert_close(missing, head.neither.expand(1, -1).detach())


def test_a_saved_model_scores_and_explains_items_that_lack_a_part(
    late: NetworkSpec, make_model: Callable[..., Path], make_items: Callable[[int], list[ItemContent]]
) -> None:
    """The vectors that explanations are made of give the same verdicts as scoring."""
    predictor = Predictor.load(make_model(late), "cpu")
    items = make_items(15)
    verdicts = {verdict.item: verdict for verdict in predictor.predict(items) if verdict.task == "toxicity"}
    for item in items:
        text = predictor.text_vectors([predictor.text_of(item)])
        pixels = predictor.pixels(item)
        image = (
            predictor.missing_image.expand(1, -1)
            if pixels is None
            else predictor.image_vectors(torch.from_numpy(pixels)[None])
        )
        (row,) = predictor.probabilities("toxicity", text, image)
        expected = [verdicts[item.id].probabilities[label] for label in ("toxic", "non-toxic")]
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_late_fusion_does_not_go_with_vectors_of_each_task() -> None:
    spec = NetworkSpec(heads=ONE_TASK, text=TextSpec(backbone="cross-stitch"), fusion=FusionSpec(kind="late"))
    with pytest.raises(InputError, match="cross-stitch"):
        check(spec)


def test_a_misspelt_kind_gets_did_you_mean() -> None:
    with pytest.raises(InputError, match="'late'"):
        check(NetworkSpec(heads=ONE_TASK, fusion=FusionSpec(kind="lat")))
