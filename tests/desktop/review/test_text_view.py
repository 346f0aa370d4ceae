from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.review.text_view import TextView
from desktop.theme import ThemeManager
from engine.types import Explanation, Item, TokenWeight

ITEM = Item(id="p", kind="product", title="Kettle 🙂", text="Morrowe kettle\r\nfor sale")


def token(field: str, word: str, weight: float) -> TokenWeight:
    start = getattr(ITEM, field).index(word)
    return TokenWeight(field=field, start=start, end=start + len(word), text=word, weight=weight)


@pytest.fixture
def view(qtbot: QtBot, theme: ThemeManager) -> TextView:
    made = TextView(theme)
    qtbot.addWidget(made)
    made.resize(600, 200)
    made.show()
    return made


@pytest.fixture
def explanation(make_explanation: Callable[..., Explanation]) -> Explanation:
    tokens = (
        token("text", "sale", 0.4),
        token("text", "kettle", -0.4),
        token("title", "Kettle", 0.2),
        token("text", "for", 0.001),
        TokenWeight(field="text", start=500, end=510, text="gone", weight=1.0),
        msgspec.structs.replace(token("text", "Morrowe", 0.3), error=0.2),
    )
    return make_explanation("p", "verdict", "ok", tokens=tokens, segments=())


def marks(view: TextView) -> dict[str, QColor]:
    found: Any = view.extraSelections()
    return {mark.cursor.selectedText(): mark.format.background().color() for mark in found}


def test_words_are_marked_where_they_stand_in_the_themes_colours(
    view: TextView, explanation: Explanation, theme: ThemeManager
) -> None:
    view.show_item(ITEM, explanation)
    diverging = theme.tokens.diverging
    shown = {word: colour.name() for word, colour in marks(view).items()}
    assert shown["kettle"] == diverging.colour(-0.4)
    assert shown["sale"] == diverging.colour(0.4)
    assert shown["Kettle"] == diverging.colour(0.2)
    assert "for" not in shown
    assert len(shown) == 3


def test_the_same_text_can_be_shown_without_marks(view: TextView, explanation: Explanation) -> None:
    view.show_item(ITEM, explanation)
    view.set_tokens_shown(False)
    assert marks(view) == {}
    view.set_tokens_shown(True)
    assert len(marks(view)) == 3
    view.show_item(ITEM, None)
    assert marks(view) == {}
    assert view.toPlainText().startswith("Kettle 🙂\nMorrowe kettle")


def test_marks_follow_the_theme(view: TextView, explanation: Explanation, theme: ThemeManager) -> None:
    view.show_item(ITEM, explanation)
    light = marks(view)["sale"].name()
    theme.set_mode("dark")
    assert marks(view)["sale"].name() == theme.tokens.diverging.colour(0.4) != light


def test_the_word_under_the_pointer_tells_its_weight(view: TextView, explanation: Explanation, qtbot: QtBot) -> None:
    view.show_item(ITEM, explanation)
    found: Any = view.extraSelections()
    sale = next(mark.cursor for mark in found if mark.cursor.selectedText() == "sale")
    sale.setPosition(sale.selectionStart() + 1)
    with qtbot.waitSignal(view.hovered) as hovered:
        QTest.mouseMove(view.viewport(), view.cursorRect(sale).center())
    assert hovered.args == ["“sale” +0.400"]
