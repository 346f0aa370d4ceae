"""Crossing out with real keys and the mouse, on a real workspace."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QImage, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from desktop.desk import Desk
from desktop.review.page import ReviewPage
from desktop.review.parts import MOST_BOXES, mark_of, parts_of, rectangles
from engine.types import Annotation, CrossedOut, Explanation, Item, Mark, Segment, SegmentMap, TokenWeight

Key = Qt.Key
Explain = Callable[..., Explanation]

DOWN, UP, CROSS = Key.Key_Period, Key.Key_Comma, Key.Key_Delete


def press(page: ReviewPage, *keys: Key | str) -> None:
    for key in keys:
        QTest.keyClick(page.window().focusWidget(), Key(ord(key.upper())) if isinstance(key, str) else key)


def on_screen(page: ReviewPage) -> str:
    return page.controller.visit.sight.item.id if page.controller.visit is not None else ""


def saved(page: ReviewPage, item: str) -> list[Annotation]:
    return page.desk.workspace.annotations.of(item)


@dataclass(frozen=True)
class Seen:
    """The capture view's picture and where a share of the capture is in it."""

    image: QImage
    view: QWidget

    def tones(self, x: float, y: float, span: int = 12) -> set[int]:
        """The grey values around a point of the capture, in steps of 32."""
        box = self.view._box()  # type: ignore[attr-defined]
        at = box.x() + x * box.width(), box.y() + y * box.height()
        around = range(-span, span + 1)
        greys = (self.image.pixelColor(round(at[0] + i), round(at[1] + j)) for i in around for j in around)
        return {(colour.red() + colour.green() + colour.blue()) // 96 for colour in greys}


def seen(page: ReviewPage) -> Seen:
    return Seen(page.centre.capture.grab().toImage(), page.centre.capture)


# --- keys --------------------------------------------------------------------------------------------------------


def framed(page: ReviewPage) -> CrossedOut:
    current = page.centre.crossing.current
    assert current is not None
    return current


def waiting(page: ReviewPage) -> list[str]:
    """The words that are crossed out on screen."""
    return [one.text for one in page.controller.crossed_out]


def starts(page: ReviewPage) -> list[int]:
    """Where the words begin that are crossed out on screen."""
    return [one.start for one in page.controller.crossed_out]


def test_keys_step_through_the_strongest_parts_and_cross_them_out(page: ReviewPage) -> None:
    press(page, DOWN)
    current = framed(page)
    assert (current.kind, current.text) == (Mark.WORD, "Item"), "0.2 for comes with 0.2 against: the word first"
    assert page.centre.crossing.describe() == "“Item” +0.200 · 1/3 · Delete crosses out"
    why = page.centre.why
    assert (why._progress.whole(), why.rests) == ("“Item” +0.200 · 1/3", "Delete crosses out")
    press(page, DOWN)
    assert framed(page).boxes == ((30.0, 0.0, 30.0, 60.0),)
    press(page, CROSS, UP, CROSS)
    assert page.centre.crossing.describe().endswith(" · crossed out")
    assert saved(page, "tweet-0") == [], "nothing is saved before the decision"
    press(page, "1")
    region, word = saved(page, "tweet-0")
    assert (region.kind, region.boxes, region.label) == (Mark.REGION, ((30.0, 0.0, 30.0, 60.0),), "toxic")
    assert (word.kind, word.field, word.start, word.end, word.text) == (Mark.WORD, "text", 0, 4, "Item")
    (decision,) = page.desk.workspace.decisions.of("tweet-0")
    assert {one.act for one in (region, word)} == {decision.act}
    assert word.reviewer == "ana"


def test_what_is_crossed_out_or_noted_and_not_answered_is_told_before_it_is_lost(page: ReviewPage) -> None:
    assert page.unsaved() == ""
    press(page, DOWN, CROSS)
    assert page.unsaved() == "What you noted or crossed out on tweet-0 is saved with your answer, which is missing."
    press(page, CROSS)
    assert page.unsaved() == "", "it was taken back"
    page.controller.keep_note("so")
    assert "tweet-0" in page.unsaved()
    press(page, "1")
    assert page.unsaved() == ""


def test_what_is_framed_is_said_until_nothing_is(page: ReviewPage) -> None:
    """The key that crosses out works as long as the frame is there, so its caption stays as long."""
    why = page.centre.why
    before = why._progress.whole()
    press(page, DOWN)
    caption = ("“Item” +0.200 · 1/3", "Delete crosses out")
    why.hover("Here +0.100")
    assert why._progress.whole() == "Here +0.100"
    why.hover("")
    assert (why._progress.whole(), why.rests) == caption
    page.centre.refresh_progress()
    assert (why._progress.whole(), why.rests) == caption
    page.centre.crossing.show_item(None, None)
    assert why._progress.whole() == before


def test_the_first_press_frames_and_the_next_crosses_out(page: ReviewPage) -> None:
    press(page, CROSS)
    assert page.centre.crossing.current is not None
    assert waiting(page) == []
    press(page, CROSS)
    assert waiting(page) == ["Item"]


def repeated(page: ReviewPage, make_explanation: Explain) -> None:
    """Explain the item on screen by a word that stands twice and was weighed once, and by one that stands once."""
    spans = ((0, 4, "Item", 0.2), (5, 11, "number", 0.4), (12, 13, "Item", 0.2))
    words = tuple(TokenWeight(field="text", start=a, end=b, text=text, weight=w) for a, b, text, w in spans)
    found = make_explanation(on_screen(page), "toxicity", "toxic", tokens=words, segments=(), segment_map=None)
    page.centre.crossing.show_item(page.controller.visit.sight.item if page.controller.visit else None, found)


def test_a_word_that_was_weighed_wherever_it_stands_is_stepped_to_once_and_crossed_out_everywhere(
    page: ReviewPage, make_explanation: Explain
) -> None:
    repeated(page, make_explanation)
    crossing = page.centre.crossing
    press(page, DOWN)
    assert crossing.describe() == "“number” +0.400 · 1/2 · Delete crosses out"
    press(page, DOWN)
    assert crossing.describe() == "“Item” 2× +0.200 · 2/2 · Delete crosses out"
    press(page, CROSS)
    assert crossing.describe().endswith(" · crossed out")
    assert starts(page) == [0, 12]
    press(page, CROSS)
    assert starts(page) == []
    page.centre.crossing.toggled.emit(framed(page))
    assert crossing.describe().endswith("Delete crosses out"), "one of the two is not all of them"
    press(page, CROSS)
    assert starts(page) == [0, 12], "the key crosses out what is left of it"


def test_steps_go_round_both_ways(page: ReviewPage) -> None:
    names = []
    for key in (UP, DOWN, DOWN, DOWN, DOWN):
        press(page, key)
        names.append(page.centre.crossing.describe().split(" · ")[1])
    assert names == ["3/3", "1/3", "2/3", "3/3", "1/3"]


def test_what_was_crossed_out_can_be_taken_back_before_the_decision(page: ReviewPage) -> None:
    press(page, CROSS, CROSS, CROSS, "1")
    assert on_screen(page) == "tweet-1"
    assert saved(page, "tweet-0") == []


def test_it_waits_for_its_own_item(page: ReviewPage) -> None:
    press(page, CROSS, CROSS, Key.Key_Right)
    assert waiting(page) == []
    press(page, "1", Key.Key_Left)
    while on_screen(page) != "tweet-0":
        press(page, Key.Key_Left)
    assert waiting(page) == ["Item"]
    press(page, "s")
    assert [one.text for one in saved(page, "tweet-0")] == ["Item"]
    assert saved(page, "tweet-1") == []


def test_undo_takes_it_back_with_the_decision_and_brings_it_to_the_item(page: ReviewPage) -> None:
    press(page, CROSS, CROSS, "1", "u")
    assert on_screen(page) == "tweet-0"
    assert [one.stands for one in saved(page, "tweet-0")] == [False]
    assert waiting(page) == ["Item"]
    press(page, "2")
    assert [(one.stands, one.decision) for one in saved(page, "tweet-0")] == [(False, 1), (True, 3)]


def test_a_second_look_shows_what_one_crossed_out_oneself(
    page: ReviewPage, open_desk: Callable[[], Desk], show_page: Callable[[Desk], ReviewPage]
) -> None:
    press(page, CROSS, CROSS, "1", Key.Key_Left)
    assert on_screen(page) == "tweet-0"
    assert waiting(page) == ["Item"]
    press(page, "2")
    assert [one.decision for one in saved(page, "tweet-0")] == [1, 2], "what is not taken back stays crossed out"
    page.desk.settings.reviewer = "bob"
    page.controller.open(0)
    assert on_screen(page) == "tweet-0"
    assert page.controller.crossed_out == (), "what somebody else crossed out is not shown: each judges alone"


def test_what_a_first_answer_saved_stays_with_it(page: ReviewPage, make_explanation: Explain) -> None:
    page.controller.open(page.model.insert("product-0", page.controller.place + 1))
    word = TokenWeight(field="title", start=0, end=7, text="Morrowe", weight=0.3)
    page.desk.explanationArrived.emit(make_explanation("product-0", "verdict", "prohibited", tokens=(word,)))
    press(page, CROSS, CROSS, Key.Key_Return)
    assert page.controller.visit is not None
    assert page.controller.visit.conditional
    assert [one.text for one in saved(page, "product-0")] == ["Morrowe"]
    page.centre.crossing.toggled.emit(page.controller.crossed_out[0])
    assert "saved with your answer already" in page.panel.message.text()
    press(page, Key.Key_Return)
    assert len(saved(page, "product-0")) == 1
    press(page, "u")
    assert not any(one.stands for one in saved(page, "product-0"))


def test_without_an_explanation_there_is_nothing_to_step_through(page: ReviewPage) -> None:
    page.controller.open(page.model.insert("tweet-5", page.controller.place + 1))
    press(page, DOWN, CROSS)
    assert page.centre.why._progress.whole() == "There is nothing to cross out"
    assert page.centre.why.rests == "no explanation yet, and no regions of the page"
    assert page.centre.crossing.current is None


# --- the mouse ---------------------------------------------------------------------------------------------------


Entry = tuple[QMenu, QAction]


def menu_at(view: QWidget, at: QPoint) -> dict[str, Entry]:
    """Ask for the menu at a point, and return its own entries; choosing one closes it."""
    before = set(QApplication.topLevelWidgets())
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, view.mapToGlobal(at))
    QApplication.sendEvent(view, event)
    menus = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMenu) and one not in before]
    return {action.text(): (menu, action) for menu in menus for action in menu.actions() if " " in action.text()}


def choose(entry: Entry) -> None:
    menu, action = entry
    action.trigger()
    menu.close()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_mouse_crosses_out_a_region_and_takes_it_back(page: ReviewPage) -> None:
    view = page.centre.capture
    left = QPoint(round(view._box().x() + view._box().width() / 4), round(view._box().center().y()))
    choose(menu_at(view, left)["Cross out this area"])
    assert [one.boxes for one in page.controller.crossed_out] == [((0.0, 0.0, 30.0, 60.0),)]
    entries = menu_at(view, left)
    assert "Cross out this area" not in entries
    choose(entries["Take back this area"])
    assert page.controller.crossed_out == ()


@pytest.mark.qt_log_ignore("This plugin does not support")
def test_the_mouse_crosses_out_a_word(page: ReviewPage) -> None:
    text = page.centre.text
    cursor = QTextCursor(text.document())
    cursor.setPosition(2)
    choose(menu_at(text.viewport(), text.cursorRect(cursor).center())["Cross out “Item”"])
    assert waiting(page) == ["Item"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_menu_of_the_text_has_the_background_of_every_menu(page: ReviewPage, mode: str) -> None:
    page.window().theme.set_mode(mode)  # type: ignore[attr-defined]
    grounds = []
    for menu in (page.centre.text.createStandardContextMenu(), QMenu(page.window())):
        menu.addAction("One")
        menu.resize(menu.sizeHint())
        grounds.append(menu.grab().toImage().pixelColor(menu.width() - 4, menu.height() // 2).name())
        menu.deleteLater()
    assert grounds[0] == grounds[1] == page.window().theme.tokens.raised  # type: ignore[attr-defined]


# --- what is seen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_crossed_out_region_is_hatched_in_two_tones(page: ReviewPage, qtbot: QtBot, mode: str) -> None:
    page.window().theme.set_mode(mode)  # type: ignore[attr-defined]
    page.centre.capture.set_heat_shown(False)
    qtbot.waitUntil(lambda: page.centre.capture.shows_capture)
    plain = seen(page).tones(0.75, 0.25)
    assert plain == {2}, "the flat capture itself, not the words that stand there while it is decoded"
    press(page, DOWN, DOWN, CROSS)
    hatched = seen(page).tones(0.75, 0.25)
    assert min(hatched) <= 2
    assert max(hatched) >= 5
    assert seen(page).tones(0.25, 0.25) == plain, "the other half is as it was"


def ink(page: ReviewPage) -> int:
    """How many pixels of the text view have the text's own colour."""
    image = page.centre.text.viewport().grab().toImage()
    colour = page.window().theme.colour("text").rgb()  # type: ignore[attr-defined]
    return sum(image.pixel(x, y) == colour for x in range(image.width()) for y in range(60))


def test_a_crossed_out_word_is_struck_through(page: ReviewPage) -> None:
    before = ink(page)
    press(page, CROSS, CROSS)
    assert ink(page) > before + 40


# --- parts -------------------------------------------------------------------------------------------------------

ITEM = Item(
    id="i",
    kind="tweet",
    text="one two",
    width=100,
    height=80,
    regions={
        "media": ((10.0, 20.0, 200.0, 40.0),),
        "below": ((0.0, 90.0, 10.0, 10.0),),
        "handle": ((0.0, 0.0, 9.0, 9.0),),
    },
)


def test_parts_are_what_can_be_told_from_zero_strongest_first_then_the_pages_regions(make_explanation: Explain) -> None:
    words = [TokenWeight(field="text", start=0, end=3, text="one", weight=0.1, error=0.2)]
    words += [TokenWeight(field="text", start=4, end=7, text="two", weight=-0.15, error=0.01)]
    segments = (
        Segment(id=1, weight=0.3, box=(0, 0, 9, 9), area=81, error=0.01),
        Segment(id=2, weight=0.0, box=(0, 0, 9, 9), area=81),
    )
    shares = {"media": 0.2, "handle": 0.7}
    found = make_explanation("i", tokens=tuple(words), segments=segments, region_share=shares)
    assert parts_of(found, ITEM) == [segments[0], words[1], "handle", "media"]
    assert parts_of(None, ITEM) == ["media", "handle"]
    mark = mark_of("media", None, ITEM)
    assert (mark.region, mark.boxes) == ("media", ((10.0, 20.0, 90.0, 40.0),)), "as far as it is on the screenshot"


def covered(boxes: Iterable[tuple[int, int, int, int]], shape: tuple[int, int]) -> np.ndarray:
    times = np.zeros(shape, dtype=int)
    for x, y, width, height in boxes:
        times[y : y + height, x : x + width] += 1
    return times


@pytest.mark.parametrize("seed", range(5))
def test_rectangles_cover_a_shape_exactly_and_once(seed: int) -> None:
    mask = np.random.default_rng(seed).random((13, 17)) < 0.6
    assert (covered(rectangles(mask), mask.shape) == mask).all()
    assert rectangles(np.ones((4, 6), dtype=bool)) == [(0, 0, 6, 4)]
    assert rectangles(np.zeros((4, 6), dtype=bool)) == []


def test_a_frayed_superpixel_is_stored_coarser_and_still_covered(make_explanation: Explain) -> None:
    cells = np.random.default_rng(0).integers(1, 3, size=(75, 75)).astype("<u2")
    where = SegmentMap(width=75, height=75, cells=zlib.compress(cells.tobytes()))
    segment = Segment(id=1, weight=0.5, box=(0, 0, 100, 80), area=4000)
    found = make_explanation("i", segments=(segment,), segment_map=where)
    boxes = mark_of(segment, found, ITEM).boxes
    assert len(boxes) <= MOST_BOXES
    assert all(x + width <= 100.01 and y + height <= 80.01 for x, y, width, height in boxes)
    area = sum(width * height for _, _, width, height in boxes)
    assert area >= 0.5 * 100 * 80
