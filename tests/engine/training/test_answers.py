"""Disagreement becomes soft targets, age becomes weight, and the card names every answer that was used."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch

from engine.errors import InputError
from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.models.spec import HeadSpec
from engine.training.answers import age_weights, decisions_used, soft_targets
from engine.training.data import targets_of
from engine.training.run import train
from engine.types import Answer, ItemContent, TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

MOOD = HeadSpec(task="mood", labels=("warm", "cold", "mild"))
WHY = HeadSpec(task="why", labels=("fire", "sun"), multi=True)
Votes = list[tuple[str, ...]]
replace = msgspec.structs.replace


def item(
    name: str, labels: dict[str, tuple[str, ...]], at: str = "2026-01-01T00:00:00.000Z", **votes: Votes
) -> TrainingItem:
    answers = {
        task: tuple(
            Answer(labels=given, reviewer=f"r{number}", at=at, decision=100 + number)
            for number, given in enumerate(found)
        )
        for task, found in votes.items()
    }
    content = ItemContent(id=name, kind="tweet", text=name)
    return TrainingItem(content=content, labels=labels, group=name, answers=answers, decisions=(100,) if votes else ())


def test_targets_are_the_shares_of_reviewers() -> None:
    items = [
        item("a", {"mood": ("warm",)}, mood=[("warm",), ("warm",), ("cold",)]),
        item("b", {"mood": ("cold",)}),
        item("c", {"why": ("fire",)}, mood=[("warm",)]),
        item("d", {"mood": ("mild",)}, mood=[("mild",)]),
    ]
    target = soft_targets(items, MOOD)
    assert torch.allclose(target[[0, 1, 3]], torch.tensor([[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 1]]))
    assert target[2].isnan().all()


def test_a_multi_label_task_has_a_share_for_each_label() -> None:
    votes: Votes = [("fire", "sun"), ("fire",), (), ("fire",)]
    assert soft_targets([item("a", {"why": ("fire",)}, why=votes)], WHY).tolist() == [[0.75, 0.25]]


def test_without_disagreement_both_kinds_of_targets_agree() -> None:
    items = [
        item("a", {"mood": ("warm",), "why": ("sun",)}, mood=[("warm",)], why=[("sun",), ("sun",)]),
        item("b", {"mood": ("cold",), "why": ()}),
        item("c", {}),
    ]
    for head in (MOOD, WHY):
        assert torch.equal(soft_targets(items, head).nan_to_num(9), targets_of(items, head).nan_to_num(9))


def test_weights_halve_with_every_half_life() -> None:
    days = {"new": "2026-03-01T12:00:00.000Z", "old": "2026-02-19T12:00:00.000Z", "older": "2026-01-30T12:00:00.000Z"}
    items = [item(name, {"mood": ("warm",)}, at, mood=[("warm",)]) for name, at in days.items()]
    items.append(item("imported", {"mood": ("warm",)}))
    weights = age_weights(items, items, half_life_days=10)
    assert torch.allclose(weights / weights[0], torch.tensor([1, 0.5, 0.125, 1]))
    assert weights.mean() == pytest.approx(1)
    assert torch.equal(age_weights(items, items, half_life_days=0), torch.ones(4))


def test_age_counts_from_the_newest_answer_of_the_whole_snapshot() -> None:
    held_out = item("newest", {"mood": ("warm",)}, "2026-03-01T00:00:00.000Z", mood=[("warm",)])
    old = item("old", {"mood": ("warm",)}, "2026-02-19T00:00:00.000Z", mood=[("warm",)])
    imported = item("imported", {"mood": ("warm",)})
    weights = age_weights([old, imported], [held_out, old, imported], half_life_days=10)
    assert weights[1] / weights[0] == pytest.approx(2)


def test_however_old_the_answers_are_the_weights_stay_numbers() -> None:
    ancient = [item(str(n), {"mood": ("warm",)}, f"19{70 + n}-01-01T00:00:00Z", mood=[("warm",)]) for n in range(3)]
    newest = item("newest", {"mood": ("warm",)}, "2026-01-01T00:00:00Z", mood=[("warm",)])
    weights = age_weights(ancient, [*ancient, newest], half_life_days=0.5)
    assert weights.tolist() == pytest.approx([0, 0, 3])


def test_a_time_that_is_none_is_named() -> None:
    bad = item("a", {"mood": ("warm",)}, "yesterday", mood=[("warm",)])
    with pytest.raises(InputError, match=r"'a'.*'yesterday' \(decision 100\)"):
        age_weights([bad], [bad], half_life_days=1)


def test_outvoted_answers_are_used_by_soft_labels_only() -> None:
    one = item("a", {"mood": ("warm",)}, mood=[("warm",), ("cold",)], why=[("sun",)])
    assert decisions_used(one, ["mood", "why"], soft=False) == {100}
    assert decisions_used(one, ["mood", "why"], soft=True) == {100, 101}


def disputed(items: list[TrainingItem]) -> list[TrainingItem]:
    """Three reviewers on each item; the second always disagrees."""
    found = []
    for place, one in enumerate(items):
        (mood,) = one.labels["mood"]
        other = "cold" if mood == "warm" else "warm"
        votes = tuple(
            Answer(labels=(label,), reviewer=f"r{k}", at="2026-01-01T00:00:00Z", decision=3 * place + k + 1)
            for k, label in enumerate((mood, other, mood))
        )
        agreeing = (votes[0].decision, votes[2].decision)
        found.append(replace(one, labels={"mood": (mood,)}, answers={"mood": votes}, decisions=agreeing))
    return found


def test_a_run_learns_how_sure_the_reviewers_were(make_run: RunMaker, recipe: str) -> None:
    """With two to one everywhere the loss cannot fall below the entropy of that; hard labels can be learned to zero."""
    items = disputed(make_run.items())
    longer = recipe.replace("epochs = 4", "epochs = 12")
    cards = {}
    for name, text in (("hard", longer), ("soft", longer + "soft_labels = true\n")):
        folder = make_run(items, text)
        cards[name], _ = train(folder, emit=lambda _: None, cancelled=lambda: False)
        chances = mean_confidence(folder / "candidate", items)
        assert chances == pytest.approx(2 / 3, abs=0.1) if name == "soft" else chances > 0.9
    trained = cards["hard"].counts["train"]
    assert (len(cards["hard"].decisions), len(cards["soft"].decisions)) == (2 * trained, 3 * trained)


def mean_confidence(folder: Path, items: list[TrainingItem]) -> float:
    """The mean probability of the most probable label at temperature 1."""
    loaded = checkpoint.load(folder)
    card = replace(loaded.card, temperatures=dict.fromkeys(loaded.card.temperatures, 1.0))
    predictor = Predictor(dataclasses.replace(loaded, card=card), torch.device("cpu"))
    verdicts = predictor.predict([one.content for one in items])
    return sum(verdict.probability for verdict in verdicts) / len(verdicts)


def test_old_answers_count_less_and_the_snapshot_alone_decides(
    make_run: RunMaker, recipe: str, same_weights: Callable[[Path, Path], bool]
) -> None:
    """The older half of the answers says the opposite; with a short half-life the newer half wins."""
    items = []
    for number, one in enumerate(make_run.items()):
        old = number % 8 > 3
        (mood,) = one.labels["mood"]
        said = ("cold" if mood == "warm" else "warm") if old else mood
        at = "2020-01-01T00:00:00Z" if old else "2026-01-01T00:00:00Z"
        answer = Answer(labels=(said,), reviewer="ada", at=at, decision=number + 1)
        items.append(replace(one, labels={"mood": (said,)}, answers={"mood": (answer,)}))
    text = recipe.replace("epochs = 4", "epochs = 8") + "half_life_days = 30.0\n"
    folders = [make_run(items, text), make_run(items, text)]
    for folder in folders:
        train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert same_weights(folders[0] / "candidate", folders[1] / "candidate")
    verdicts = Predictor.load(folders[0] / "candidate", "cpu").predict([one.content for one in items])
    right = sum(
        verdict.label == original.labels["mood"][0]
        for verdict, original in zip(verdicts, make_run.items(), strict=True)
    )
    assert right == len(items)
