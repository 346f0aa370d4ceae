from __future__ import annotations

import sys

import PySide6
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot


class Speaker(QObject):
    spoke = Signal(int)


def test_emitting_a_signal_takes_no_reference_from_true(qtbot: QtBot) -> None:
    """PySide6 6.12.0 does on Python 3.11: after some hundred signals the interpreter aborts."""
    speaker = Speaker()
    before = sys.getrefcount(True)
    for number in range(100):
        speaker.spoke.emit(number)
    lost = before - sys.getrefcount(True)
    assert lost < 50, f"PySide6 {PySide6.__version__} is broken on this Python: use 6.11.1 or 6.10.3."
