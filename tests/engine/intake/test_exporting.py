from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import CancelledError, InputError, StorageError
from engine.intake import export, import_paths
from engine.intake.formats import written_whole
from engine.types import Action, CrossedOut, Item, Mark, ModelCard, Verdict
from engine.workspace import NewDecision, Workspace


@pytest.fixture
def reviewed(ws: Workspace, folder: Path, lines: Any) -> Workspace:
    """Three items: one decided and undone and decided again, one with reasons, one that nobody looked at."""
    lines(
        {"id": "a", "screenshot": "a.png", "author": "ann", "labels": {"toxicity": "toxic"}},
        {"id": "p", "kind": "product", "title": "=HYPERLINK(1)", "text": "@sum"},
        {"id": "z", "text": "Ωμέγα"},
    )
    import_paths(ws, [folder])

    def say(item: str, task: str, *labels: str) -> None:
        new = NewDecision(item=item, task=task, action=Action.CORRECT, labels=labels, reviewer="ada", note="-1+1")
        ws.decisions.record([new])

    say("a", "toxicity", "toxic")
    ws.decisions.undo("ada")
    say("a", "toxicity", "non-toxic")
    say("p", "verdict", "prohibited")
    say("p", "reason", "alcohol", "smoking")
    return ws


def test_json_lines_tell_everything(reviewed: Workspace, tmp_path: Path) -> None:
    report = export(reviewed, tmp_path / "out.jsonl")
    assert (report.items, report.rows, report.format) == (3, 3, "jsonl")
    documents = {one["id"]: one for one in map(msgspec.json.decode, (tmp_path / "out.jsonl").read_bytes().splitlines())}
    a, p, z = documents["a"], documents["p"], documents["z"]
    assert (a["labels"], a["resolved"]) == ({"toxicity": "toxic"}, {"toxicity": "non-toxic"})
    assert [one["action"] for one in a["decisions"]] == ["correct", "undo", "correct"]
    assert a["capture"] == reviewed.items.get("a").capture
    assert p["resolved"] == {"verdict": "prohibited", "reason": ["smoking", "alcohol"]}
    assert (z["text"], z["decisions"], z["verdict"]) == ("Ωμέγα", [], {})


def test_csv_has_a_row_for_each_decision_and_defuses_formulas(reviewed: Workspace, tmp_path: Path) -> None:
    report = export(reviewed, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == report.rows == 6
    assert [row["action"] for row in rows if row["id"] == "a"] == ["correct", "undo", "correct"]
    reason = next(row for row in rows if row["task"] == "reason")
    assert (reason["resolved"], reason["labels"]) == ("smoking;alcohol", "smoking;alcohol")
    assert (reason["title"], reason["text"], reason["note"]) == ("'=HYPERLINK(1)", "'@sum", "'-1+1")
    (left,) = [row for row in rows if row["id"] == "z"]
    assert (left["text"], left["task"], left["number"]) == ("Ωμέγα", "", "")


def test_what_was_crossed_out_is_written_with_its_decision(reviewed: Workspace, tmp_path: Path) -> None:
    word = CrossedOut(kind=Mark.WORD, field="text", start=0, end=5, text="Ωμέγα")
    said = {"item": "z", "task": "toxicity", "action": Action.CORRECT, "reviewer": "ada"}
    reviewed.decisions.record([NewDecision(**said, labels=("toxic",), crossed_out=(word,))])  # type: ignore[arg-type]
    export(reviewed, tmp_path / "out.jsonl")
    documents = [msgspec.json.decode(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    (mark,) = documents[-1]["annotations"]
    expected = {"kind": "word", "field": "text", "start": 0, "end": 5, "text": "Ωμέγα", "stands": True, "number": 1}
    assert mark | expected == mark
    assert mark["decision"] == documents[-1]["decisions"][0]["number"]
    assert documents[0]["annotations"] == []
    export(reviewed, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        told = {row["number"]: row["crossed_out"] for row in csv.DictReader(file)}
    assert told[str(mark["decision"])] == '"Ωμέγα"'
    assert {words for number, words in told.items() if number != str(mark["decision"])} == {""}


def test_verdicts_are_written(reviewed: Workspace, tmp_path: Path) -> None:
    card = ModelCard(id="m1", created="2026-01-01T00:00:00Z", recipe="", tasks={"toxicity": ("toxic", "non-toxic")})
    (tmp_path / "m1").mkdir()
    reviewed.models.register(card, tmp_path / "m1")
    reviewed.models.promote("m1", "first")
    verdict = Verdict(
        item="z",
        task="toxicity",
        model="m1",
        label="toxic",
        probability=0.75,
        labels=("toxic",),
        probabilities={"toxic": 0.75, "non-toxic": 0.25},
    )
    reviewed.verdicts.put([verdict])
    export(reviewed, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["id"] == "z"]
    assert (row["task"], row["verdict"], row["probability"], row["model"]) == ("toxicity", "toxic", "0.75", "m1")


def test_an_export_can_be_imported_again(reviewed: Workspace, tmp_path: Path) -> None:
    from engine.taxonomy import preset

    export(reviewed, tmp_path / "out.jsonl")
    with Workspace.create(tmp_path / "other.secondlook", preset("both")) as other:
        assert import_paths(other, [tmp_path / "out.jsonl"]).imported == 3
        assert other.items.get("a").truths == {"toxicity": ("toxic",)}


@pytest.mark.parametrize("format_", ["prodigy", "label-studio", "imagefolder"])
def test_an_item_whose_screenshot_is_lost_goes_out_without_and_is_named(
    reviewed: Workspace, tmp_path: Path, format_: str
) -> None:
    capture = reviewed.items.get("a").capture
    assert capture is not None
    reviewed.captures.path_of(capture).write_bytes(b"no longer a picture")
    report = export(reviewed, tmp_path / "out", format=format_)
    assert report.items == 3
    assert report.notes == (
        "'a' went out without the screenshot, whose file is missing or damaged: import it again, or put the file back"
        " from a copy of the workspace.",
    )
    written = [file for file in [tmp_path / "out", *(tmp_path / "out").rglob("*")] if file.is_file()]
    assert any(b'"a"' in file.read_bytes() for file in written)
    assert not any(b"no longer a picture" in file.read_bytes() for file in written)


def test_many_lost_screenshots_are_counted(reviewed: Workspace, tmp_path: Path, picture: Any) -> None:
    reviewed.items.add((Item(id=f"n{number}", kind="tweet"), picture(size=(30 + number, 9))) for number in range(2))
    for file in (reviewed.path / "captures").rglob("*.png"):
        file.unlink()
    (note,) = export(reviewed, tmp_path / "out", format="imagefolder").notes
    assert note.startswith("'a' and 2 more items went out without the screenshot")
    assert not (tmp_path / "out" / "metadata.jsonl").exists()


def test_a_file_that_was_there_survives_a_failure(reviewed: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    with pytest.raises(CancelledError):
        export(reviewed, out, cancelled=_at_once, progress=None, format="jsonl")
    assert out.read_text() == "precious"
    assert [path.name for path in tmp_path.glob(".*part")] == []


def _at_once() -> bool:
    return True


def test_what_a_killed_export_left_is_swept_away_and_a_living_ones_is_not(reviewed: Workspace, tmp_path: Path) -> None:
    path, dead = tmp_path / "out.jsonl", tmp_path / ".out.jsonl.0123.part"
    other = tmp_path / ".other.jsonl.0123.part"
    for left in (dead, other):
        left.write_bytes(b"half")
    with written_whole(path) as file:
        (living,) = tmp_path.glob(".out.jsonl.*.part")
        export(reviewed, path)
        assert living.exists()
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.glob(".*.part")) == [other]
    assert not dead.exists()


def test_bad_places_and_formats_are_the_users(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="does not say its format"):
        export(reviewed, tmp_path / "out.txt")
    with pytest.raises(InputError, match=r"no export format 'jsn'. Did you mean 'jsonl'"):
        export(reviewed, tmp_path / "out", format="jsn")
    with pytest.raises(InputError, match="no place for a file"):
        export(reviewed, tmp_path / "none" / "out.csv")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        export(reviewed, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", ["workspace.db", "taxonomy.toml", "new.jsonl", "captures/new.jsonl"])
def test_nothing_is_exported_over_the_workspace_itself(reviewed: Workspace, name: str) -> None:
    with pytest.raises(InputError, match=r"inside the workspace .* outside of that folder"):
        export(reviewed, reviewed.path / name, format="jsonl")
    with pytest.raises(InputError, match="inside the workspace"):
        export(reviewed, reviewed.path / "pictures", format="imagefolder")
    assert len(list(reviewed.decisions.of("a"))) == 3
    assert (reviewed.path / "workspace.db").read_bytes().startswith(b"SQLite format 3")


def test_what_is_no_file_is_not_replaced_by_one(reviewed: Workspace, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="no place for a file"):
        export(reviewed, pipe, format="jsonl")
    assert pipe.is_fifo()
