"""The encoder's folder is what a recipe's text backbone reads, with offsets that point at the right characters."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch

from engine.errors import InputError, ModelUnavailableError
from engine.models.network import TextBatch, build
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec
from engine.models.text import prepare
from engine.models.tokenizer import tokenizer_for
from engine.training.pretraining.corpus import tokenized
from engine.training.pretraining.encoder import Encoder, fitted, load_encoder, longest_input, new_encoder
from engine.training.pretraining.settings import PretrainingSettings

RAW = "Καλή μέρα, @Άννα 😀👍🏽 στη ΝΎΧΤΑ! <s>το</s> <mask> https://example.org"


@pytest.fixture
def folder(texts: list[str], settings: PretrainingSettings, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    place = tmp_path / "encoder"
    place.mkdir()
    new_encoder(texts, settings).save(place)
    return place


def _network_spec(folder: Path, settings: PretrainingSettings) -> NetworkSpec:
    return NetworkSpec(
        heads=(HeadSpec(task="t", labels=("a", "b")),),
        text=settings.text_spec(str(folder)),
        image=ImageSpec(backbone="none"),
    )


def test_a_recipe_reads_the_folder_as_its_text_backbone(
    folder: Path, settings: PretrainingSettings, texts: list[str]
) -> None:
    spec = _network_spec(folder, settings)
    tokenizer = tokenizer_for(spec, ())
    assert tokenizer is not None
    network = build(spec, tokenizer).eval()
    assert tokenizer.pad == 1
    (ids,) = tokenizer.encode([texts[0]])
    batch = TextBatch(
        ids=torch.tensor([ids]), mask=torch.ones(1, len(ids), dtype=torch.bool), present=torch.tensor([True])
    )
    ours = load_encoder(str(folder))
    ours.model.train(False)
    hidden = ours.model.base_model(input_ids=batch.ids).last_hidden_state[:, 0]
    torch.testing.assert_close(network.encode_text(batch), hidden)


def test_what_the_encoder_reads_is_what_it_learned_from(
    folder: Path, settings: PretrainingSettings, texts: list[str]
) -> None:
    """The recipe's way from raw text to tokens gives the tokens that pretraining used."""
    tokenizer = tokenizer_for(_network_spec(folder, settings), ())
    assert tokenizer is not None
    prepared = prepare(texts[0], settings.text_spec("")).text
    pieces = tokenized([prepared], load_encoder(str(folder)).tokenizer, 16)
    assert tokenizer.encode([texts[0]])[0] == pieces[0].tolist()


@pytest.mark.parametrize("emoji", ["keep", "words"])
def test_offsets_lead_from_tokens_to_the_characters_that_people_see(
    folder: Path, settings: PretrainingSettings, emoji: str
) -> None:
    spec = msgspec.structs.replace(settings, emoji=emoji, lower_case=False, strip_accents=emoji == "words").text_spec(
        ""
    )
    prepared = prepare(RAW, spec)
    tokenizer = load_encoder(str(folder)).tokenizer
    encoded = tokenizer(prepared.text, return_offsets_mapping=True)
    seen = [span for span in encoded["offset_mapping"] if span[0] < span[1]]
    covered = {place for start, end in seen for place in range(start, end)}
    assert covered == {place for place, character in enumerate(prepared.text) if not character.isspace()}
    raw = [RAW[slice(*prepared.raw_span(start, end))] for start, end in seen]
    assert "".join(dict.fromkeys(raw)).replace(" ", "") or raw
    for word in ("Καλή", "ΝΎΧΤΑ"):
        start = RAW.index(word)
        inside = [prepared.raw_span(*span) for span in seen if start <= prepared.raw_span(*span)[0] < start + len(word)]
        assert inside[0][0] == start
        assert inside[-1][1] == start + len(word)


def test_what_looks_like_a_special_token_is_ordinary_text(folder: Path) -> None:
    tokenizer = load_encoder(str(folder)).tokenizer
    ids = tokenizer("<s> a <mask> b </s> <pad>")["input_ids"]
    assert (ids[0], ids[-1]) == (0, 2)
    assert min(ids[1:-1]) > 4
    assert str(tokenizer.decode(ids[1:-1])).strip() == "<s> a <mask> b </s> <pad>"


def test_every_string_has_tokens_and_comes_back(folder: Path) -> None:
    tokenizer = load_encoder(str(folder)).tokenizer
    for text in ("שלום 世界 \x01", "👩‍👩‍👧‍👦 ﷽", "ό" * 5):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert str(tokenizer.decode(ids, clean_up_tokenization_spaces=False)).strip() == text
        assert tokenizer.unk_token_id not in ids


def test_an_encoder_reads_no_more_than_it_has_positions_for(folder: Path, settings: PretrainingSettings) -> None:
    encoder = load_encoder(str(folder))
    assert longest_input(encoder) == 16
    ids = torch.full((1, 16), 7)
    assert encoder.model(input_ids=ids).logits.shape == (1, 16, len(encoder.tokenizer))
    longer = msgspec.structs.replace(settings, max_tokens=17)
    assert fitted(longer, encoder, asked=False).max_tokens == 16
    with pytest.raises(InputError, match="reads at most 16 tokens, not 17"):
        fitted(longer, encoder, asked=True)


def test_a_bert_can_be_continued_too(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "one", "two", "three"]
    folder = tmp_path / "bert"
    BertTokenizer(vocab={word: at for at, word in enumerate(words)}).save_pretrained(folder)
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    torch.manual_seed(0)
    model = BertForMaskedLM(config)
    model.save_pretrained(folder)
    encoder = load_encoder(str(folder))
    assert longest_input(encoder) == 512
    assert encoder.vocabulary.mask == 4
    assert encoder.vocabulary.regular.tolist() == [5, 6, 7]
    _same_predictions(encoder)


def _same_predictions(encoder: Encoder) -> None:
    from engine.training.pretraining.masking import hide

    ids = torch.tensor([[2, 5, 6, 7, 3]])
    batch = hide(ids, torch.ones_like(ids).bool(), encoder.vocabulary, 0.5, torch.Generator().manual_seed(0))
    encoder.model.train(False)
    with torch.inference_mode():
        whole = encoder.model(input_ids=batch.ids, attention_mask=batch.attention.long()).logits
        torch.testing.assert_close(encoder.predictions(batch), whole[batch.chosen])


def test_an_encoder_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"no encoder folder '.*/gone'"):
        load_encoder(str(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnavailableError, match="holds no usable"):
        load_encoder(str(tmp_path / "empty"))
