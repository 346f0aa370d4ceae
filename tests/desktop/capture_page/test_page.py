from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from desktop.capture_page.failure_panel import FailurePanel
from desktop.capture_page.options import Options
from desktop.capture_page.pages_model import PagesModel, Role
from desktop.review.pixels import Veil, decode, veiled
from desktop.settings import Settings
from engine.intake.capture.job_folder import JobFolder
from engine.workspace import Workspace

SITE = "https://a.example/"
CONTROL = Qt.KeyboardModifier.ControlModifier
Open = Callable[..., Any]


def paste(window: Any, qtbot: QtBot, *paths: str) -> None:
    window.page.compose.addresses.setPlainText("".join(f"{SITE}{path}\n" for path in paths))
    qtbot.waitUntil(lambda: window.can("start"))


def start(window: Any, qtbot: QtBot, *paths: str, stage: str = "done") -> None:
    paste(window, qtbot, *paths)
    QTest.keyClick(window.page.compose.addresses, Qt.Key.Key_Return, CONTROL)
    qtbot.waitUntil(lambda: window.capturing.state.stage == stage)


def press(window: Any, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(window.page.run.list, key, modifier)


def choose(window: Any, path: str) -> None:
    row = window.page.model.row_of(f"{SITE}{path}")
    window.page.run.list.setCurrentIndex(window.page.model.index(row))


# --- making a list ------------------------------------------------------------------------------------------------


def test_the_empty_page_says_what_to_do_and_has_the_keys(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    compose = window.page.compose
    assert compose.isVisible()
    qtbot.waitUntil(compose.addresses.hasFocus)
    assert "Paste addresses" in compose.addresses.accessibleDescription()
    assert compose.count.text() == "No addresses yet"
    assert not window.can("start")
    assert not compose.start_button.isEnabled()


def test_addresses_are_counted_and_bad_lines_named_as_they_are_pasted(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    compose = window.page.compose
    compose.addresses.setPlainText("a.example/1\nnot one\nhttps://a.example/1\n\nftp://a.example/\n")
    qtbot.waitUntil(lambda: compose.count.text() == "1 address, 1 repeated")
    assert compose.problems.text().splitlines() == [
        "2 lines cannot be used:",
        "line 2: 'not one' is no http or https address",
        "line 5: 'ftp://a.example/' is no http or https address",
    ]
    assert window.can("start")
    compose.addresses.setPlainText("nothing here")
    qtbot.waitUntil(lambda: compose.count.text() == "No address that can be captured")
    assert not window.can("start")
    compose.addresses.clear()
    qtbot.waitUntil(lambda: compose.count.text() == "No addresses yet")
    assert compose.problems.isHidden()


def test_letters_are_typed_and_do_nothing_else(open_window: Open) -> None:
    window = open_window()
    QTest.keyClicks(window.page.compose.addresses, "prfn?")
    assert window.page.compose.addresses.toPlainText() == "prfn?"
    assert window.shell.window.page == "capture"


def drop(window: Any, *files: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    where, action, button = QPointF(50, 50), Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.shell.window.dropEvent(QDropEvent(where, action, data, button, Qt.KeyboardModifier.NoModifier))


def test_a_dropped_list_is_read_with_its_fields_and_its_errors(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    compose = window.page.compose
    file = tmp_path / "addresses.csv"
    file.write_text("url,id\nhttps://a.example/1,one\nnot one,two\n")
    drop(window, file)
    qtbot.waitUntil(lambda: compose.count.text() == "1 address")
    assert compose.file_name.whole() == "addresses.csv"
    assert compose.addresses.isHidden()
    assert compose.problems.text().splitlines()[1] == "line 3: 'not one' is no http or https address"
    window.actions.trigger("capture.start")
    qtbot.waitUntil(lambda: window.capturing.state.stage == "done")
    assert [page.item for page in window.capturing.pages.rows] == ["one"]
    drop(window, file)
    assert window.shell.window.notice.text.startswith("One list at a time")


def test_a_file_without_addresses_says_why_and_one_can_paste_instead(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    compose = window.page.compose
    file = tmp_path / "addresses.csv"
    file.write_text("name\nx\n")
    window.page.take_file(file)
    qtbot.waitUntil(lambda: "must name the columns, `url` among them" in compose.problems.text())
    (back,) = [one for one in compose.findChildren(QAbstractButton) if one.text() == "Paste addresses instead"]
    back.click()
    assert compose.addresses.isVisible()
    assert compose.count.text() == "No addresses yet"


def test_a_file_of_addresses_can_be_chosen(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    file = tmp_path / "list.txt"
    file.write_text("https://a.example/1\n")
    dialog = window.page.choose_file()
    dialog.filesSelected.emit([str(file)])
    dialog.close()
    qtbot.waitUntil(lambda: window.page.compose.count.text() == "1 address")


def test_leave_for_this_computer_is_warned_of_and_given_anew_each_time(
    open_window: Open, qtbot: QtBot, settings: Settings
) -> None:
    window = open_window()
    options = window.page.compose.options
    assert not options.value.allow_local
    assert options.warning.isHidden()
    options.local.setChecked(True)
    assert options.warning.isVisible()
    assert "router" in options.local.accessibleDescription()
    options.width_box.setValue(800)
    options.rate.setValue(0)
    start(window, qtbot, "1")
    assert window.capturing.state.stage == "done"
    assert (options.value.width, options.value.rate, options.value.allow_local) == (800, 0, False)
    assert options.warning.isHidden()
    assert settings.store.value("capture/width") in (800, "800")


def test_tab_goes_through_the_choices_as_one_reads_them(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    compose, options = window.page.compose, window.page.compose.options
    paste(window, qtbot, "1")
    qtbot.waitUntil(compose.addresses.hasFocus)
    boxes = (options.width_box, options.height_box, options.rate, options.passes)
    choices = [options.profile, *boxes, options.no_scripts, options.local]
    seen = []
    for _ in range(len(choices)):
        QTest.keyClick(window.shell.window.focusWidget(), Qt.Key.Key_Tab)
        seen.append(window.shell.window.focusWidget())
    assert seen == choices
    QTest.keyClick(options.local, Qt.Key.Key_Tab)
    QTest.keyClick(window.shell.window.focusWidget(), Qt.Key.Key_Tab)
    assert window.shell.window.focusWidget() is compose.start_button


def test_scripts_are_switched_off_by_key_and_stay_off(open_window: Open, qtbot: QtBot, settings: Settings) -> None:
    window = open_window()
    compose = window.page.compose
    options = compose.options
    qtbot.waitUntil(compose.addresses.hasFocus)
    assert options.value.scripts
    assert "hostile pages" in options.no_scripts.accessibleDescription()
    assert window.actions.title("capture.scripts") == "Capture without scripts"
    QTest.keyClick(compose.addresses, Qt.Key.Key_J, CONTROL)
    assert options.no_scripts.isChecked()
    assert window.actions.title("capture.scripts") == "Capture with scripts"
    start(window, qtbot, "1", "500")
    assert JobFolder(window.capturing.folder).job().settings.scripts is False
    assert not window.can("scripts")
    window.actions.trigger("capture.new")
    assert not options.value.scripts
    again = Options(settings.store, window.shell.theme, window.actions)
    qtbot.addWidget(again)
    assert not again.value.scripts
    QTest.keyClick(compose.addresses, Qt.Key.Key_J, CONTROL)
    assert options.value.scripts


def test_a_list_that_is_still_being_checked_starts_once_it_is(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    paste(window, qtbot, "1")
    window.page.compose.addresses.setPlainText(f"{SITE}2\n{SITE}3\n")
    window.page.compose.start()
    qtbot.waitUntil(lambda: window.capturing.state.stage == "done")
    assert window.states() == {"2": "captured", "3": "captured"}


# --- a capture ----------------------------------------------------------------------------------------------------


def test_captured_pages_are_shown_scored_and_opened_in_review(open_window: Open, qtbot: QtBot, workspace: Path) -> None:
    window = open_window()
    scored: list[str] = []
    window.desk.verdictsChanged.connect(scored.extend)
    start(window, qtbot, "1", "2", "404")
    run = window.page.run
    assert run.isVisible()
    assert run.list.hasFocus()
    assert run.text.text() == "2 captured, 1 gone."
    assert run.bar.isHidden()
    assert run.title.text() == "Finished"
    qtbot.waitUntil(lambda: len(set(scored)) >= 2)
    choose(window, "2")
    second = window.page.run.current()
    assert second is not None
    press(window, Qt.Key.Key_Return)
    assert window.shell.window.page == "review"
    review: Any = window.shell.window.page_widget("review")
    qtbot.waitUntil(lambda: review.controller.visit is not None)
    assert review.controller.visit.sight.item.id == second.item
    assert len(review.model.items) == 2  # what came in while the queue was open is in it now


def test_pictures_are_shown_of_captures_and_of_failures(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    start(window, qtbot, "1", "401")
    model = window.page.model
    window.shell.window.grab()

    def pictured() -> bool:
        return all(isinstance(model.index(row).data(Role.THUMBNAIL), QImage) for row in range(2))

    qtbot.waitUntil(pictured)
    assert window.page.run.list.grab().size().isValid()


def test_failures_can_be_shown_alone_copied_and_tried_again(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    start(window, qtbot, "1", "401", "500")
    assert window.page.run.failures.text() == "Failed 2"
    press(window, Qt.Key.Key_F)
    model = window.page.model
    assert model.rowCount() == 2
    assert window.actions.title("capture.failures") == "Show all pages"
    choose(window, "401")
    spoken = model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "https://a.example/401, Failed, Login wall: That is what stood there."
    press(window, Qt.Key.Key_C, CONTROL)
    assert QGuiApplication.clipboard().text() == f"{SITE}401"
    press(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: window.states()["401"] == "captured" and window.capturing.state.stage == "done")
    assert window.states()["500"] == "failed"
    assert model.rowCount() == 1
    press(window, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: set(window.states().values()) == {"captured"})
    assert model.rowCount() == 0
    assert window.page.run.empty.isVisible()
    window.page.run.all.click()
    assert model.rowCount() == 3


@pytest.fixture
def failed(open_window: Open, qtbot: QtBot) -> Any:
    """The window with a finished capture: a page that was captured, and one at a login wall, which is the current."""
    window = open_window()
    start(window, qtbot, "1", "401")
    choose(window, "401")
    return window


def panel_of(window: Any) -> FailurePanel:
    (panel,) = window.shell.window.body.findChildren(FailurePanel)
    assert isinstance(panel, FailurePanel)
    return panel


def test_enter_on_a_page_that_failed_shows_why(failed: Any, qtbot: QtBot) -> None:
    panel, run = panel_of(failed), failed.page.run
    assert run.enter.text() == "see why it failed"
    assert failed.actions.title("capture.open") == "Show why the page failed"
    press(failed, Qt.Key.Key_Return)
    assert panel.isVisible()
    assert panel.title.text() == "Failed after 1 try"
    assert panel.reason.text() == "Login wall: That is what stood there."
    assert panel.address.whole() == f"{SITE}401"
    qtbot.waitUntil(lambda: panel.picture.words == "")
    QTest.keyClick(panel.done, Qt.Key.Key_C, CONTROL)
    assert QGuiApplication.clipboard().text() == f"{SITE}401"
    QTest.keyClick(panel.done, Qt.Key.Key_Escape)
    assert panel.isHidden()
    qtbot.waitUntil(run.list.hasFocus)
    choose(failed, "1")
    assert run.enter.text() == "open in review"
    assert failed.actions.title("capture.open") == "Open the item in review"


def test_a_double_click_shows_why_and_the_picture_has_the_desks_veil(
    failed: Any, qtbot: QtBot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, list_ = panel_of(failed), failed.page.run.list
    settings.blur = True
    shown: list[QImage] = []
    monkeypatch.setattr(panel.picture, "show_image", shown.append)
    place = list_.visualRect(list_.currentIndex()).center()
    QTest.mouseClick(list_.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(list_.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert panel.isVisible()
    qtbot.waitUntil(lambda: bool(shown))
    page = failed.capturing.pages.get(f"{SITE}401")
    plain = decode(failed.capturing.folder / page.picture)
    assert shown == [veiled(plain, None, Veil(blurred=True))]
    assert shown != [plain]


def test_b_lifts_the_blur_of_the_page_in_the_panel(
    failed: Any, qtbot: QtBot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = panel_of(failed)
    settings.blur = True
    shown: list[QImage] = []
    monkeypatch.setattr(panel.picture, "show_image", shown.append)
    page = failed.capturing.pages.get(f"{SITE}401")
    clear = decode(failed.capturing.folder / page.picture)
    blurred = veiled(clear, None, Veil(blurred=True))
    press(failed, Qt.Key.Key_Return)
    assert panel.blur.isHidden()  # there is no picture yet
    qtbot.waitUntil(lambda: shown == [blurred])
    assert panel.blur.text() == panel.blur.accessibleName() == "Show it clearly"
    QTest.keyClick(panel.done, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: shown[1:] == [clear])
    assert panel.blur.text() == "Blur the picture"
    panel.blur.click()
    qtbot.waitUntil(lambda: shown[2:] == [blurred])
    QTest.keyClick(panel.done, Qt.Key.Key_B)
    qtbot.waitUntil(lambda: shown[3:] == [clear])
    QTest.keyClick(panel.done, Qt.Key.Key_Escape)
    press(failed, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shown[4:] == [blurred])  # every picture starts blurred


def test_a_page_is_tried_again_from_what_went_wrong(failed: Any, qtbot: QtBot) -> None:
    panel = panel_of(failed)
    press(failed, Qt.Key.Key_Return)
    QTest.keyClick(panel.done, Qt.Key.Key_R)
    assert panel.isHidden()
    qtbot.waitUntil(lambda: failed.states() == {"1": "captured", "401": "captured"})


def test_what_went_wrong_is_put_away_once_the_page_is_captured(failed: Any, qtbot: QtBot) -> None:
    panel = panel_of(failed)
    page = failed.capturing.pages.get(f"{SITE}401")
    press(failed, Qt.Key.Key_Return)
    told = {"state": "again", "reason": "Still loading. The next try comes in 5 s or later.", "tries": 2, "picture": ""}
    failed.capturing._put(msgspec.structs.replace(page, **told))
    assert panel.title.text() == "Will be tried again"
    assert panel.retry.isHidden()
    assert panel.picture.words == "There is no picture of it."
    QTest.keyClick(panel.done, Qt.Key.Key_R)  # it comes by itself
    assert panel.isVisible()
    failed.capturing._put(msgspec.structs.replace(page, state="open", reason=""))
    assert panel.title.text() == "Is being tried again…"
    assert panel.reason.text().startswith("Still loading.")
    failed.capturing._put(msgspec.structs.replace(page, state="captured", reason=""))
    assert panel.isHidden()


def test_it_pauses_goes_on_and_stops_by_key_and_button(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("step")
    start(window, qtbot, "1", "2", "3", stage="run")
    run = window.page.run
    assert (run.pause.text(), window.actions.title("capture.pause")) == ("Pause", "Pause the capture")
    press(window, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: window.capturing.state.stage == "rest")
    assert run.title.text() == "Paused"
    assert run.pause.text() == "Resume"
    run.pause.click()
    qtbot.waitUntil(lambda: window.states()["1"] == "captured")
    assert run.text.text().startswith("1 of 3 · ")
    assert window.shell.window.top_bar.tabs["capture"].text() == "Capture 1 of 3"
    press(window, Qt.Key.Key_Period, CONTROL)
    qtbot.waitUntil(lambda: window.capturing.state.stage == "stopped")
    assert run.text.text() == "2 of 3 pages left to capture; what was captured is kept."
    assert window.shell.window.top_bar.tabs["capture"].text() == "Capture"
    assert (window.can("stop"), window.can("pause"), window.can("new")) == (False, True, True)


def test_a_new_list_asks_before_pages_are_given_up(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("step")
    start(window, qtbot, "1", "2", stage="run")
    assert not window.can("new")
    window.capturing.stop()
    qtbot.waitUntil(lambda: window.capturing.state.stage == "stopped")
    press(window, Qt.Key.Key_N)
    confirm = window.page.run.confirm
    assert confirm.question.text() == "2 pages have not been captured. Give them up?"
    confirm.no.click()
    assert window.page.run.isVisible()
    press(window, Qt.Key.Key_N)
    confirm.yes.click()
    assert window.page.compose.isVisible()
    assert window.page.compose.addresses.toPlainText() == ""
    assert not window.can("copy")


def test_a_missing_browser_is_told_in_the_engines_words(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("none")
    start(window, qtbot, "1", stage="broken")
    assert window.page.run.text.text().startswith("Chromium is not installed. Install it.")
    assert window.page.run.pause.text() == "Resume"


def test_whoever_is_on_another_page_hears_how_it_ended(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("step")
    start(window, qtbot, "1", stage="run")
    window.shell.show("settings")
    window.capturing.child.go_on()
    qtbot.waitUntil(lambda: window.capturing.state.stage == "done")
    assert window.shell.window.notice.text == "1 captured."
    (way_out,) = [one for one in window.shell.window.notice.findChildren(QAbstractButton) if "Show" in one.text()]
    way_out.click()
    assert window.shell.window.page == "capture"


def test_closing_during_a_capture_ends_it_and_the_next_start_offers_the_rest(
    open_window: Open, qtbot: QtBot, workspace: Path
) -> None:
    window = open_window("wait")
    paste(window, qtbot, "1", "2")
    window.actions.trigger("capture.start")
    qtbot.waitUntil(lambda: list(window.states().values()) == ["open", "open"])
    child = window.capturing.child.process.pid
    window.shell.window.close()
    assert not psutil.pid_exists(child) or psutil.Process(child).ppid() != os.getpid()
    again = open_window("good")
    notice = again.shell.window.notice
    qtbot.waitUntil(lambda: notice.text == "A capture was left unfinished: 2 of 2 pages to go.")
    assert again.page.run.isVisible()
    assert again.states() == {"1": "waiting", "2": "waiting"}
    press(again, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: again.capturing.state.stage == "done")
    with Workspace.open(workspace, read_only=True) as ws:
        assert ws.items.count() == 2


def test_the_offer_of_a_list_goes_when_it_is_taken_up_or_given_up(open_window: Open, qtbot: QtBot) -> None:
    window = open_window("wait")
    paste(window, qtbot, "1")
    window.actions.trigger("capture.start")
    qtbot.waitUntil(lambda: list(window.states().values()) == ["open"])
    window.shell.window.close()
    again = open_window("wait")
    notice = again.shell.window.notice
    qtbot.waitUntil(lambda: notice.text.startswith("A capture was left unfinished"))
    assert notice.isVisible()
    press(again, Qt.Key.Key_P)
    assert notice.isHidden()
    again.shell.window.close()
    third = open_window("good")
    notice = third.shell.window.notice
    qtbot.waitUntil(lambda: notice.text.startswith("A capture was left unfinished") and notice.isVisible())
    third.shell.show("review")
    assert notice.isVisible()
    third.shell.show("capture")
    assert notice.isHidden()
    third.capturing.offered.emit("It was left unfinished.")
    third.capturing.forget()
    assert notice.isHidden()
    third.capturing.offered.emit("It was left unfinished.")
    third.shell.window.say("Something else.", "warning")
    third.shell.close_workspace()
    assert notice.isVisible()  # only its own words are taken back
    notice.hide()


# --- the page itself ----------------------------------------------------------------------------------------------


def test_the_model_keeps_qts_rules_while_pages_change(
    open_window: Open, qtbot: QtBot, qtmodeltester: ModelTester
) -> None:
    window = open_window()
    model = PagesModel(window.capturing, window.page.thumbnails)
    qtmodeltester.check(model, force_py=True)  # type: ignore[no-untyped-call]
    start(window, qtbot, "1", "401", "2", "500", "404")
    model.show_failures(only=True)
    assert model.rowCount() == 2
    window.page.retry_all()
    assert model.rowCount() == 0
    qtbot.waitUntil(lambda: window.capturing.state.stage == "done")


def test_of_a_thousand_pages_only_those_in_view_are_painted(
    open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window("none")
    start(window, qtbot, *(str(number) for number in range(1000)), stage="broken")
    model = window.page.model
    assert model.rowCount() == 1000
    asked: set[int] = set()
    real = model.data

    def data(index: Any, role: int = 0) -> object:
        if role == Role.PAGE:
            asked.add(index.row())
        return real(index, role)

    monkeypatch.setattr(model, "data", data)
    window.page.run.list.viewport().repaint()
    assert 0 < len(asked) < 30


def test_everything_has_a_name_and_no_word_is_cut(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    shell_window = window.shell.window
    shell_window.resize(shell_window.minimumSize())

    def check() -> None:
        shell_window.grab()  # lays out and paints all that is shown
        labels = [one for one in window.page.findChildren(QLabel) if one.isVisible() and not one.wordWrap()]
        assert [one.text() for one in labels if one.width() < one.sizeHint().width()] == []
        buttons = [one for one in window.page.findChildren(QAbstractButton) if one.isVisible()]
        assert [one for one in buttons if not (one.accessibleName() or one.text())] == []
        assert [one.text() for one in buttons if one.width() < one.minimumSizeHint().width()] == []

    check()
    start(window, qtbot, "1", "401")
    check()


def test_everything_of_the_page_is_in_the_palette(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    start(window, qtbot, "1", "401")
    choose(window, "401")
    possible = {spec.id for spec in window.actions.possible()}
    assert {"capture.retry", "capture.retry-all", "capture.copy", "capture.failures", "capture.new"} <= possible
    window.shell.show("review")
    assert not any(spec.id.startswith("capture.") for spec in window.actions.possible())


def test_the_cheat_sheet_shows_the_keys_of_the_page(open_window: Open) -> None:
    window = open_window()
    sheet = window.shell.window.cheat_sheet

    def titles() -> set[str]:
        return {one.text() for one in sheet.findChildren(QLabel)}

    sheet.open()
    assert "Try the page again" in titles()
    sheet.put_away()
    window.shell.show("review")
    sheet.open()
    assert "Escalate" in {one.text() for one in sheet.findChildren(QLabel) if one.isVisible()}
    sheet.put_away()
