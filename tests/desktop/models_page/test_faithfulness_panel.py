from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from PySide6.QtWidgets import QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from desktop.actions import ActionRegistry
from desktop.models_page import ModelsPage
from desktop.models_page.faithfulness_panel import ITEM_BY_ITEM, FaithfulnessPanel, basis, conclusion
from desktop.theme import ThemeManager
from engine.evidence import CLEAR
from engine.types import Faithfulness, FaithfulnessRow, ModelCard, Spread
from engine.workspace import faithfulness

if TYPE_CHECKING:
    from desktop.desk import Desk
    from tests.desktop.models_page.conftest import FakeDesk

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
NAMES = ("deletion", "insertion", "comprehensiveness", "sufficiency")


def measured(*advantages: float, method: str = "lime", items: int = 30, error: float | None = 0.02) -> Faithfulness:
    """The named checks with these advantages over random order."""
    names = NAMES[: len(advantages)]
    scores = {name: Spread(mean=0.25, error=error, n=items) for name in names}
    gains = {name: Spread(mean=gain, error=error, n=items) for name, gain in zip(names, advantages, strict=True)}
    rows = (
        FaithfulnessRow(method=method, scores=scores, advantage=gains),
        FaithfulnessRow(method="random", scores={name: Spread(mean=0.5, error=0.1, n=items) for name in names}),
    )
    at = "2026-01-01T12:00:00+00:00"
    return Faithfulness(model="m-a", at=at, split="val", items=items, seed=0, rows=rows, notes=("One was left out.",))


def texts(widget: QWidget) -> list[str]:
    return [one.text() for one in widget.findChildren(QLabel)]


def shown(page: ModelsPage) -> list[FaithfulnessPanel]:
    details = page.details.widget()
    assert details is not None
    return details.findChildren(FaithfulnessPanel)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            measured(0.2, 0.1, 0.1, 0.05),
            f"Yes: clearly better than naming parts at random in every check: {ITEM_BY_ITEM}.",
        ),
        (
            measured(0.2, 0.01, 0.1, -0.01),
            f"In part: clearly better than naming parts at random in 2 of 4 checks: {ITEM_BY_ITEM}.",
        ),
        (measured(0.2, -0.1), f"No: clearly worse than naming parts at random in 1 of 2 checks: {ITEM_BY_ITEM}."),
        (
            measured(0.01, 0.02),
            "Not shown: no check can be told from naming parts at random. Measuring more items may tell.",
        ),
        (measured(0.01, items=400), "Not shown: no check can be told from naming parts at random."),
        (measured(0.9, items=1, error=None), "Too few to tell: measured on 1 item. More are measured with --items."),
        (measured(0.9, 0.9, items=9), "Too few to tell: measured on 9 items. More are measured with --items."),
        (
            measured(0.2, method="ig"),
            f"Yes (Integrated gradients): clearly better than naming parts at random in every check: {ITEM_BY_ITEM}.",
        ),
    ],
)
def test_the_conclusion_counts_only_what_can_be_told_from_chance(found: Faithfulness, sentence: str) -> None:
    assert conclusion(found) == sentence


def test_what_clearly_means_is_said_in_the_rules_own_number() -> None:
    """Between the last difference that is not clear and the first that is lies twice the standard error."""
    assert CLEAR == 2.0
    assert "more than twice its standard error" in ITEM_BY_ITEM
    assert conclusion(measured(0.041)).startswith("Yes")
    assert conclusion(measured(0.039)).startswith("Not shown")


def test_what_the_figures_rest_on_is_said() -> None:
    assert "30 held-out items" in basis(measured(0.2))
    assert "1 held-out item ±" in basis(measured(0.2, items=1))


def test_the_table_has_a_row_for_each_method_and_a_column_for_each_check(qtbot: QtBot, tmp_path: Path) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    panel = FaithfulnessPanel(measured(0.2, 0.1), tmp_path, parent)
    told = texts(panel)
    assert told.count("25 ± 2") == 2
    assert told.count("50 ± 10") == 2
    assert {"LIME, as on the desk", "At random", "One was left out."} <= set(told)
    assert not any("words" in text.lower() for text in told)
    assert (
        panel.accessibleDescription()
        == f"Yes: clearly better than naming parts at random in every check: {ITEM_BY_ITEM}."
    )
    named = [one.accessibleName() for one in panel.findChildren(QLabel)]
    assert "Parts shown, At random: 50 ± 10" in named


def test_only_the_champion_has_it_and_before_it_is_measured_the_command_is_there(
    qtbot: QtBot,
    theme: ThemeManager,
    actions: ActionRegistry,
    desk: FakeDesk,
    card: Callable[..., ModelCard],
    add: Callable[[ModelCard], None],
) -> None:
    page = ModelsPage(theme, actions)
    qtbot.addWidget(page)
    add(card("m-a", 0.8, day=1))
    add(card("m-b", 0.6, day=2))
    desk.workspace.models.promote("m-a", "The first model.")
    page.show_desk(cast("Desk", desk))
    (panel,) = shown(page)
    (command,) = panel.findChildren(QLineEdit)
    assert command.text() == f"secondlook explain-eval {desk.workspace.path}"
    assert command.isReadOnly()
    assert command.accessibleName() == "Command that measures it"
    faithfulness.write(desk.workspace.path / "models" / "m-a", measured(0.2, 0.1, 0.1, 0.05))
    page.refresh()
    (panel,) = shown(page)
    assert panel.accessibleDescription().startswith("Yes")
    page.list.setCurrentIndex(page.models.index(0))
    chosen = page.chosen()
    assert chosen is not None
    assert chosen.card.id == "m-b"
    assert shown(page) == []
