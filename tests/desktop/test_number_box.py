from __future__ import annotations

from pytestqt.qtbot import QtBot

from desktop.widgets import number_box


def test_the_noun_fits_the_number(qtbot: QtBot) -> None:
    box = number_box(1, 20, "try", "tries")
    qtbot.addWidget(box)
    assert box.text() == "1 try"
    box.setValue(3)
    assert box.text() == "3 tries"
    box.stepBy(-2)
    assert box.text() == "1 try"
    size = number_box(100, 4000, "px", step=50)
    qtbot.addWidget(size)
    size.stepUp()
    assert size.text() == "150 px"
