from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.settings import RECENT_LIMIT, Settings
from desktop.settings_page import SettingsPage
from desktop.theme import ThemeManager


def reread(settings: Settings) -> Settings:
    settings.store.sync()
    return Settings(QSettings(settings.store.fileName(), QSettings.Format.IniFormat))


def test_fresh_settings_have_sensible_values(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings.theme, settings.blur, settings.heatmap, settings.tokens) == ("system", False, True, True)
    assert 0 < settings.refit_after < settings.retrain_after
    assert settings.reviewer
    monkeypatch.setenv("LOGNAME", "  ")
    assert settings.reviewer == "reviewer"
    assert settings.recent == ()


def test_what_was_chosen_is_there_after_a_restart(settings: Settings) -> None:
    settings.theme, settings.reviewer, settings.blur = "dark", "  Ada ", True
    settings.retrain_after, settings.heatmap_opacity = 5, 80
    again = reread(settings)
    assert (again.theme, again.reviewer, again.blur) == ("dark", "Ada", True)
    assert (again.retrain_after, again.heatmap_opacity) == (5, 80)


def test_a_change_names_what_changed(settings: Settings, qtbot: QtBot) -> None:
    with qtbot.waitSignal(settings.changed, check_params_cb=lambda name: name == "blur"):
        settings.blur = True


@pytest.mark.parametrize("broken", ["many", "", "-5", "99999999"])
def test_a_broken_number_in_the_file_is_not_fatal(settings: Settings, broken: str) -> None:
    settings.store.setValue("heatmap_opacity", broken)
    assert 0 <= settings.heatmap_opacity <= 100


def test_recent_workspaces_are_latest_first_without_doubles(settings: Settings) -> None:
    for name in "abca":
        settings.remember(Path("/w") / name)
    assert reread(settings).recent == (Path("/w/a"), Path("/w/c"), Path("/w/b"))
    settings.forget(Path("/w/c"))
    assert reread(settings).recent == (Path("/w/a"), Path("/w/b"))
    settings.forget(Path("/w/a"))
    assert reread(settings).recent == (Path("/w/b"),)


def test_the_list_of_recent_workspaces_ends_somewhere(settings: Settings) -> None:
    for number in range(RECENT_LIMIT + 5):
        settings.remember(Path(f"/w/{number}"))
    assert len(settings.recent) == RECENT_LIMIT


def test_the_page_writes_every_choice_at_once(settings: Settings, theme: ThemeManager, qtbot: QtBot) -> None:
    page = SettingsPage(settings, theme)
    qtbot.addWidget(page)
    page.themes["dark"].click()
    page.retrain_after.setValue(0)
    page.opacity.setValue(35)
    page.reviewer.setText("Ada")
    page.reviewer.editingFinished.emit()
    assert (settings.theme, settings.retrain_after) == ("dark", 0)
    assert (settings.heatmap_opacity, settings.reviewer) == (35, "Ada")
    page.reviewer.setText("  ")
    page.reviewer.editingFinished.emit()
    assert (settings.reviewer, page.reviewer.text()) == ("Ada", "Ada")
    assert page.retrain_after.text() == "Never"
    page.refit_after.setValue(3)
    assert settings.refit_after == 3


def test_the_page_shows_what_was_chosen_elsewhere(settings: Settings, theme: ThemeManager, qtbot: QtBot) -> None:
    page = SettingsPage(settings, theme)
    qtbot.addWidget(page)
    settings.theme = "light"
    settings.grey = True
    page.refresh()
    assert page.themes["light"].isChecked()
    assert not page.themes["system"].isChecked()


def test_escape_leaves_the_page(settings: Settings, theme: ThemeManager, qtbot: QtBot) -> None:
    page = SettingsPage(settings, theme)
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.left):
        QTest.keyClick(page, Qt.Key.Key_Escape)
