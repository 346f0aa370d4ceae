"""Groups stay on one side, sides stay where they were, shares come out as asked."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.splits import SPLITS, assign_splits
from engine.types import ItemContent, TrainingItem


def labelled(name: str, group: str, label: str, split: str = "") -> TrainingItem:
    return TrainingItem(
        content=ItemContent(id=name, kind="tweet"), labels={"toxicity": (label,)}, group=group, split=split
    )


rows = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(["toxic", "non-toxic"]), st.sampled_from(["", "", *SPLITS])),
    max_size=40,
)


@given(rows, st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_no_group_is_ever_on_both_sides(table: list[tuple[int, str, str]], seed: int) -> None:
    items = [labelled(f"i{n}", f"g{group}", label, split) for n, (group, label, split) in enumerate(table)]
    splits = assign_splits(items, seed=seed)
    assert set(splits.of) == {item.content.id for item in items}
    sides: dict[str, set[str]] = {}
    given_sides: dict[str, set[str]] = {}
    for item in items:
        sides.setdefault(item.group, set()).add(splits.of[item.content.id])
        given_sides.setdefault(item.group, set()).update({item.split} - {""})
    assert all(len(side) == 1 for side in sides.values())
    for group, side in given_sides.items():
        if len(side) == 1:
            assert sides[group] == side
    assert splits.moved == tuple(sorted(group for group, side in given_sides.items() if len(side) > 1))


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_items_does_not_matter(table: list[tuple[int, str, str]], random: object) -> None:
    items = [labelled(f"i{n}", f"g{group}", label, split) for n, (group, label, split) in enumerate(table)]
    other = list(items)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert assign_splits(items).of == assign_splits(other).of


def test_shares_of_items_and_labels_are_close_to_what_was_asked() -> None:
    items = [labelled(f"i{n}", f"g{n // 3}", "toxic" if n % 5 == 0 else "non-toxic") for n in range(300)]
    splits = assign_splits(items, seed=1)
    counts = splits.counts()
    assert abs(counts["train"] - 210) <= 6
    assert abs(counts["val"] - 45) <= 4
    assert abs(counts["test"] - 45) <= 4
    for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        toxic = sum(item.labels["toxicity"] == ("toxic",) for item in splits.pick(items, split))
        assert abs(toxic - 60 * share) <= 3


def test_new_items_never_move_old_ones() -> None:
    first = [labelled(f"i{n}", f"g{n}", "toxic" if n % 2 else "non-toxic") for n in range(60)]
    before = assign_splits(first).of
    kept = [labelled(i.content.id, i.group, i.labels["toxicity"][0], before[i.content.id]) for i in first]
    more = [labelled(f"n{n}", f"g{n + 40}", "toxic") for n in range(40)]  # the first twenty share groups with old items
    after = assign_splits([*more, *kept]).of
    assert {name: after[name] for name in before} == before
    assert all(after[f"n{n}"] == before[f"i{n + 40}"] for n in range(20))


def test_rare_labels_go_to_train_first() -> None:
    items = [labelled(f"i{n}", f"g{n}", "common") for n in range(40)]
    items += [labelled(f"r{n}", f"h{n}", "rare") for n in range(2)]
    splits = assign_splits(items)
    assert Counter(splits.of[f"r{n}"] for n in range(2)) == {"train": 2}


def test_a_side_that_is_not_wanted_stays_empty() -> None:
    items = [labelled(f"i{n}", f"g{n}", "toxic") for n in range(30)]
    assert assign_splits(items, test=0.0).counts()["test"] == 0


def test_an_import_without_a_test_side_does_not_swallow_new_answers() -> None:
    imported = [labelled(f"i{n}", f"g{n}", "toxic" if n % 2 else "non-toxic", "train") for n in range(400)]
    answers = [labelled(f"n{n}", f"h{n}", "toxic" if n % 2 else "non-toxic") for n in range(40)]
    sides = Counter(assign_splits([*imported, *answers]).of[f"n{n}"] for n in range(40))
    assert sides["train"] >= 18
    assert sides["val"] >= 6
    assert sides["test"] >= 6
