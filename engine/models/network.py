"""A text vector and an image vector become one answer per task, by early or by late fusion."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.models.backbones import (
    blank_encoder,
    image_backbone,
    pretrained_encoder,
    text_cnn,
    tiny_bert,
)
from engine.models.fusion import ABSENT, LateFusion, LateHead, feed_forward, marked
from engine.models.multitask import CrossStitch, HardSharing, SlicedFusion
from engine.models.registry import BERT_TINY, BILSTM, CROSS_STITCH, LATE, OWN, text_backbone
from engine.models.spec import DEVIATION, MEAN, NONE, WHOLE, NetworkSpec, check
from engine.models.tokenizer import TextTokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True, kw_only=True)
class TextBatch:
    """`ids` (B, T) int64 token numbers, `mask` (B, T) bool (False is padding), `present` (B,) bool."""

    ids: Tensor
    mask: Tensor
    present: Tensor

    def to(self, device: torch.device) -> TextBatch:
        """The same batch on `device`."""
        return TextBatch(ids=self.ids.to(device), mask=self.mask.to(device), present=self.present.to(device))


@dataclass(frozen=True, kw_only=True)
class ImageBatch:
    """`pixels` (B, 3, S, S) float in [0, 1], `present` (B,) bool."""

    pixels: Tensor
    present: Tensor

    def to(self, device: torch.device) -> ImageBatch:
        """The same batch on `device`."""
        return ImageBatch(pixels=self.pixels.to(device), present=self.present.to(device))


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What the network sees of some items; a part that its network does not read may be None."""

    text: TextBatch | None
    image: ImageBatch | None


class FusionNetwork(nn.Module):
    """A text backbone, an image backbone, fusion, a head per task.

    A missing part is stood for by a vector, so that `fuse` needs to be told nothing but two vectors, wherever they
    come from. In early fusion it is learned. In late fusion a missing part has no vote: its vector is a mark that no
    backbone gives, by which it is known again (`engine.models.fusion.ABSENT`). Each vector is layer-normalised before
    the two are joined, because they come from different backbones at different scales. `text_features` and
    `image_features` are the lengths of the two vectors, 0 for a backbone that is "none".

    A cross-stitched text backbone gives each task a slice of the text vector: it is normalised by itself, joined to the
    image vector and answered from in a feed-forward part of the task's own, so that a head reads no other task's slice.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, spec: NetworkSpec, text: nn.Module | None, image: nn.Module | None, features: tuple[int, int]
    ) -> None:
        super().__init__()
        self.spec = spec
        self.text = text
        self.image = image
        self.text_features, self.image_features = features
        late = spec.fusion.kind == LATE
        self.missing_text, self.missing_image = (
            nn.Parameter(torch.full((length,), ABSENT if late else 0.0), requires_grad=not late) for length in features
        )
        self.text_norm = text.norm() if isinstance(text, CrossStitch) else _norm(self.text_features)
        self.image_norm = _norm(self.image_features)
        self.fusion, self.heads = _late(spec, features) if late else _early(spec, text, features)
        scale = 1 / torch.tensor(DEVIATION).view(1, 3, 1, 1)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", -torch.tensor(MEAN).view(1, 3, 1, 1) * scale, persistent=False)

    def train(self, mode: bool = True) -> FusionNetwork:
        """As in torch, but a backbone that is wholly frozen stays as it is in use: its statistics do not move."""
        super().train(mode)
        for part, frozen in ((self.text, self.text_frozen), (self.image, self.image_frozen)):
            if part is not None and frozen:
                part.eval()
        return self

    @property
    def text_frozen(self) -> bool:
        """Whether the text backbone never changes, so that its vectors may be kept."""
        return self.spec.text.freeze_layers == WHOLE

    @property
    def image_frozen(self) -> bool:
        """Whether the image backbone never changes, so that its vectors may be kept."""
        return self.spec.image.freeze

    def encode_text(self, text: TextBatch, tasks: Collection[str] | None = None) -> Tensor:
        """(B, text_features) vectors; the learned one where there is no text.

        `tasks` names those whose logits matter (None: all); what only others read may be left out of the vectors.
        """
        if self.text is None:
            return text.ids.new_zeros((len(text.ids), 0), dtype=self.missing_text.dtype)
        wanted = (tasks,) if isinstance(self.text, CrossStitch) else ()
        vectors: Tensor = self.text(text.ids, text.mask, *wanted)
        return torch.where(text.present.unsqueeze(1), vectors, self.missing_text.to(vectors.dtype))

    def encode_image(self, pixels: Tensor, present: Tensor | None = None) -> Tensor:
        """(B, 3, S, S) pixels in [0, 1] to (B, image_features) vectors; the learned one where `present` is False."""
        if self.image is None:
            return pixels.new_zeros((len(pixels), 0))
        vectors: Tensor = self.image(self.normalised(pixels))
        if present is None:
            return vectors
        return torch.where(present.unsqueeze(1), vectors, self.missing_image.to(vectors.dtype))

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels in [0, 1] as the image backbone takes them: ImageNet's mean is 0, its deviation 1, per channel."""
        return torch.addcmul(self.shift, pixels, self.scale)  # one pass over memory

    def fuse(self, text: Tensor, image: Tensor) -> dict[str, Tensor]:
        """(B, text_features) and (B, image_features) vectors to (B, labels) logits per task."""
        if self.training and self.spec.fusion.drop_parts:
            text, image = self._drop_parts(text, image)
        joint: Tensor = self.fusion(self.features(text, image))
        parts = joint.unbind(1) if isinstance(self.fusion, SlicedFusion) else [joint] * len(self.heads)
        heads = zip(self.spec.heads, self.heads.values(), parts, strict=True)
        return {one.task: head(part) for one, head, part in heads}

    def fuse_crossed(self, text: Tensor, image: Tensor) -> dict[str, Tensor]:
        """(T, text_features) and (I, image_features) vectors to (T · I, labels) logits per task, of each text beside
        each screenshot, the first text's first.

        In early fusion the first layer gives a sum of what it makes of either part, which is calculated once for each.
        """
        if not isinstance(self.fusion, nn.Sequential) or not len(self.fusion):
            return self.fuse(text.repeat_interleave(len(image), dim=0), image.repeat(len(text), 1))
        first, rest = self.fusion[0], self.fusion[1:]
        assert isinstance(first, nn.Linear)
        of_text, of_image = torch.split(first.weight, [self.text_features, self.image_features], dim=1)
        texts = nn.functional.linear(self.text_norm(text), of_text, first.bias)
        images = nn.functional.linear(self.image_norm(image), of_image)
        joint: Tensor = rest((texts[:, None] + images).flatten(0, 1))
        return {one.task: head(joint) for one, head in zip(self.spec.heads, self.heads.values(), strict=True)}

    def features(self, text: Tensor, image: Tensor) -> Tensor:
        """(B, text_features + image_features): the layer-normalised vectors side by side, before the feed-forward.

        In late fusion those of a missing part are zeros.
        """
        vectors = self.text_norm(text), self.image_norm(image)
        if self.spec.fusion.kind == LATE:
            absent = marked(text, self.missing_text), marked(image, self.missing_image)
            vectors = vectors[0].masked_fill(absent[0], 0), vectors[1].masked_fill(absent[1], 0)
        return torch.cat(vectors, dim=1)

    def with_heads(self, spec: NetworkSpec) -> FusionNetwork:
        """A network with these very backbones, learned vectors and norms, and a fresh feed-forward and fresh heads."""
        other = FusionNetwork(spec, self.text, self.image, (self.text_features, self.image_features))
        other.missing_text, other.missing_image = self.missing_text, self.missing_image
        other.text_norm, other.image_norm = self.text_norm, self.image_norm
        return other.to(self.scale.device)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """(B, labels) logits per task."""
        size = len(batch.text.ids) if batch.text is not None else len(batch.image.pixels) if batch.image else 0
        text = self.encode_text(batch.text) if batch.text is not None else self.missing_text.expand(size, -1)
        if batch.image is None:
            return self.fuse(text, self.missing_image.expand(size, -1))
        return self.fuse(text, self.encode_image(batch.image.pixels, batch.image.present))

    def _drop_parts(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Replace some parts by the vectors of missing ones, never both of one item."""
        if self.text is None or self.image is None:
            return text, image
        chance = torch.rand(len(text), 1, device=text.device)
        share = self.spec.fusion.drop_parts
        text = torch.where(chance < share, self.missing_text.to(text.dtype), text)
        image = torch.where(chance > 1 - share, self.missing_image.to(image.dtype), image)
        return text, image


def build(spec: NetworkSpec, tokenizer: TextTokenizer | None) -> FusionNetwork:
    """A new network: fresh weights, and pretrained ones where the spec names them. Seed torch first to repeat it.

    Raises:
        InputError: the spec is unsound.
        ModelUnavailableError: a pretrained part cannot be had or does not fit.
    """
    check(spec)
    text = None
    if text_backbone(spec.text.backbone).tokens == OWN:
        text = pretrained_encoder(spec.text)
    return _assemble(spec, text or _from_nothing(spec, tokenizer), pretrained=True)


def rebuild(spec: NetworkSpec, tokenizer: TextTokenizer | None, encoder: PretrainedConfig | None) -> FusionNetwork:
    """The network of a checkpoint, its weights still to be loaded; nothing is fetched from anywhere."""
    return _assemble(spec, blank_text(spec, tokenizer, encoder), pretrained=False)


def rebuild_without(
    spec: NetworkSpec, text: nn.Module | None, features: tuple[int, int], *, image: bool
) -> FusionNetwork:
    """As `rebuild`, with this text backbone or none, and without the image backbone unless `image`.

    `features` are the lengths of the vectors that come from elsewhere in their place.
    """
    eyes = image_backbone(spec.image, pretrained=False)[0] if image and spec.image.backbone != NONE else None
    return FusionNetwork(spec, text, eyes, features)


def blank_text(
    spec: NetworkSpec, tokenizer: TextTokenizer | None, encoder: PretrainedConfig | None
) -> nn.Module | None:
    """The text backbone of a checkpoint, its weights still to be loaded; None for a network that reads no text."""
    return blank_encoder(encoder, spec.text) if encoder is not None else _from_nothing(spec, tokenizer)


def _from_nothing(spec: NetworkSpec, tokenizer: TextTokenizer | None) -> nn.Module | None:
    if spec.text.backbone == NONE:
        return None
    assert tokenizer is not None, "a network that reads text needs its tokenizer"
    if spec.text.backbone == BILSTM:
        return HardSharing(spec.text, tokenizer.vocabulary, tokenizer.pad)
    if spec.text.backbone == CROSS_STITCH:
        return CrossStitch(spec.text, spec.heads, tokenizer.vocabulary, tokenizer.pad)
    make = tiny_bert if spec.text.backbone == BERT_TINY else text_cnn
    return make(spec.text, tokenizer.vocabulary, tokenizer.pad)


def _assemble(spec: NetworkSpec, text: nn.Module | None, *, pretrained: bool) -> FusionNetwork:
    image, image_features = None, 0
    if spec.image.backbone != NONE:
        image, image_features = image_backbone(spec.image, pretrained=pretrained)
    text_features = int(text.features) if text is not None else 0  # type: ignore[arg-type]
    return FusionNetwork(spec, text, image, (text_features, image_features))


def _norm(length: int) -> nn.Module:
    return nn.LayerNorm(length) if length else nn.Identity()


def _early(spec: NetworkSpec, text: nn.Module | None, features: tuple[int, int]) -> tuple[nn.Module, nn.ModuleDict]:
    joint = features[1] + (text.width if isinstance(text, CrossStitch) else features[0])
    width = (joint, *spec.fusion.hidden)[-1]
    heads = nn.ModuleDict({_key(head.task): nn.Linear(width, len(head.labels)) for head in spec.heads})
    return _sliced(spec, text, joint) if isinstance(text, CrossStitch) else feed_forward(spec.fusion, joint), heads


def _late(spec: NetworkSpec, features: tuple[int, int]) -> tuple[nn.Module, nn.ModuleDict]:
    fusion = LateFusion(spec.fusion, features)
    return fusion, nn.ModuleDict({_key(head.task): LateHead(fusion.widths, len(head.labels)) for head in spec.heads})


def _key(task: str) -> str:
    """The name of a task's head among a network's parts: the task's own, but for those that torch forbids."""
    forbidden = "." in task or hasattr(nn.ModuleDict, task) or hasattr(nn.ModuleDict(), task)
    return f"task:{task.replace('.', ':')}" if forbidden else task


def _sliced(spec: NetworkSpec, text: CrossStitch, width: int) -> SlicedFusion:
    places = [text.tasks.index(head.task) for head in spec.heads]
    return SlicedFusion([feed_forward(spec.fusion, width) for _ in spec.heads], text, places)
