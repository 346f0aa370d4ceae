"""`secondlook models WORKSPACE rebuild ID` on a model that `secondlook retrain` made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner

pytestmark = pytest.mark.usefixtures("same_priority")

SETTINGS = {
    "text.backbone": "cnn",
    "text.vocabulary": 400,
    "text.width": 16,
    "text.filters": 16,
    "text.max_tokens": 16,
    "image.backbone": "none",
    "fusion.hidden": [16],
    "training.epochs": 2,
    "training.threads": 1,
}


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path) -> Path:
    path = tmp_path / "w.secondlook"
    rows = [
        {
            "id": f"t{n}",
            "kind": "tweet",
            "author": f"author{n}",
            "text": f"{'go away you fools' if n % 2 else 'what a lovely morning'} {n}",
            "labels": {"toxicity": "toxic" if n % 2 else "non-toxic"},
        }
        for n in range(40)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


def test_a_model_is_rebuilt_bit_for_bit(secondlook: Runner, workspace: Path) -> None:
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    ended = secondlook("retrain", workspace, "--json", *settings)
    assert ended.status == 0, ended.err
    model = ended.json["model"]
    moved = workspace.rename(workspace.with_name("moved.secondlook"))
    found = secondlook("models", moved, "rebuild", model, "--json")
    assert found.status == 0, found.err
    assert found.json["identical"]
    assert found.json["largest_difference"] == 0
    assert f"The model {model} was rebuilt bit for bit" in secondlook("models", moved, "rebuild", model).out
    assert len(secondlook("models", moved, "--json").json) == 1


def test_a_model_must_be_named_and_known(secondlook: Runner, workspace: Path) -> None:
    nameless = secondlook("models", workspace, "rebuild")
    assert nameless.status == 2
    assert "Only promote and rebuild take a model's id, and each needs one." in nameless.err
    assert "no model 'gone'" in secondlook("models", workspace, "rebuild", "gone").err
