"""The panel with the answers keeps everything in sight, however long a taxonomy's words are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from desktop.review.buttons import AnswerButton
from desktop.review.sight import Sight
from desktop.review.verdict_panel import WIDTH, VerdictPanel
from desktop.review.visit import Visit, begin
from desktop.settings import Settings
from desktop.theme import ThemeManager
from desktop.window import DeskWindow
from engine.taxonomy import Label, Taxonomy, preset
from engine.types import Item, Verdict


@pytest.fixture
def wordy() -> Taxonomy:
    """A task whose labels have titles and guidelines with no place to break a line."""

    def longer(label: Label) -> Label:
        return msgspec.structs.replace(label, title=f"{label.title} {'and on' * 30}", guideline="www." + "x" * 400)

    taxonomy = preset("tweets")
    (task,) = taxonomy.tasks
    task = msgspec.structs.replace(task, title="How " * 80, labels=tuple(map(longer, task.labels)))
    return msgspec.structs.replace(taxonomy, tasks=(task,))


@pytest.fixture
def panel(wordy: Taxonomy, settings: Settings, theme: ThemeManager, qtbot: QtBot) -> Iterator[VerdictPanel]:
    window = DeskWindow(settings, theme)
    qtbot.addWidget(window)
    made = VerdictPanel(wordy, theme, window.actions_table)
    window.setCentralWidget(made)
    window.resize(960, 600)
    window.show()
    qtbot.waitExposed(window)
    yield made
    window.close()


def visit_of(taxonomy: Taxonomy, label: str, *, newer: bool = False) -> Visit:
    task = taxonomy.tasks[0]
    verdict = _verdict(task.name, label)
    sight = Sight(item=Item(id="t", kind="tweet"), verdicts={task.name: verdict}, resolved={})
    visit = begin(sight, taxonomy)
    visit.newer = replace(sight, verdicts={task.name: _verdict(task.name, "non-toxic")}) if newer else None
    return visit


def _verdict(task: str, label: str) -> Verdict:
    return Verdict(
        item="t", task=task, model="m", label=label, probability=1.0, labels=(label,), probabilities={label: 1.0}
    )


def test_long_words_push_no_key_out_of_sight(panel: VerdictPanel, wordy: Taxonomy) -> None:
    panel.show_visit(visit_of(wordy, "toxic", newer=True))
    panel.guideline.show()
    QApplication.processEvents()
    (scroll,) = panel.findChildren(QScrollArea)
    inside = scroll.widget()
    assert inside is not None
    assert inside.width() == scroll.viewport().width()
    for button in panel.findChildren(AnswerButton):
        assert button.mapTo(panel, button.rect().topRight()).x() < panel.width()
    assert panel.minimumSizeHint().width() <= WIDTH
