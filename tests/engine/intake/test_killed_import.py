"""The import of a large file that is killed at any moment goes on where it stood, as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CancelledError, StorageError
from engine.intake import ImportReport, import_paths, importing
from engine.taxonomy import preset
from engine.types import Decision, Item
from engine.workspace import Workspace
from engine.workspace.decisions import Decisions

PART = 150
ITEMS = 450
ODD = range(50, ITEMS, 100)
KILLS = 5

IMPORTER = """
import os, sys
from engine.intake import import_paths, importing
from engine.workspace import Workspace

def say(*told):
    os.write(1, f"{' '.join(map(str, told))}\\n".encode())

importing.PART = int(sys.argv[1])
for line in sys.stdin:
    child = os.fork()
    if not child:
        workspace, file = line.rstrip("\\n").split("\\t")
        with Workspace.open(workspace, check=False) as ws:
            say("pid", os.getpid())
            import_paths(ws, [file], progress=lambda done, total: say("done", done))
        os._exit(0)
    say("end", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Forks an importer for each line on its standard input, so that a start costs nothing."""

Everything = tuple[list[Item], list[Decision], bool]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PART", PART)


def row(number: int) -> dict[str, Any]:
    said = [
        {
            "number": 2 * number + which + 1,
            "act": f"{number}-{which}",
            "item": f"i{number}",
            "task": "toxicity",
            "action": "correct",
            "labels": [("toxic", "non-toxic")[(number + which) % 2]],
            "reviewer": ("ada", "grace")[which],
            "at": "2026-01-02T03:04:05.678Z",
        }
        for which in range(2)
    ]
    known = {"resolved": {}, "verdict": {}, "annotations": [], "decisions": said}
    return {"id": f"i{number}", "kind": "tweet", "text": f"text {number} Ω", **known}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two decisions an item, and now and then a row that is broken, twice there, or needs mending."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(ITEMS):
            file.write(json.dumps(row(number)) + "\n")
            if number in ODD:
                file.write("{broken\n")
                file.write(json.dumps(row(number // 2)) + "\n")
                file.write(json.dumps({"id": f"m{number}", "kind": "tweet", "text": "a\x01b", "txt": "?"}) + "\n")
    return path


NewPath = Callable[[], Path]


@pytest.fixture
def new_path(tmp_path: Path) -> NewPath:
    """Make another empty workspace and return its folder."""
    numbers = iter(range(100))

    def make() -> Path:
        path = tmp_path / f"{next(numbers)}.secondlook"
        Workspace.create(path, preset("both")).close()
        return path

    return make


def everything(path: Path) -> Everything:
    with Workspace.open(path) as ws:
        return list(ws.items.iter()), list(ws.decisions.iter()), ws.decisions.verify().ok


def run(path: Path, file: Path) -> ImportReport:
    with Workspace.open(path, check=False) as ws:
        return import_paths(ws, [file])


@pytest.fixture
def undisturbed(large: Path, new_path: NewPath, small_parts: None) -> tuple[Everything, ImportReport]:
    path = new_path()
    report = run(path, large)
    assert (report.imported, report.decisions) == (ITEMS + len(ODD), 2 * ITEMS)
    assert (len(report.errors), len(report.warnings)) == (2 * len(ODD), len(ODD) + 1)
    return everything(path), report


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", IMPORTER, str(PART)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def killed(nursery: subprocess.Popen[str], path: Path, file: Path, after: int) -> None:
    """Import in a process of its own, and kill it once it has read so many records."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{path}\t{file}\n")
    nursery.stdin.flush()
    pid = 0
    for line in nursery.stdout:
        what, number = line.split()
        if what == "end":
            assert int(number) == -signal.SIGKILL, "It was through before it could be killed."
            return
        pid = int(number) if what == "pid" else pid
        if what == "done" and int(number) >= after:
            os.kill(pid, signal.SIGKILL)
            after = sys.maxsize


def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(
    nursery: subprocess.Popen[str], large: Path, new_path: NewPath, undisturbed: tuple[Everything, ImportReport]
) -> None:
    path, chance = new_path(), random.Random(20260102)
    behind = 0
    for _ in range(KILLS):
        killed(nursery, path, large, behind + chance.randrange(0, PART // 2))
        items, decisions, sound = everything(path)
        assert sound
        assert len(decisions) == 2 * len([item for item in items if item.id.startswith("i")])
        with Workspace.open(path) as ws:
            noted = ws.imports.unfinished()
            assert (sum(one.records for one in noted) > 0) == bool(items)
            assert [one.path for one in noted] == ([str(large)] if items else [])
            assert all(str(large) in warning and "goes on" in warning for warning in ws.warnings)
            behind = sum(one.records for one in noted)
    assert behind > 0
    assert run(path, large) == undisturbed[1]
    assert everything(path) == undisturbed[0]
    with Workspace.open(path) as ws:
        assert (ws.imports.unfinished(), ws.warnings) == ([], ())


Stopped = Callable[[Path, Path, int], None]


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    """Import, with a disk that refuses the decisions of a part once so many parts are in."""

    def stop(path: Path, file: Path, parts: int) -> None:
        left = iter([True] * parts)
        adopt = Decisions.adopt

        def refuse(self: Decisions, given: Any) -> list[Decision]:
            if not next(left, False):
                raise StorageError("The disk is full.")
            return adopt(self, given)

        with monkeypatch.context() as patched, Workspace.open(path, check=False) as ws:
            patched.setattr(Decisions, "adopt", refuse)
            with pytest.raises(StorageError):
                import_paths(ws, [file], kind="")

    return stop


def test_what_is_in_is_not_done_again(
    large: Path,
    new_path: NewPath,
    undisturbed: tuple[Everything, ImportReport],
    stopped: Stopped,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = new_path()
    stopped(path, large, 3)
    with Workspace.open(path) as ws:
        (noted,) = ws.imports.unfinished()
    asked: list[int] = []
    fitting = Decisions.fitting

    def counting(*given: Any) -> Any:
        asked.append(1)
        return fitting(*given)

    monkeypatch.setattr(Decisions, "fitting", counting)
    seen: list[int] = []
    with Workspace.open(path, check=False) as ws:
        import_paths(ws, [large], progress=lambda done, _: seen.append(done))
    assert seen[0] == noted.records >= 3 * PART // 3
    assert len(asked) == ITEMS + len(ODD) - len(good_ones(noted.records, large))
    assert everything(path) == undisturbed[0]


def good_ones(records: int, file: Path) -> set[str]:
    """Return the ids of the good rows among the first records of a file."""
    lines = file.read_text(encoding="utf-8").splitlines()[:records]
    return {json.loads(line)["id"] for line in lines if line != "{broken"}


def test_a_file_that_was_changed_meanwhile_is_read_from_its_beginning(
    large: Path, new_path: NewPath, tmp_path: Path, stopped: Stopped, small_parts: None
) -> None:
    file, path = tmp_path / "copy.jsonl", new_path()
    file.write_bytes(large.read_bytes())
    stopped(path, file, 3)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text(json.dumps({"id": "first", "kind": "tweet", "text": "new"}) + "\n" + "".join(lines))
    report = run(path, file)
    with Workspace.open(path) as ws:
        assert ws.items.get("first").text == "new"
        assert ws.imports.unfinished() == []
    assert report.skipped > 0
    assert report.imported + report.skipped == ITEMS + len(ODD) + 1
    assert report.decisions + report.known == 2 * ITEMS


def test_another_kind_or_reviewer_is_another_import(
    large: Path, new_path: NewPath, stopped: Stopped, small_parts: None
) -> None:
    path = new_path()
    stopped(path, large, 2)
    with Workspace.open(path, check=False) as ws:
        assert import_paths(ws, [large], reviewer="eve").skipped > 0


def test_a_cancelled_import_of_a_large_file_says_how_to_go_on(
    large: Path, new_path: NewPath, undisturbed: tuple[Everything, ImportReport]
) -> None:
    path, asked = new_path(), iter([False] * 5 + [True])
    with (
        Workspace.open(path) as ws,
        pytest.raises(CancelledError, match=r"\d\d\d records of .* are in, and importing it again goes on there"),
    ):
        import_paths(ws, [large], cancelled=lambda: next(asked))
    assert run(path, large) == undisturbed[1]
    assert everything(path) == undisturbed[0]


def test_items_with_several_records_in_different_parts_are_put_together(
    new_path: NewPath, tmp_path: Path, stopped: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PART", 6)
    lines = [
        {"text": f"text {number % 4}", "label": "toxic", "answer": "accept", "_input_hash": number % 4,
         "_task_hash": number, "_annotator_id": f"r{number}", "_timestamp": 1_700_000_000 + number,
         "secondlook": {"kind": "tweet"}}
        for number in range(12)
    ]  # fmt: skip
    file = tmp_path / "prodigy.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    whole, half = new_path(), new_path()
    expected = run(whole, file)
    assert (expected.imported, expected.decisions, expected.errors) == (4, 12, ())
    stopped(half, file, 2)
    with Workspace.open(half) as ws:
        assert (ws.items.count(), ws.decisions.head()[0]) == (4, 6)
    assert run(half, file) == expected
    assert everything(half) == everything(whole)
