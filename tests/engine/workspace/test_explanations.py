from __future__ import annotations

import msgspec
import pytest

from engine.errors import NotFoundError
from engine.looks import Look
from engine.types import Explanation, Segment, SegmentMap, TokenWeight
from engine.workspace import Workspace


def explanation(*, final: bool = True, label: str = "toxic", weight: float = 0.5) -> Explanation:
    return Explanation(
        item="t1",
        task="toxicity",
        label=label,
        model="m1",
        probability=0.9,
        tokens=(TokenWeight(field="text", start=0, end=5, text="words", weight=weight),),
        segments=(Segment(id=1, weight=-0.25, box=(0, 0, 10, 10), area=100),),
        segment_map=SegmentMap(width=2, height=1, cells=b"\x00\x01"),
        final=final,
    )


def test_an_explanation_comes_back_as_it_was(workspace: Workspace, champion: str) -> None:
    one = explanation()
    workspace.explanations.put(one)
    assert workspace.explanations.get("t1", "toxicity", "toxic", champion) == one
    assert workspace.explanations.get("t1", "toxicity", "non-toxic", champion) is None
    assert workspace.explanations.get("t99", "toxicity", "toxic", "m9") is None


def test_a_preview_never_replaces_a_final_one(workspace: Workspace, champion: str) -> None:
    for one in (explanation(final=False, weight=0.1), explanation(weight=0.2), explanation(final=False, weight=0.3)):
        workspace.explanations.put(one)
    kept = workspace.explanations.get("t1", "toxicity", "toxic", champion)
    assert kept is not None
    assert (kept.final, kept.tokens[0].weight) == (True, 0.2)


def test_has_many_knows_final_ones(workspace: Workspace, champion: str) -> None:
    workspace.explanations.put_many([explanation(), explanation(label="non-toxic", final=False)])
    keys = [("t1", "toxicity", "toxic"), ("t1", "toxicity", "non-toxic"), ("t2", "toxicity", "toxic")]
    assert workspace.explanations.has_many(keys, champion) == {keys[0]}
    assert workspace.explanations.has_many(keys, "m9") == set()


def test_an_unknown_model_is_named(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="m1"):
        workspace.explanations.put(explanation())


def test_looks_are_read_without_the_rest(workspace: Workspace, champion: str) -> None:
    shares = {"modality_share": {"text": 0.5, "image": 0.5}, "region_share": {"handle": 1.0}}
    known = [
        msgspec.structs.replace(explanation(label=label), item=item, **shares)
        for item, label in (("t1", "toxic"), ("t1", "non-toxic"), ("t2", "toxic"), ("t3", "toxic"), ("p1", "toxic"))
    ]
    workspace.explanations.put_many([*known, msgspec.structs.replace(explanation(final=False), item="t4")])
    found = workspace.explanations.looks(champion)
    assert sorted(found, key=lambda one: one.item) == [
        Look(item=item, **shares) for item in ("p1", "t1", "t1", "t2", "t3")
    ]
    assert 0 < len(workspace.explanations.looks(champion, most=2)) <= 3
    assert workspace.explanations.looks("m9") == []
