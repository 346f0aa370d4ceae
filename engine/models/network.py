"""Early fusion: text vector ⊕ image vector → feed-forward → one head per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from engine.models.backbones import DEVIATION, MEAN, blank_encoder, image_backbone, pretrained_encoder, text_cnn
from engine.models.spec import CNN, NONE, WHOLE, NetworkSpec, check
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
    """A text backbone, an image backbone, fusion by concatenation, a head per task.

    A missing part is stood for by a learned vector. Each vector is layer-normalised before the two are joined, because
    they come from different backbones at different scales. `text_features` and `image_features` are the lengths of the
    two vectors, 0 for a backbone that is "none".
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
        self.missing_text = nn.Parameter(torch.zeros(self.text_features))
        self.missing_image = nn.Parameter(torch.zeros(self.image_features))
        self.text_norm = _norm(self.text_features)
        self.image_norm = _norm(self.image_features)
        self.fusion = _feed_forward(spec, sum(features))
        width = (sum(features), *spec.fusion.hidden)[-1]
        self.heads = nn.ModuleDict({head.task: nn.Linear(width, len(head.labels)) for head in spec.heads})
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

    def encode_text(self, text: TextBatch) -> Tensor:
        """(B, text_features) vectors; the learned one where there is no text."""
        if self.text is None:
            return text.ids.new_zeros((len(text.ids), 0), dtype=self.missing_text.dtype)
        vectors: Tensor = self.text(text.ids, text.mask)
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
        joint = self.fusion(self.features(text, image))
        return {task: head(joint) for task, head in self.heads.items()}

    def features(self, text: Tensor, image: Tensor) -> Tensor:
        """(B, text_features + image_features): the layer-normalised vectors side by side, before the feed-forward."""
        return torch.cat([self.text_norm(text), self.image_norm(image)], dim=1)

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
        """Replace some parts by their learned vectors, never both of one item."""
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
    if spec.text.backbone not in {NONE, CNN}:
        text = pretrained_encoder(spec.text)
    return _assemble(spec, text or _cnn(spec, tokenizer), pretrained=True)


def rebuild(spec: NetworkSpec, tokenizer: TextTokenizer | None, encoder: PretrainedConfig | None) -> FusionNetwork:
    """The network of a checkpoint, its weights still to be loaded; nothing is fetched from anywhere."""
    text = blank_encoder(encoder, spec.text) if encoder is not None else _cnn(spec, tokenizer)
    return _assemble(spec, text, pretrained=False)


def _cnn(spec: NetworkSpec, tokenizer: TextTokenizer | None) -> nn.Module | None:
    if spec.text.backbone == NONE:
        return None
    assert tokenizer is not None, "a network that reads text needs its tokenizer"
    return text_cnn(spec.text, tokenizer.vocabulary, tokenizer.pad)


def _assemble(spec: NetworkSpec, text: nn.Module | None, *, pretrained: bool) -> FusionNetwork:
    image, image_features = None, 0
    if spec.image.backbone != NONE:
        image, image_features = image_backbone(spec.image, pretrained=pretrained)
    text_features = int(text.features) if text is not None else 0  # type: ignore[arg-type]
    return FusionNetwork(spec, text, image, (text_features, image_features))


def _norm(length: int) -> nn.Module:
    return nn.LayerNorm(length) if length else nn.Identity()


def _feed_forward(spec: NetworkSpec, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for hidden in spec.fusion.hidden:
        layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(spec.fusion.dropout)]
        width = hidden
    return nn.Sequential(*layers)
