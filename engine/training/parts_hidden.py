"""The comparison with the champion where reviewers crossed something out: both are shown the items without it.

As the items are, a model that trusts a shortcut scores higher on them than one that was told that it is no reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.models.spec import NetworkSpec
from engine.training.compare import mean_macro_f1
from engine.training.evaluate import Answers
from engine.training.recipe import CrossedOutRecipe
from engine.training.splits import TRAIN, Splits
from engine.training.versions import Version, hidden_versions
from engine.types import ModelCard, TrainingItem

ByTask = Mapping[str, Answers]


@dataclass(frozen=True)
class PartsHidden:
    """Both models' answers by task where what was crossed out is hidden from them in the items `ids`."""

    mine: ByTask
    theirs: ByTask
    ids: frozenset[str] = frozenset()


def to_compare(
    items: Sequence[TrainingItem],
    held_out: Sequence[TrainingItem],
    specs: Sequence[NetworkSpec],
    *,
    regions_elsewhere: bool = True,
) -> dict[str, Version]:
    """Return by id how held-out items are shown to both models; those that are shown as they are are left out.

    `items` are all labelled ones: a shortcut that was crossed out of any of them is hidden wherever it sits.
    """
    told = [item for item in items if item.crossed_out]
    if not told:
        return {}
    versions = hidden_versions(held_out, told, regions_elsewhere=regions_elsewhere)
    return {name: one for name, one in versions.items() if any(one.seen_by(spec) for spec in specs)}


def told_more(items: Sequence[TrainingItem], splits: Splits, settings: CrossedOutRecipe, champion: ModelCard) -> bool:
    """Return whether a candidate was trained on crossed-out parts that the champion did not know.

    They came with decisions, and a card names those that its model rests on.
    """
    if not (settings.hide or settings.plant or settings.penalty):
        return False
    known = set(champion.decisions)
    return any(item.crossed_out and not known.issuperset(item.decisions) for item in splits.pick(items, TRAIN))


def remark(plain: PartsHidden, shown: PartsHidden) -> list[str]:
    """Return the sentence on what was hidden in a comparison, from both models' answers to the items as they are."""
    count = len({name for one in shown.mine.values() for name in one.ids} & shown.ids)
    if not count:
        return ["What reviewers crossed out sits in none of these items, so they are compared as they are."]
    both = plain.mine.keys() & plain.theirs.keys()
    new, old = (mean_macro_f1({task: one[task] for task in both}) for one in (plain.mine, plain.theirs))
    of_them = "1 of these items is" if count == 1 else f"{count} of these items are"
    return [
        f"{of_them} compared with what reviewers crossed out hidden from both models; as they are, it scores {new:.2f} "
        f"against {old:.2f}."
    ]
