from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.models.located import found_offsets
from engine.models.spec import NetworkSpec
from engine.models.tokenizer import EncoderTokens, TextTokenizer, load_tokenizer, tokenizer_for


def read(tokenizer: TextTokenizer, text: str) -> list[str]:
    """What each token stands for; special tokens stand for nothing."""
    located = tokenizer.locate(text)
    assert list(located.ids) == tokenizer.encode([text])[0]
    return [text[start:end] for start, end in located.spans]


def encoder(folder: str, spec: NetworkSpec) -> TextTokenizer:
    text = msgspec.structs.replace(spec.text, backbone=folder)
    found = tokenizer_for(msgspec.structs.replace(spec, text=text), [])
    assert found is not None
    return found


def test_byte_pairs_stand_for_raw_characters(tokenizer: TextTokenizer) -> None:
    assert "".join(read(tokenizer, "a calm river")).replace(" ", "") == "acalmriver"
    assert "".join(read(tokenizer, "Καλημέρα")) == "Καλημέρα"
    assert set(read(tokenizer, "🎉")) - {""} == {"🎉"}
    assert set(read(tokenizer, "@someone")) - {""} == {"@someone"}


def test_word_pieces_stand_for_raw_characters(encoder_folder: str, spec: NetworkSpec) -> None:
    found = read(encoder(encoder_folder, spec), "A calm RIVER, @joe")
    assert found == ["", "A", "calm", "RIVER", ",", "@joe", "@joe", ""]


def test_what_says_nothing_is_the_mask_or_padding(
    encoder_folder: str, spec: NetworkSpec, tokenizer: TextTokenizer
) -> None:
    assert encoder(encoder_folder, spec).locate("calm").blank == 4
    assert tokenizer.locate("calm").blank == tokenizer.pad


def test_texts_that_are_cut_are_full(tokenizer: TextTokenizer, encoder_folder: str, spec: NetworkSpec) -> None:
    for one in (tokenizer, encoder(encoder_folder, spec)):
        assert one.locate("calm " * 50).full
        assert not one.locate("calm").full
        assert len(one.locate("calm " * 50).ids) == spec.text.max_tokens


def test_nothing_readable_is_one_token_that_stands_for_nothing(tokenizer: TextTokenizer) -> None:
    located = tokenizer.locate("\u0301")
    assert len(located.ids) == len(located.spans) == 1
    assert located.spans[0][0] == located.spans[0][1]


def bertweet(folder: Path) -> None:
    """A tokenizer that is written in Python and tells no offsets."""
    folder.mkdir()
    (folder / "vocab.txt").write_text("ri@@ 9\nver 9\ncalm 9\na 9\n@user 9\n", encoding="utf-8")
    (folder / "bpe.codes").write_text("r i 9\nv e 9\nve r</w> 9\nc a 9\nl m</w> 9\nca lm</w> 9\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertweetTokenizer"}', encoding="utf-8")


def test_a_tokenizer_without_offsets_is_asked_stretch_by_stretch(tmp_path: Path, spec: NetworkSpec) -> None:
    bertweet(tmp_path / "bertweet")
    made = encoder(str(tmp_path / "bertweet"), spec)
    assert isinstance(made, EncoderTokens)
    assert not made._tokenizer.is_fast
    found = read(made, "a Calm river")
    assert found[0] == found[-1] == ""
    assert "".join(found) == "aCalmriver"
    assert "ri" in found


def test_stretches_whose_tokens_do_not_add_up_are_shared() -> None:
    pieces = {"can't": ["can", "not"], "go": ["go"], "rivers": ["riv@@", "##ers"]}
    assert found_offsets("can't  go rivers", pieces.__getitem__) == [(0, 5), (0, 5), (7, 9), (10, 13), (13, 16)]


def test_a_saved_tokenizer_locates_alike(tokenizer: TextTokenizer, spec: NetworkSpec, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    again: Any = load_tokenizer(tmp_path, spec)
    assert again.locate("Καλημέρα, buy now") == tokenizer.locate("Καλημέρα, buy now")
