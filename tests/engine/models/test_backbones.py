"""Backbones against independent answers, and weights that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from engine.errors import ModelUnavailableError
from engine.models.backbones import TextCnn, image_backbone, pretrained_encoder, tiny_bert
from engine.models.spec import ImageSpec, TextSpec

SPEC = TextSpec(width=6, filters=3, windows=(2, 3), dropout=0.0)


def test_the_text_cnn_is_a_maximum_over_windows() -> None:
    torch.manual_seed(0)
    network = TextCnn(SPEC, vocabulary=20, pad=0).eval()
    ids = torch.tensor([[4, 7, 9, 2, 5]])
    with torch.inference_mode():
        vector = network(ids, torch.ones_like(ids, dtype=torch.bool))[0]
        embedded = network.embedding(ids)[0]
        expected = []
        for window, conv in zip(SPEC.windows, network.windows, strict=True):
            assert isinstance(conv, nn.Conv1d)
            rows = [embedded[at : at + window] for at in range(5 - window + 1)]
            assert conv.bias is not None
            answers = [torch.einsum("kc,ock->o", row, conv.weight) + conv.bias for row in rows]
            expected.append(torch.stack(answers).amax(0).clamp(min=0))
    torch.testing.assert_close(vector, torch.cat(expected))


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_padding_never_changes_the_text_cnn(length: int) -> None:
    torch.manual_seed(0)
    network = TextCnn(SPEC, vocabulary=20, pad=0).eval()
    ids = torch.randint(1, 20, (1, length))
    padded = torch.zeros(1, 12, dtype=torch.long)
    padded[:, :length] = ids
    with torch.inference_mode():
        alone = network(ids, torch.ones(1, length, dtype=torch.bool))
        among = network(padded, torch.arange(12)[None] < length)
    torch.testing.assert_close(alone, among)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_never_changes_an_encoder(encoder_folder: str, pooling: str) -> None:
    network = pretrained_encoder(TextSpec(backbone=encoder_folder, pooling=pooling)).eval()
    ids = torch.tensor([[2, 8, 9, 3]])
    padded = torch.nn.functional.pad(ids, (0, 5))
    with torch.inference_mode():
        alone = network(ids, torch.ones_like(ids, dtype=torch.bool))
        among = network(padded, torch.arange(9)[None] < 4)
    assert alone.shape == (1, 16)
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("layers", "trained"), [(0, {"embeddings", "0", "1"}), (1, {"1"}), (2, set()), (-1, set())])
def test_freezing_an_encoders_first_layers(encoder_folder: str, layers: int, trained: set[str]) -> None:
    network = pretrained_encoder(TextSpec(backbone=encoder_folder, freeze_layers=layers))
    names = [name for name, weight in network.encoder.named_parameters() if weight.requires_grad]
    assert {name.split(".")[2] if "layer" in name.split(".") else name.split(".")[0] for name in names} == trained


@pytest.mark.parametrize(("width", "heads"), [(128, 2), (100, 1), (32, 1)])
def test_a_small_bert_from_nothing(width: int, heads: int) -> None:
    spec = TextSpec(backbone="bert-tiny", width=width, layers=3, max_tokens=24, dropout=0.2, freeze_layers=1)
    torch.manual_seed(0)
    network = tiny_bert(spec, vocabulary=300, pad=0).eval()
    config = network.encoder.config
    assert (config.num_hidden_layers, config.num_attention_heads, network.features) == (3, heads, width)
    assert (config.max_position_embeddings, config.hidden_dropout_prob) == (24, 0.2)
    assert {name for name, weight in network.encoder.named_parameters() if weight.requires_grad} == {
        name for name, _ in network.encoder.named_parameters() if "layer.1" in name or "layer.2" in name
    }
    ids = torch.tensor([[2, 8, 9, 3]])
    with torch.inference_mode():
        alone = network(ids, torch.ones_like(ids, dtype=torch.bool))
        among = network(torch.nn.functional.pad(ids, (0, 5)), torch.arange(9)[None] < 4)
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=1e-4)


def test_a_missing_encoder_names_two_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailableError) as caught:
        pretrained_encoder(TextSpec(backbone="nobody/no-such-encoder"))
    assert "nobody/no-such-encoder" in caught.value.message
    assert "local folder" in caught.value.way_out
    assert "HF_HOME" in caught.value.way_out


def test_more_tokens_than_an_encoder_reads_are_refused(encoder_folder: str) -> None:
    with pytest.raises(ModelUnavailableError, match="at most 512 tokens, not 600"):
        pretrained_encoder(TextSpec(backbone=encoder_folder, max_tokens=600))


def test_a_folder_without_an_encoder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="holds no usable encoder"):
        pretrained_encoder(TextSpec(backbone=str(tmp_path)))


def test_pickled_weights_are_never_read(encoder_folder: str) -> None:
    folder = Path(encoder_folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailableError):
        pretrained_encoder(TextSpec(backbone=encoder_folder))


def test_local_image_weights_are_used(tmp_path: Path) -> None:
    torch.manual_seed(5)
    theirs = resnet18(weights=None)
    path = tmp_path / "r18.safetensors"
    save_file({name: value for name, value in theirs.state_dict().items() if "num_batches" not in name}, path)
    ours, features = image_backbone(ImageSpec(weights=str(path)), pretrained=True)
    theirs.fc = nn.Identity()
    pixels = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(pixels), theirs.eval()(pixels))
    assert features == 512


def test_image_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"layer9.weight": torch.zeros(3)}, path)
    with pytest.raises(ModelUnavailableError, match=r"no weights of resnet18.*bn1"):
        image_backbone(ImageSpec(weights=str(path)), pretrained=True)
    weights = dict(resnet18(weights=None).state_dict())
    save_file(weights | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(ModelUnavailableError, match=r"conv1\.weight"):
        image_backbone(ImageSpec(weights=str(path)), pretrained=True)
    path.write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(ModelUnavailableError, match="not safetensors"):
        image_backbone(ImageSpec(weights=str(path)), pretrained=True)
    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        image_backbone(ImageSpec(weights=str(tmp_path / "no.safetensors")), pretrained=True)
