from __future__ import annotations

import pytest

from desktop.review.pace import Pace
from desktop.review.sight import Sight
from desktop.review.visit import begin, next_task
from engine.taxonomy import preset
from engine.types import Action, Item, Verdict

BOTH = preset("both")


def sight(resolved: dict[str, tuple[str, ...]] | None = None, *, verdicts: bool = True) -> Sight:
    reasons = dict.fromkeys(BOTH.task("reason").label_names, 0.0) | {"smoking": 0.9, "alcohol": 0.6}
    found = {
        "verdict": Verdict(
            item="p",
            task="verdict",
            model="m",
            label="prohibited",
            probability=0.7,
            labels=("prohibited",),
            probabilities={"prohibited": 0.7, "ok": 0.3},
        ),
        "reason": Verdict(
            item="p",
            task="reason",
            model="m",
            label="smoking",
            probability=0.9,
            labels=("smoking", "alcohol"),
            probabilities=reasons,
        ),
    }
    return Sight(item=Item(id="p", kind="product"), verdicts=found if verdicts else {}, resolved=resolved or {})


def test_reasons_are_due_only_after_prohibited() -> None:
    first = next_task(BOTH, "product", {})
    after = next_task(BOTH, "product", {"verdict": ("prohibited",)})
    assert first is not None
    assert after is not None
    assert (first.name, after.name) == ("verdict", "reason")
    assert next_task(BOTH, "product", {"verdict": ("ok",)}) is None
    assert next_task(BOTH, "product", {"verdict": ("prohibited",), "reason": ()}) is None


def test_a_half_answered_item_goes_on_and_a_decided_one_starts_over() -> None:
    half = begin(sight({"verdict": ("prohibited",)}), BOTH)
    whole = begin(sight({"verdict": ("prohibited",), "reason": ("smoking",)}), BOTH)
    assert half.task is BOTH.task("reason")
    assert half.conditional
    assert whole.task is BOTH.task("verdict")
    assert whole.answers == {}


def test_the_suggestion_counts_until_the_first_toggle() -> None:
    visit = begin(sight({"verdict": ("prohibited",)}), BOTH)
    assert visit.answer() == ("smoking", "alcohol")
    visit.toggle("illegal-drugs")
    assert visit.answer() == ("illegal-drugs",)
    visit.toggle("illegal-drugs")
    assert visit.touched
    assert visit.answer() == ()


def test_an_earlier_answer_is_suggested_before_the_models() -> None:
    visit = begin(sight({"verdict": ("prohibited",), "reason": ("illegal-drugs",)}), BOTH)
    visit.answers["verdict"] = ("prohibited",)
    visit.go_to(BOTH.task("reason"))
    assert visit.suggestion() == ("illegal-drugs",)


def test_agreeing_with_what_is_shown_confirms_and_all_else_corrects() -> None:
    visit = begin(sight(), BOTH)
    assert visit.action_for(("prohibited",)) is Action.CONFIRM
    assert visit.action_for(("ok",)) is Action.CORRECT
    assert begin(sight(verdicts=False), BOTH).action_for(("ok",)) is Action.CORRECT


def test_stepping_walks_around_the_active_tasks_labels() -> None:
    visit = begin(sight(), BOTH)
    assert visit.focus == ("verdict", "prohibited")
    visit.step_focus(1)
    assert visit.focus == ("verdict", "suspect-to-fraud")
    for _ in range(5):
        visit.step_focus(1)
    assert visit.focus == ("verdict", "prohibited")
    visit.go_to(BOTH.task("reason"))
    visit.step_focus(1)
    assert visit.focus == ("reason", "smoking")
    assert not begin(sight(verdicts=False), BOTH).step_focus(1)


def test_keys_find_labels_of_the_active_task_only() -> None:
    visit = begin(sight(), BOTH)
    label = visit.label_of_key("4")
    assert label is not None
    assert label.name == "prohibited"
    assert visit.label_of_key("q") is None
    visit.go_to(BOTH.task("reason"))
    assert visit.label_of_key("Q") is not None


def test_the_pace_counts_standing_acts() -> None:
    pace = Pace()
    assert pace.words == []
    pace.ended("a", Action.CONFIRM, 2.0)
    assert pace.per_minute() is None
    pace.ended("b", Action.SKIP, 4.0)
    assert pace.per_minute() == pytest.approx(20.0)
    assert pace.words == ["1 decided", "1 skipped"]
    pace.undone("b")
    pace.undone("of an earlier session")
    assert pace.words == ["1 decided"]
