from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester

from desktop.models_page.model_list import SUMMARY_ROLE, ModelList
from engine.types import ModelCard
from engine.workspace import ModelRow

Cards = Callable[..., ModelCard]


def rows(card: Cards) -> list[ModelRow]:
    cards = (card("m-a", 0.7, day=1), card("m-b", 0.8, day=2), card("m-c", None, day=3))
    return [ModelRow(card=one, champion=one.id == "m-b", status="", reason="", promoted_at="") for one in cards]


def test_the_newest_is_first_and_the_champion_is_found(card: Cards, qtmodeltester: ModelTester) -> None:
    model = ModelList()
    model.show_models(rows(card))
    qtmodeltester.check(model)  # type: ignore[no-untyped-call]
    names = [model.index(number).data() for number in range(model.rowCount())]
    assert names == ["m-c", "m-b", "m-a"]
    assert model.champion_row() == 1
    assert model.row_of("m-a") == 2
    assert model.row_of("m-z") == -1


def test_a_screen_reader_hears_the_score_next_to_the_majoritys(card: Cards) -> None:
    model = ModelList()
    model.show_models(rows(card))
    told = model.index(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert told.startswith("m-b. Champion. Macro-F1 0.80; always giving the most frequent label scores 0.33.")
    assert model.index(0).data(SUMMARY_ROLE).headline is None
