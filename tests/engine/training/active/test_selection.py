from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.taxonomy import preset
from engine.training.active import selection
from engine.training.active.core_set import Vectors
from engine.triage.teaching import AT_RANDOM
from engine.types import Action, Item, ItemContent, ModelCard, Verdict
from engine.workspace import NewDecision, Workspace

PLACES = [(0.0, 0.0), (0.1, 0.0), (5.0, 0.0), (5.1, 0.0), (0.0, 4.0), (0.2, 3.9), (1.0, 1.0), (0.9, 1.0)]


def embed(contents: Sequence[ItemContent]) -> Vectors:
    """Eight tweets in pairs of neighbours."""
    return np.array([PLACES[int(content.id[1:])] for content in contents], np.float32)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Eight tweets: t0 is decided; the model is the surer the higher a tweet's number."""
    with Workspace.create(tmp_path / "w.secondlook", preset("tweets")) as made:
        made.items.add((Item(id=f"t{number}", kind="tweet", text="x"), None) for number in range(8))
        (made.path / "models" / "m1").mkdir()
        tasks: dict[str, tuple[str, ...]] = {"toxicity": ("toxic", "non-toxic")}
        card = ModelCard(id="m1", created="2026-01-01T00:00:00.000Z", recipe="", tasks=tasks)
        made.models.register(card, made.path / "models" / "m1")
        made.models.promote("m1", "")
        made.verdicts.put([verdict(number) for number in range(8)])
        made.decisions.record(
            [NewDecision(item="t0", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ann")]
        )
        yield made


def verdict(number: int) -> Verdict:
    toxic = 0.5 + number / 20
    return Verdict(
        item=f"t{number}",
        task="toxicity",
        model="m1",
        label="toxic",
        probability=toxic,
        labels=("toxic",),
        probabilities={"toxic": toxic, "non-toxic": 1 - toxic},
    )


def test_a_core_set_is_far_from_what_is_labelled_and_from_itself(workspace: Workspace) -> None:
    batch = selection.select(workspace, "core-set", embed, count=3, random_share=0.0)
    picks = workspace.teaching.picks()
    assert [pick.item for pick in picks] == ["t3", "t4", "t6"]
    assert picks[0].why == "unlike what is labelled or picked already (distance 5.10)"
    assert (batch.order, batch.items, batch.at_random) == ("core-set", 3, 0)


def test_combined_is_a_core_set_of_the_doubtful(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "WIDER", 2)
    selection.select(workspace, "combined", embed, count=2, random_share=0.0)
    picks = workspace.teaching.picks()
    assert [pick.item for pick in picks] == ["t3", "t4"], "t1 to t4 are the doubtful ones"
    assert picks[1].why.startswith("the model wavers between Toxic (70%) and Non-toxic (30%), and it is unlike")


def test_the_random_share_is_the_same_as_in_every_order(workspace: Workspace) -> None:
    selection.select(workspace, "core-set", embed, count=4, random_share=0.5, seed=5)
    drawn = [pick.item for pick in workspace.teaching.picks() if pick.why == AT_RANDOM]
    assert drawn == workspace.teaching.draw(2, 5)
    assert len({pick.item for pick in workspace.teaching.picks()}) == 4


def test_few_labelled_items_stand_for_many(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.decisions.record(
        [NewDecision(item="t1", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ann")]
    )
    monkeypatch.setattr(selection, "LABELLED", 1)
    seen: list[int] = []

    def counting(contents: Sequence[ItemContent]) -> Vectors:
        seen.append(len(contents))
        return embed(contents)

    selection.select(workspace, "core-set", counting, count=2, random_share=0.0)
    assert seen == [7]


def test_vectors_have_two_parts_of_length_one() -> None:
    class Looking:
        def vectors_stream(
            self, contents: Sequence[ItemContent]
        ) -> Iterator[tuple[list[ItemContent], torch.Tensor, torch.Tensor]]:
            for one in contents:
                yield [one], torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]])

    told: list[tuple[int, int]] = []
    vectors = selection.embedding(Looking(), lambda done, total: told.append((done, total)))(  # type: ignore[arg-type]
        [ItemContent(id="a", kind="tweet"), ItemContent(id="b", kind="tweet")]
    )
    np.testing.assert_allclose(vectors, [[0.6, 0.8, 0, 0]] * 2, rtol=1e-6)
    assert told == [(1, 2), (2, 2)]


def test_open_items_that_came_with_labels_are_still_told_apart(workspace: Workspace) -> None:
    """A label that came with an import does not make an open item its own neighbour."""
    truths: dict[str, tuple[str, ...]] = {"toxicity": ("toxic",)}
    workspace.items.add([(Item(id="t8", kind="tweet", text="x", truths=truths), None)])

    def far(contents: Sequence[ItemContent]) -> Vectors:
        return np.array(
            [(9.0, 9.0) if content.id == "t8" else PLACES[int(content.id[1:])] for content in contents], np.float32
        )

    selection.select(workspace, "core-set", far, count=1, random_share=0.0)
    assert [pick.item for pick in workspace.teaching.picks()] == ["t8"]
