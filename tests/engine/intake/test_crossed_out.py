"""What was crossed out on a screenshot that is not there any more, or is another one: no decision is lost for it."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.cli.main import run
from engine.errors import InputError
from engine.intake import export, import_paths
from engine.intake.pack import Choice, merge_pack, write_pack
from engine.taxonomy import preset
from engine.types import Action, Box, CrossedOut, Item, Mark
from engine.workspace import NewDecision, Workspace
from engine.workspace.marks import MOST, plain

SIZE = (40, 30)
PART = CrossedOut(kind=Mark.REGION, label="toxic", box=(32.0, 20.0, 8.0, 10.0), boxes=((32.0, 20.0, 8.0, 10.0),))
WORD = CrossedOut(kind=Mark.WORD, label="toxic", field="text", start=0, end=5, text="hello")
FILES = {"jsonl": "out.jsonl", "csv": "out.csv", "label-studio": "out.json", "prodigy": "p.jsonl"}
MISSING = "its screenshot is not here; it came in without: put the folder `captures` beside the file"
LOST = "its decisions came in without crossing that out"
Edit = Callable[[dict[str, Any]], object]


def say(ws: Workspace, label: str, *marks: CrossedOut, reviewer: str = "ada") -> None:
    told: dict[str, Any] = {"item": "a", "task": "toxicity", "labels": (label,), "reviewer": reviewer}
    ws.decisions.record([NewDecision(**told, action=Action.CORRECT, crossed_out=marks)])


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A tweet "a" with a screenshot, decided, undone and decided again; a part of it and a word are crossed out."""
    written = io.BytesIO()
    Image.new("RGB", SIZE, "white").save(written, "PNG")
    item = Item(id="a", kind="tweet", text="hello you", width=SIZE[0], height=SIZE[1], truths={"toxicity": ("toxic",)})
    with Workspace.create(tmp_path / "w.secondlook", preset("both")) as made:
        made.items.add([(item, written.getvalue()), (Item(id="b", kind="tweet", text="good"), None)])
        say(made, "toxic", PART)
        made.decisions.undo("ada")
        say(made, "non-toxic", PART, WORD)
        say(made, "non-toxic", reviewer="bob")
        yield made


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace, in a folder where no captures lie."""
    (tmp_path / "elsewhere").mkdir()
    with Workspace.create(tmp_path / "elsewhere" / "x.secondlook", preset("both")) as made:
        yield made


@pytest.fixture
def exported(ws: Workspace, new: Workspace) -> Callable[..., Path]:
    """Export as JSON lines to where no captures lie; a function may change the item's line first."""

    def make(edit: Edit = lambda _: None) -> Path:
        path = new.path.parent / "out.jsonl"
        export(ws, path)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        edit(lines[0])
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return make


def crossed(ws: Workspace) -> list[CrossedOut]:
    return [plain(one, label=one.label) for one in ws.annotations.of("a")]


def without_screenshot(ws: Workspace) -> None:
    item = ws.items.get("a")
    assert (item.capture, item.width, item.text, item.truths) == (None, 0, "hello you", {"toxicity": ("toxic",)})


@pytest.mark.parametrize("name", FILES)
def test_an_item_whose_screenshot_is_missing_comes_in_with_all_that_was_said_of_it(
    ws: Workspace, new: Workspace, name: str
) -> None:
    file = new.path.parent / FILES[name]
    export(ws, file, format=name)
    if name != "csv":  # screenshots that these files may hold themselves are lost as well
        file.write_text(re.sub(r'"data:image[^"]*"', "null", file.read_text()))
    report = import_paths(new, [file], format=name)
    assert (report.imported, report.errors) == (2, ())
    assert {one.reason for one in report.warnings} == {MISSING}
    without_screenshot(new)
    assert new.decisions.resolved("a") == ws.decisions.resolved("a")
    standing = [plain(one, label=one.label) for one in new.annotations.of("a") if one.stands]
    assert standing == [PART, WORD]
    assert new.annotations.verify().ok
    again = import_paths(new, [file], format=name)
    assert (again.imported, again.decisions, again.errors) == (0, 0, ())


def test_round_the_whole_way_and_home_again(ws: Workspace, new: Workspace, exported: Any, tmp_path: Path) -> None:
    """Out without the screenshots, on from there, and back to where they are: every row, once."""
    import_paths(new, [exported()])
    said = [(one.act, one.action, one.labels, one.reviewer, one.at, one.undoes) for one in ws.decisions.of("a")]
    assert [(one.act, one.action, one.labels, one.reviewer, one.at, one.undoes) for one in new.decisions.of("a")] == (
        said
    )
    assert crossed(new) == crossed(ws) == [PART, PART, WORD]
    onward = tmp_path / "onward.jsonl"
    export(new, onward)
    with Workspace.create(tmp_path / "third.secondlook", preset("both")) as third:
        report = import_paths(third, [onward])
        assert (report.imported, report.decisions, report.errors, report.warnings) == (2, len(said), (), ())
        assert crossed(third) == crossed(ws)
    shutil.copytree(ws.path / "captures", new.path.parent / "captures")
    with Workspace.create(tmp_path / "fourth.secondlook", preset("both")) as fourth:
        report = import_paths(fourth, [new.path.parent / "out.jsonl"])
        assert (report.errors, report.warnings) == ((), ())
        assert fourth.items.get("a") == ws.items.get("a")
        assert crossed(fourth) == crossed(ws)


def test_a_second_answer_takes_it_along_but_no_other_rectangle(new: Workspace, exported: Any) -> None:
    import_paths(new, [exported()])
    say(new, "toxic", PART, WORD)
    assert crossed(new)[3:] == [PART, WORD]
    with pytest.raises(InputError, match=r"does not lie on the screenshot of 'a' \(0 × 0 pixels\)"):
        say(new, "toxic", CrossedOut(kind=Mark.REGION, box=(1.0, 1.0, 5.0, 5.0)))


def test_strict_lets_it_in_too(new: Workspace, exported: Any) -> None:
    report = import_paths(new, [exported()], strict=True)
    assert (report.imported, report.errors) == (2, ())
    assert crossed(new) == [PART, PART, WORD]


def moved(box: Box) -> Edit:
    def edit(line: dict[str, Any]) -> None:
        for one in line["annotations"]:
            if one["kind"] == "region":
                one.update(box=list(box), boxes=[list(box)])

    return edit


@pytest.mark.parametrize("captured", [True, False], ids=["with the screenshot", "by the row's own size"])
def test_a_rectangle_off_a_known_screenshot_is_left_out_with_a_warning(
    ws: Workspace, new: Workspace, exported: Any, captured: bool
) -> None:
    path = exported(moved((36.0, 20.0, 8.0, 4.0)))
    if captured:
        shutil.copytree(ws.path / "captures", path.parent / "captures")
    report = import_paths(new, [path])
    assert (report.imported, report.errors) == (2, ())
    (warning,) = [one for one in report.warnings if one.reason != MISSING]
    where = "the rectangle 36, 20, 8, 4 does not lie on the screenshot of 'a' (40 × 30 pixels)"
    assert (warning.file, warning.line) == (str(path), 1)
    assert warning.reason == f"{where} (and 1 more part); {LOST}"
    assert len(new.decisions.of("a")) == len(ws.decisions.of("a"))
    assert new.decisions.resolved("a") == ws.decisions.resolved("a")
    assert crossed(new) == [WORD]


def test_strict_refuses_the_lot_for_it(new: Workspace, exported: Any) -> None:
    report = import_paths(new, [exported(moved((36.0, 20.0, 8.0, 4.0)))], strict=True)
    assert [one.line for one in report.errors] == [1]
    assert "came in" not in report.errors[0].reason
    assert new.items.count() == 0


def unsized(line: dict[str, Any]) -> None:
    line.update(width="40", height=-1)


def before_the_edge(line: dict[str, Any]) -> None:
    unsized(line)
    moved((-9.0, 0.0, 4.0, 4.0))(line)


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        (unsized, [PART, PART, WORD]),
        (lambda line: line.update(text="hi there"), [PART, PART]),
        (lambda line: [one.update(region="price") for one in line["annotations"]], [WORD]),
        (before_the_edge, [WORD]),
        (lambda line: line.update(annotations=line["annotations"] * MOST), [PART, PART, WORD]),
    ],
    ids=["no size", "other words", "no such region", "before the edge", "too many"],
)
def test_whatever_does_not_fit_no_decision_is_lost(
    ws: Workspace, new: Workspace, exported: Any, edit: Edit, kept: list[CrossedOut]
) -> None:
    report = import_paths(new, [exported(edit)])
    assert (report.imported, report.errors) == (2, ())
    assert len(new.decisions.of("a")) == len(ws.decisions.of("a"))
    assert crossed(new) == kept
    assert sum(one.reason.endswith(LOST) for one in report.warnings) == (edit is not unsized)


def test_people_read_which_file_line_and_item(
    new: Workspace, exported: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = exported(moved((36.0, 20.0, 8.0, 4.0)))
    assert run(["import", str(new.path), str(path)]) == 0
    told = capsys.readouterr()
    said = told.out + told.err
    assert f"{path}, line 1: the rectangle 36, 20, 8, 4 does not lie on the screenshot of 'a' (40 × 30 pixels)" in said
    assert "Choose" not in said


def test_a_pack_takes_it_on(new: Workspace, exported: Any, tmp_path: Path) -> None:
    import_paths(new, [exported()])
    write_pack(new, tmp_path / "pack.zip", Choice())
    with Workspace.create(tmp_path / "third.secondlook", preset("both")) as third:
        merged = merge_pack(third, tmp_path / "pack.zip")
        assert (merged.items, merged.crossed_out) == (2, 3)
        assert crossed(third) == crossed(new)
        assert third.annotations.verify().ok


def test_training_looks_at_no_part_of_a_screenshot_that_is_missing(
    ws: Workspace, new: Workspace, exported: Any
) -> None:
    import_paths(new, [exported()])
    (there,) = [one for one in ws.runs.labelled() if one.content.id == "a"]
    (here,) = [one for one in new.runs.labelled() if one.content.id == "a"]
    assert [one.kind for one in there.crossed_out] == [Mark.REGION, Mark.WORD]
    assert [one.kind for one in here.crossed_out] == [Mark.WORD]
