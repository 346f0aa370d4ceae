"""The encoder's graph beside the Hugging Face one that its weights come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.models.bulk import bert, runtime
from engine.models.bulk.bert import Encoder, read_shape
from engine.models.bulk.packing import Layout
from engine.models.packed_text import PackedText
from engine.models.weights import Arrays

LIMIT = 80
TEXTS = [[5, 9, 11, 30, 7, 6], [8, 8, 12], [40, 3], [21], [7, 13, 44, 2, 19, 33, 20, 10, 9]]


@pytest.fixture(params=["bert", "roberta"])
def model(request: pytest.FixtureRequest) -> Any:
    from transformers import AutoModel, BertConfig, RobertaConfig

    make = RobertaConfig if request.param == "roberta" else BertConfig
    config = make(
        vocab_size=50, max_position_embeddings=96, pad_token_id=1, hidden_size=64, num_hidden_layers=2,
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

    def make(*, mean: bool, brief: bool = False, limit: int = LIMIT) -> Encoder:
        shape = read_shape(tmp_path / "config.json")
        assert shape is not None
        return Encoder(shape, Arrays(tmp_path / "w", "text."), limit=limit, mean=mean, threads=1, brief=brief)

    return make


@pytest.mark.parametrize(("mean", "widest", "form"), [(True, 1536, 0), (False, 40, 0), (True, 40, 1), (False, 1536, 1)])
def test_it_is_near_the_float_one(
    model: Any, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool, widest: int, form: int
) -> None:
    monkeypatch.setattr(bert, "_WIDEST", widest)
    encoder = make_encoder(mean=mean)
    (found,) = encoder([TEXTS], encoder.forms[form])
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
        expected = (hidden.mean(dim=0) if mean else hidden[0]).numpy()
        assert np.linalg.norm(vector - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("mean", [True, False])
def test_what_shares_a_row_or_a_run_changes_nothing(make_encoder: Any, mean: bool) -> None:
    encoder = make_encoder(mean=mean)
    for form in encoder.forms:
        together, others = encoder([TEXTS, TEXTS[:2]], form)
        assert np.array_equal(others, encoder([TEXTS[:2]], form)[0])
        for text, vector in zip(TEXTS, together, strict=True):
            assert encoder([[text]], form)[0][0] == pytest.approx(vector, rel=1e-3, abs=1e-3)


def test_a_row_may_be_full_to_the_last_token(make_encoder: Any) -> None:
    encoder = make_encoder(mean=True)
    text = [7, 13, 44, 2, 19, 33, 20, 10]
    for form in encoder.forms:
        (full,) = encoder([[text] * (form.tokens // 8)], form)
        assert full[3] == pytest.approx(encoder([[text]], form)[0][0], rel=1e-3, abs=1e-3)


def test_first_tokens_alone_get_what_the_whole_last_layer_gives_them(
    make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_first, by_mean = make_encoder(mean=False), make_encoder(mean=True)
    form = by_first.forms[1]
    runs = [TEXTS, [[number] for number in range(2, 2 + form.texts)]]
    found = by_first(runs, form)
    monkeypatch.setattr(Layout, "shares", _firsts_as_shares)
    for vectors, whole in zip(found, by_mean(runs, by_mean.forms[1]), strict=True):
        np.testing.assert_allclose(vectors, whole, rtol=1e-5, atol=1e-5)


def _firsts_as_shares(layout: Layout) -> np.ndarray:
    """Means in which first tokens alone count."""
    return np.eye(layout.form.tokens, dtype=np.float32)[layout.firsts()]


@pytest.mark.parametrize("mean", [True, False])
def test_a_text_may_be_as_long_as_the_limit(
    model: Any, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool
) -> None:
    monkeypatch.setattr(bert, "ROW", LIMIT)
    encoder, text = make_encoder(mean=mean), [3 + at % 40 for at in range(LIMIT)]
    assert encoder.forms[-1].tokens == LIMIT
    with torch.no_grad():
        hidden = model(input_ids=torch.tensor([text])).last_hidden_state[0]
    expected = (hidden.mean(dim=0) if mean else hidden[0]).numpy()
    (found,) = encoder([[text]], encoder.forms[-1])
    assert np.linalg.norm(found[0] - expected) < 0.03 * np.linalg.norm(expected)


@pytest.mark.parametrize("mean", [True, False])
def test_brief_runs_of_a_wide_encoder_take_one_row(
    make_encoder: Any, monkeypatch: pytest.MonkeyPatch, mean: bool
) -> None:
    narrow, short = make_encoder(mean=mean, brief=True), make_encoder(mean=mean, limit=bert.SHORT_ROW)
    monkeypatch.setattr(bert, "NARROW", 0)
    wide, brief = make_encoder(mean=mean), make_encoder(mean=mean, brief=True)
    sizes = [[form[:2] for form in encoder.forms] for encoder in (narrow, short, wide, brief)]
    assert sizes == [[(4, 64), (2, 128)], [(4, 64)], [(2, 128)], [(1, 128)]]
    np.testing.assert_allclose(brief([TEXTS], *brief.forms)[0], wide([TEXTS], *wide.forms)[0], rtol=1e-4, atol=1e-4)


def test_what_brief_runs_need_for_long_texts_is_read_at_once(make_encoder: Any, tmp_path: Path) -> None:
    encoder = make_encoder(mean=True, brief=True)
    (tmp_path / "w").unlink()
    (found,) = encoder([TEXTS], encoder.forms[1])
    np.testing.assert_allclose(found, encoder([TEXTS], encoder.forms[0])[0], atol=2e-5)


def test_only_first_tokens_are_few_in_a_row(make_encoder: Any) -> None:
    assert [form.texts for form in make_encoder(mean=False).forms] == [8, 16]
    assert [form.texts for form in make_encoder(mean=True).forms] == [16, 32]


def test_gelu_is_near_the_exact_one_everywhere() -> None:
    at = np.concatenate([np.linspace(-12, 12, 4001), [-100, 100]]).astype(np.float32)
    values = runtime.operations().parameter([len(at)], np.float32)
    found = runtime.compiled(bert.gelu(values), [values], 1)(at)
    np.testing.assert_allclose(found, torch.nn.functional.gelu(torch.from_numpy(at)).numpy(), atol=2e-4)


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
    encoder = make_encoder(mean=mean)
    texts = [*TEXTS, *([number] for number in range(2, 30)), [3 + at % 40 for at in range(LIMIT)]]
    ids = torch.zeros(len(texts) + 1, LIMIT, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    found = PackedText(encoder)(ids, ids > 0)
    alone = np.concatenate([encoder([[text]], encoder.forms[len(text) > bert.SHORT_ROW])[0] for text in texts])
    np.testing.assert_allclose(found[:-1].numpy(), alone, atol=2e-5)
    assert not found[-1].any()
