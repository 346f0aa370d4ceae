from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from desktop import start_page
from desktop.actions import ActionRegistry
from desktop.commands import CommandRunner, Step
from desktop.settings import Settings
from desktop.start_page import StartPage
from desktop.start_rows import RecentRow, name_of, short
from desktop.theme import ThemeManager


@pytest.fixture
def page(settings: Settings, theme: ThemeManager, qtbot: QtBot, tmp_path: Path) -> Iterator[StartPage]:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = ActionRegistry(window)
    actions.bind("app.open", lambda: None)
    actions.set_page("start")
    made = StartPage(settings, theme, actions, tmp_path / "commands.log")
    window.setCentralWidget(made)
    window.resize(1200, 800)
    window.show()
    qtbot.waitExposed(window)
    yield made
    window.close()


def rows(page: StartPage) -> list[RecentRow]:
    QApplication.processEvents()
    return [row for row in page.findChildren(RecentRow) if row.isVisible()]


def script(tmp_path: Path, body: str) -> tuple[str, ...]:
    """A stand-in for our command line: Python that gets the command's arguments in `args`."""
    file = tmp_path / "command.py"
    file.write_text("import sys, pathlib\nargs = sys.argv[1:]\n" + dedent(body))
    return (sys.executable, str(file))


def use(page: StartPage, program: tuple[str, ...], log: Path) -> None:
    working = page.working
    working.runner = CommandRunner(log, working, program=program)
    working.runner.progressed.connect(working.show_step)
    working.runner.ended.connect(working.show_end)


def test_an_empty_list_says_what_to_do(page: StartPage) -> None:
    assert rows(page) == []
    assert any("Make the demo" in word for word in _words(page))


def test_a_recent_workspace_opens_with_a_click(
    page: StartPage, settings: Settings, tmp_path: Path, qtbot: QtBot
) -> None:
    workspace = tmp_path / "spring.secondlook"
    workspace.mkdir()
    settings.remember(workspace)
    (row,) = rows(page)
    assert row.text() == "spring"
    with qtbot.waitSignal(page.openRequested, check_params_cb=lambda path: path == workspace):
        QTest.mouseClick(row, Qt.MouseButton.LeftButton)


def test_it_opens_from_the_keyboard_too(page: StartPage, settings: Settings, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "spring.secondlook").mkdir()
    settings.remember(tmp_path / "spring.secondlook")
    (row,) = rows(page)
    row.setFocus()
    with qtbot.waitSignal(page.openRequested):
        QTest.keyClick(row, Qt.Key.Key_Space)


def test_tab_goes_through_the_page_as_it_is_read(page: StartPage, settings: Settings, tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place / "demo.secondlook").mkdir(parents=True)
        settings.remember(tmp_path / place / "demo.secondlook")
    first, second = rows(page)
    page.setFocus()
    reached: list[QWidget] = [page]
    for _ in range(5):
        QTest.keyClick(reached[-1], Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        assert focused is not None
        reached.append(focused)
    assert [reached[1], reached[3], reached[5]] == [first, second, page.new]
    told = {(row.accessibleName(), row.accessibleDescription()) for row in (first, second)}
    assert told == {("demo", short(tmp_path / "a")), ("demo", short(tmp_path / "b"))}
    assert short(tmp_path / "b") in reached[2].accessibleName()


def test_a_missing_workspace_is_greyed_and_can_be_taken_off(
    page: StartPage, settings: Settings, tmp_path: Path
) -> None:
    settings.remember(tmp_path / "gone.secondlook")
    (row,) = rows(page)
    assert not row.isEnabled()
    assert "missing" in row.accessibleName()
    (remove,) = [button for button in page.findChildren(QToolButton) if button.accessibleName().startswith("Take gone")]
    remove.click()
    assert settings.recent == ()
    assert rows(page) == []


def test_the_form_makes_a_workspace(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    use(page, script(tmp_path, "pathlib.Path(args[1]).mkdir(); pathlib.Path(args[1], 'args').write_text(repr(args))"),
        tmp_path / "log")  # fmt: skip
    page.new.click()
    assert page.new_workspace.isVisible()
    assert page.new_workspace.name.hasFocus()
    page.new_workspace.set_folder(tmp_path)
    QTest.keyClicks(page.new_workspace.name, "spring")
    target = tmp_path / "spring.secondlook"
    with qtbot.waitSignal(page.openRequested, timeout=20_000, check_params_cb=lambda path: path == target):
        QTest.keyClick(page.new_workspace.name, Qt.Key.Key_Return)
    assert "['init'," in (target / "args").read_text()
    assert "'--preset', 'tweets'" in (target / "args").read_text()
    assert page.new.isEnabled()


def test_a_taxonomy_of_ones_own_is_passed_on(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    form = page.new_workspace
    form.begin()
    form.set_folder(tmp_path)
    form.set_taxonomy(tmp_path / "mine.toml")
    form.name.setText("own")
    with qtbot.waitSignal(form.wanted) as caught:
        form.make.click()
    assert caught.args == [tmp_path / "own.secondlook", ["--taxonomy", str(tmp_path / "mine.toml")]]


@pytest.mark.parametrize("name", ["", "  ", "a/b", ".hidden"])
def test_a_bad_name_is_refused_in_the_form(page: StartPage, qtbot: QtBot, name: str) -> None:
    form = page.new_workspace
    page.new.click()
    form.name.setText(name)
    with qtbot.assertNotEmitted(form.wanted):
        form.make.click()
    assert form.complaint.isVisible()


def test_a_workspace_is_never_overwritten(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "spring.secondlook").mkdir()
    form = page.new_workspace
    page.new.click()
    form.set_folder(tmp_path)
    form.name.setText("spring")
    with qtbot.assertNotEmitted(form.wanted):
        form.make.click()
    assert "already" in form.complaint.text()


def test_escape_leaves_the_form(page: StartPage) -> None:
    page.new.click()
    QTest.keyClick(page.new_workspace, Qt.Key.Key_Escape)
    assert page.new_workspace.isHidden()
    assert page.new.isVisible()


def test_the_demo_shows_how_far_it_is_and_opens(
    page: StartPage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_page, "demo_folder", lambda: tmp_path / "data" / "demo.secondlook")
    use(page, script(tmp_path, """
        print('{"title": "Training", "done": 3, "total": 8}', file=sys.stderr, flush=True)
        sys.stdin.read()
        """), tmp_path / "log")  # fmt: skip
    page.demo.click()
    qtbot.waitUntil(lambda: page.working.bar.maximum() == 8, timeout=20_000)
    assert (page.working.words.text(), page.working.bar.value()) == ("Training", 3)
    assert not page.demo.isEnabled()
    with qtbot.waitSignal(page.working.ended, timeout=20_000):
        page.working.button.click()
    assert "Cancelled" in page.working.words.text()
    assert page.demo.isEnabled()


def test_a_demo_that_was_made_is_opened(
    page: StartPage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "m1").mkdir(parents=True)
    (tmp_path / "models" / "m1" / "card.json").touch()
    monkeypatch.setattr(start_page, "demo_folder", lambda: tmp_path)
    with qtbot.waitSignal(page.openRequested):
        page.demo.click()
    assert not page.working.running


def test_a_command_that_fails_says_why(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    use(page, script(tmp_path, "sys.stderr.write('noise\\nsecondlook: The disk is full. Make room.\\n'); sys.exit(2)"),
        tmp_path / "log")  # fmt: skip
    with qtbot.waitSignal(page.working.ended, timeout=20_000):
        page.working.run(tmp_path / "x.secondlook", "Making it", "init", "x")
    assert page.working.words.text() == "The disk is full. Make room."
    page.working.button.click()
    assert page.working.isHidden()


def test_a_command_that_cannot_start_says_so(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    use(page, (str(tmp_path / "nothing-here"),), tmp_path / "log")
    with qtbot.waitSignal(page.working.ended, timeout=20_000):
        page.working.run(tmp_path / "x.secondlook", "Making it", "init")
    assert "could not be done" in page.working.words.text()


def test_broken_progress_is_ignored(tmp_path: Path, qtbot: QtBot) -> None:
    program = script(tmp_path, 'sys.stderr.write(\'{"title": 3}\\n{nonsense\\n{"title":"ok","done":1,"total":2}\\n\')')
    runner = CommandRunner(tmp_path / "log", program=program)
    seen: list[Step] = []
    runner.progressed.connect(seen.append)
    with qtbot.waitSignal(runner.ended, timeout=20_000):
        runner.start()
    assert seen == [Step("ok", 1, 2)]


def test_names_and_places_are_short(tmp_path: Path) -> None:
    assert name_of(Path("/a/b/spring.secondlook")) == "spring"
    assert name_of(Path("/a/b/plain")) == "plain"
    assert short(Path.home() / "work") == str(Path("~/work"))
    assert short(Path("/elsewhere")) == "/elsewhere"


def _words(page: StartPage) -> list[str]:
    return [word.text() for word in page.findChildren(QLabel) if word.isVisible()]
