"""Image folders, Parquet and tables of many labellers: there and back, and what other tools' files look like."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.intake import export, import_paths
from engine.intake.formats import guess
from engine.types import Action
from engine.workspace import Workspace
from engine.workspace.marks import plain
from engine.workspace.resolution import standing_answers

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t\r=+-@',;\"")
TEXTS = st.lists(st.text(LETTERS, max_size=30), min_size=1, max_size=8)
FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MakeWorkspace = Callable[[], Workspace]


def marks_of(ws: Workspace, item: str) -> list[Any]:
    return [(plain(one, label=one.label), one.act, one.reviewer) for one in ws.annotations.of(item) if one.stands]


@FEW
@given(texts=TEXTS, seed=st.integers(0, 10_000))
@pytest.mark.parametrize(("name", "file"), [("imagefolder", "folder"), ("parquet", "out.parquet")])
def test_image_folders_and_parquet_keep_everything(
    new_workspace: MakeWorkspace, fill: Any, said: Any, name: str, file: str, texts: list[str], seed: int
) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs the extra secondlook[parquet]")
    source, target = new_workspace(), new_workspace()
    fill(source, seed, texts)
    path = source.path.parent / file
    shutil.rmtree(path, ignore_errors=True)
    export(source, path, format=name)
    assert guess(path).name == name
    assert import_paths(target, [path]).errors == ()
    again = import_paths(target, [path])
    assert (again.imported, again.decisions, again.errors) == (0, 0, ())
    there = {item.id: item for item in target.items.iter()}
    assert there == {item.id: item for item in source.items.iter()}
    for item in there.values():
        assert item.capture is None or target.captures.path_of(item.capture).is_file()
        assert said(target.decisions.of(item.id)) == said(source.decisions.of(item.id))
        assert marks_of(target, item.id) == marks_of(source, item.id)


@FEW
@given(texts=TEXTS, seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", ["crowdkit", "cleanlab"])
def test_tables_of_labellers_keep_standing_answers(
    new_workspace: MakeWorkspace, fill: Any, name: str, texts: list[str], seed: int
) -> None:
    source, target = new_workspace(), new_workspace()
    fill(source, seed, texts)
    path = source.path.parent / "votes.csv"
    export(source, path, format=name)
    assert guess(path).name == name
    items = list(source.items.iter())
    export(source, source.path.parent / "items.jsonl", format="jsonl")
    import_paths(target, [_without_decisions(source.path.parent / "items.jsonl")])
    for _ in range(2):
        assert import_paths(target, [path]).errors == ()
        for item in items:
            want, got = (standing_answers(ws.decisions.of(item.id), ws.taxonomy, item.kind) for ws in (source, target))
            assert {task: [_told(one) for one in rows] for task, rows in got.items()} == {
                task: [_told(one) for one in rows] for task, rows in want.items()
            }
    before = source.decisions.head()
    import_paths(source, [path])
    assert source.decisions.head() == before


def _told(one: Any) -> tuple[object, ...]:
    return (one.item, one.task, one.labels, one.reviewer, one.at, one.action, one.act)


def _without_decisions(path: Path) -> Path:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    kept = ("id", "kind", "title", "text", "labels")
    lines = [json.dumps({name: row[name] for name in kept} | {"title": row["title"] or "?"}) for row in rows]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def ws(new_workspace: MakeWorkspace) -> Workspace:
    return new_workspace()


def test_answers_of_a_file_from_elsewhere_become_decisions_of_their_workers(ws: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("item,worker,label\ni1,w1,Toxic\ni2,w1,non-toxic\ni1,w2,non-toxic\ni1,w3,toxic\n")
    report = import_paths(ws, [path])
    assert (report.imported, report.decisions, report.errors) == (2, 4, ())
    assert [(one.reviewer, one.labels) for one in ws.decisions.of("i1")] == [
        ("w1", ("toxic",)),
        ("w2", ("non-toxic",)),
        ("w3", ("toxic",)),
    ]
    assert ws.decisions.resolved("i1") == {"toxicity": ("toxic",)}
    assert (ws.items.get("i1").title, ws.items.get("i1").kind) == ("i1", "tweet")
    assert import_paths(ws, [path]).decisions == 0


def test_answers_are_added_to_the_items_that_are_there(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "p", "kind": "product", "title": "Gin", "author": "shop"}\n')
    import_paths(ws, [tmp_path / "in.jsonl"])
    (tmp_path / "v.csv").write_text("task,annotator,label,question\np,ann,prohibited,\np,ann,alcohol;smoking,\n")
    report = import_paths(ws, [tmp_path / "v.csv"], format="cleanlab")
    assert (report.imported, report.skipped, report.decisions) == (0, 1, 2)
    assert ws.items.get("p").title == "Gin"
    assert ws.decisions.resolved("p") == {"verdict": ("prohibited",), "reason": ("smoking", "alcohol")}


def test_bad_rows_of_labellers_are_named(ws: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_bytes(b"task,worker,label\na,w,\na,w\n\xff,w,toxic\na,w,toxic\na,v,no such label\n")
    report = import_paths(ws, [path], format="crowdkit")
    assert [(row.line, row.reason.split(";")[0]) for row in report.errors] == [
        (2, "its task, worker or label is empty"),
        (3, "it has 2 cells, but the header has 3 columns"),
        (4, "it is not UTF-8"),
    ]
    assert "the answer in line 6 was left out" in report.warnings[0].reason
    assert report.decisions == 1
    path.write_text('task,worker,label\na,w,toxic\nb,"w,toxic\n')
    (error,) = import_paths(ws, [path], format="crowdkit").errors
    assert (error.line, "never closed" in error.reason) == (3, True)
    path.write_text("a,b,c\n1,2,3\n")
    (error,) = import_paths(ws, [path], format="crowdkit").errors
    assert (error.line, "there is no 'task'" in error.reason) == (1, True)


def test_cells_that_a_spreadsheet_would_run_are_defused(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("task,worker,label\n=1+1,@ann,toxic\n")
    import_paths(ws, [tmp_path / "v.csv"])
    export(ws, tmp_path / "out.csv", format="crowdkit")
    with (tmp_path / "out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["task"], row["worker"], row["question"]) == ("'=1+1", "'@ann", "toxicity")


def test_a_folder_of_splits_from_elsewhere(ws: Workspace, tmp_path: Path, picture: Any) -> None:
    for split in ("train", "validation"):
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "x.png").write_bytes(picture())
        row = {"file_name": "x.png", "id": split, "kind": "tweet", "caption": "a fox", "label": 3}
        (tmp_path / "set" / split / "metadata.jsonl").write_text(json.dumps(row))
    assert import_paths(ws, [tmp_path / "set"]).errors == ()
    assert [(one.id, one.split, one.width) for one in ws.items.iter()] == [
        ("train", "train", 40),
        ("validation", "val", 40),
    ]
    assert ws.items.get("train").meta == {"caption": "a fox", "label": 3}


def test_a_folder_of_images_is_written_only_where_nothing_is(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(InputError, match="no place"):
        export(ws, tmp_path / "full", format="imagefolder")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_parquet_from_elsewhere(ws: Workspace, tmp_path: Path, picture: Any) -> None:
    pa = pytest.importorskip("pyarrow", reason="Parquet needs the extra secondlook[parquet]")
    import pyarrow.parquet as pq

    rows = [
        {
            "img": {"bytes": picture(), "path": None},
            "kind": "product",
            "price": 1.5,
            "when": b"x",
            "seen": float("nan"),
        },
        {"img": {"bytes": b"no image", "path": None}, "kind": "product", "price": None, "when": None, "seen": 1.0},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set.parquet")
    report = import_paths(ws, [tmp_path / "set.parquet"])
    (error,) = report.errors
    assert (error.line, "no PNG" in error.reason) == (2, True)
    (item,) = ws.items.iter()
    assert (item.id, item.width, item.meta) == ("set-1", 40, {"price": 1.5})


def test_damaged_parquet_is_one_bad_row(ws: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs the extra secondlook[parquet]")
    export(ws, tmp_path / "x.parquet", format="parquet")
    body = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(body[: len(body) // 2])
    (error,) = import_paths(ws, [tmp_path / "x.parquet"]).errors
    assert "cannot be read from here on" in error.reason


def test_without_pyarrow_parquet_says_what_to_install(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"secondlook\[parquet\]"):
        export(ws, tmp_path / "x.parquet", format="parquet")
    (tmp_path / "y.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"pip install"):
        import_paths(ws, [tmp_path / "y.parquet"])


def test_a_confirmation_stays_one(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("task,worker,label,action\nt,w,toxic,confirm\n")
    import_paths(ws, [tmp_path / "v.csv"])
    assert ws.decisions.of("t")[0].action is Action.CONFIRM
