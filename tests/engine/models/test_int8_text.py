"""A text encoder in 8-bit integers, beside the Hugging Face one that it is made from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.models import int8_text
from engine.models.int8_text import Int8Encoder, shape_of

WIDTH = 256


def config_of(kind: str, **changes: Any) -> Any:
    from transformers import BertConfig, RobertaConfig

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}
    settings = {"vocab_size": 50, "max_position_embeddings": 40, "pad_token_id": 1, **sizes, **changes}
    return (RobertaConfig if kind == "roberta" else BertConfig)(**settings)


def encoder_of(config: Any) -> Any:
    from transformers import AutoModel

    torch.manual_seed(0)
    model = AutoModel.from_config(config, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):
                weight.add_(torch.randn_like(weight) * 0.2)  # as after training
            elif "encoder" in name:
                weight.mul_(3)
    return model


@pytest.fixture(params=["bert", "roberta"])
def model(request: pytest.FixtureRequest) -> Any:
    return encoder_of(config_of(request.param))


@pytest.fixture
def texts() -> tuple[Tensor, Tensor]:
    """Token numbers of texts of different lengths, 1 where there is padding, and their mask."""
    lengths = torch.tensor([12, 7, 12, 3, 1])
    mask = torch.arange(12) < lengths.unsqueeze(1)
    return torch.randint(2, 50, (5, 12), generator=torch.Generator().manual_seed(1)).where(mask, 1), mask


def pooled(hidden: Tensor, mask: Tensor, *, mean: bool) -> Tensor:
    if not mean:
        return hidden[:, 0]
    return torch.stack([row[kept].mean(dim=0) for row, kept in zip(hidden, mask, strict=True)])


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("mean", [True, False])
def test_it_is_near_the_float_one(
    model: Any, texts: tuple[Tensor, Tensor], mean: bool, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8_text, "has_bf16", lambda: bf16)
    ids, mask = texts
    shape = shape_of(model.config, mean=mean)
    assert shape is not None
    with torch.inference_mode():
        expected = pooled(model(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask, mean=mean)
    found = Int8Encoder(shape, model.state_dict())(ids, mask)
    assert found.shape == (5, WIDTH)
    assert found.dtype == torch.float32
    assert 0 < float((found - expected).norm() / expected.norm()) < 0.05


def test_company_and_padding_hardly_change_a_vector(model: Any, texts: tuple[Tensor, Tensor]) -> None:
    ids, mask = texts
    shape = shape_of(model.config, mean=True)
    assert shape is not None
    encoder = Int8Encoder(shape, model.state_dict())
    together = encoder(ids, mask)
    for row in range(5):
        length = int(mask[row].sum())
        alone = encoder(ids[row : row + 1, :length], mask[row : row + 1, :length])
        assert float((alone[0] - together[row]).norm() / together[row].norm()) < 0.02
    garbage = encoder(ids.where(mask, 7), mask)
    torch.testing.assert_close(garbage, together)


def test_outliers_of_one_token_do_not_blur_the_others(texts: tuple[Tensor, Tensor]) -> None:
    """A step for each token, not one for all: a token of huge values must not cost the others their precision."""
    model = encoder_of(config_of("bert", hidden_act="gelu"))
    ids, mask = texts
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[3] = 0
        model.embeddings.word_embeddings.weight[3, :8] = 400  # after normalisation: 8 large values, the others tiny
    shape = shape_of(model.config, mean=False)
    assert shape is not None
    loud = ids.where(torch.arange(12) != 5, 3).where(mask, 1)
    with torch.inference_mode():
        expected = model(input_ids=loud, attention_mask=mask.long()).last_hidden_state[:, 0]
    found = Int8Encoder(shape, model.state_dict())(loud, mask)
    assert float((found - expected).norm() / expected.norm()) < 0.05


@pytest.mark.parametrize("changes", [{"hidden_act": "relu"}, {"is_decoder": True}, {"hidden_size": 128}])
def test_what_it_cannot_stand_for_is_left_alone(changes: dict[str, Any]) -> None:
    assert shape_of(config_of("bert"), mean=False) is not None
    assert shape_of(config_of("bert", **changes), mean=False) is None


def test_other_architectures_are_left_alone() -> None:
    from transformers import DistilBertConfig

    assert shape_of(DistilBertConfig(), mean=False) is None
