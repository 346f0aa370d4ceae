from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QWindow
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from desktop.actions import ACTIONS
from desktop.review.held_keys import HeldKeys, keys_of

OVERRIDE, PRESS, RELEASE = QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease
REVIEW = [spec for spec in ACTIONS if spec.page == "review" and not spec.repeats]


@pytest.fixture
def held(qapp: object) -> HeldKeys:
    parent = QWindow()
    made = HeldKeys(keys_of(REVIEW, ["z"]), parent)
    made.setProperty("window", parent)
    return made


def send(held: HeldKeys, kind: QEvent.Type, at: int, key: Qt.Key = Qt.Key.Key_2) -> bool:
    """Return whether the event was swallowed."""
    event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier)
    event.setTimestamp(at)
    return held.eventFilter(QObject(), event)


def test_a_release_and_a_press_of_the_same_moment_are_a_repeat(held: HeldKeys) -> None:
    assert not send(held, OVERRIDE, 100)
    assert not send(held, RELEASE, 600)
    assert send(held, OVERRIDE, 600)
    assert send(held, PRESS, 600)


def test_a_hand_that_presses_again_is_heard(held: HeldKeys) -> None:
    assert not send(held, RELEASE, 600)
    assert not send(held, OVERRIDE, 640)
    assert not send(held, PRESS, 640)


def test_another_key_at_the_same_moment_is_heard(held: HeldKeys) -> None:
    send(held, RELEASE, 600)
    assert not send(held, OVERRIDE, 600, Qt.Key.Key_1)


def test_moving_and_zooming_may_repeat(held: HeldKeys) -> None:
    send(held, RELEASE, 600, Qt.Key.Key_Right)
    assert not send(held, OVERRIDE, 600, Qt.Key.Key_Right)


def test_a_text_field_keeps_its_repeats(held: HeldKeys, qtbot: QtBot) -> None:
    field = QLineEdit()
    qtbot.addWidget(field)
    with qtbot.waitActive(field):
        field.show()
        field.activateWindow()
    field.setFocus()
    send(held, RELEASE, 600)
    assert not send(held, OVERRIDE, 600)


def test_every_deciding_key_is_watched() -> None:
    keys = keys_of(REVIEW, ["z"])
    wanted = {Qt.Key.Key_1, Qt.Key.Key_9, Qt.Key.Key_Q, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_U, Qt.Key.Key_S}
    assert wanted | {Qt.Key.Key_E, Qt.Key.Key_Escape, Qt.Key.Key_Z} <= keys
    assert Qt.Key.Key_Left not in keys
