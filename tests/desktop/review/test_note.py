from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.review.note import NoteField


@pytest.fixture
def note(qtbot: QtBot) -> NoteField:
    made = NoteField()
    qtbot.addWidget(made)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    made.setFocus()
    return made


def test_enter_keeps_and_leaves(note: NoteField, qtbot: QtBot) -> None:
    QTest.keyClicks(note, "ask Ana")
    with qtbot.waitSignal(note.left):
        QTest.keyClick(note, Qt.Key.Key_Return)
    assert note.toPlainText() == "ask Ana"


def test_escape_keeps_and_leaves_too(note: NoteField, qtbot: QtBot) -> None:
    note.clearFocus()
    note.show_note("before")
    note.setFocus()
    QTest.keyClicks(note, "x")
    with qtbot.assertNotEmitted(note.edited), qtbot.waitSignal(note.left):
        QTest.keyClick(note, Qt.Key.Key_Escape)
    assert note.toPlainText() == "xbefore"


def test_it_says_that_both_keys_keep_the_words(note: NoteField) -> None:
    assert note.placeholderText() == "Note for this item's next decision. Enter or Esc keeps it."
    assert "Enter or Escape goes back to the item and keeps the note" in note.accessibleDescription()


def test_shift_and_enter_begin_a_line(note: NoteField, qtbot: QtBot) -> None:
    QTest.keyClicks(note, "one")
    with qtbot.assertNotEmitted(note.left):
        QTest.keyClick(note, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert note.toPlainText() == "one\n"


def test_showing_another_items_note_is_no_edit(note: NoteField, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(note.edited):
        note.show_note("of another item")
