from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QTextCursor, QTextDocument

from desktop.review.places import Places
from engine.types import TokenWeight

PIECES = st.lists(st.sampled_from(["κλέφτης", "🙂", "a", " ", "\r\n", "\n", "👩‍👩‍👧", "word"]), max_size=12)


@given(PIECES, PIECES, st.data())
def test_a_token_lies_where_the_document_shows_it(title: list[str], text: list[str], data: st.DataObject) -> None:
    fields = {"title": "".join(title), "text": "".join(text)}
    places = Places(fields["title"], fields["text"])
    document = QTextDocument()
    document.setPlainText(places.shown)
    field = data.draw(st.sampled_from(["title", "text"]))
    whole = fields[field]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    token = TokenWeight(field=field, start=start, end=end, text=whole[start:end], weight=1.0)
    assert places.holds(token) == (start < end)
    first, last = places.span(token)
    cursor = QTextCursor(document)
    cursor.setPosition(first)
    cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
    assert cursor.selectedText().replace("\u2029", "\n") == _shown(places, whole, start, end, field)


def _shown(places: Places, whole: str, start: int, end: int, field: str) -> str:
    offset = 0 if field == "title" else len(places.shown) - len(whole)
    return places.shown[offset + start : offset + end]


def test_tokens_outside_the_text_are_left_out() -> None:
    places = Places("", "short")
    assert not places.holds(TokenWeight(field="text", start=3, end=9, text="?", weight=1.0))
    assert not places.holds(TokenWeight(field="title", start=0, end=1, text="?", weight=1.0))
    assert not places.holds(TokenWeight(field="other", start=0, end=1, text="?", weight=1.0))
