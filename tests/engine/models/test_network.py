"""Early fusion: every combination of parts, missing ones included, and gradients where they belong."""

from __future__ import annotations

import msgspec
import pytest
import torch

from engine.models.batches import image_batch, text_batch
from engine.models.network import Batch, FusionNetwork, ImageBatch, build
from engine.models.spec import WHOLE, FusionSpec, NetworkSpec
from engine.models.tokenizer import TextTokenizer


def batch_of(size: int, *, present: bool = True) -> Batch:
    torch.manual_seed(1)
    text = text_batch([[1, 2, 3][: 1 + row % 3] for row in range(size)], [present] * size, 0)
    return Batch(
        text=text, image=ImageBatch(pixels=torch.rand(size, 3, 32, 32), present=torch.tensor([present] * size))
    )


def without(spec: NetworkSpec, part: str) -> NetworkSpec:
    gone = msgspec.structs.replace(getattr(spec, part), backbone="none")
    return msgspec.structs.replace(spec, **{part: gone})


def test_there_is_one_logit_per_label(network: FusionNetwork) -> None:
    logits = network(batch_of(3))
    assert {task: tuple(values.shape) for task, values in logits.items()} == {"toxicity": (3, 2), "reason": (3, 3)}


@pytest.mark.parametrize("part", ["text", "image"])
def test_networks_with_one_part_work(spec: NetworkSpec, tokenizer: TextTokenizer, part: str) -> None:
    network = build(without(spec, part), tokenizer).eval()
    assert network(batch_of(2))["toxicity"].shape == (2, 2)
    assert (network.text_features, network.image_features)[part == "image"] == 0
    whole = batch_of(2)
    part_only = Batch(text=None, image=whole.image) if part == "text" else Batch(text=whole.text, image=None)
    torch.testing.assert_close(network(part_only)["toxicity"], network(batch_of(2))["toxicity"])


def test_a_missing_part_is_its_learned_vector(network: FusionNetwork) -> None:
    batch = batch_of(2, present=False)
    assert batch.text is not None
    assert batch.image is not None
    text = network.encode_text(batch.text)
    image = network.encode_image(batch.image.pixels, batch.image.present)
    assert torch.equal(text, network.missing_text.expand(2, -1))
    assert torch.equal(image, network.missing_image.expand(2, -1))
    nothing = network(Batch(text=batch.text, image=None))["toxicity"]
    torch.testing.assert_close(nothing, network(batch)["toxicity"])


def test_missing_parts_are_learned_even_if_no_item_lacks_them(network: FusionNetwork) -> None:
    network.train()
    torch.manual_seed(0)
    text, image = torch.randn(100, network.text_features), torch.randn(100, network.image_features)
    torch.stack([values.sum() for values in network.fuse(text, image).values()]).sum().backward()  # type: ignore[no-untyped-call]
    assert network.missing_text.grad is not None
    assert network.missing_text.grad.abs().sum() > 0
    assert network.missing_image.grad is not None
    assert network.missing_image.grad.abs().sum() > 0


def test_a_frozen_image_backbone_does_not_move(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    frozen = msgspec.structs.replace(spec, image=msgspec.structs.replace(spec.image, freeze=True))
    network = build(frozen, tokenizer)
    assert network.image is not None
    before = {name: value.clone() for name, value in network.image.state_dict().items()}
    network.train()
    torch.stack([values.sum() for values in network(batch_of(4)).values()]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in network.image.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.image.state_dict().items())


def test_a_frozen_encoder_stays_in_evaluation_mode(spec: NetworkSpec, encoder_folder: str) -> None:
    text = msgspec.structs.replace(spec.text, backbone=encoder_folder, freeze_layers=WHOLE)
    network = build(msgspec.structs.replace(spec, text=text), None)
    network.train()
    assert network.text is not None
    assert not network.text.training
    assert network.text_frozen


def test_image_batches_are_bytes_over_255() -> None:
    squares = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8).numpy()
    batch = image_batch([squares[0], None, squares[1]], 32)
    assert batch.present.tolist() == [True, False, True]
    assert torch.equal(batch.pixels[2], torch.from_numpy(squares[1]).permute(2, 0, 1).float() / 255)
    assert batch.pixels[1].abs().sum() == 0


@pytest.mark.parametrize("task", ["hate.v2", "type", "train", "half", "keys", "_modules", "training"])
def test_a_task_may_be_called_what_torch_calls_something_else(spec: NetworkSpec, task: str) -> None:
    heads = (msgspec.structs.replace(spec.heads[0], task=task), *spec.heads[1:])
    nothing = msgspec.structs.replace(spec, heads=heads, text=msgspec.structs.replace(spec.text, backbone="none"))

    network = build(nothing, None)

    assert list(network(batch_of(2))) == [head.task for head in heads]


@pytest.mark.parametrize("part", ["neither", "text", "image"])
@pytest.mark.parametrize(
    ("backbone", "fusion"),
    [
        ("cnn", FusionSpec(kind="early", hidden=(12, 8))),
        ("cnn", FusionSpec(kind="early", hidden=())),
        ("cnn", FusionSpec(kind="late", hidden=(12,))),
        ("cross-stitch", FusionSpec(kind="early", hidden=(12,))),
    ],
)
def test_all_pairs_at_once_are_fused_as_one_by_one(
    spec: NetworkSpec, tokenizer: TextTokenizer, backbone: str, fusion: FusionSpec, part: str
) -> None:
    spec = msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, backbone=backbone), fusion=fusion)
    network = build(spec if part == "neither" else without(spec, part), tokenizer).eval()
    generator = torch.Generator().manual_seed(1)
    texts = torch.randn(3, network.text_features, generator=generator)
    images = torch.rand(4, network.image_features, generator=generator)
    texts[1], images[2] = network.missing_text.detach(), network.missing_image.detach()
    with torch.inference_mode():
        found = network.fuse_crossed(texts, images)
        for at, text in enumerate(texts):
            beside = network.fuse(text.expand(4, -1), images)
            for task, logits in beside.items():
                torch.testing.assert_close(found[task][4 * at : 4 * at + 4], logits)
