from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.explain.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t …!?", []),
        ("Hello, world! it's well-known.", ["Hello", "world", "it's", "well-known"]),
        ("don’t rock’n’roll 'quoted'", ["don’t", "rock’n’roll", "quoted"]),
        ("Καλημέρα κόσμε! Τι κάνεις;", ["Καλημέρα", "κόσμε", "Τι", "κάνεις"]),
        ("αcce\u0301nt α\u0301β", ["αcce\u0301nt", "α\u0301β"]),
        ("مرحبا بالعالم، كيف؟", ["مرحبا", "بالعالم", "كيف"]),
        ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("只要 今日", ["只", "要", "今", "日"]),
        ("hi @user.name, @bob. #YOLO2024!", ["hi", "@user.name", "@bob", "#YOLO2024"]),
        ("#Ελλάδα", ["#Ελλάδα"]),
        ("see https://ex.example/ple?a=b&c=d. ok", ["see", "https://ex.example/ple?a=b&c=d", "ok"]),
        ("(www.shop.example/x)", ["www.shop.example/x"]),
        ("mail a.b@c.example now", ["mail", "a.b@c.example", "now"]),
        ("(a.b@c.example),d+e@f.example", ["a.b@c.example", "d+e@f.example"]),
        ("€19.99 or 20% at 12:30, 19,99€", ["€19.99", "or", "20%", "at", "12:30", "19,99€"]),
        ("👨‍👩‍👧‍👦🎉 👍🏽 🇬🇷🇬🇷 ❤️ 5️⃣", ["👨‍👩‍👧‍👦", "🎉", "👍🏽", "🇬🇷", "🇬🇷", "❤️", "5️⃣"]),
    ],
)
def test_words_are_what_people_see(text: str, words: list[str]) -> None:
    assert [word.text for word in words_of(text)] == words


@pytest.mark.parametrize("character", ["漢", "-", ".", "x", "@", "☃", "www.", "#"])
def test_a_run_without_spaces_is_read_in_one_go(character: str) -> None:
    """It took minutes when every place in it was tried as the beginning of a mail address."""
    text = character * (200_000 // len(character))
    assert sum(len(word.text) for word in words_of(text)) <= len(text)


@given(st.text())
def test_words_are_slices_in_order_and_never_empty(text: str) -> None:
    end = 0
    for word in words_of(text):
        assert end <= word.start < word.end
        assert text[word.start : word.end] == word.text
        end = word.end
