"""Review packs and exports from the desk, as a reviewer with a keyboard would do it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from desktop.settings import Settings
from desktop.shell import Shell
from desktop.theme import ThemeManager
from engine.intake.pack import Choice, open_pack, workspace_from_pack, write_pack
from engine.taxonomy import preset
from engine.types import Action, Item
from engine.workspace import NewDecision, Workspace

ITEMS = 12


def say(item: str, label: str, reviewer: str) -> NewDecision:
    return NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=(label,), reviewer=reviewer)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace where ann decided the first items, and ben's pack, who saw t0 otherwise and decided t5 too."""
    folder = tmp_path_factory.mktemp("made")
    with Workspace.create(folder / "home.secondlook", preset("tweets")) as ws:
        ws.items.add((Item(id=f"t{n}", kind="tweet", text=f"Item number {n}"), None) for n in range(ITEMS))
        ws.decisions.record([say("t0", "toxic", "ann")])
        ws.decisions.record([say("t1", "toxic", "ann")])
        write_pack(ws, folder / "out.zip", Choice())
    workspace_from_pack(folder / "away.secondlook", folder / "out.zip")
    with Workspace.open(folder / "away.secondlook") as away:
        away.decisions.record([say("t0", "non-toxic", "ben")])
        away.decisions.record([say("t5", "toxic", "ben")])
        write_pack(away, folder / "from-ben.zip", Choice())
    return folder


@pytest.fixture
def shell(settings: Settings, theme: ThemeManager, tmp_path: Path, made: Path, qtbot: QtBot) -> Iterator[Shell]:
    shutil.copytree(made / "home.secondlook", tmp_path / "home.secondlook")
    shell = Shell(settings, theme, idle=True, log=tmp_path / "log")
    qtbot.addWidget(shell.window)
    shell.open(tmp_path / "home.secondlook")
    shell.window.show()
    qtbot.waitExposed(shell.window)
    yield shell
    shell.window.close()
    shell.deleteLater()


def decided(shell: Shell) -> list[tuple[str, str]]:
    assert shell.desk is not None
    return [(one.item, one.reviewer) for one in shell.desk.workspace.decisions.iter()]


@pytest.fixture
def asked(shell: Shell, made: Path, qtbot: QtBot) -> Shell:
    """The window after ben's pack was dropped on it and looked over."""
    shell.take_dropped([made / "from-ben.zip"])
    assert shell.exchange is not None
    panel = shell.exchange.merge_panel
    qtbot.waitUntil(panel.isVisible, timeout=10_000)
    return shell


def test_a_dropped_pack_says_what_it_would_do_before_anything_is_merged(asked: Shell) -> None:
    assert asked.exchange is not None
    panel = asked.exchange.merge_panel
    assert panel.title.text() == "Merge from-ben.zip?"
    assert panel.sentence.text().startswith("0 new items and 2 new decision rows; reviewers differ on 1 answer.")
    lines = panel.lines.toPlainText().splitlines()
    assert lines[:3] == [
        "0 items are new, 12 were there; 2 decision rows are new, 2 were there.",
        "  2 of ben",
        "1 conflict:",
    ]
    assert lines[3].startswith("  t0, toxicity: ann toxic (")
    assert lines[3].endswith("). Counts: non-toxic.")
    assert decided(asked) == [("t0", "ann"), ("t1", "ann")]
    panel.copy_all.click()
    assert QGuiApplication.clipboard().text().splitlines() == lines


def test_enter_merges_and_the_notice_names_the_conflict(asked: Shell, qtbot: QtBot) -> None:
    assert asked.exchange is not None
    panel = asked.exchange.merge_panel
    QTest.keyClick(QApplication.focusWidget() or panel, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "Merged" in asked.window.notice.text, timeout=10_000)
    assert asked.window.notice.text == "Merged from-ben.zip: 0 items and 2 decision rows are new, 1 conflict."
    assert not panel.isVisible()
    assert decided(asked) == [("t0", "ann"), ("t1", "ann"), ("t0", "ben"), ("t5", "ben")]
    assert not asked.window.actions_table.action("app.cancel-import").isEnabled()


@pytest.mark.parametrize("way", ["escape", "enter on the button"])
def test_a_pack_that_is_declined_changes_nothing(asked: Shell, way: str) -> None:
    assert asked.exchange is not None
    panel = asked.exchange.merge_panel
    if way == "escape":
        QTest.keyClick(panel, Qt.Key.Key_Escape)
    else:
        panel.leave.setFocus()
        QTest.keyClick(panel.leave, Qt.Key.Key_Return)
    assert not panel.isVisible()
    assert not asked.exchange.busy
    assert decided(asked) == [("t0", "ann"), ("t1", "ann")]


def test_a_pack_that_cannot_be_used_is_one_sentence(shell: Shell, made: Path, tmp_path: Path, qtbot: QtBot) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes((made / "from-ben.zip").read_bytes()[:500])
    shell.take_dropped([broken])
    qtbot.waitUntil(lambda: "broken.zip" in shell.window.notice.text, timeout=10_000)
    assert "is no zip file, or it is damaged" in shell.window.notice.text
    assert shell.exchange is not None
    assert not shell.exchange.busy


Answer = Callable[[Path, str], None]


@pytest.fixture
def answer(shell: Shell) -> Answer:
    """Answer the open file dialog with a path and one of its filters."""

    def choose(file: Path, words: str) -> None:
        (dialog,) = [one for one in shell.window.findChildren(QFileDialog) if one.isVisible()]
        (wanted,) = [one for one in dialog.nameFilters() if words in one]
        dialog.selectNameFilter(wanted)
        dialog.selectFile(str(file))
        dialog.accept()

    return choose


def test_decisions_are_exported_in_the_form_that_was_chosen(
    shell: Shell, tmp_path: Path, answer: Answer, qtbot: QtBot
) -> None:
    QTest.keyClick(shell.window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    answer(tmp_path / "labels", "crowd-kit")
    qtbot.waitUntil(lambda: "Wrote" in shell.window.notice.text, timeout=10_000)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["task"], row["worker"], row["label"]) for row in rows] == [
        ("t0", "ann", "toxic"),
        ("t1", "ann", "toxic"),
    ]
    assert "2 rows to labels.csv" in shell.window.notice.text


def test_a_review_pack_is_made_of_what_was_chosen(shell: Shell, tmp_path: Path, answer: Answer, qtbot: QtBot) -> None:
    shell.window.actions_table.trigger("app.pack")
    assert shell.exchange is not None
    panel = shell.exchange.pack_panel
    assert panel.queue.hasFocus()
    panel.queue.setCurrentIndex(panel.queue.findData("to-review"))
    panel.limit.setValue(4)
    panel.blind.setChecked(True)
    QTest.keyClick(panel.limit, Qt.Key.Key_Return)
    answer(tmp_path / "for-eve", "Review pack")
    qtbot.waitUntil(lambda: "Packed" in shell.window.notice.text, timeout=10_000)
    assert shell.window.notice.text.startswith("Packed 4 items with 0 screenshots")
    with open_pack(tmp_path / "for-eve.zip") as pack:
        assert [item.id for item in pack.items()] == ["t2", "t3", "t4", "t5"]
        assert (pack.manifest.truths, pack.manifest.decisions) == (False, False)


def test_closing_the_workspace_ends_what_is_under_way(shell: Shell, made: Path) -> None:
    shell.take_dropped([made / "from-ben.zip"])
    assert shell.exchange is not None
    assert shell.exchange.busy
    shell.close_workspace()
    assert getattr(shell, "exchange", "") is None
    assert not shell.window.actions_table.action("app.export").isEnabled()


def test_a_pack_without_a_workspace_offers_to_make_one_of_it(
    settings: Settings,
    theme: ThemeManager,
    tmp_path: Path,
    made: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell = Shell(settings, theme, idle=True, log=tmp_path / "log")
    qtbot.addWidget(shell.window, before_close_func=lambda _: shell.shut_down())
    shell.take_dropped([made / "out.zip"])
    form = shell.start_page.new_workspace
    assert (form.name.text(), form.labels.currentText()) == ("out", "What is in out.zip")
    form.set_folder(tmp_path)
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(shell.start_page.working, "run", lambda *told: asked.append(told))
    form.submit()
    folder = tmp_path / "out.secondlook"
    assert asked == [(folder, "Making the workspace", "init", str(folder), "--from", str(made / "out.zip"))]
