from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from engine.errors import InputError, NotFoundError
from engine.types import Verdict
from engine.workspace import Workspace

Judge = Callable[..., Verdict]


def test_a_champions_verdict_is_shown_and_replaced(workspace: Workspace, champion: str, judge: Judge) -> None:
    first, second = judge("t1", "toxic", 0.9), judge("t1", "non-toxic", 0.6)
    assert workspace.verdicts.put([first]) == ["t1"]
    assert workspace.verdicts.of("t1") == {"toxicity": first}
    workspace.verdicts.put([second])
    assert workspace.verdicts.of("t1") == {"toxicity": second}
    row = workspace.queues.row("t1")
    assert (row.label, row.probability, row.model) == ("non-toxic", 0.6, champion)
    assert workspace.items.count_without_verdict(champion) == 7


def test_another_models_verdict_is_kept_beside_and_not_shown(
    workspace: Workspace, champion: str, add_model: Callable[[str], None], judge: Judge
) -> None:
    add_model("m2")
    other = judge("t1", "non-toxic", 0.8, model="m2")
    assert workspace.verdicts.put([other]) == []
    assert workspace.verdicts.of("t1") == {}
    assert workspace.verdicts.of_model("t1", "m2") == {"toxicity": other}
    assert workspace.verdicts.of_model("t1", champion) == {}


def test_after_a_promotion_the_old_verdict_stays_until_the_new_champion_judges(
    workspace: Workspace, champion: str, add_model: Callable[[str], None], judge: Judge
) -> None:
    workspace.verdicts.put([judge("t1", "toxic", 0.9), judge("t2", "toxic", 0.8)])
    add_model("m2")
    workspace.verdicts.put([judge("t2", "non-toxic", 0.7, model="m2")])
    workspace.models.promote("m2", "better")
    shown = {item: workspace.verdicts.of(item)["toxicity"].model for item in ("t1", "t2")}
    assert shown == {"t1": "m1", "t2": "m2"}
    assert workspace.queues.row("t1").model == "m1"
    assert workspace.verdicts.put([judge("t1", "toxic", 0.6, model="m2")]) == ["t1"]
    assert workspace.verdicts.of("t1")["toxicity"].model == "m2"
    workspace.models.rollback()
    assert {workspace.queues.row(item).model for item in ("t1", "t2")} == {"m1"}


def test_put_is_all_or_nothing(workspace: Workspace, champion: str, judge: Judge) -> None:
    good = judge("t1", "toxic", 0.9)
    for bad in (judge("t99", "toxic", 0.9), judge("t2", "toxic", 0.9, model="m9")):
        with pytest.raises(NotFoundError):
            workspace.verdicts.put([good, bad])
    for probability in (1.5, -0.1, float("nan")):
        with pytest.raises(InputError, match="outside 0 to 1"):
            workspace.verdicts.put([good, msgspec.structs.replace(good, probability=probability)])
    assert workspace.verdicts.of("t1") == {}


def test_many_items_at_once(workspace: Workspace, champion: str, judge: Judge) -> None:
    workspace.verdicts.put([judge("t1", "toxic", 0.9), judge("p1", "ok", 0.5, task="verdict")])
    found = workspace.verdicts.of_many(["p1", "t1", "t2"])
    assert {item: set(tasks) for item, tasks in found.items()} == {"p1": {"verdict"}, "t1": {"toxicity"}, "t2": set()}
