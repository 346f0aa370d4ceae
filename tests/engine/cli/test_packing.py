from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def made(secondlook: Any, tmp_path: Path) -> Path:
    """A workspace with two tweets, the first decided by ann."""
    rows = [{"id": f"t{number}", "kind": "tweet", "text": f"text {number}"} for number in range(2)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "home.secondlook"
    for arguments in (
        ("init", path, "--preset", "tweets"),
        ("import", path, tmp_path / "in.jsonl"),
        ("decide", path, "t0", "--label", "toxic", "--reviewer", "ann"),
    ):
        assert secondlook(*arguments).status == 0
    return path


def test_a_pack_goes_out_and_comes_home_with_a_conflict(secondlook: Any, made: Path, tmp_path: Path) -> None:
    out, away, back = tmp_path / "out.zip", tmp_path / "ben.secondlook", tmp_path / "back.zip"
    ended = secondlook("pack", made, out, "--blind")
    assert ended.status == 0
    assert "Packed 2 items" in ended.out
    ended = secondlook("init", away, "--from", out)
    assert "2 items are new" in ended.out
    assert f"secondlook open {away}" in ended.out
    secondlook("decide", away, "t0", "--label", "non-toxic", "--reviewer", "ben")
    assert secondlook("pack", away, back).status == 0
    ended = secondlook("import", made, back)
    assert "1 decision row is new" in ended.out
    assert "t0, toxicity: ann toxic" in ended.out
    (again,) = secondlook("import", made, back, "--json").json
    assert (again["decisions"], again["known"]) == (0, 1)
    (conflict,) = again["conflicts"]
    assert {one["reviewer"]: one["labels"] for one in conflict["answers"]} == {"ann": ["toxic"], "ben": ["non-toxic"]}
    checks = {check["name"]: check["ok"] for check in secondlook("doctor", made, "--json").json["checks"]}
    assert checks["origins"]
    assert checks["decision chain"]


def test_packs_are_imported_by_themselves(secondlook: Any, made: Path, tmp_path: Path) -> None:
    secondlook("pack", made, tmp_path / "out.zip")
    ended = secondlook("import", made, tmp_path / "out.zip", tmp_path / "in.jsonl")
    assert ended.status == 2
    assert "Import packs by themselves" in ended.err
    ended = secondlook("init", tmp_path / "x", "--from", tmp_path / "out.zip", "--preset", "tweets")
    assert ended.status == 2
    assert not (tmp_path / "x").exists()


def test_a_broken_pack_leaves_no_workspace_behind(secondlook: Any, made: Path, tmp_path: Path) -> None:
    secondlook("pack", made, tmp_path / "out.zip")
    body = (tmp_path / "out.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(body[: len(body) // 2])
    ended = secondlook("init", tmp_path / "x", "--from", tmp_path / "cut.zip")
    assert ended.status == 2
    assert "no zip file" in ended.err
    assert not (tmp_path / "x").exists()
