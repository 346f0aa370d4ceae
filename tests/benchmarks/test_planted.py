"""The benchmark of planted truth, end to end on a few captures and a small model."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest


def test_methods_find_the_badge_more_often_than_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_planted", Path(__file__).with_name("planted.py"))
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    sizes = [
        "--items",
        "1",
        "--captures",
        "96",
        "--size",
        "64",
        "--epochs",
        "2",
        "--threads",
        "1",
        "--library-samples",
        "100",
    ]
    out = tmp_path / "planted.json"
    arguments = ["--methods", "ig,attention", *sizes, "--keep", str(tmp_path / "kept"), "--out", str(out)]
    assert script.main(arguments) == 0
    found = json.loads(out.read_text())
    rows = found["badge"]["rows"]
    assert found["badge"]["accuracy"] > 0.9
    assert rows["ig"]["hits"]["mean"] == 1.0
    assert rows["ig"]["share"]["mean"] > 0.5 > rows["random"]["share"]["mean"]
    assert rows["lime library"]["share"]["mean"] > rows["random"]["share"]["mean"]
    assert found["word"]["rows"]["lime library"]["hits"]["mean"] == 1.0
    assert "attention" not in rows
    told = capsys.readouterr()
    assert "badge: 1 captures have it" in told.out
    assert told.out.strip() == script.words_of(found).strip(), "the report prints what was written"
    assert "attention is left out" in told.err
    for done in ("train", "found_by"):
        monkeypatch.setattr(script, done, lambda *_: pytest.fail("what was done is done again"))
    arguments[1] = "ig"
    assert script.main(arguments) == 0
    assert json.loads(out.read_text()) == found
