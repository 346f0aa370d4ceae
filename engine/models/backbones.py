"""The parts that turn text or pixels into one vector per item."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import ModelUnavailableError
from engine.models import minilm
from engine.models.hub import WEIGHTS, from_hub, imagenet_repository
from engine.models.registry import MINILM
from engine.models.spec import WHOLE, ImageSpec, TextSpec

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel


class TextCnn(nn.Module):
    """Text CNN (Kim 2014, section 2): parallel convolutions over embeddings, each reduced to its maximum over time."""

    def __init__(self, spec: TextSpec, vocabulary: int, pad: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, spec.width, padding_idx=pad)
        self.dropout = nn.Dropout(spec.dropout)
        self.windows = nn.ModuleList(nn.Conv1d(spec.width, spec.filters, window) for window in spec.windows)
        self.features = spec.filters * len(spec.windows)
        self._widths = spec.windows

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token numbers and their mask to (B, features); padding never changes the answer."""
        short = max(max(self._widths) - ids.shape[1], 0)
        embedded = self.dropout(self.embedding(ids)) * mask.unsqueeze(-1)
        embedded = nn.functional.pad(embedded, (0, 0, 0, short)).transpose(1, 2)
        lengths = mask.sum(dim=1, keepdim=True)
        found = zip(self._widths, self.windows, strict=True)
        return torch.cat([self._maximum(conv(embedded), lengths, width) for width, conv in found], dim=1)

    @staticmethod
    def _maximum(convolved: Tensor, lengths: Tensor, window: int) -> Tensor:
        """The largest answer among windows that lie within the text; the first one counts for texts shorter than it."""
        last = (lengths - window).clamp(min=0)
        beyond = torch.arange(convolved.shape[2], device=convolved.device) > last
        return torch.relu(convolved.masked_fill(beyond.unsqueeze(1), float("-inf")).amax(dim=2))


class HuggingFaceEncoder(nn.Module):
    """Any Hugging Face encoder; its last hidden states are reduced to the first token's or the mean over tokens."""

    def __init__(self, encoder: PreTrainedModel, spec: TextSpec) -> None:
        super().__init__()
        if "pooler" in dict(encoder.named_children()):
            encoder.register_module("pooler", None)  # nothing reads it; it would be trained and saved for nothing
        self.encoder = encoder
        self.features = int(encoder.config.hidden_size)
        self._mean = spec.pooling == "mean"
        _check_positions(encoder, spec)
        _freeze_layers(encoder, spec)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(B, T) token numbers and their mask to (B, features)."""
        hidden: Tensor = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        if not self._mean:
            return hidden[:, 0]
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def text_cnn(spec: TextSpec, vocabulary: int, pad: int) -> TextCnn:
    """A text CNN with fresh weights, for token numbers below `vocabulary`."""
    return TextCnn(spec, vocabulary, pad)


def tiny_bert(spec: TextSpec, vocabulary: int, pad: int) -> HuggingFaceEncoder:
    """A BERT with fresh weights, by default as small as the smallest of Turc et al. 2019 (section 3.1): 2 layers, 128.

    As in BERT it has an attention head for each 64 numbers of its width (one in all where that does not go up), and
    four times the width between.
    """
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=vocabulary,
        pad_token_id=pad,
        hidden_size=spec.width,
        num_hidden_layers=spec.layers,
        num_attention_heads=1 if spec.width % 64 else spec.width // 64,
        intermediate_size=4 * spec.width,
        max_position_embeddings=spec.max_tokens,
        hidden_dropout_prob=spec.dropout,
        attention_probs_dropout_prob=spec.dropout,
    )
    return blank_encoder(config, spec)


def pretrained_encoder(spec: TextSpec) -> HuggingFaceEncoder:
    """The Hugging Face encoder that `spec.backbone` names, with its weights (safetensors only).

    Raises:
        ModelUnavailableError: it is not at hand and cannot be fetched, or has no safetensors weights.
    """
    from transformers import AutoModel

    name = str(minilm.checked_folder()) if spec.backbone == MINILM else spec.backbone

    def load(**where: bool) -> Any:
        return AutoModel.from_pretrained(name, use_safetensors=True, dtype=torch.float32, **where)

    return HuggingFaceEncoder(from_hub(name, "encoder", load), spec)


def blank_encoder(config: PretrainedConfig, spec: TextSpec) -> HuggingFaceEncoder:
    """An encoder of that architecture with random weights, to load a checkpoint into."""
    from transformers import AutoModel

    encoder: PreTrainedModel = AutoModel.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    return HuggingFaceEncoder(encoder, spec)


def image_backbone(spec: ImageSpec, *, pretrained: bool) -> tuple[nn.Module, int]:
    """A torchvision ResNet without its classifier, and the length of its vectors.

    Args:
        spec: which one, and where its weights come from.
        pretrained: False leaves the weights random, for a checkpoint to be loaded into.

    Raises:
        ModelUnavailableError: the weights are missing or belong to another network.
    """
    from torchvision import models  # seconds and 150 MB, which what scores in 8-bit integers can do without

    network: nn.Module = models.get_model(spec.backbone, weights=None)
    features = int(network.get_submodule("fc").in_features)  # type: ignore[arg-type]
    if pretrained and spec.weights != "scratch":
        _load_image_weights(network, spec)
    network.fc = nn.Identity()
    if spec.freeze:
        network.requires_grad_(requires_grad=False)
    return network, features


def _load_image_weights(network: nn.Module, spec: ImageSpec) -> None:
    path = _imagenet_file(spec.backbone) if spec.weights == "imagenet" else Path(spec.weights)
    found = read_safetensors(path)
    expected = {name: tensor.shape for name, tensor in network.state_dict().items() if not _optional(name)}
    missing = sorted(name for name in expected if name not in found)
    if missing:
        raise ModelUnavailableError(
            f"{path} holds no weights of {spec.backbone}: {len(missing)} of {len(expected)} tensors are missing, "
            f"such as {missing[0]!r}.",
            "Use weights with torchvision's names, or another backbone.",
        )
    for name, shape in expected.items():
        if found[name].shape != shape:
            raise ModelUnavailableError(
                f"{path} does not fit {spec.backbone}: {name!r} is {tuple(found[name].shape)}, not {tuple(shape)}.",
                "Use weights with torchvision's names, or another backbone.",
            )
    network.load_state_dict({name: found[name] for name in expected}, strict=False)


def _optional(name: str) -> bool:
    """The classifier is thrown away, and the batch counters of normalisation layers are not always saved."""
    return name.startswith("fc.") or name.endswith("num_batches_tracked")


def _imagenet_file(backbone: str) -> Path:
    from huggingface_hub import hf_hub_download

    repository = imagenet_repository(backbone)
    path: str = from_hub(repository, "image weights", lambda **where: hf_hub_download(repository, WEIGHTS, **where))
    return Path(path)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file.

    Raises:
        ModelUnavailableError: the file is missing or damaged.
    """
    try:
        return load_file(path)
    except OSError as error:
        raise ModelUnavailableError(
            f"The weights {path} cannot be read: {error.strerror or error}.",
            "Check that the file is there and that you may read it.",
        ) from error
    except SafetensorError as error:
        raise ModelUnavailableError(
            f"The weights {path} are damaged or not safetensors: {error}.",
            "Get the file again, or name another one in the recipe.",
        ) from error


def _check_positions(encoder: PreTrainedModel, spec: TextSpec) -> None:
    positions = getattr(encoder.config, "max_position_embeddings", None)
    if isinstance(positions, int) and 0 < positions < spec.max_tokens:
        raise ModelUnavailableError(
            f"The encoder {spec.backbone!r} reads at most {positions} tokens, not {spec.max_tokens}.",
            f"Set text.max_tokens to {positions} or less.",
        )


def depths(encoder: PreTrainedModel) -> dict[int, int]:
    """How many layers lie above each weight, by its `id`: none for the last layer and what follows it.

    Raises:
        ModelUnavailableError: the encoder's layers cannot be told apart.
    """
    layers = _layers(encoder, "the rate of learning cannot differ by layer", "Set training.layer_decay to 1.")
    found = {id(weight): len(layers) - 1 - at for at, layer in enumerate(layers) for weight in layer.parameters()}
    below = len(layers)
    for weight in encoder.parameters():  # modules come in the order in which data passes them
        below = 0 if id(weight) in found else below
        found.setdefault(id(weight), below)
    return found


def _freeze_layers(encoder: PreTrainedModel, spec: TextSpec) -> None:
    """Freeze the embeddings and the first N layers; modules come in the order in which data passes them."""
    if spec.freeze_layers == 0:
        return
    trained: set[int] = set()
    if spec.freeze_layers != WHOLE:
        problem = f"text.freeze_layers cannot be {spec.freeze_layers}"
        layers = _layers(encoder, problem, "Use 0 (train all) or -1 (freeze all).")
        trained = {id(weight) for layer in layers[spec.freeze_layers :] for weight in layer.parameters()}
    for weight in encoder.parameters():
        if id(weight) in trained:
            break
        weight.requires_grad = False


def _layers(encoder: PreTrainedModel, problem: str, way_out: str) -> list[nn.Module]:
    wanted = getattr(encoder.config, "num_hidden_layers", 0)
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return list(module)
    name = encoder.config.name_or_path or encoder.config.model_type
    raise ModelUnavailableError(f"The layers of {name!r} cannot be told apart, so {problem}.", way_out)
