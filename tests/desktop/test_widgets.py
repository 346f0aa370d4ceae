from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMainWindow, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop.actions import ActionRegistry
from desktop.theme import DARK, LIGHT, ThemeManager
from desktop.widgets import (
    Bar,
    ElidedLabel,
    EmptyState,
    IconButton,
    KeyCap,
    LabelButton,
    PaintedButton,
    StatusChip,
    button,
    label,
    paint_key_caps,
    set_role,
)


@pytest.fixture
def window(qtbot: QtBot, theme: ThemeManager) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def actions(window: QMainWindow) -> ActionRegistry:
    made = ActionRegistry(window)
    made.bind("app.import", lambda: None)
    made.bind("app.retrain", lambda: None)
    return made


def show(widget: QWidget, window: QMainWindow, width: int = 320) -> None:
    window.setCentralWidget(widget)
    window.resize(width, 240)
    window.show()


def has_colour(widget: QWidget, colour: str) -> bool:
    image = widget.grab().toImage()
    wanted = QColor(colour).rgb()
    return any(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(image.height()))


def test_an_empty_state_shows_all_of_its_sentences(
    window: QMainWindow, theme: ThemeManager, actions: ActionRegistry
) -> None:
    empty = EmptyState("inbox", theme, actions)
    show(empty, window, 900)
    long = "Decide on some dozens of items, or import items that come with labels; then train the first model on them."
    empty.say("No model yet", long, "app.import", "app.retrain")
    (body,) = [child for child in empty.findChildren(QLabel) if child.text() == long]
    assert body.height() >= 2 * QFontMetrics(body.font()).lineSpacing()


def test_an_empty_state_offers_only_what_it_was_told_last(
    window: QMainWindow, theme: ThemeManager, actions: ActionRegistry, qtbot: QtBot
) -> None:
    empty = EmptyState("inbox", theme, actions)
    show(empty, window, 900)
    empty.say("First", "One.", "app.import", "app.retrain")
    empty.say("Second", "Two.", "app.retrain")
    qtbot.waitUntil(lambda: [made.text() for made in empty.findChildren(QPushButton)] == ["Retrain"])
    with qtbot.waitSignal(actions.action("app.retrain").triggered):
        empty.findChildren(QPushButton)[0].click()


def test_a_label_button_is_pressed_by_mouse_and_key(window: QMainWindow, theme: ThemeManager, qtbot: QtBot) -> None:
    made = LabelButton("Toxic", "1", "#d55e00", theme)
    show(made, window)
    with qtbot.waitSignal(made.clicked):
        QTest.mouseClick(made, Qt.MouseButton.LeftButton)
    made.setFocus()
    with qtbot.waitSignal(made.clicked):
        QTest.keyClick(made, Qt.Key.Key_Space)


def test_a_label_button_says_everything_to_a_screen_reader(window: QMainWindow, theme: ThemeManager) -> None:
    made = LabelButton("Toxic", "q", "#d55e00", theme)
    made.set_probability(0.724)
    made.set_verdict(True)
    assert made.accessibleName() == "Toxic, 72 percent, the model's verdict, key Q"
    made.set_key("")
    assert "key" not in made.accessibleName()
    made.deleteLater()


def test_a_label_button_tells_a_title_that_it_cannot_show_whole(window: QMainWindow, theme: ThemeManager) -> None:
    title = "Dangerous in the hands of children and of everybody else"
    made = LabelButton(title, "1", "#d55e00", theme)
    show(made, window, 160)
    made.grab()
    assert (made.toolTip(), made.accessibleName()) == (title, f"{title}, key 1")
    window.resize(800, 60)
    made.grab()
    assert made.toolTip() == ""


@pytest.mark.parametrize("key", ["1", ""])
def test_a_label_button_draws_its_colour(window: QMainWindow, theme: ThemeManager, key: str) -> None:
    made = LabelButton("Toxic", key, "#d55e00", theme)
    made.set_probability(1.0)
    show(made, window)
    assert has_colour(made, "#d55e00")
    made.setEnabled(False)
    assert not made.grab().isNull()


def test_a_focused_button_has_a_ring(window: QMainWindow, theme: ThemeManager, qtbot: QtBot) -> None:
    made = LabelButton("Toxic", "1", "#d55e00", theme)
    show(made, window)
    made.clearFocus()
    assert not has_colour(made, LIGHT.focus)
    made.setFocus()
    qtbot.waitUntil(made.hasFocus)
    assert has_colour(made, LIGHT.focus)


def test_painted_widgets_follow_the_theme(window: QMainWindow, theme: ThemeManager) -> None:
    cap = KeyCap(("Ctrl", "K"), theme)
    show(cap, window)
    assert has_colour(cap, LIGHT.key_cap)
    theme.set_mode("dark")
    assert has_colour(cap, DARK.key_cap)


def test_key_caps_end_where_they_are_told_to(theme: ThemeManager) -> None:
    page = QPixmap(200, 40)
    page.fill(QColor("#ffffff"))
    painter = QPainter(page)
    left = paint_key_caps(painter, 150, 20, ("Ctrl", "K"), theme)
    assert paint_key_caps(painter, 150, 20, (), theme) == 150
    painter.end()
    image = page.toImage()
    assert 60 < left < 120
    assert all(image.pixelColor(x, 20) == QColor("#ffffff") for x in (*range(int(left) - 2), *range(152, 200)))


@pytest.mark.parametrize(("share", "filled"), [(0.0, 0), (0.5, 100), (1.0, 200), (1.7, 200), (-1.0, 0)])
def test_a_bar_is_as_long_as_its_share(window: QMainWindow, theme: ThemeManager, share: float, filled: int) -> None:
    bar = Bar(theme, "#d55e00")
    bar.set_share(share)
    bar.resize(200, 6)
    image = bar.grab().toImage()
    inked = sum(image.pixelColor(x, 3) == QColor("#d55e00") for x in range(200))
    assert inked == pytest.approx(filled, abs=4)
    bar.deleteLater()


def test_a_chip_tells_its_state_in_words(window: QMainWindow, theme: ThemeManager) -> None:
    chip = StatusChip(theme)
    show(chip, window)
    chip.show_state("Training, epoch 2 of 4", "busy", 0.25)
    assert chip.accessibleName() == "Training, epoch 2 of 4, 25 percent"
    wide = chip.sizeHint().width()
    chip.show_state("Idle")
    assert chip.sizeHint().width() < wide
    with pytest.raises(ValueError, match="happy"):
        chip.show_state("Well", "happy")


def test_a_long_line_is_elided_and_whole_in_the_tooltip(window: QMainWindow, theme: ThemeManager) -> None:
    line = ElidedLabel("A name that is far too long for the place that it has been given, really\nand truly")
    show(line, window, 160)
    assert line.text().endswith("…")
    assert line.toolTip() == line.whole() == line.accessibleName()
    line.setText("Short")
    assert (line.text(), line.toolTip()) == ("Short", "")


def test_a_line_of_parts_leaves_out_the_last_ones_whole(window: QMainWindow, theme: ThemeManager) -> None:
    line = ElidedLabel()
    show(line, window, 900)
    whole = "Looks at media 60 %, words 25 %, handle 15 %"
    shown = []
    for room in (whole, "Looks at media 60 %, words 25 %, h", "Looks at media 60 % …", "Lo…"):
        line.setFixedWidth(line.fontMetrics().horizontalAdvance(room) + 1)
        line.show_list(whole, ", ")
        shown.append((line.text(), line.toolTip()))
    assert shown[:3] == [(whole, ""), ("Looks at media 60 %, words 25 % …", whole), ("Looks at media 60 % …", whole)]
    assert shown[3][0].endswith("…")
    assert line.accessibleName() == whole


def test_plain_text_stays_plain(window: QMainWindow, theme: ThemeManager) -> None:
    made = label("<b>not bold</b>")
    assert made.textFormat() == Qt.TextFormat.PlainText
    made.deleteLater()


def test_an_icon_button_follows_its_action(
    window: QMainWindow, theme: ThemeManager, actions: ActionRegistry, qtbot: QtBot
) -> None:
    made = IconButton("import", "app.import", theme, actions, window)
    show(made, window)
    assert made.toolTip() == "Import items (Ctrl I)"
    assert made.accessibleName() == "Import items"
    with qtbot.waitSignal(actions.action("app.import").triggered):
        QTest.mouseClick(made, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    actions.set_enabled("app.import", False)
    assert not made.isEnabled()


def test_a_role_can_change(window: QMainWindow, theme: ThemeManager) -> None:
    made = button("Go", "primary")
    show(made, window)
    assert has_colour(made, LIGHT.accent)
    set_role(made, "plain")
    assert not has_colour(made, LIGHT.accent)


class Face(PaintedButton):
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - the name is Qt's
        painter = QPainter(self)
        self.paint_face(painter)
        painter.end()


def test_a_painted_button_shows_where_the_pointer_is(window: QMainWindow, theme: ThemeManager, qtbot: QtBot) -> None:
    area = QWidget()
    face = Face(theme, area)
    face.setGeometry(40, 40, 120, 40)
    show(area, window)
    qtbot.waitExposed(window)
    hover, raised = (theme.colour(name).name() for name in ("hover", "raised"))
    assert has_colour(face, raised)
    assert not has_colour(face, hover)
    QTest.mouseMove(window, area.mapTo(window, QPoint(100, 60)))
    qtbot.waitUntil(lambda: has_colour(face, hover))
    face.setEnabled(False)
    assert has_colour(face, raised)
