from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import Any

import pytest
from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QListWidget,
    QMainWindow,
    QPlainTextEdit,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.actions import ACTIONS, APP, LABEL_KEYS, PAGES, ActionRegistry, ActionSpec, caps_of, key_caps, takes_text
from engine.taxonomy import preset

BY_ID = {spec.id: spec for spec in ACTIONS}
WANTED = {
    "Return": "review.confirm", "Enter": "review.confirm", "U": "review.undo", "Ctrl+Z": "review.undo",
    "S": "review.skip", "E": "review.escalate", "N": "review.note", "H": "review.heatmap", "T": "review.tokens",
    "[": "review.explain-previous", "]": "review.explain-next", "Left": "review.previous", "Right": "review.next",
    "G": "review.guideline", "B": "review.blur", "+": "review.zoom-in", "-": "review.zoom-out",
    ".": "review.part-next", ",": "review.part-previous", "Delete": "review.cross-out", "0": "review.zoom-reset",
    "Ctrl+0": "review.zoom-width", "Up": "review.pan-up", "Down": "review.pan-down", "Shift+Left": "review.pan-left",
    "Shift+Right": "review.pan-right", "PgUp": "review.view-up", "PgDown": "review.view-down",
    "Shift+Up": "review.text-up", "Shift+Down": "review.text-down",
    "Ctrl+K": "app.palette", "Ctrl+R": "app.retrain", "?": "app.cheat-sheet",
    "Ctrl+1": "app.start", "Ctrl+2": "app.review", "Ctrl+3": "app.models", "Ctrl+4": "app.capture",
    "Ctrl+I": "app.import",
    "Ctrl+O": "app.open", "Ctrl+,": "app.settings",
    **{str(number): f"review.label-{number}" for number in range(1, 10)},
}  # fmt: skip


def combination(key: str) -> QKeyCombination:
    sequence: Any = QKeySequence(key)
    found: QKeyCombination = sequence[0]
    return found


class Desk:
    """A window with one button-like page, a note, and a count of what was done."""

    def __init__(self, qtbot: QtBot) -> None:
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        body = QWidget()
        column = self.column = QVBoxLayout(body)
        self.page, self.note, self.search, self.number = QWidget(), QPlainTextEdit(), QLineEdit(), QSpinBox()
        self.page.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for widget in (self.page, self.note, self.search, self.number):
            column.addWidget(widget)
        self.window.setCentralWidget(body)
        self.actions = ActionRegistry(self.window)
        self.done: Counter[str] = Counter()
        for spec in ACTIONS:
            self.actions.bind(spec.id, partial(self._count, spec.id))
        self.actions.set_page("review")
        self.window.show()
        qtbot.waitExposed(self.window)
        self.page.setFocus()

    def _count(self, name: str) -> None:
        self.done[name] += 1


@pytest.fixture
def desk(qtbot: QtBot) -> Desk:
    return Desk(qtbot)


def test_every_key_of_the_desk_is_in_the_table() -> None:
    keys = {key: spec.id for spec in ACTIONS if spec.page in ("review", APP) for key in spec.keys}
    assert {key: keys.get(key) for key in WANTED} == WANTED


def test_no_two_actions_of_one_page_share_a_key() -> None:
    for page in PAGES:
        alive = [spec for spec in ACTIONS if spec.page in (page, APP)]
        used = Counter(QKeySequence(key).toString() for spec in alive for key in spec.keys)
        assert [key for key, times in used.items() if times > 1] == [], page


def test_ids_are_unique_and_say_their_page() -> None:
    assert len(BY_ID) == len(ACTIONS)
    for spec in ACTIONS:
        assert re.fullmatch(r"[a-z]+\.[a-z0-9-]+", spec.id)
        assert spec.id.startswith(f"{spec.page}.")
        assert spec.page in (APP, *PAGES)


def test_every_key_name_is_one_that_qt_knows() -> None:
    for spec in ACTIONS:
        for key in spec.keys:
            assert not QKeySequence(key).isEmpty(), key
            assert combination(key).key() != Qt.Key.Key_unknown, key


def test_every_action_says_what_it_does() -> None:
    for spec in ACTIONS:
        assert spec.help.endswith("."), spec.id
        assert spec.group
        assert spec.title or spec.id.startswith("review.label-")


def test_decisions_never_repeat_while_a_key_is_held() -> None:
    assert not [spec.id for spec in ACTIONS if spec.repeats and spec.group not in ("Look", "Move")]


@pytest.mark.parametrize("name", ["tweets", "products", "both"])
def test_the_presets_use_only_keys_that_labels_may_have(name: str) -> None:
    keys = {label.key for task in preset(name).tasks for label in task.labels if label.key}
    assert keys <= set(LABEL_KEYS)


@pytest.mark.parametrize("key", [key for key in WANTED if not key.startswith("Ctrl+")])
def test_a_key_does_its_action_once(desk: Desk, qtbot: QtBot, key: str) -> None:
    QTest.keyClick(desk.window, combination(key).key(), combination(key).keyboardModifiers())
    assert desk.done == Counter([WANTED[key]])


@pytest.mark.parametrize("key", ["Ctrl+K", "Ctrl+R", "Ctrl+Z", "Ctrl+2"])
def test_a_key_with_control_does_its_action_once(desk: Desk, qtbot: QtBot, key: str) -> None:
    QTest.keyClick(desk.window, combination(key).key(), Qt.KeyboardModifier.ControlModifier)
    assert desk.done == Counter([WANTED[key]])


@pytest.mark.parametrize("field", ["note", "search"])
def test_letters_go_into_a_note_and_decide_nothing(desk: Desk, qtbot: QtBot, field: str) -> None:
    widget = getattr(desk, field)
    widget.setFocus()
    for letter in "use b1+0?":
        QTest.keyClicks(widget, letter)
    QTest.keyClick(widget, Qt.Key.Key_Return)
    QTest.keyClick(widget, Qt.Key.Key_Left)
    QTest.keyClick(widget, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.done == Counter()


def test_digits_go_into_a_number_field(desk: Desk, qtbot: QtBot) -> None:
    desk.number.setFocus()
    desk.number.selectAll()
    QTest.keyClicks(desk.number, "7")
    assert desk.number.value() == 7
    assert desk.done == Counter()


@pytest.mark.parametrize("field", ["note", "search"])
def test_the_palette_opens_from_a_note_too(desk: Desk, qtbot: QtBot, field: str) -> None:
    widget = getattr(desk, field)
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert desk.done == Counter(["app.palette"])


def test_keys_live_again_after_the_note(desk: Desk, qtbot: QtBot) -> None:
    desk.note.setFocus()
    desk.page.setFocus()
    QTest.keyClicks(desk.window, "s")
    assert desk.done == Counter(["review.skip"])


def test_a_note_that_cannot_be_written_takes_no_keys(qtbot: QtBot) -> None:
    note = QPlainTextEdit()
    qtbot.addWidget(note)
    assert takes_text(note)
    note.setReadOnly(True)
    assert not takes_text(note)
    assert not takes_text(None)


@pytest.mark.parametrize("widget", [QListWidget, QComboBox, QSlider])
def test_up_and_down_move_in_what_has_the_focus_and_can_move(
    desk: Desk, qtbot: QtBot, widget: type[QListWidget | QComboBox | QSlider]
) -> None:
    field = widget()
    desk.column.addWidget(field)
    field.show()
    if not isinstance(field, QSlider):
        field.addItems(["one", "two"])
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Down)
    QTest.keyClick(field, Qt.Key.Key_PageUp)
    QTest.keyClick(field, Qt.Key.Key_S)
    assert desk.done == Counter(["review.skip"])
    desk.page.setFocus()
    QTest.keyClick(desk.window, Qt.Key.Key_Down)
    assert desk.done == Counter(["review.skip", "review.pan-down"])


def test_actions_of_another_page_rest(desk: Desk, qtbot: QtBot) -> None:
    desk.actions.set_page("models")
    QTest.keyClicks(desk.window, "s")
    QTest.keyClicks(desk.window, "?")
    assert desk.done == Counter(["app.cheat-sheet"])


def test_the_pages_keys_rest_under_an_overlay(desk: Desk, qtbot: QtBot) -> None:
    desk.actions.set_covered(True)
    QTest.keyClicks(desk.window, "1")
    assert desk.done == Counter()
    desk.actions.set_covered(False)
    QTest.keyClicks(desk.window, "1")
    assert desk.done == Counter(["review.label-1"])


def test_what_means_nothing_now_is_disabled(desk: Desk, qtbot: QtBot) -> None:
    desk.actions.set_enabled("review.undo", False)
    QTest.keyClicks(desk.window, "u")
    assert desk.done == Counter()
    assert "review.undo" not in [spec.id for spec in desk.actions.possible()]
    desk.actions.set_enabled("review.undo", True)
    QTest.keyClicks(desk.window, "u")
    assert desk.done == Counter(["review.undo"])


def test_an_action_without_a_binding_is_disabled(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    actions = ActionRegistry(window)
    actions.set_page("review")
    assert not actions.action("review.skip").isEnabled()
    assert actions.possible() == []
    actions.bind("review.skip", lambda: None)
    assert actions.action("review.skip").isEnabled()
    actions.unbind("review.skip")
    assert not actions.action("review.skip").isEnabled()
    with pytest.raises(KeyError):
        actions.bind("review.fly", lambda: None)


def test_titles_can_follow_the_task(desk: Desk, qtbot: QtBot) -> None:
    with qtbot.waitSignal(desk.actions.changed):
        desk.actions.retitle("review.label-2", "Non-toxic")
    assert desk.actions.tooltip("review.label-2") == "Non-toxic (2)"
    assert "review.label-2" in [spec.id for spec in desk.actions.possible()]


def test_tooltips_name_the_key(desk: Desk) -> None:
    assert desk.actions.tooltip("app.palette") == "Find an action (Ctrl K)"
    assert desk.actions.tooltip("app.log") == "Open the log"


def test_the_menu_holds_the_applications_actions(desk: Desk) -> None:
    menu = desk.actions.menu(desk.window, ["Workspace", "Window"])
    titles = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert titles[:2] == ["Open a workspace", "New workspace"]
    assert "Skip" not in titles


@pytest.mark.parametrize(
    ("key", "caps"),
    [("Ctrl+K", ("Ctrl", "K")), ("+", ("+",)), ("-", ("−",)), ("Left", ("←",)), ("Return", ("Enter",))],
)
def test_key_names_become_caps(key: str, caps: tuple[str, ...]) -> None:
    assert caps_of(key) == caps


def test_rows_may_have_caps_of_their_own() -> None:
    assert key_caps(BY_ID["review.undo"]) == ("U", "or", "Ctrl", "Z")
    assert key_caps(ActionSpec("app.x", "X", (), "app", "Window", "Nothing.")) == ()
