"""The whole page for every eye and every window: names, themes, the smallest size."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.review.page import ReviewPage
from desktop.theme import ThemeManager
from desktop.window import LEAST
from engine.types import Action


def test_whatever_can_be_used_has_a_name_for_screen_readers(page: ReviewPage) -> None:
    found = [widget for widget in page.findChildren(QWidget) if widget.focusPolicy() != Qt.FocusPolicy.NoFocus]
    buttons: list[QWidget] = list(page.findChildren(QAbstractButton))
    nameless = [
        repr(widget)
        for widget in {*found, *buttons}
        if widget.isVisible() and not widget.accessibleName() and not isinstance(widget.parent(), QAbstractButton)
    ]
    assert nameless == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_paints_in_both_themes(page: ReviewPage, theme: ThemeManager, mode: str, qtbot: QtBot) -> None:
    theme.set_mode(mode)
    qtbot.waitUntil(lambda: not page.pool.busy())
    image = page.grab().toImage()
    assert image.pixelColor(page.queue.x() + 2, page.queue.height() - 2).name() == theme.tokens.surface
    assert image.pixelColor(page.centre.mapTo(page, page.centre.capture.pos()).x() + 2, 300).lightness() != 0


def test_a_long_session_still_fits_the_smallest_window(page: ReviewPage) -> None:
    for number in range(2000):
        page.controller.pace.ended(f"a{number}", (Action.CONFIRM, Action.SKIP, Action.ESCALATE)[number % 3], 2.0)
    page.bar.show_progress(page.controller.pace, 123_456)
    assert page.bar.tally == "667 decided · 667 skipped · 666 escalated · 123,456 left · 30 a minute"
    page.window().resize(LEAST)
    assert page.window().width() == LEAST.width()
    assert page.bar.minimumSizeHint().width() <= LEAST.width()
