from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop.faults import FaultCatcher
from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import DARK, ThemeManager
from desktop.widgets import WayOut
from desktop.widgets.notice import SHOWN_MS
from desktop.window import DeskWindow
from engine.errors import WorkspaceError
from engine.intake import ImportReport, RowError
from engine.taxonomy import preset
from engine.workspace import Workspace
from engine.workspace.teaching import Batch


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "spring.secondlook"
    Workspace.create(path, preset("tweets")).close()
    return path


def press(shell: Shell, key: Qt.Key, control: bool = True) -> None:
    QTest.keyClick(
        shell.window, key, Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    )


def test_without_a_workspace_only_the_start_page_is_there(shell: Shell) -> None:
    assert shell.window.page == "start"
    assert not any(tab.isVisible() for tab in shell.window.top_bar.tabs.values())
    press(shell, Qt.Key.Key_2)
    press(shell, Qt.Key.Key_3)
    assert shell.window.page == "start"


def test_an_opened_workspace_shows_its_review_page(shell: Shell, workspace: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(shell.opened):
        assert shell.open(workspace)
    assert shell.window.page == "review"
    assert shell.window.windowTitle().startswith("spring")
    assert shell.window.top_bar.tabs["review"].isChecked()


def test_pages_change_by_key_and_by_tab(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    press(shell, Qt.Key.Key_3)
    assert shell.window.page == "models"
    press(shell, Qt.Key.Key_Comma)
    assert shell.window.page == "settings"
    QTest.keyClick(shell.window.page_widget("settings") or shell.window, Qt.Key.Key_Escape)
    assert shell.window.page == "review"
    shell.window.top_bar.tabs["models"].click()
    assert shell.window.page == "models"
    press(shell, Qt.Key.Key_1)
    assert shell.window.page == "start"


def test_closing_the_workspace_returns_to_the_start_page(shell: Shell, workspace: Path, qtbot: QtBot) -> None:
    shell.open(workspace)
    with qtbot.waitSignal(shell.closed):
        press(shell, Qt.Key.Key_W)
    assert (shell.window.page, shell.desk) == ("start", None)
    assert shell.window.page_widget("review") is None
    Workspace.open(workspace).close()


def test_another_workspace_takes_the_place_of_the_first(shell: Shell, workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.secondlook"
    Workspace.create(other, preset("products")).close()
    shell.open(workspace)
    assert shell.open(other)
    assert shell.desk is not None
    assert shell.desk.path == other
    assert shell.window.windowTitle().startswith("other")


@pytest.mark.parametrize("damage", ["missing", "not a workspace", "broken"])
def test_what_cannot_be_opened_is_one_sentence_on_the_start_page(
    shell: Shell, workspace: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "bad.secondlook"
    if damage != "missing":
        path.mkdir()
    if damage == "broken":
        (path / "workspace.db").write_bytes(b"this is no database" * 400)
    assert not shell.open(path)
    assert shell.window.page == "start"
    assert shell.window.notice.isVisible()
    assert "Traceback" not in shell.window.notice.text
    end = f"secondlook init {path}" if damage == "missing" else "."  # nothing stands behind a command: it can be pasted
    assert shell.window.notice.text.endswith(end)


def test_a_workspace_that_cannot_be_opened_leaves_the_open_one_alone(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    assert not shell.open(workspace.parent / "missing.secondlook")
    assert shell.desk is not None
    assert shell.desk.path == workspace


def test_an_opened_workspace_is_remembered(settings: Settings, theme: ThemeManager, workspace: Path, tmp_path: Path,
                                           qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("desktop.desk.Desk.start", lambda _desk: None)
    shell = Shell(settings, theme, log=tmp_path)
    qtbot.addWidget(shell.window)
    shell.open(workspace)
    assert settings.recent == (workspace,)
    shell.shut_down()


def test_the_palette_opens_runs_and_closes(shell: Shell) -> None:
    press(shell, Qt.Key.Key_K)
    palette = shell.window.palette_overlay
    assert palette.isVisible()
    QTest.keyClicks(palette.field, "settings")
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert palette.isHidden()
    assert shell.window.page == "settings"


def test_one_overlay_is_open_at_a_time(shell: Shell) -> None:
    QTest.keyClicks(shell.window, "?")
    assert shell.window.cheat_sheet.isVisible()
    press(shell, Qt.Key.Key_K)
    assert shell.window.palette_overlay.isVisible()
    assert shell.window.cheat_sheet.isHidden()


def test_review_keys_rest_under_an_overlay(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    actions = shell.window.actions_table
    assert actions.action("review.heatmap").isEnabled()
    shell.window.cheat_sheet.open()
    assert not actions.action("review.heatmap").isEnabled()
    shell.window.cheat_sheet.put_away()
    assert actions.action("review.heatmap").isEnabled()


def test_the_theme_changes_by_key_and_is_kept(shell: Shell, settings: Settings, theme: ThemeManager) -> None:
    shell.window.actions_table.trigger("app.theme")
    assert (theme.tokens, settings.theme) == (DARK, "dark")


def test_a_notice_takes_no_focus_and_good_news_goes_by_itself(shell: Shell, qtbot: QtBot) -> None:
    before = QApplication.focusWidget()
    shell.window.say("Done.", "success")
    assert QApplication.focusWidget() is before
    timer = next(child for child in shell.window.notice.children() if child.metaObject().className() == "QTimer")
    assert timer.property("interval") == SHOWN_MS
    assert timer.property("active")
    shell.window.say("That did not work.", "error")
    assert not timer.property("active")


def test_a_notice_offers_a_way_out(shell: Shell) -> None:
    taken: list[int] = []
    shell.window.say("The engine stopped.", "error", WayOut("Open the log", lambda: taken.append(1)))
    (way_out,) = [
        child for child in shell.window.notice.findChildren(QAbstractButton) if child.text() == "Open the log"
    ]
    way_out.click()
    assert taken == [1]
    assert shell.window.notice.isHidden()


def test_a_notice_stays_inside_the_window(shell: Shell) -> None:
    shell.window.say("A long sentence that goes on. " * 20, "warning", WayOut("Open the log", lambda: None))
    for size in ((960, 600), (1600, 900)):
        shell.window.resize(*size)
        QApplication.processEvents()
        assert shell.window.body.rect().contains(shell.window.notice.geometry())


def test_the_geometry_is_restored(shell: Shell, settings: Settings, theme: ThemeManager, tmp_path: Path) -> None:
    shell.window.resize(960, 640)
    shell.window.close()
    again = Shell(settings, theme, idle=True, log=tmp_path)
    assert again.window.size().toTuple() == (960, 640)
    again.window.deleteLater()


def drop(window: DeskWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
                       Qt.KeyboardModifier.NoModifier)  # fmt: skip
    window.dropEvent(event)


def test_a_dropped_workspace_is_opened(shell: Shell, workspace: Path) -> None:
    drop(shell.window, workspace)
    assert shell.desk is not None
    assert shell.desk.path == workspace


def test_dropped_captures_are_imported_or_wait_for_a_workspace(
    shell: Shell, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "new.jsonl"
    drop(shell.window, file)
    assert "Open a workspace first" in shell.window.notice.text
    shell.open(workspace)
    assert shell.desk is not None
    asked: list[object] = []
    monkeypatch.setattr(shell.desk, "import_paths", asked.append)
    drop(shell.window, file)
    assert asked == [[file]]


def test_an_import_shows_how_far_it_is_and_how_it_ended(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    assert shell.desk is not None
    shell.desk.importProgressed.emit(30, 120)
    assert shell.window.actions_table.action("app.cancel-import").isEnabled()
    bad = RowError(file="new.jsonl", line=7, reason="The screenshot is missing")
    shell.desk.importEnded.emit(ImportReport(imported=119, skipped=0, errors=(bad,)))
    assert not shell.window.actions_table.action("app.cancel-import").isEnabled()
    assert shell.window.notice.text == "119 items imported, 1 row left out."
    (show,) = [child for child in shell.window.notice.findChildren(QAbstractButton) if child.text() == "Show the rows"]
    show.click()
    texts = [child.property("plainText") for child in shell.window.findChildren(QWidget) if child.isVisible()]
    assert "new.jsonl:7: The screenshot is missing" in texts


def test_a_bug_is_logged_and_told_once(shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
    with FaultCatcher(shell.faulted.emit):
        try:
            _ = 1 // 0
        except ZeroDivisionError as error:
            sys.excepthook(type(error), error, error.__traceback__)
    assert "our mistake" in shell.window.notice.text
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


def test_a_bug_in_a_thread_reaches_the_window(shell: Shell, qtbot: QtBot) -> None:
    with FaultCatcher(shell.faulted.emit):
        thread = threading.Thread(target=lambda: 1 // 0)
        thread.start()
        thread.join()
    qtbot.waitUntil(lambda: "our mistake" in shell.window.notice.text)


def test_the_environments_fault_is_told_in_its_own_words(shell: Shell) -> None:
    error = WorkspaceError("The disk is full.", "Make room.")
    with FaultCatcher(shell.faulted.emit):
        sys.excepthook(type(error), error, None)
    assert shell.window.notice.text == "The disk is full. Make room."


def test_everything_that_can_be_pressed_has_a_name(shell: Shell) -> None:
    shell.show("settings")
    shell.window.say("Something.", "warning", WayOut("Do it", lambda: None))
    nameless = [child for child in shell.window.findChildren(QAbstractButton)
                if not (child.accessibleName() or child.text()) and child.isVisible()]  # fmt: skip
    assert nameless == []


def test_no_text_is_cut_at_the_smallest_size(shell: Shell) -> None:
    shell.window.resize(shell.window.minimumSize())
    for page in ("start", "settings"):
        shell.show(page)
        QApplication.processEvents()
        widget = shell.window.page_widget(page)
        assert widget is not None
        cut = [child.text() for child in widget.findChildren(QLabel)
               if child.isVisible() and not child.wordWrap() and child.width() < child.sizeHint().width()]  # fmt: skip
        assert cut == []


def test_the_queues_of_flips_and_of_items_to_teach_open_by_key_from_every_page(shell: Shell, workspace: Path) -> None:
    control_shift = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(shell.window, Qt.Key.Key_V, control_shift)
    assert shell.window.page == "start"
    shell.open(workspace)
    for key, title in ((Qt.Key.Key_V, "Flips"), (Qt.Key.Key_T, "Teach the model")):
        press(shell, Qt.Key.Key_3)
        QTest.keyClick(shell.window, key, control_shift)
        assert shell.window.page == "review"
        assert shell.window.page_widget("review").queue.title == title  # type: ignore[union-attr]


def test_a_line_about_flips_and_about_a_batch_shows_the_key_that_opens_the_queue(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    assert shell.desk is not None
    shell.desk.flipped.emit("12 verdicts changed; 3 now contradict a decision.")
    assert shell.window.notice.text == "12 verdicts changed; 3 now contradict a decision."
    (way_out,) = (b for b in shell.window.notice.findChildren(QAbstractButton) if "Show them" in b.text())
    assert way_out.text() == "Show them (Ctrl Shift V)"
    way_out.click()
    assert shell.window.page_widget("review").queue.title == "Flips"  # type: ignore[union-attr]
    shell.desk.picked.emit(Batch(order="margin", items=200, at_random=20, seed=0))
    assert shell.window.notice.text == "Picked 200 items to teach the model, 20 of them at random."
    assert way_out.text() == "Show them (Ctrl Shift T)"


def test_what_is_not_saved_is_told_before_the_window_goes(shell: Shell, workspace: Path, qtbot: QtBot) -> None:
    """Decisions are saved as they are made; a note to one that is still to come is not."""
    shell.open(workspace)
    shell.window.unsaved = lambda: "A note on t1 waits."
    press(shell, Qt.Key.Key_Q)
    assert shell.window.isVisible()
    assert any(
        one.text() == "A note on t1 waits. Quit once more to leave without it."
        for one in shell.window.findChildren(QLabel)
    )
    press(shell, Qt.Key.Key_Q)
    assert not shell.window.isVisible()


def test_a_signal_to_end_asks_nothing(shell: Shell, workspace: Path) -> None:
    shell.open(workspace)
    shell.window.unsaved = lambda: "A note on t1 waits."
    assert shell.window.close()
