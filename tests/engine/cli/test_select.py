from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def made(secondlook: Any, tmp_path: Path) -> Path:
    path = tmp_path / "w.secondlook"
    rows = [{"id": f"t{number}", "kind": "tweet", "text": f"words {number}"} for number in range(30)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


def test_a_batch_is_picked_and_shown_as_a_queue(secondlook: Any, made: Path) -> None:
    arguments = ("select", made, "--order", "random", "--count", 12, "--seed", 4)
    ended = secondlook(*arguments, "--json")
    assert ended.json["batch"] | {"order": "random", "items": 12, "at_random": 12, "seed": 4} == ended.json["batch"]
    items = [pick["item"] for pick in ended.json["picks"]]
    assert [row["id"] for row in secondlook("items", made, "--queue", "teach", "--json").json] == items
    text = secondlook(*arguments).out
    assert text.startswith("Picked 12 items to teach the model: 0 by random, 12 at random (seed 4).\n   1  ")
    assert "… and 2 more" in text
    assert "drawn at random" in secondlook("items", made, "--queue", "teach").out


def test_what_cannot_be_picked_is_said(secondlook: Any, made: Path) -> None:
    for arguments, words in (
        (["--order", "margni"], "Did you mean 'margin'"),
        ([], "none has a verdict"),
        (["--order", "core-set"], "no model yet"),
        (["--count", "0"], "1 to 10,000"),
        (["--kind", "product"], "no open item"),
    ):
        ended = secondlook("select", made, *arguments)
        assert ended.status == 2
        assert words in ended.err
