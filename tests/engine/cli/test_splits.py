"""`secondlook splits` on a workspace with copies and authors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Runner


@pytest.fixture
def workspace(secondlook: Runner, tmp_path: Path) -> Path:
    """40 labelled tweets by 20 authors; ten of them are repeated by others."""
    said = [f"{'go away you fools' if n % 2 else 'what a lovely morning'}, it is day {n * n * 37}" for n in range(40)]
    rows = [
        {
            "id": f"t{n}",
            "author": f"author{n // 2}",
            "text": text,
            "labels": {"toxicity": ["non-toxic", "toxic"][n % 2]},
        }
        for n, text in enumerate(said)
    ]
    rows += [rows[n] | {"id": f"c{n}", "author": f"copier{n}", "text": f"RT {said[n].upper()}"} for n in range(10)]
    lines = "".join(json.dumps(row | {"kind": "tweet"}) + "\n" for row in rows)
    (tmp_path / "in.jsonl").write_text(lines)
    path = tmp_path / "w.secondlook"
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


def test_counts_groups_and_leaks_are_told(secondlook: Runner, workspace: Path) -> None:
    ended = secondlook("splits", workspace, "--json")
    assert ended.status == 0, ended.err
    document = ended.json
    assert document["items"] == sum(document["splits"].values()) == sum(document["new"].values()) == 50
    toxic = document["labels"]["toxicity"]["toxic"]
    assert sum(toxic.values()) == 25
    assert document["near_duplicates"] >= 20
    assert document["groups"] <= 20
    assert document["leak"]["naive_either"] > document["leak"]["grouped_copies"]
    assert set(document["leak"]["tasks"]["toxicity"]) == {"naive", "naive_deviation", "grouped", "grouped_deviation"}


def test_people_get_tables_and_sentences(secondlook: Runner, workspace: Path) -> None:
    out = secondlook("splits", workspace).out
    for part in (
        "train",
        "non-toxic",
        "labelled items in",
        "have a near-duplicate",
        "would have a relative that trains",
    ):
        assert part in out


def test_a_workspace_without_labels_says_so(secondlook: Runner, tmp_path: Path) -> None:
    secondlook("init", tmp_path / "e.secondlook", "--preset", "tweets")
    ended = secondlook("splits", tmp_path / "e.secondlook")
    assert ended.status == 2
    assert "No item has a label yet" in ended.err
