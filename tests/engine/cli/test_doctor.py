"""`secondlook doctor`, and what is told of imports that are not finished."""

from __future__ import annotations

import sqlite3
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from engine.cli import checkup
from engine.errors import ModelUnavailableError
from engine.workspace import Workspace
from engine.workspace.imports import Reached


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that asking torch takes."""
    monkeypatch.setattr(checkup, "_ASK_FOR_GPU", "print('none')")


@pytest.mark.usefixtures("no_gpu")
def test_doctor_finds_a_healthy_workspace_healthy(secondlook: Any, made: Path) -> None:
    ended = secondlook("doctor", made, "--json")
    assert (ended.status, ended.json["ok"]) == (0, True)
    names = [check["name"] for check in ended.json["checks"]]
    assert names[-6:] == ["database integrity", "decision chain", "annotations", "origins", "captures", "models"]
    assert all(set(check) == {"name", "ok", "detail", "note"} for check in ended.json["checks"])


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("variables", "level", "words"),
    [
        ({}, "note", "cannot be opened here"),
        ({"DISPLAY": ":7"}, "ok  ", "DISPLAY=:7"),
        ({"DISPLAY": ":7", "QT_QPA_PLATFORM": "offscreen"}, "note", "nobody sees it"),
        ({"QT_QPA_PLATFORM": "xcb"}, "ok  ", "Qt platform 'xcb' (from QT_QPA_PLATFORM)\n"),
    ],
)
def test_doctor_says_what_it_means_that_there_is_no_display(
    secondlook: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], level: str, words: str
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", "linux")
    ended = secondlook("doctor")
    (line,) = [line for line in ended.out.splitlines(keepends=True) if "  display: " in line]
    assert line.startswith(f"{level}  display: ")
    assert words in line
    assert ended.status == 0
    if not variables:
        assert "secondlook open --screenshot FILE" in line
        assert "xvfb-run secondlook open" in line


@pytest.fixture
def half_in(made: Path, tmp_path: Path) -> Path:
    """A file of which 20,000 records were in when its import was killed; the workspace is `made`."""
    file = tmp_path / "large.jsonl"
    file.write_text('{"id": "n1", "kind": "tweet", "text": "new"}\n')
    with Workspace.open(made) as ws:
        ws.imports.note("a" * 64, str(file), Reached(records=20_000, imported=20_000), (), ())
    return file


@pytest.mark.usefixtures("no_gpu")
def test_doctor_notes_an_import_that_is_not_finished(secondlook: Any, made: Path, half_in: Path) -> None:
    ended = secondlook("doctor", made)
    assert ended.status == 0
    assert f"note  imports: The import of '{half_in}' is not finished: 20,000 records of it are in. Import" in ended.out
    assert "ok    workspace: " in ended.out


def test_import_tells_of_one_that_is_not_finished(
    secondlook: Any, made: Path, half_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "n2", "kind": "tweet", "text": "new"}\n')
    left = f"The import of '{half_in}' is not finished: 20,000 records of it are in."
    goes_on = f"The import of '{half_in}' stopped behind record 20,000; the same file goes on there."
    ended = secondlook("import", made, other)
    assert ended.status == 0
    assert left in ended.err
    assert goes_on not in ended.err
    monkeypatch.chdir(half_in.parent)
    ended = secondlook("import", made, half_in.name)
    assert goes_on in ended.err
    assert left not in ended.err
    ended = secondlook("import", made, other)
    assert "The import of" not in ended.err  # the file was another one by then, and is in


def test_a_strict_import_does_not_claim_to_go_on(secondlook: Any, made: Path, half_in: Path) -> None:
    assert "The import of" not in secondlook("import", made, half_in, "--strict").err


@pytest.mark.usefixtures("no_gpu")
def test_doctor_names_what_is_wrong(secondlook: Any, made: Path) -> None:
    assert secondlook("decide", made, "t1", "--reviewer", "ada", "--label", "toxic").status == 0
    with sqlite3.connect(made / "workspace.db") as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("UPDATE decisions SET reviewer = 'eve'")
    db.close()
    ended = secondlook("doctor", made)
    assert ended.status == 2
    assert "FAIL  decision chain: row 1" in ended.out
    ended = secondlook("doctor", made.parent / "none")
    assert ended.status == 2
    assert "FAIL  workspace: There is no workspace" in ended.out


@pytest.mark.usefixtures("no_gpu")
def test_doctor_notices_an_annotation_that_was_changed(secondlook: Any, crossed: Path) -> None:
    healthy = {one["name"]: one for one in secondlook("doctor", crossed, "--json").json["checks"]}["annotations"]
    assert (healthy["ok"], healthy["detail"]) == (True, "1 part crossed out, every hash follows")
    with sqlite3.connect(crossed / "workspace.db") as db:
        db.execute("DROP TRIGGER annotations_never_change")
        db.execute("UPDATE annotations SET text = 'else'")
    db.close()
    ended = secondlook("doctor", crossed)
    assert ended.status == 2
    assert "FAIL  annotations: annotation 1 was changed" in ended.out


@pytest.mark.usefixtures("no_gpu")
def test_doctor_names_the_models_that_do_not_load(
    secondlook: Any, modelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(folder: Path, device: str) -> None:
        raise ModelUnavailableError(f"The model in '{folder}' has no weights.")

    checkpoint = types.ModuleType("engine.models.checkpoint")  # the real one takes seconds to import torch
    checkpoint.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "engine.models.checkpoint", checkpoint)
    (modelled / "models" / "m1").rmdir()
    failed = {
        one["name"]: one["detail"] for one in secondlook("doctor", modelled, "--json").json["checks"] if not one["ok"]
    }
    assert set(failed) == {"model m1", "model m2"}
    assert "missing" in failed["model m1"]
    assert "no weights" in failed["model m2"]


def test_a_torch_that_does_not_import_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "_ASK_FOR_GPU", "raise ImportError('libfoo is missing')")
    (gpu,) = [check for check in checkup.installation() if check.name == "gpu"]
    assert not gpu.ok
    assert "libfoo is missing" in gpu.detail
