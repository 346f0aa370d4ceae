from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError, NotFoundError
from engine.intake import export, import_paths
from engine.intake.formats import FORMATS, guess, named
from engine.intake.importing import find_sources

EXAMPLES: dict[str, Any] = {
    "jsonl": {"id": "a", "kind": "tweet", "text": "x", "labels": {"toxicity": "toxic"}},
    "doccano": {"id": 1, "text": "x", "label": ["toxic"], "Comments": []},
    "prodigy": {"text": "x", "label": "toxic", "answer": "accept", "_input_hash": 1, "_task_hash": 2},
    "label-studio": [{"id": 1, "data": {"text": "x"}, "annotations": []}],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_files_format_is_guessed(tmp_path: Path, name: str) -> None:
    path = tmp_path / ("in.json" if isinstance(EXAMPLES[name], list) else "in.jsonl")
    path.write_text(json.dumps(EXAMPLES[name]))
    assert guess(path).name == name


@pytest.mark.parametrize("name", ["jsonl", "csv", "doccano", "label-studio", "prodigy"])
def test_our_own_exports_are_guessed(new_workspace: Any, fill: Any, tmp_path: Path, name: str) -> None:
    ws = new_workspace()
    fill(ws, 3, ["some text", "=more"])
    path = tmp_path / {"csv": "out.csv", "label-studio": "out.json"}.get(name, "out.jsonl")
    export(ws, path, format=name)
    assert guess(path).name == name


def test_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no import format 'prodgy'. Did you mean 'prodigy'"):
        named("prodgy")
    with pytest.raises(InputError, match=r"no export format 'docano'. Did you mean 'doccano'"):
        named("docano", writing=True)


def test_every_format_can_be_listed() -> None:
    for name, one in FORMATS.items():
        assert one.name == name
        assert one.title
        assert one.describes
        assert one.reads or one.writes


def test_files_are_found_once(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "b.CSV").write_text("id\n")
    found = find_sources([tmp_path, tmp_path / "metadata.jsonl", tmp_path / "b.CSV"], "")
    assert [(one.path.name, one.format.name) for one in found] == [("metadata.jsonl", "jsonl"), ("b.CSV", "csv")]


def test_what_cannot_be_imported_is_said(new_workspace: Any, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file or folder"):
        find_sources([tmp_path / "none"])
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"looks like no known format.*--format"):
        find_sources([tmp_path / "a.txt"])
    with pytest.raises(InputError, match="cannot be read as JSON lines"):
        import_paths(new_workspace(), [tmp_path], format="jsonl")


def test_a_folder_of_pictures_alone_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither metadata\.jsonl nor metadata\.csv\. Put such a list into it"):
        guess(tmp_path)
