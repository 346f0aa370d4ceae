"""No item and no group is on both sides, labels are shared out, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from engine.errors import InputError
from engine.training.experiment.folds import Fold, fixed_fold, grouped_folds, relatives, strata
from engine.training.experiment.sources import Source
from engine.types import TrainingItem


def ids(items: Sequence[TrainingItem]) -> set[str]:
    return {item.content.id for item in items}


def paired(source: Source) -> list[TrainingItem]:
    """Items 0 and 2, 1 and 3, 4 and 6, … share a group and a label."""
    return [
        msgspec.structs.replace(item, group=f"g{number // 4}-{number % 2}") for number, item in enumerate(source.items)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_no_group_is_on_both_sides_and_every_item_is_measured_once(source: Source, seed: int) -> None:
    items = paired(source)
    folds = grouped_folds(items, 4, seed)
    assert Counter(name for fold in folds for name in ids(fold.test)) == Counter(ids(items))
    for fold in folds:
        assert not {item.group for item in fold.train} & {item.group for item in fold.test}
        assert ids(fold.train) | ids(fold.test) == ids(items)
        assert Counter(item.labels["weather"][0] for item in fold.test) == {"warm": 6, "cold": 6}
    assert sum(relatives(fold, items) for fold in folds) == 0


def test_relatives_on_the_training_side_are_counted(source: Source) -> None:
    items = paired(source)
    fold = fixed_fold(source.items)
    groups = {item.content.id: item.group for item in items}
    trained = [groups[item.content.id] for item in fold.train]
    assert relatives(fold, items) == sum(groups[item.content.id] in trained for item in fold.test) > 0
    assert relatives(fold, source.items) == 0


def test_other_seeds_give_other_folds_and_the_same_seed_the_same(source: Source) -> None:
    one, same, other = (grouped_folds(source.items, 4, seed) for seed in (0, 0, 1))
    assert one == same
    assert [ids(fold.test) for fold in one] != [ids(fold.test) for fold in other]


def test_too_few_groups_are_refused(source: Source) -> None:
    items = [msgspec.structs.replace(item, group="all") for item in source.items]
    with pytest.raises(InputError, match=r"1 groups .* too few for 3 folds"):
        grouped_folds(items, 3, 0)


def test_a_label_that_is_too_rare_to_share_out_does_not_stop_the_rest(source: Source) -> None:
    rare = msgspec.structs.replace(source.items[0], labels={"weather": ("mild",)})
    items = [rare, *source.items[1:]]
    assert Counter(strata(items, 4)) == {"weather=cold": 25, "weather=warm": 23}
    assert len(grouped_folds(items, 4, 0)) == 4


def test_the_fixed_split_measures_val_or_test(source: Source) -> None:
    fold = fixed_fold(source.items)
    assert (len(fold.train), len(fold.test), fold.stop) == (36, 12, ())
    tested = [msgspec.structs.replace(item, split="test") for item in source.items[:4]]
    three = fixed_fold([*tested, *source.items[4:]])
    assert ids(three.test) == ids(tested)
    assert ids(three.stop) == ids([item for item in source.items[4:] if item.split == "val"])
    with pytest.raises(InputError, match="no fixed split"):
        fixed_fold(fold.train)


def test_what_stops_the_training_is_taken_from_the_training_side(source: Source) -> None:
    fold = fixed_fold(paired(source))
    items, splits = fold.sides(0.25, seed=3)
    assert ids(items) == ids(fold.train)
    sides = {side: splits.pick(items, side) for side in ("train", "val", "test")}
    assert len(sides["val"]) == pytest.approx(9, abs=2)
    assert not sides["test"]
    assert not {item.group for item in sides["train"]} & {item.group for item in sides["val"]}


def test_a_split_for_stopping_that_came_with_the_data_is_used(source: Source) -> None:
    train, stop, test = source.items[:30], source.items[30:40], source.items[40:]
    items, splits = Fold("fixed", train, test, stop).sides(0.15, seed=0)
    assert ids(splits.pick(items, "val")) == ids(stop)
    assert ids(splits.pick(items, "train")) == ids(train)
