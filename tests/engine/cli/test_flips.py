from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.types import ModelCard, Verdict
from engine.workspace import Workspace


@pytest.fixture
def flipped(secondlook: Any, tmp_path: Path) -> Path:
    """Model m1 called both tweets toxic, a reviewer agreed on t1, and m2 calls them non-toxic."""
    path = tmp_path / "w.secondlook"
    rows = [{"id": name, "kind": "tweet", "text": f"words of {name}"} for name in ("t1", "t2")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    crown(path, "m1", "toxic", 0.71)
    assert secondlook("decide", path, "t1", "--label", "toxic", "--reviewer", "ada").status == 0
    crown(path, "m2", "non-toxic", 0.9)
    return path


def crown(path: Path, model: str, label: str, probability: float) -> None:
    with Workspace.open(path) as ws:
        (path / "models" / model).mkdir()
        tasks: dict[str, tuple[str, ...]] = {"toxicity": ("toxic", "non-toxic")}
        card = ModelCard(id=model, created="2026-01-01T00:00:00.000Z", recipe="", tasks=tasks)
        ws.models.register(card, path / "models" / model)
        ws.models.promote(model, "better")
        ws.verdicts.put(
            [
                Verdict(
                    item=item,
                    task="toxicity",
                    model=model,
                    label=label,
                    probability=probability,
                    labels=(label,),
                    probabilities={label: probability},
                )
                for item in ("t1", "t2")
            ]
        )


def test_the_queue_of_flips_says_what_the_verdict_was(secondlook: Any, flipped: Path) -> None:
    header, first, second = secondlook("items", flipped, "--queue", "flips").out.splitlines()
    assert header.split() == ["item", "kind", "state", "verdict", "p", "was", "resolved", "title"]
    assert first.split()[:8] == ["t1", "tweet", "decided", "non-toxic", "0.90", "toxic", "0.71", "toxic"]
    assert second.split()[:3] == ["t2", "tweet", "open"]
    one, other = secondlook("items", flipped, "--queue", "flips", "--json").json
    expected = {"model": "m2", "was_model": "m1", "was_label": "toxic", "was_probability": 0.71, "contradicts": True}
    assert one["flip"] == expected
    assert not other["flip"]["contradicts"]
    assert [
        row["id"] for row in secondlook("items", flipped, "--queue", "flips", "--where", "state=open", "--json").json
    ] == ["t2"]


def test_flips_have_their_order_and_the_others_do_not(secondlook: Any, flipped: Path) -> None:
    assert secondlook("items", flipped, "--queue", "flips", "--where", "order=flips").status == 0
    ended = secondlook("items", flipped, "--where", "order=flips")
    assert ended.status == 2
    assert "Only the queue 'flips' has the order 'flips'" in ended.err


def test_models_says_what_the_champion_changed(secondlook: Any, flipped: Path) -> None:
    new, old = secondlook("models", flipped, "--json").json
    assert new["flips"] == {"changed": 2, "waiting": 2, "contradicting": 1}
    assert old["flips"] == {"changed": 0, "waiting": 0, "contradicting": 0}
    last = secondlook("models", flipped).out.splitlines()[-1]
    assert last == (
        "Since the champion before: 2 verdicts changed; 1 now contradicts a decision."
        " List them with: secondlook items WORKSPACE --queue flips"
    )
    assert "verdicts changed" not in secondlook("models", flipped, "rollback").out
