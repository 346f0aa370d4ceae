"""What is trained and what is left out, with the reason."""

from __future__ import annotations

import pytest

from engine.errors import InputError, TrainingError
from engine.taxonomy import Taxonomy
from engine.training.plan import check_labels, check_task_weights, make_plan
from engine.training.splits import Splits
from engine.types import ItemContent, TrainingItem


def item(name: str, **labels: tuple[str, ...]) -> TrainingItem:
    return TrainingItem(content=ItemContent(id=name, kind="tweet"), labels=labels, group=name)


def splits(items: list[TrainingItem], val: int = 1) -> Splits:
    sides = ["val"] * val + ["train"] * (len(items) - val)
    return Splits(of={one.content.id: side for one, side in zip(items, sides, strict=True)})


def test_counts_and_the_majority_come_from_training_items_only(taxonomy: Taxonomy) -> None:
    items = [item("v", mood=("cold",), why=())]
    items += [item(f"w{n}", mood=("warm",), why=("fire",)) for n in range(3)]
    items += [item(f"c{n}", mood=("cold",)) for n in range(2)]
    plan = make_plan(items, splits(items), taxonomy)
    assert [head.task for head in plan.heads] == ["mood", "why"]
    assert plan.heads[1].multi
    assert plan.majority == {"mood": "warm", "why": "fire"}
    assert plan.counts == {
        "train": 5,
        "val": 1,
        "test": 0,
        "train/mood/warm": 3,
        "train/mood/cold": 2,
        "train/why/fire": 3,
        "train/why/sun": 0,
    }
    assert plan.left_out == ()


def test_too_few_items_are_counted_in_the_error(taxonomy: Taxonomy) -> None:
    items = [item("v", mood=("cold",)), *(item(f"w{n}", mood=("warm",)) for n in range(5)), item("c", mood=("cold",))]
    with pytest.raises(TrainingError, match=r"'mood'.*\(warm 5, cold 1\).*Label more items"):
        make_plan(items, splits(items), taxonomy, ["mood"])


def test_nothing_to_validate_with_is_refused(taxonomy: Taxonomy) -> None:
    items = [item(f"w{n}", mood=("warm",) if n % 2 else ("cold",)) for n in range(6)]
    with pytest.raises(TrainingError, match=r"None of the 6 labelled items.*by more authors"):
        make_plan(items, splits(items, val=0), taxonomy)


def test_nothing_labelled_is_refused(taxonomy: Taxonomy) -> None:
    with pytest.raises(TrainingError, match="Nothing is labelled yet"):
        make_plan([], Splits(of={}), taxonomy)


def test_a_misspelt_task_is_named(taxonomy: Taxonomy) -> None:
    items = [item("v", mood=("cold",))]
    with pytest.raises(InputError, match="mod"):
        make_plan(items, splits(items), taxonomy, ["mod"])


def test_all_unknown_weighed_tasks_are_named_with_the_nearest(taxonomy: Taxonomy) -> None:
    check_task_weights({"why": 0.5}, taxonomy)
    with pytest.raises(InputError, match=r"'mod' \(Did you mean 'mood'\?\).*'whyy' \(Did you mean 'why'\?\)"):
        check_task_weights({"mod": 1.0, "mood": 2.0, "whyy": 1.0}, taxonomy)


@pytest.mark.parametrize("labels", [{"mood": ("hot",)}, {"mod": ("warm",)}, {"mood": ("warm", "cold")}, {"mood": ()}])
def test_a_snapshot_that_does_not_follow_the_taxonomy_is_refused(
    taxonomy: Taxonomy, labels: dict[str, tuple[str, ...]]
) -> None:
    with pytest.raises(InputError, match="'odd'"):
        check_labels([item("odd", **labels)], taxonomy)


def test_an_empty_answer_to_a_multi_label_task_is_an_answer(taxonomy: Taxonomy) -> None:
    check_labels([item("none", why=())], taxonomy)
