"""What a network is made of, as plain structs that go into a model's card and rebuild the network from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.errors import InputError, ModelUnavailableError, did_you_mean
from engine.models import registry
from engine.types import ModelCard, Struct

NONE, CNN = registry.NONE, registry.CNN
EMOJI = ("words", "keep", "drop")
POOLINGS = ("cls", "mean")
WHOLE = -1
"""The value of `TextSpec.freeze_layers` that freezes the whole encoder."""

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Per-channel statistics of ImageNet, in [0, 1], that torchvision's weights expect."""

_ID = re.compile(r"[A-Za-z0-9._-]+")


class TextSpec(Struct, frozen=True, kw_only=True):
    """How text is read.

    `backbone` is a name of `engine.models.registry`, or a Hugging Face encoder by hub id or local folder; a recipe's
    "auto" is settled before a network is described. `max_tokens` counts special tokens. `vocabulary`, `width`
    (embedding) and `dropout` belong to what is trained from nothing, `filters` (per window width) and `windows` (in
    tokens) to the CNNs, `layers` to bert-tiny and the BiLSTMs, `hidden` (per direction) to the BiLSTMs. `pooling` and
    `freeze_layers` are the encoders': the embeddings and the first N layers stay as they are, or everything with -1.
    """

    backbone: str = CNN
    max_tokens: int = 128
    vocabulary: int = 8000
    width: int = 128
    filters: int = 100
    windows: tuple[int, ...] = (3, 4, 5)
    layers: int = 2
    hidden: int = 96
    dropout: float = 0.1
    lower_case: bool = True
    strip_accents: bool = True
    mask_users: bool = True
    mask_urls: bool = True
    emoji: str = "words"
    pooling: str = "cls"
    freeze_layers: int = 0


class ImageSpec(Struct, frozen=True, kw_only=True):
    """How screenshots are read.

    `weights` is "scratch", "imagenet" (torchvision's, from the hub as safetensors) or a local .safetensors file.
    `size` is the side of the network's square input in pixels. `crop_top` pixels of the screenshot are cut off and the
    regions named in `mask_regions` are filled with ImageNet's mean colour before resizing; "elsewhere" is what lies in
    none of a page's regions. `freeze` keeps the backbone as it is.
    """

    backbone: str = "resnet18"
    weights: str = "scratch"
    size: int = 224
    crop_top: int = 0
    mask_regions: tuple[str, ...] = ()
    freeze: bool = False


class FusionSpec(Struct, frozen=True, kw_only=True):
    """How the two vectors become one answer.

    `kind` "early" puts them side by side before a feed-forward part; "late" gives each a feed-forward part and heads of
    its own and averages their logits. `hidden` are the layer widths, `dropout` is theirs. `drop_parts` is the share of
    training items whose text or screenshot is treated as missing, so that each part can do without the other.
    """

    kind: str = registry.EARLY
    hidden: tuple[int, ...] = (256,)
    dropout: float = 0.1
    drop_parts: float = 0.1


class HeadSpec(Struct, frozen=True, kw_only=True):
    """A task's head: its labels in output order. `applies_to` names the item kinds it answers for; empty means all."""

    task: str
    labels: tuple[str, ...]
    multi: bool = False
    applies_to: tuple[str, ...] = ()


class NetworkSpec(Struct, frozen=True, kw_only=True):
    """A whole network."""

    heads: tuple[HeadSpec, ...]
    text: TextSpec = TextSpec()
    image: ImageSpec = ImageSpec()
    fusion: FusionSpec = FusionSpec()


def problems(spec: NetworkSpec) -> tuple[str, ...]:
    """Every mistake in a spec as one sentence each; empty where there is none."""
    return (
        *_text_problems(spec.text),
        *_image_problems(spec.image),
        *_fusion_problems(spec.fusion),
        *_head_problems(spec.heads),
        *_combination_problems(spec),
    )


def check(spec: NetworkSpec) -> NetworkSpec:
    """The spec itself, if it is sound.

    Raises:
        InputError: names all mistakes at once.
    """
    found = problems(spec)
    if found:
        raise InputError(" ".join(found), "Correct the recipe.")
    return spec


def to_plain(spec: NetworkSpec) -> dict[str, Any]:
    """The spec as plain JSON values, for `ModelCard.network`."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))
    return plain


def from_card(card: ModelCard) -> NetworkSpec:
    """The spec that a card describes.

    Raises:
        ModelUnavailableError: the card describes no network that this version knows.
    """
    try:
        return check(msgspec.convert(card.network, NetworkSpec, strict=True))
    except (msgspec.ValidationError, InputError) as error:
        raise ModelUnavailableError(
            f"The card of model {card.id!r} describes no network that can be built: {error}",
            "Retrain, or use another model.",
        ) from error


def _combination_problems(spec: NetworkSpec) -> Iterator[str]:
    if spec.text.backbone == NONE and spec.image.backbone == NONE:
        yield "text.backbone and image.backbone are both none: the network has nothing to look at."
    if spec.text.backbone == registry.CROSS_STITCH and spec.fusion.kind == registry.LATE:
        yield "fusion.kind late does not go with text.backbone cross-stitch, which gives each task vectors of its own."


def _text_problems(text: TextSpec) -> Iterator[str]:
    if not text.backbone.strip():
        yield "text.backbone is empty: use cnn, none, a hub id or a folder."
    if text.backbone == registry.AUTO:
        yield "text.backbone is auto: a network needs the backbone that this stands for."
    yield from _in_range("text.max_tokens", text.max_tokens, 4, 8192)
    yield from _in_range("text.vocabulary", text.vocabulary, 300, 200_000)
    yield from _in_range("text.width", text.width, 1, 4096)
    yield from _in_range("text.layers", text.layers, 1, 24)
    yield from _in_range("text.hidden", text.hidden, 1, 4096)
    yield from _in_range("text.filters", text.filters, 1, 4096)
    yield from _in_range("text.dropout", text.dropout, 0, 0.95)
    yield from _in_range("text.freeze_layers", text.freeze_layers, WHOLE, 1000)
    if not text.windows or any(not 1 <= window <= 16 for window in text.windows):
        yield f"text.windows is {list(text.windows)}: give one or more widths from 1 to 16."
    yield from _one_of("text.emoji", text.emoji, EMOJI)
    yield from _one_of("text.pooling", text.pooling, POOLINGS)


def _image_problems(image: ImageSpec) -> Iterator[str]:
    yield from _one_of("image.backbone", image.backbone, registry.names(registry.IMAGE))
    yield from _in_range("image.size", image.size, 32, 1024)
    yield from _in_range("image.crop_top", image.crop_top, 0, 100_000)
    if image.weights not in {"scratch", "imagenet"} and not image.weights.endswith(".safetensors"):
        yield f"image.weights is {image.weights!r}: use scratch, imagenet or a .safetensors file."


def _fusion_problems(fusion: FusionSpec) -> Iterator[str]:
    yield from _one_of("fusion.kind", fusion.kind, registry.names(registry.FUSION))
    if any(not 1 <= width <= 65_536 for width in fusion.hidden):
        yield f"fusion.hidden is {list(fusion.hidden)}: widths must be from 1 to 65536."
    yield from _in_range("fusion.dropout", fusion.dropout, 0, 0.95)
    yield from _in_range("fusion.drop_parts", fusion.drop_parts, 0, 0.5)


def _head_problems(heads: tuple[HeadSpec, ...]) -> Iterator[str]:
    if not heads:
        yield "The network has no task to answer."
    for repeated in {head.task for head in heads if sum(other.task == head.task for other in heads) > 1}:
        yield f"Task {repeated!r} has more than one head."
    for head in heads:
        if not _ID.fullmatch(head.task):
            yield f"Task {head.task!r} must consist of letters, digits, dots, dashes and underscores."
        if len(set(head.labels)) != len(head.labels):
            yield f"Task {head.task!r} names a label twice."
        if len(head.labels) < (1 if head.multi else 2):
            yield f"Task {head.task!r} has too few labels: {list(head.labels)}."


def _in_range(name: str, value: float, low: float, high: float) -> Iterator[str]:
    if not low <= value <= high:
        yield f"{name} is {value}: it must be from {low} to {high}."


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> Iterator[str]:
    if value not in choices:
        yield f"{name} cannot be {value!r}. {did_you_mean(value, choices)}"
