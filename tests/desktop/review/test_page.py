"""The whole page with real keys, on a real workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QShortcut
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from desktop.actions import LABEL_KEYS
from desktop.children.states import EngineState
from desktop.desk import Desk
from desktop.review import capture_view
from desktop.review.page import ReviewPage
from desktop.window import LEAST
from engine.errors import StorageError
from engine.service.protocol import Priority
from engine.types import Action, Decision, Explanation
from engine.workspace import QueueQuery

Key = Qt.Key


def press(page: ReviewPage, *keys: Key | str) -> None:
    for key in keys:
        code = Key(ord(key.upper())) if isinstance(key, str) else key
        QTest.keyClick(page.window().focusWidget(), code)


def on_screen(page: ReviewPage) -> str:
    return page.controller.visit.sight.item.id if page.controller.visit is not None else ""


def rows(page: ReviewPage) -> list[Decision]:
    return list(page.desk.workspace.decisions.iter())


def told(page: ReviewPage) -> list[tuple[str, Action, tuple[str, ...]]]:
    return [(row.item, row.action, row.labels) for row in rows(page)]


def go_to(page: ReviewPage, item: str) -> None:
    page.controller.open(page.model.insert(item, page.controller.place + 1))
    assert on_screen(page) == item


# --- one key, one decision ---------------------------------------------------------------------------------------


def test_enter_saves_what_is_shown_and_shows_the_next_item(page: ReviewPage) -> None:
    assert on_screen(page) == "tweet-0"
    press(page, Key.Key_Return)
    assert on_screen(page) == "tweet-1"
    (row,) = rows(page)
    assert (row.item, row.action, row.labels, row.reviewer) == ("tweet-0", Action.CONFIRM, ("toxic",), "ana")
    assert (row.shown_model, row.shown_labels, row.shown_probability) == ("first-model", ("toxic",), 0.8)
    assert page.bar.last == "Toxic → tweet-0"
    assert page.bar.tally.startswith("1 decided · 7 left")
    assert page.model.row_at(0).state == "decided"


def test_a_labels_key_corrects_or_confirms(page: ReviewPage) -> None:
    press(page, "2", "1")
    assert told(page) == [("tweet-0", Action.CORRECT, ("non-toxic",)), ("tweet-1", Action.CONFIRM, ("toxic",))]


def test_skip_and_escalate_are_recorded_and_go_on(page: ReviewPage) -> None:
    press(page, "s", "e")
    assert told(page) == [("tweet-0", Action.SKIP, ()), ("tweet-1", Action.ESCALATE, ())]
    assert on_screen(page) == "tweet-2"
    assert page.bar.last == "Escalated → tweet-1"


def test_the_bar_tells_decisions_skips_and_escalations_apart(page: ReviewPage) -> None:
    assert page.bar.tally == "8 left"
    press(page, "1", "s", "2", Key.Key_Return, "e")
    assert page.bar.tally.startswith("3 decided · 1 skipped · 1 escalated · 3 left · ")
    press(page, "u")
    assert page.bar.tally.startswith("3 decided · 1 skipped · 4 left · ")
    press(page, "u", "u", "u")
    assert page.bar.tally == "1 decided · 7 left"


def test_a_key_that_is_held_decides_once(page: ReviewPage) -> None:
    """Qt swallows the repeats of an action that does not auto-repeat."""
    table = page.window().actions_table  # type: ignore[attr-defined]
    deciding = ["confirm", "undo", "skip", "escalate", "back", *(f"label-{key}" for key in LABEL_KEYS)]
    assert [name for name in deciding if table.action(f"review.{name}").autoRepeat()] == []
    assert [own.key().toString() for own in page.findChildren(QShortcut) if own.autoRepeat()] == []


def test_a_commit_that_fails_pretends_nothing(page: ReviewPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_new: object) -> None:
        raise StorageError("The disk is full.", "Free some space and press the key again.")

    with monkeypatch.context() as patch:
        patch.setattr(page.desk.workspace.decisions, "record", full)
        press(page, "2")
        assert on_screen(page) == "tweet-0"
        assert page.panel.message.text() == "Not saved. The disk is full. Free some space and press the key again."
        assert page.panel.message.isVisible()
        assert page.bar.last == ""
        assert page.bar.tally == "8 left"
    press(page, "2")
    assert on_screen(page) == "tweet-1"
    assert not page.panel.message.isVisible()


def test_the_mouse_decides_too(page: ReviewPage, qtbot: QtBot) -> None:
    QTest.mouseClick(page.panel.sections["toxicity"].buttons["non-toxic"], Qt.MouseButton.LeftButton)
    QTest.mouseClick(page.panel.confirm, Qt.MouseButton.LeftButton)
    assert [row.labels for row in rows(page)] == [("non-toxic",), ("toxic",)]


# --- notes -------------------------------------------------------------------------------------------------------


def write_note(page: ReviewPage, text: str, leave: Key) -> None:
    press(page, "n")
    assert page.panel.note.hasFocus()
    QTest.keyClicks(page.panel.note, text)
    press(page, leave)
    assert page.hasFocus()


@pytest.mark.parametrize("leave", [Key.Key_Escape, Key.Key_Return])
def test_a_note_goes_with_the_next_decision_whichever_key_leaves_it(page: ReviewPage, leave: Key) -> None:
    write_note(page, " ask Ana ", leave)
    assert page.panel.note.toPlainText() == " ask Ana "
    press(page, "1")
    assert [row.note for row in rows(page)] == ["ask Ana"]
    assert page.panel.note.toPlainText() == ""


def test_a_note_waits_for_its_own_item(page: ReviewPage) -> None:
    write_note(page, "ask Ana", Key.Key_Escape)
    press(page, Key.Key_Right)
    assert page.panel.note.toPlainText() == ""
    press(page, "1", Key.Key_Left, Key.Key_Left)
    assert page.panel.note.toPlainText() == "ask Ana"
    press(page, "s")
    assert [(row.item, row.note) for row in rows(page)] == [("tweet-1", ""), ("tweet-0", "ask Ana")]


def test_a_note_that_was_saved_no_longer_stands_in_the_field(page: ReviewPage) -> None:
    go_to(page, "product-0")
    write_note(page, "see the label", Key.Key_Escape)
    press(page, "4")
    assert on_screen(page) == "product-0"
    assert page.panel.note.toPlainText() == ""


# --- undo --------------------------------------------------------------------------------------------------------


def test_undo_takes_back_and_returns_across_items(page: ReviewPage) -> None:
    press(page, "2", "1", "u")
    assert on_screen(page) == "tweet-1"
    assert page.panel.message.text() == "Taken back: Toxic → tweet-1"
    press(page, "u")
    assert on_screen(page) == "tweet-0"
    assert page.desk.workspace.queues.row("tweet-0").state == "open"
    assert page.bar.last == ""
    press(page, "u")
    assert page.panel.message.text() == "There is nothing to undo."
    press(page, "1")
    assert on_screen(page) == "tweet-1"


def test_undo_reaches_back_over_a_restart(
    open_desk: Callable[[], Desk], show_page: Callable[[Desk], ReviewPage], qtbot: QtBot
) -> None:
    first = open_desk()
    page = show_page(first)
    press(page, "2")
    page.stop()
    first.close()
    again = show_page(open_desk())
    assert on_screen(again) == "tweet-1"
    assert again.bar.last == "Non-toxic → tweet-0"
    QTest.keyClick(again, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert on_screen(again) == "tweet-0"
    assert again.controller.place == 0
    assert again.bar.tally == "8 left"


def undo(page: ReviewPage) -> None:
    QTest.keyClick(page.window().focusWidget(), Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_undo_brings_the_note_back(page: ReviewPage) -> None:
    write_note(page, "ask Ana", Key.Key_Return)
    press(page, "2")
    assert page.panel.note.toPlainText() == ""
    undo(page)
    assert on_screen(page) == "tweet-0"
    assert page.panel.note.toPlainText() == "ask Ana"
    press(page, "1")
    assert [row.note for row in rows(page)] == ["ask Ana", "", "ask Ana"]


def test_undo_brings_every_note_of_the_act_back_and_keeps_what_was_typed_since(page: ReviewPage) -> None:
    go_to(page, "product-0")
    write_note(page, "see the label", Key.Key_Escape)
    press(page, "4")
    write_note(page, "and the back", Key.Key_Escape)
    press(page, Key.Key_Escape)
    assert page.panel.note.toPlainText() == "see the label\nand the back"
    press(page, "2")
    assert rows(page)[-1].note == "see the label\nand the back"


# --- several answers ---------------------------------------------------------------------------------------------


def test_prohibited_is_saved_at_once_and_moves_the_keys_to_its_reasons(page: ReviewPage) -> None:
    go_to(page, "product-0")
    assert not page.panel.sections["reason"].isVisible()
    press(page, "4")
    assert told(page) == [("product-0", Action.CONFIRM, ("prohibited",))]
    assert on_screen(page) == "product-0"
    assert page.panel.sections["reason"].isVisible()
    press(page, "3", "q")
    assert page.panel.sections["reason"].buttons["smoking"].isChecked()
    press(page, Key.Key_Return)
    first, second = rows(page)
    assert second.labels == ("smoking", "animals-plants-and-illegal-hunting")
    assert second.action is Action.CORRECT
    assert first.act == second.act
    assert on_screen(page) != "product-0"
    press(page, "u")
    assert on_screen(page) == "product-0"
    assert page.desk.workspace.decisions.resolved("product-0") == {}


def test_enter_confirms_the_suggested_reasons(page: ReviewPage) -> None:
    go_to(page, "product-0")
    press(page, Key.Key_Return)
    assert page.panel.confirm.text() == "Save as suggested: Smoking, Alcohol"
    assert not page.panel.sections["reason"].buttons["smoking"].isChecked()
    press(page, Key.Key_Return)
    assert told(page)[1] == ("product-0", Action.CONFIRM, ("smoking", "alcohol"))


def test_a_set_that_nobody_chose_needs_enter_twice(page: ReviewPage, make_verdict: Any) -> None:
    page.desk.workspace.verdicts.put([make_verdict("product-1", "reason", smoking=0.2)])
    go_to(page, "product-1")
    press(page, "4", Key.Key_Return)
    assert len(rows(page)) == 1
    assert page.panel.message.text() == "Nothing is suggested. Press Enter again to save that none applies."
    press(page, Key.Key_Return)
    assert told(page)[1] == ("product-1", Action.CONFIRM, ())


def test_toggling_everything_off_saves_none_at_once(page: ReviewPage) -> None:
    go_to(page, "product-0")
    press(page, "4", "1", "1")
    assert page.panel.confirm.text() == "Save: none of these"
    press(page, Key.Key_Return)
    assert told(page)[1] == ("product-0", Action.CORRECT, ())


def test_escape_leaves_the_reasons_and_takes_the_label_back(page: ReviewPage) -> None:
    go_to(page, "product-0")
    press(page, "4", Key.Key_Escape)
    assert on_screen(page) == "product-0"
    assert page.desk.workspace.decisions.resolved("product-0") == {}
    assert page.panel.confirm.text() == "Confirm Prohibited"
    press(page, "1")
    assert page.desk.workspace.decisions.resolved("product-0") == {"verdict": ("ok",)}


def test_a_half_answered_item_goes_on_with_its_reasons(page: ReviewPage) -> None:
    go_to(page, "product-0")
    press(page, "4", Key.Key_Left)
    assert on_screen(page) != "product-0"
    press(page, Key.Key_Right)
    assert on_screen(page) == "product-0"
    press(page, "3", Key.Key_Return)
    assert page.desk.workspace.queues.row("product-0").state == "decided"


# --- notes -------------------------------------------------------------------------------------------------------


def test_a_note_holds_any_key_and_goes_with_the_decision(page: ReviewPage) -> None:
    press(page, "n")
    assert page.panel.note.hasFocus()
    QTest.keyClicks(page.panel.note, "see 12, u")
    press(page, Key.Key_Return)
    assert not page.panel.note.hasFocus()
    assert rows(page) == []
    press(page, "2")
    assert rows(page)[0].note == "see 12, u"
    assert page.panel.note.toPlainText() == ""


def test_a_note_waits_with_its_item(page: ReviewPage) -> None:
    press(page, "n")
    QTest.keyClicks(page.panel.note, "later")
    press(page, Key.Key_Return, Key.Key_Right)
    assert page.panel.note.toPlainText() == ""
    press(page, Key.Key_Left)
    assert page.panel.note.toPlainText() == "later"


# --- looking -----------------------------------------------------------------------------------------------------


def test_capture_heatmap_and_tokens_are_there_when_the_item_is(page: ReviewPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not page.pool.busy() and not page.prefetcher.pending())
    press(page, Key.Key_Return)
    item = page.controller.visit
    assert item is not None
    assert page.centre.capture.accessibleDescription() == ""
    assert page.centre.text.extraSelections()
    assert page.centre.why.progress == "LIME, 100 samples"
    assert not page.pool.busy()


def test_keys_switch_heatmap_tokens_guideline_and_zoom(page: ReviewPage) -> None:
    press(page, "t", "g")
    assert page.centre.text.extraSelections() == []
    assert not page.panel.guideline.isVisible()
    press(page, "t", "g", "h")
    assert page.centre.text.extraSelections()
    assert page.panel.guideline.isVisible()
    assert not page.centre.look.switches["heatmap"].isChecked()
    before = page.centre.capture.zoom
    press(page, "+")
    assert page.centre.capture.zoom > before
    press(page, "0")
    assert page.centre.capture.zoom == before


def test_keys_move_within_an_enlarged_capture_and_the_next_one_is_whole(
    page: ReviewPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_view, "ZOOM_MOST", 100.0)
    view = page.centre.capture

    def seen() -> tuple[float, float]:
        return view.share_at(QPoint(0, 0))

    press(page, *["+"] * 15)
    enlarged = seen()
    press(page, Key.Key_Down, Key.Key_PageDown)
    QTest.keyClick(page.window().focusWidget(), Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert seen()[0] > enlarged[0]
    assert seen()[1] > enlarged[1]
    press(page, Key.Key_PageUp, Key.Key_Up)
    QTest.keyClick(page.window().focusWidget(), Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert seen() == pytest.approx(enlarged)
    assert on_screen(page) == "tweet-0"
    press(page, Key.Key_Right)
    assert view.fitted


def test_at_the_views_width_the_next_capture_is_there_before_it_is_asked_for(
    page: ReviewPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = page.desk.workspace.items.get("tweet-1").capture
    assert following is not None
    monkeypatch.setattr(capture_view, "FIT_MOST", 100.0)
    QTest.keyClick(page.window().focusWidget(), Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert not page.centre.capture.fitted
    qtbot.waitUntil(lambda: not page.pool.busy() and not page.prefetcher.pending())
    assert page.pictures.full(following) is not None
    press(page, Key.Key_Right)
    assert on_screen(page) == "tweet-1"
    assert not page.centre.capture.fitted
    press(page, "0", Key.Key_Right)
    assert page.centre.capture.fitted


def test_a_long_text_scrolls_by_keys(page: ReviewPage) -> None:
    text, field = page.centre.text, page.window().focusWidget()
    text.setPlainText("line\n" * 100)
    QTest.keyClick(field, Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert text.verticalScrollBar().value() > 0
    QTest.keyClick(field, Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert text.verticalScrollBar().value() == 0


def test_a_blurred_desk_never_paints_the_clear_capture(page: ReviewPage, qtbot: QtBot) -> None:
    def clear() -> bool:
        image = page.centre.capture._capture
        if image is None:
            return False
        row = [image.pixelColor(x, image.height() // 2).lightness() for x in range(image.width())]
        return max(row) > 130

    qtbot.waitUntil(clear)
    press(page, "b")
    for _ in range(3):
        assert not clear()
        qtbot.waitUntil(lambda: page.centre.capture._capture is not None)
        assert not clear()
        press(page, Key.Key_Right)
    press(page, "b")
    qtbot.waitUntil(clear)


def test_settings_take_effect_at_once(page: ReviewPage) -> None:
    page.desk.settings.blur = True
    assert page.pictures.veil.blurred
    assert page.centre.look.switches["blur"].isChecked()
    page.desk.settings.grey = True
    assert page.thumbnails.veil.grey


def test_another_label_ends_the_wait_for_the_one_before(
    page: ReviewPage, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    ended: list[tuple[str, ...]] = []
    monkeypatch.setattr(page.desk, "cancel_explain", lambda *key: ended.append(key))
    go_to(page, "product-0")
    for label in ("prohibited", "suspect-to-fraud"):
        wanted = ("product-0", "verdict", label, Priority.LOOKING)
        qtbot.waitUntil(lambda wanted=wanted: wanted in page.desk.asked)  # type: ignore[misc, attr-defined]
        press(page, "]")
    qtbot.waitUntil(lambda: ended[-1:] == [("product-0", "verdict", "suspect-to-fraud")])


def test_the_engine_that_comes_back_is_asked_again(page: ReviewPage, qtbot: QtBot) -> None:
    go_to(page, "tweet-5")
    page.desk.explanationFailed.emit("tweet-5", "toxicity", "toxic", "The engine stopped.")
    asked = page.desk.asked  # type: ignore[attr-defined]
    asked.clear()
    page.desk.engineStateChanged.emit(EngineState(text="Starting"))
    page.desk.engineStateChanged.emit(EngineState(text="Ready", ready=True))
    qtbot.waitUntil(lambda: ("tweet-5", "toxicity", "toxic", Priority.LOOKING) in asked)


def test_an_item_without_a_screenshot_says_so(page: ReviewPage) -> None:
    go_to(page, "tweet-5")
    assert page.centre.capture.accessibleDescription() == "This item came without a screenshot."


def test_a_damaged_capture_says_so_and_the_item_can_be_decided(page: ReviewPage, qtbot: QtBot) -> None:
    capture = page.desk.workspace.items.get("product-1").capture
    assert capture is not None
    page.desk.workspace.captures.path_of(capture).write_bytes(b"gone bad")
    go_to(page, "product-1")
    qtbot.waitUntil(lambda: "damaged" in page.centre.capture.accessibleDescription())
    press(page, "1")
    assert told(page) == [("product-1", Action.CORRECT, ("ok",))]


def test_brackets_explain_another_label_and_ask_for_it(page: ReviewPage, qtbot: QtBot) -> None:
    press(page, "]")
    qtbot.waitUntil(lambda: ("tweet-0", "toxicity", "non-toxic", Priority.LOOKING) in page.desk.asked)  # type: ignore[attr-defined]
    assert page.centre.why.progress == "Explanation is being computed…"
    assert page.centre.text.extraSelections() == []
    press(page, "[")
    assert page.centre.why.progress == "LIME, 100 samples"


def test_an_explanation_streams_in(page: ReviewPage, make_explanation: Callable[..., Explanation]) -> None:
    go_to(page, "tweet-5")
    page.desk.explanationArrived.emit(make_explanation("tweet-5", final=False, samples=20))
    assert page.centre.why.progress.startswith("Preview")
    page.desk.explanationArrived.emit(make_explanation("tweet-5", text_fit=0.1))
    assert page.centre.why.progress == "Low fit: read with care"
    page.desk.explanationArrived.emit(make_explanation("tweet-5", final=False, samples=20))
    assert page.centre.why.progress == "Low fit: read with care"
    page.desk.explanationArrived.emit(make_explanation("tweet-5", model="another", samples=7))
    assert page.centre.why.progress == "Low fit: read with care"


def test_what_an_explanation_rests_on_stands_beside_its_reliability(
    page: ReviewPage, make_explanation: Callable[..., Explanation]
) -> None:
    why = page.centre.why
    assert (why.trust.text(), why.rests) == ("", "")
    go_to(page, "tweet-5")
    shares = {"modality_share": {"text": 0.25, "image": 0.75}, "region_share": {"handle": 0.2, "media": 0.8}}
    known = make_explanation("tweet-5", final=False, samples=40, reliability={"image": 0.3, "text": 0.5}, **shares)
    page.desk.explanationArrived.emit(known)
    assert (why.progress, why.trust.text()) == ("Preview: a better explanation is on its way…", "shaky 0.35")
    assert why.rests == "LIME, 40 samples"
    known = make_explanation("tweet-5", samples=700, reliability={"image": 0.95, "text": 0.91}, **shares)
    page.desk.explanationArrived.emit(known)
    assert (why.progress, why.rests) == ("Looks at media 60 %, words 25 %, handle 15 %", "LIME, 700 samples")
    assert why.trust.text() == "reliable 0.94"
    assert why.trust.accessibleName() == why.trust.toolTip()
    assert "two independent halves of its samples agree by 0.94 of 1" in why.trust.toolTip()
    noted = make_explanation("tweet-5", samples=700, note="The model reads only the beginning of this text.", **shares)
    page.desk.explanationArrived.emit(noted)
    assert (why.note.text(), why.rests) == (noted.note, "LIME, 700 samples")
    assert why._progress.whole() == "Looks at media 60 %, words 25 %, handle 15 %", "where the note left room"
    page.desk.explanationArrived.emit(known)
    why.resize(400, why.height())
    assert (why.trust.isVisible(), why.rests) == (False, "reliable 0.94 · LIME, 700 samples")
    go_to(page, "tweet-4")
    assert (why.progress, why.rests, why.trust.text()) == ("LIME, 100 samples", "", "")


def test_an_explanation_of_another_probability_than_the_verdicts_says_so(
    page: ReviewPage, make_explanation: Callable[..., Explanation]
) -> None:
    go_to(page, "tweet-5")
    visit = page.controller.visit
    assert visit is not None
    kept = visit.sight.verdicts["toxicity"].probabilities["toxic"]
    page.desk.explanationArrived.emit(make_explanation("tweet-5", probability=kept - 0.3))
    assert page.centre.why.progress.startswith(f"This explains {kept - 0.3:.0%}, the kept verdict says {kept:.0%}: it")
    assert page.centre.why.note.isVisible()


def test_an_item_that_was_mended_meanwhile_is_looked_at_again(page: ReviewPage, qtbot: QtBot) -> None:
    """An import that brings a lost screenshot back brings no new item, so nothing else would tell."""
    capture = page.desk.workspace.items.get("product-1").capture
    assert capture is not None
    file = page.desk.workspace.captures.path_of(capture)
    whole = file.read_bytes()
    file.unlink()
    go_to(page, "product-1")
    qtbot.waitUntil(lambda: "missing" in page.centre.capture.accessibleDescription())
    visit = page.controller.visit
    assert visit is not None
    assert visit.focus is not None
    asked = ("product-1", *visit.focus, Priority.LOOKING)
    page.desk.explanationFailed.emit("product-1", *visit.focus, "The screenshot cannot be read.")
    assert page.centre.why.progress == "No explanation: The screenshot cannot be read."
    go_to(page, "tweet-5")
    page.desk.asked.clear()  # type: ignore[attr-defined]
    file.write_bytes(whole)
    go_to(page, "product-1")
    qtbot.waitUntil(lambda: page.centre.capture.accessibleDescription() == "")
    qtbot.waitUntil(lambda: asked in page.desk.asked)  # type: ignore[attr-defined]


def test_a_failed_explanation_says_why(page: ReviewPage) -> None:
    go_to(page, "tweet-5")
    page.desk.explanationFailed.emit("tweet-5", "toxicity", "toxic", "The engine stopped twice.")
    assert page.centre.why.progress == "No explanation: The engine stopped twice."


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (EngineState(text="Engine not started"), "No explanation yet: the engine is not running"),
        (EngineState(text="Engine starting…", busy=True), "Explanation comes once the engine is ready"),
        (EngineState(text="The engine stopped.", ok=False), "No explanation while the engine is down"),
        (EngineState(text="Engine ready", ready=True), "Explanation is being computed…"),
    ],
)
def test_a_missing_explanation_is_promised_only_while_somebody_works_on_it(
    page: ReviewPage, state: EngineState, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_to(page, "tweet-5")
    monkeypatch.setattr(type(page.desk), "engine_state", property(lambda _desk: state))
    page.desk.engineStateChanged.emit(state)
    assert page.centre.why.progress == words


def test_leaving_an_item_ends_what_only_it_wanted(page: ReviewPage) -> None:
    press(page, Key.Key_Right, Key.Key_Right, Key.Key_Right)
    kept = page.desk.kept[-1]  # type: ignore[attr-defined]
    assert "tweet-3" in kept
    assert "tweet-2" in kept
    assert "tweet-0" not in kept


# --- what arrives meanwhile --------------------------------------------------------------------------------------


def test_new_verdicts_wait_until_they_are_wanted(page: ReviewPage, make_verdict: Any, qtbot: QtBot) -> None:
    desk = page.desk
    desk.workspace.verdicts.put([make_verdict(f"tweet-{n}", "toxicity", toxic=0.1, non_toxic=0.9) for n in (0, 1)])
    desk.verdictsChanged.emit(["tweet-0", "tweet-1"])
    assert page.panel.confirm.text() == "Confirm Toxic"
    assert page.panel.newer.isVisible()
    assert page.panel.newer.text() == "Newer verdict: Non-toxic 90 %. Show it"
    assert page.model.row_at(1).label == "non-toxic"
    press(page, Key.Key_Return)
    (row,) = rows(page)
    assert (row.labels, row.shown_labels, row.shown_probability) == (("toxic",), ("toxic",), 0.8)
    assert page.panel.confirm.text() == "Confirm Non-toxic"
    assert not page.panel.newer.isVisible()


def test_the_newer_verdict_can_be_shown(page: ReviewPage, make_verdict: Any, qtbot: QtBot) -> None:
    page.desk.workspace.verdicts.put([make_verdict("tweet-0", "toxicity", toxic=0.1, non_toxic=0.9)])
    page.desk.verdictsChanged.emit(["tweet-0"])
    QTest.mouseClick(page.panel.newer, Qt.MouseButton.LeftButton)
    assert page.panel.confirm.text() == "Confirm Non-toxic"
    press(page, Key.Key_Return)
    assert rows(page)[0].shown_probability == 0.9


def test_another_champion_brings_its_own_verdicts_into_the_rows(
    page: ReviewPage, make_verdict: Any, qtbot: QtBot
) -> None:
    """After a rollback the verdicts are there already, so nothing but the champion's change says that they differ."""
    page.desk.workspace.verdicts.put([make_verdict(f"tweet-{n}", "toxicity", toxic=0.1, non_toxic=0.9) for n in (0, 2)])
    page.desk.championChanged.emit("the-one-before")
    qtbot.waitUntil(lambda: page.model.row_at(2).label == "non-toxic")
    assert page.panel.confirm.text() == "Confirm Toxic"
    assert page.panel.newer.isVisible()


# --- queues ------------------------------------------------------------------------------------------------------


def test_the_end_of_the_queue_is_said_and_can_be_undone(page: ReviewPage) -> None:
    for number in range(6):
        assert on_screen(page) == f"tweet-{number}"
        press(page, "1")
    press(page, "1", "1")
    assert on_screen(page) == ""
    assert page.empty.isVisible()
    press(page, Key.Key_Return, "1", "s")
    assert len(rows(page)) == 8
    press(page, "u")
    assert on_screen(page) == "product-1"
    assert page.centre.isVisible()


def test_items_passed_by_come_again_at_the_end(page: ReviewPage) -> None:
    press(page, Key.Key_Right)
    press(page, *["1"] * 7)
    assert on_screen(page) == "tweet-0"


def test_a_queue_can_be_searched(page: ReviewPage, qtbot: QtBot) -> None:
    QTest.keyClick(page, Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.queue.search.hasFocus()
    QTest.keyClicks(page.queue.search, "kettle")
    press(page, Key.Key_Return)  # without waiting for the pause
    assert page.model.rowCount() == 2
    assert on_screen(page) == "product-0"
    assert page.hasFocus()


def test_another_queue_opens_with_its_items(page: ReviewPage) -> None:
    press(page, "s")
    page.open_queue(QueueQuery(states=("skipped",), order="recent"))
    assert on_screen(page) == "tweet-0"
    assert page.model.rowCount() == 1


def test_a_long_note_stands_whole_below_the_legend_also_in_a_narrow_window(
    page: ReviewPage, qtbot: QtBot, make_explanation: Callable[..., Explanation]
) -> None:
    note = "The screenshot is one plain colour, so only the words are explained."
    go_to(page, "tweet-5")
    why = page.centre.why
    page.window().resize(LEAST)
    page.desk.explanationArrived.emit(make_explanation("tweet-5", "toxicity", "toxic", note=note))
    qtbot.waitUntil(lambda: why.note.isVisible() and why.note.height() >= why.note.heightForWidth(why.note.width()))
    assert (why.note.text(), why._progress.whole(), why.progress) == (note, "", note)
    page.centre.crossing.step(1)
    assert why._progress.whole().startswith("“Item”"), "what is stepped to has the line for itself"
    assert why.note.isVisible()
    go_to(page, "tweet-0")
    assert not why.note.isVisible()
    assert why._progress.whole() == why.progress == "LIME, 100 samples"
