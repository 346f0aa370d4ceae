from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.cli.main import plain_open
from engine.intake import MEND
from engine.types import Mark
from engine.workspace import Workspace, exclusive

# --- init and import --------------------------------------------------------------------------------------------


def test_init_says_what_it_made(secondlook: Any, tmp_path: Path) -> None:
    ended = secondlook("init", tmp_path / "x.secondlook", "--preset", "tweets", "--json")
    assert ended.json["tasks"] == {"toxicity": ["toxic", "non-toxic"]}
    assert secondlook("init", tmp_path / "x.secondlook").status == 2


def test_init_counts_its_tasks(secondlook: Any, tmp_path: Path) -> None:
    assert "with the task toxicity." in secondlook("init", tmp_path / "a.secondlook", "--preset", "tweets").out
    assert "with the tasks toxicity, " in secondlook("init", tmp_path / "b.secondlook", "--preset", "both").out


def test_a_kind_that_is_none_is_refused(secondlook: Any, made: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.jsonl"
    file.write_text('{"id": "new", "kind": "tweet", "text": "x"}\n')
    for arguments in (("import", made, file, "--kind", "twet"), ("items", made, "--where", "kind=twet")):
        ended = secondlook(*arguments)
        assert (ended.status, ended.out) == (2, "")
        assert "There is no kind 'twet' of items. Did you mean 'tweet'?" in ended.err


def test_decide_calls_a_correction_so(secondlook: Any, tmp_path: Path) -> None:
    path, file = tmp_path / "x.secondlook", tmp_path / "in.jsonl"
    file.write_text('{"id": "a", "kind": "tweet", "text": "x"}\n')
    assert secondlook("init", path, "--preset", "tweets").status == 0
    assert secondlook("import", path, file).status == 0
    assert secondlook("decide", path, "a", "--label", "toxic").out.startswith("Decision 1 (correction) on a.")


def test_explain_looks_at_the_pictures_place_before_the_work(secondlook: Any, made: Path, tmp_path: Path) -> None:
    for place in (tmp_path / "none" / "why.png", tmp_path, made / "workspace.db"):
        ended = secondlook("explain", made, "t1", "--png", place)
        assert ended.status == 2
        assert f"'{place}'" in ended.err
        assert "no place for a file" in ended.err or "lies inside the workspace" in ended.err


def test_a_picture_is_not_called_by_another_kinds_name(secondlook: Any, made: Path, tmp_path: Path) -> None:
    ended = secondlook("explain", made, "t1", "--png", tmp_path / "why.jpg")
    assert ended.status == 2
    assert "'why.jpg' is to be a PNG picture. Call it 'why.png'." in ended.err


def test_init_takes_a_taxonomy_of_ones_own(secondlook: Any, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("[[tasks]]\nname='a'\nlabels=[{name='x'},{name='x'}]")
    ended = secondlook("init", tmp_path / "x.secondlook", "--taxonomy", tmp_path / "t.toml")
    assert ended.status == 2
    assert "the label 'x' comes 2 times" in ended.err
    assert not (tmp_path / "x.secondlook").exists()
    (tmp_path / "t.toml").write_text("[[tasks]]\nname='a'\nlabels=[{name='x'},{name='y'}]")
    assert secondlook("init", tmp_path / "x.secondlook", "--taxonomy", tmp_path / "t.toml").status == 0
    ended = secondlook("init", tmp_path / "y", "--taxonomy", tmp_path / "t.toml", "--preset", "both")
    assert "exclude each other" in ended.err


def test_import_reports_bad_rows(secondlook: Any, made: Path, tmp_path: Path) -> None:
    file = tmp_path / "more.jsonl"
    file.write_text('{"id": "t3", "kind": "tweet", "text": "x"}\n{"id": "t4", "kind": "twet", "text": "x"}\n')
    ended = secondlook("import", made, file, "--strict", "--json")
    assert (ended.status, ended.json["imported"], ended.json["skipped"]) == (2, 0, 0)
    ended = secondlook("import", made, file, "--json")
    assert ended.status == 0
    (error,) = ended.json["errors"]
    assert ended.json["imported"] == 1
    assert (error["file"], error["line"]) == (str(file), 2)
    assert "Did you mean 'tweet'" in error["reason"]
    ended = secondlook("import", made, file)
    assert "Imported 0 items; 1 was there already, 1 row is bad." in ended.out
    assert f"{file}, line 2: there is no kind 'twet'" in ended.err


def test_an_import_of_a_file_without_items_says_so(secondlook: Any, made: Path, tmp_path: Path) -> None:
    empty, one = tmp_path / "empty.jsonl", tmp_path / "one.jsonl"
    empty.write_text("\n")
    one.write_text('{"id": "t3", "kind": "tweet", "text": "x"}\n')
    for options in ((), ("--strict",)):
        ended = secondlook("import", made, empty, *options)
        assert (ended.status, ended.out) == (2, "Imported 0 items; 0 were there already, 0 rows are bad.\n")
        assert f"warning: {empty}: it holds no items; check that" in ended.err
    assert secondlook("import", made, empty, one, "--strict").status == 0


def test_import_sums_up_warnings_of_one_kind_after_the_errors(secondlook: Any, made: Path, tmp_path: Path) -> None:
    rows = [{"id": f"n{number}", "kind": "tweet", "text": "a\0b"} for number in range(30)]
    rows[7] = {"id": "odd", "kind": "tweet", "text": "x", "title": "\x07"}
    rows[9] = {"id": "bad", "kind": "twet", "text": "x"}
    file = tmp_path / "more.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = secondlook("import", made, file)
    assert ended.out == "Imported 29 items; 0 were there already, 1 row is bad.\n"
    guessed, bad, mend, many, one = ended.err.splitlines()
    assert mend == MEND
    assert guessed == f"Read {file} as JSON lines; name another with --format."
    assert bad.startswith(f"{file}, line 10: there is no kind 'twet'")
    assert many.startswith(f"warning: 28 rows, the first in {file}, line 1: control characters in `text` (U+0000)")
    assert one.startswith(f"warning: {file}, line 8: control characters in `title` (U+0007)")
    assert len(secondlook("import", made, file, "--json").json["warnings"]) == 29


def test_import_counts_many_photographs_in_one_line(secondlook: Any, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.jpg")
    rows = [{"screenshot": f"{number}.jpg", "kind": "product"} for number in range(3)]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = secondlook("import", made, folder, "--format", "jsonl")
    place = f"{folder / 'metadata.jsonl'}, line 1"
    expected = f"warning: 3 rows, the first in {place}: screenshot: converted from JPEG to 8-bit RGB PNG\n"
    assert ended.err == expected


def test_a_command_waits_for_its_turn_and_says_for_whom(
    secondlook: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.common.TURN_S", 0.1)
    with exclusive(made, "secondlook retrain"):
        ended = secondlook("import", made, tmp_path / "in.jsonl")
    assert ended.status == 2
    assert "Waiting for 'secondlook retrain'" in ended.err
    assert "is in use by 'secondlook retrain'" in ended.err


# --- items --------------------------------------------------------------------------------------------------------


def test_items_are_documents_of_the_promised_shape(secondlook: Any, modelled: Path) -> None:
    secondlook("decide", modelled, "p1", "--label", "prohibited", "--reviewer", "ada")
    documents = {one["id"]: one for one in secondlook("items", modelled, "--queue", "all", "--json").json}
    assert (
        documents["t1"]["verdict"]["toxicity"] | {"label": "toxic", "probability": 0.75}
        == (documents["t1"]["verdict"]["toxicity"])
    )
    assert (documents["t1"]["kind"], documents["t1"]["split"], documents["t1"]["resolved"]) == ("tweet", "test", {})
    assert documents["p1"]["resolved"] == {"verdict": "prohibited"}
    assert documents["t2"]["verdict"] == {}


def test_items_are_filtered_and_limited(secondlook: Any, modelled: Path) -> None:
    assert [one["id"] for one in secondlook("items", modelled, "--where", "kind=product", "--json").json] == ["p1"]
    assert len(secondlook("items", modelled, "--limit", 2, "--json").json) == 2
    assert secondlook("items", modelled, "--queue", "decided", "--json").json == []
    for arguments, words in (
        (["--queue", "uncertian"], "Did you mean 'uncertain'"),
        (["--where", "colour=red"], "no field"),
        (["--where", "label=toxik"], "Did you mean 'toxic'"),
        (["--limit", "0"], "it must be 1 or more"),
    ):
        ended = secondlook("items", modelled, *arguments)
        assert ended.status == 2
        assert words in ended.err


def test_items_for_people_cannot_send_control_characters_to_the_terminal(secondlook: Any, made: Path) -> None:
    ended = secondlook("items", made)
    assert "Ωμέγα" in ended.out
    assert "\x1b" not in ended.out
    assert "no such items" in secondlook("items", made, "--queue", "escalated").out


def test_items_tell_what_was_crossed_out_and_not_taken_back(secondlook: Any, crossed: Path) -> None:
    documents = {one["id"]: one for one in secondlook("items", crossed, "--queue", "all", "--json").json}
    assert documents["t1"]["crossed_out"] == ['"hello"']
    assert documents["t2"]["crossed_out"] == []
    told = secondlook("items", crossed, "--queue", "all").out
    assert "crossed out" in told
    assert '"hello"' in told
    secondlook("decide", crossed, "t1", "--undo", "--reviewer", "ada")
    assert "crossed out" not in secondlook("items", crossed, "--queue", "all").out


# --- decide -------------------------------------------------------------------------------------------------------


def decide(secondlook: Any, workspace: Path, item: str, *arguments: str) -> Any:
    return secondlook("decide", workspace, item, "--reviewer", "ada", "--json", *arguments)


def test_agreeing_confirms_and_disagreeing_corrects(secondlook: Any, modelled: Path) -> None:
    ended = decide(secondlook, modelled, "t1", "--task", "toxicity", "--label", "toxic")
    assert ended.json["action"] == "confirm"
    assert (ended.json["decision"], ended.json["item"], ended.json["resolved"]) == (1, "t1", {"toxicity": "toxic"})
    assert decide(secondlook, modelled, "t1", "--label", "non-toxic").json["action"] == "correct"
    assert decide(secondlook, modelled, "t2", "--label", "toxic").json["action"] == "correct"
    with Workspace.open(modelled) as ws:
        first = ws.decisions.of("t1")[0]
    assert (first.shown_model, first.shown_labels, first.shown_probability) == ("m2", ("toxic",), 0.75)


def test_reasons_are_asked_only_of_what_is_prohibited(secondlook: Any, modelled: Path) -> None:
    ended = decide(secondlook, modelled, "p1", "--task", "reason", "--label", "alcohol")
    assert ended.status == 2
    assert "only where 'verdict' is prohibited" in ended.err
    decide(secondlook, modelled, "p1", "--label", "prohibited")
    ended = decide(secondlook, modelled, "p1", "--task", "reason", "--label", "alcohol", "--label", "smoking")
    assert ended.json["action"] == "confirm"
    assert ended.json["resolved"] == {"verdict": "prohibited", "reason": ["smoking", "alcohol"]}
    ended = decide(secondlook, modelled, "p1", "--task", "reason", "--none")
    assert (ended.json["action"], ended.json["resolved"]["reason"]) == ("correct", [])
    ended = decide(secondlook, modelled, "p1", "--undo")
    assert ended.json["action"] == "undo"
    assert ended.json["resolved"]["reason"] == ["smoking", "alcohol"]


def test_skip_escalate_and_undo(secondlook: Any, made: Path) -> None:
    assert decide(secondlook, made, "t1", "--skip", "--note", "later").json["action"] == "skip"
    assert decide(secondlook, made, "t1", "--escalate").json["action"] == "escalate"
    escalated = secondlook("items", made, "--queue", "escalated", "--json").json
    assert [one["id"] for one in escalated] == ["t1"]
    assert decide(secondlook, made, "t1", "--undo").json["resolved"] == {}
    assert decide(secondlook, made, "t1", "--undo").json["decision"] == 4
    ended = decide(secondlook, made, "t1", "--undo")
    assert ended.status == 2
    assert "nothing on 't1' to take back" in ended.err


def test_a_decision_needs_a_name(secondlook: Any, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("", "name is empty"), (" ", "name is empty"), ("a\nb", "'a\\nb' holds a control character")):
        ended = secondlook("decide", made, "t1", "--label", "toxic", "--reviewer", name)
        assert (ended.status, words in ended.err) == (2, True)
    monkeypatch.setenv("LOGNAME", " ")
    assert "Your login has no name" in secondlook("decide", made, "t1", "--label", "toxic").err
    assert secondlook("decide", made, "t1", "--label", "toxic", "--reviewer", " Ἄννα\u200c ").status == 0
    with Workspace.open(made) as ws:
        assert [one.reviewer for one in ws.decisions.of("t1")] == ["Ἄννα\u200c"]
    assert "name is empty" in secondlook("import", made, made, "--reviewer", "").err


@pytest.mark.parametrize(
    ("item", "arguments", "words"),
    [
        ("t9", ["--label", "toxic"], "no item 't9'"),
        ("t1", ["--label", "toxik"], "Did you mean 'toxic'"),
        ("t1", ["--task", "toxicty", "--label", "toxic"], "Did you mean 'toxicity'"),
        ("t1", ["--task", "verdict", "--label", "ok"], "not asked of a tweet"),
        ("t1", ["--label", "toxic", "--label", "non-toxic"], "exactly one label, not 2"),
        ("t1", ["--none"], "exactly one label, not 0"),
        ("t1", [], "exactly one thing"),
        ("t1", ["--skip", "--undo"], "exactly one thing"),
        ("t1", ["--skip", "--cross-out", "hello"], "Only a label can have wrong reasons crossed out"),
        ("t1", ["--label", "toxic", "--cross-out-region", "media"], "The page of 't1' has no regions"),
        ("t1", ["--label", "toxic", "--cross-out", "  "], "no word '  ' to cross out"),
    ],
)
def test_what_cannot_be_decided(secondlook: Any, made: Path, item: str, arguments: list[str], words: str) -> None:
    ended = decide(secondlook, made, item, *arguments)
    assert ended.status == 2
    assert words in ended.err
    assert ended.json["status"] == 2


def test_words_and_regions_are_crossed_out_with_a_decision(secondlook: Any, tmp_path: Path) -> None:
    path, picture = tmp_path / "c.secondlook", tmp_path / "page.png"
    Image.new("RGB", (60, 40)).save(picture)
    row = {
        "id": "p1",
        "kind": "product",
        "title": "Gin sale",
        "text": "Sale! sales",
        "screenshot": picture.name,
        "regions": {"price": [[1, 2, 30, 10]]},
    }
    (tmp_path / "c.jsonl").write_text(json.dumps(row))
    secondlook("init", path, "--preset", "products")
    assert secondlook("import", path, tmp_path / "c.jsonl").status == 0
    crossing = ("--cross-out", "sale", "--cross-out-region", "price")
    ended = secondlook("decide", path, "p1", "--label", "prohibited", "--reviewer", "ada", *crossing)
    assert 'on p1. Crossed out: "sale", "Sale", price. Resolved' in ended.out, ended.err
    with Workspace.open(path) as ws:
        found = ws.annotations.of("p1")
    marks = [(one.kind, one.field, one.start, one.end, one.region, one.boxes) for one in found]
    assert marks == [
        (Mark.WORD, "title", 4, 8, "", ()),
        (Mark.WORD, "text", 0, 4, "", ()),
        (Mark.REGION, "", 0, 0, "price", ((1.0, 2.0, 30.0, 10.0),)),
    ]
    for option, name, words in (
        ("--cross-out", "sael", "has no word 'sael' to cross out. Did you mean 'sale'?"),
        ("--cross-out-region", "prise", "has no region 'prise'. Did you mean 'price'?"),
    ):
        ended = secondlook("decide", path, "p1", "--label", "prohibited", "--reviewer", "ada", option, name)
        assert (ended.status, ended.out) == (2, "")
        assert words in ended.err
    with Workspace.open(path) as ws:
        assert len(ws.decisions.of("p1")) == 1


# --- models and export --------------------------------------------------------------------------------------------


def test_models_are_listed_promoted_and_rolled_back(secondlook: Any, modelled: Path) -> None:
    new, old = secondlook("models", modelled, "--json").json
    assert (new["id"], new["champion"], new["parent"], old["parent"]) == ("m2", True, "m1", None)
    assert new["metrics"]["test"]["toxicity"]["macro_f1"] == 0.7
    assert "toxicity 0.70 (0.33)" in secondlook("models", modelled).out
    assert "The champion is now m1" in secondlook("models", modelled, "rollback").out
    assert secondlook("models", modelled, "promote", "m2", "--json").json[0]["champion"]
    ended = secondlook("models", modelled, "promote", "m3")
    assert ended.status == 2
    assert "m3" in ended.err


def test_models_says_what_it_takes(secondlook: Any, made: Path) -> None:
    assert "no model yet" in secondlook("models", made).out
    assert "Did you mean 'promote'" in secondlook("models", made, "promot").err
    assert "needs one" in secondlook("models", made, "promote").err
    assert secondlook("models", made, "rollback").status == 2


@pytest.mark.parametrize("format_name", [None, "csv", "label-studio", "crowdkit"])
def test_an_export_to_standard_output_is_the_file_and_nothing_else(
    secondlook: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--format", format_name] if format_name else []
    ended = secondlook("export", made, "-", *options)
    assert secondlook("export", made, "whole.jsonl", *options).status == 0
    assert (ended.status, ended.out.encode()) == (0, Path("whole.jsonl").read_bytes())
    assert "to standard output" in ended.err
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (
            "export",
            ["--format", "pack"],
            "The format 'pack' cannot be written to standard output. Give a file name, or",
        ),
        ("export", ["--format", "jsonp"], "There is no export format 'jsonp'. Did you mean 'jsonl'?"),
        ("export", ["--json"], "both want standard output"),
        ("pack", [], "This cannot be written to standard output. Give a file name."),
        ("import", [], "Standard input cannot be imported. Save it in a file"),
    ],
)
def test_what_cannot_come_from_or_go_to_a_stream(
    secondlook: Any, made: Path, command: str, arguments: list[str], words: str
) -> None:
    ended = secondlook(command, made, "-", *arguments)
    assert (ended.status, words in ended.err) == (2, True)


def test_what_can_be_read_only_once_is_refused(secondlook: Any, made: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    ended = secondlook("import", made, tmp_path / "pipe.jsonl")
    assert (ended.status, "is a pipe or a device. Save what it gives in a file" in ended.err) == (2, True)


def test_a_file_whose_name_looks_like_an_option(
    secondlook: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-dash").write_text('{"id": "t3", "kind": "tweet", "text": "x"}\n')
    for name in ("-dash", "-gone.jsonl"):
        assert f"starts with a dash is given as './{name}'. See" in secondlook("import", made, name).err
    assert "dash" not in secondlook("import", made, "--strickt").err
    assert secondlook("import", made, "./-dash", "--format", "jsonl").status == 0


def test_export_writes_what_its_name_says(secondlook: Any, made: Path, tmp_path: Path) -> None:
    ended = secondlook("export", made, tmp_path / "x.jsonl", "--json")
    assert ended.json == {"file": str(tmp_path / "x.jsonl"), "format": "jsonl", "items": 3, "rows": 3, "notes": []}
    assert "Wrote 3 items as 3 rows" in secondlook("export", made, tmp_path / "x", "--format", "csv").out
    assert secondlook("export", made, tmp_path / "x").status == 2


def test_decisions_travel_to_another_workspace_by_way_of_another_tool(
    secondlook: Any, made: Path, tmp_path: Path
) -> None:
    assert secondlook("decide", made, "t1", "--label", "toxic", "--reviewer", "ada").status == 0
    assert "(Label Studio tasks)" in secondlook("export", made, tmp_path / "x.json").out
    other = tmp_path / "other.secondlook"
    secondlook("init", other, "--preset", "both")
    ended = secondlook("import", other, tmp_path / "x.json")
    assert "Imported 3 items and 1 decision;" in ended.out
    assert "as Label Studio tasks; name another with --format." in ended.err
    wrong = secondlook("import", other, tmp_path / "x.json", "--format", "labelstudio")
    assert wrong.status == 2
    assert "Did you mean 'label-studio'?" in wrong.err


# --- open ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Stand in for the desktop and note what it was opened with."""
    calls: list[tuple[Any, ...]] = []

    def main(*arguments: Any, **chosen: Any) -> int:
        calls.append(arguments + tuple(value for value in chosen.values() if value is not None))
        return 0

    module = types.ModuleType("desktop.app")
    module.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "desktop.app", module)
    return calls


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (None, None)),
        (["open"], (None, None)),
        (["w.secondlook"], (Path("w.secondlook"), None)),
        (["open", "w"], (Path("w"), None)),
        (["open", "w", "--screenshot", "s.png"], (Path("w"), Path("s.png"))),
        (["open", "--screenshot=s.png", "w"], (Path("w"), Path("s.png"))),
        (["open", "w", "--json"], (Path("w"), None)),
        (["open", "w", "--theme", "dark", "--size", "800x600"], (Path("w"), None, "dark", (800, 600))),
    ],
)
def test_open_starts_the_desktop(secondlook: Any, window: Any, arguments: list[str], expected: tuple[Any, ...]) -> None:
    ended = secondlook(*arguments)
    assert (ended.status, window) == (0, [expected])


def test_odd_command_lines_of_open_go_through_the_parser(secondlook: Any, window: Any) -> None:
    assert plain_open(["--help"]) is None
    assert plain_open(["w", "--screenshot"]) is None
    assert secondlook("open", "w", "--sreenshot", "x").status == 2
    ended = secondlook("open", "w", "--size", "big")
    assert "'big' is no size" in ended.err
    assert window == []


def test_opening_imports_no_option_parser() -> None:
    code = (
        "import sys, types; app = types.ModuleType('desktop.app'); app.main = lambda *a: 0;"
        "sys.modules['desktop.app'] = app\n"
        "from engine.cli.main import run; run(['open', 'w'])\n"
        "print(sorted({'typer', 'rich', 'click', 'torch', 'PIL', 'engine.workspace'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ""}
    )
    assert done.stdout.splitlines()[-1] == "[]"
