"""The encoder's graph beside the Hugging Face one that its weights come from."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.models.bulk import bert, runtime
from engine.models.bulk.bert import Encoder, packed, read_shape
from engine.models.packed_text import PackedText
from engine.models.weights import Arrays

LIMIT = 40
TEXTS = [[5, 9, 11, 30, 7, 6], [8, 8, 12], [40, 3], [21], [7, 13, 44, 2, 19, 33, 20, 10, 9]]


@pytest.fixture(params=["bert", "roberta"])
def model(request: pytest.FixtureRequest) -> Any:
    from transformers import AutoModel, BertConfig, RobertaConfig

    make = RobertaConfig if request.param == "roberta" else BertConfig
    config = make(
        vocab_size=50, max_position_embeddings=64, pad_token_id=1, hidden_size=64, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=96,
    )  # fmt: skip
    torch.manual_seed(0)
    made = AutoModel.from_config(config, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "LayerNorm" in name or name.endswith("bias"):
                weight.add_(torch.randn_like(weight) * 0.2)  # as after training
            elif "encoder" in name:
                weight.mul_(3)
    return made


@pytest.fixture
def make_encoder(model: Any, tmp_path: Path) -> Any:
    model.config.save_pretrained(tmp_path)
    save_file({f"text.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}, tmp_path / "w")

    def make(*, mean: bool, brief: bool = False) -> Encoder:
        shape = read_shape(tmp_path / "config.json")
        assert shape is not None
        return Encoder(shape, Arrays(tmp_path / "w", "text."), limit=LIMIT, mean=mean, threads=1, brief=brief)

    return make


@pytest.mark.parametrize(("mean", "widest"), [(True, 1536), (False, 40)])
def test_it_is_near_the_float_one(
    model: Any, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool, widest: int
) -> None:
    monkeypatch.setattr(bert, "_WIDEST", widest)
    (found,) = make_encoder(mean=mean)([TEXTS])
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
        expected = (hidden.mean(dim=0) if mean else hidden[0]).numpy()
        assert np.linalg.norm(vector - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("mean", [True, False])
def test_what_shares_a_row_or_a_call_changes_nothing(make_encoder: Any, mean: bool) -> None:
    encoder = make_encoder(mean=mean)
    together, others = encoder([TEXTS, TEXTS[:2]])
    assert np.array_equal(others, encoder([TEXTS[:2]])[0])
    for text, vector in zip(TEXTS, together, strict=True):
        assert encoder([[text]])[0][0] == pytest.approx(vector, rel=1e-3, abs=1e-3)


def test_a_row_may_be_full_to_the_last_token(make_encoder: Any) -> None:
    encoder = make_encoder(mean=True)
    text = [7, 13, 44, 2, 19, 33, 20, 10]
    assert encoder.row == bert.ROW
    (full,) = encoder([[text] * (bert.ROW // 8)])
    assert full[3] == pytest.approx(encoder([[text]])[0][0], rel=1e-3, abs=1e-3)


def test_first_tokens_alone_get_what_the_whole_last_layer_gives_them(
    make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [TEXTS, [[number] for number in range(2, 2 + bert.FIRSTS)]]
    found = make_encoder(mean=False)(runs)
    monkeypatch.setattr(bert, "_means", lambda hidden, starts, _: hidden[starts])
    for vectors, whole in zip(found, make_encoder(mean=True)(runs), strict=True):
        np.testing.assert_allclose(vectors, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mean", [True, False])
def test_a_text_may_be_as_long_as_a_row(
    model: Any, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool
) -> None:
    monkeypatch.setattr(bert, "ROW", LIMIT)
    encoder, text = make_encoder(mean=mean), list(range(3, 3 + LIMIT))
    assert encoder.row == LIMIT
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
    expected = (hidden.mean(dim=0) if mean else hidden[0]).numpy()
    assert np.linalg.norm(encoder([[text]])[0][0] - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("mean", [True, False])
def test_brief_calls_of_a_wide_encoder_take_one_row(
    make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool
) -> None:
    usual, narrow = make_encoder(mean=mean), make_encoder(mean=mean, brief=True)
    monkeypatch.setattr(bert, "NARROW", 0)
    brief = make_encoder(mean=mean, brief=True)
    assert (usual.at_once, narrow.at_once, brief.at_once) == (bert.AT_ONCE, bert.AT_ONCE, 1)
    np.testing.assert_allclose(brief([TEXTS])[0], usual([TEXTS])[0], rtol=1e-4, atol=1e-4)


def test_only_first_tokens_are_few_in_a_row(make_encoder: Any) -> None:
    assert make_encoder(mean=False).most == bert.FIRSTS
    assert make_encoder(mean=True).most == bert.ROW


def test_gelu_is_near_the_exact_one_everywhere() -> None:
    at = np.concatenate([np.linspace(-12, 12, 4001), [-100, 100]]).astype(np.float32)
    values = runtime.operations().parameter([len(at)], np.float32)
    found = runtime.compiled(bert.gelu(values), [values], 1)(at)
    np.testing.assert_allclose(found, torch.nn.functional.gelu(torch.from_numpy(at)).numpy(), atol=2e-4)


@given(st.lists(st.integers(1, 128), max_size=60), st.integers(1, 20))
def test_packing_leaves_no_text_out_and_no_row_too_full(lengths: list[int], most: int) -> None:
    rows = packed(lengths, 128, most)
    assert sorted(text for row in rows for text in row) == list(range(len(lengths)))
    assert all(0 < len(row) <= most for row in rows)
    used = [sum(lengths[text] for text in row) for row in rows]
    assert all(tokens <= 128 for tokens in used)
    roomy = [tokens for tokens, row in zip(used, rows, strict=True) if len(row) < most]
    assert all(one + other > 128 for at, one in enumerate(roomy) for other in roomy[:at])  # no two rows go into one


@pytest.mark.parametrize(
    "change",
    [{"model_type": "gpt2"}, {"hidden_act": "relu"}, {"is_decoder": True}, {"position_embedding_type": "relative_key"}],
)
def test_other_encoders_are_not_known(tmp_path: Path, change: dict[str, Any]) -> None:
    facts = {"model_type": "bert", "num_attention_heads": 2, "num_hidden_layers": 1, "layer_norm_eps": 1e-12}
    file = tmp_path / "config.json"
    file.write_text(json.dumps(facts | {"hidden_act": "gelu"}))
    assert read_shape(file) is not None
    file.write_text(json.dumps(facts | {"hidden_act": "gelu"} | change))
    assert read_shape(file) is None
    file.write_bytes(b"\xff{")
    assert read_shape(file) is None


@pytest.mark.parametrize("mean", [True, False])
def test_beside_torch_padding_and_company_change_nothing(make_encoder: Any, mean: bool) -> None:
    encoder, texts = make_encoder(mean=mean), [*TEXTS, *([number] for number in range(2, 4 + bert.FIRSTS))]
    ids = torch.zeros(len(texts) + 1, max(map(len, texts)), dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    found = PackedText(encoder)(ids, ids > 0)
    alone = np.concatenate([encoder([[text]])[0] for text in texts])
    np.testing.assert_allclose(found[:-1].numpy(), alone, atol=2e-5)
    assert not found[-1].any()


@given(lengths=st.lists(st.integers(1, LIMIT), max_size=60))
def test_its_batches_hold_every_text_once_and_fit_one_run(lengths: list[int]) -> None:
    encoder: Any = types.SimpleNamespace(row=bert.ROW, most=bert.FIRSTS, at_once=bert.AT_ONCE)
    batches = list(PackedText(encoder).batches(lengths))
    assert sorted(text for batch in batches for text in batch) == list(range(len(lengths)))
    assert all(sum(lengths[text] for text in batch) <= bert.AT_ONCE * bert.ROW for batch in batches)
