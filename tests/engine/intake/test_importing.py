from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CancelledError, InputError, StorageError
from engine.intake import ImportReport, export, import_paths
from engine.workspace import Workspace
from engine.workspace.captures import Captures, digest


def reasons(report: ImportReport) -> list[tuple[int, str]]:
    return [(error.line, error.reason) for error in report.errors]


def captures_of(ws: Workspace) -> set[str]:
    return {path.stem for path in (ws.path / "captures").rglob("*.png")}


def test_a_folder_comes_in_with_its_captures(ws: Workspace, folder: Path, lines: Any, picture: Any) -> None:
    lines({"id": "a", "screenshot": "a.png"}, {"id": "b", "screenshot": "b.png", "labels": {"toxicity": "toxic"}})
    report = import_paths(ws, [folder])
    read_as = {str(folder / "metadata.jsonl"): "jsonl"}
    assert report == ImportReport(imported=2, skipped=0, read_as=read_as)
    item = ws.items.get("b")
    assert (item.width, item.height, item.truths) == (50, 20, {"toxicity": ("toxic",)})
    assert item.capture == digest(picture(size=(50, 20)))
    assert ws.captures.path_of(item.capture).read_bytes() == picture(size=(50, 20))


def test_importing_again_brings_a_lost_screenshot_back(ws: Workspace, folder: Path, lines: Any, picture: Any) -> None:
    path = lines({"id": "a", "screenshot": "a.png"}, {"id": "b", "screenshot": "b.png"}, {"id": "c"})
    import_paths(ws, [path])
    kept = {name: ws.captures.path_of(ws.items.get(name).capture or "") for name in "ab"}
    kept["a"].unlink()
    kept["b"].write_bytes(kept["b"].read_bytes()[:50])
    report = import_paths(ws, [path])
    assert (report.imported, report.skipped, report.errors) == (0, 3, ())
    said = "its screenshot was missing or damaged in the workspace and was brought back; verdicts that were made"
    assert [(warning.line, warning.reason[: len(said)]) for warning in report.warnings] == [(1, said), (2, said)]
    assert kept["a"].read_bytes() == picture()
    assert kept["b"].read_bytes() == picture(size=(50, 20))
    assert import_paths(ws, [path], strict=True).warnings == ()


def test_an_export_brings_a_lost_screenshot_back(ws: Workspace, folder: Path, lines: Any, tmp_path: Path) -> None:
    import_paths(ws, [lines({"id": "a", "screenshot": "a.png"})])
    sha = ws.items.get("a").capture or ""
    kept, beside = ws.captures.path_of(sha), tmp_path / "exported" / "captures" / sha[:2] / f"{sha}.png"
    beside.parent.mkdir(parents=True)
    export(ws, tmp_path / "exported" / "all.jsonl")
    beside.write_bytes(kept.read_bytes())
    kept.write_bytes(b"no image")
    assert not ws.captures.is_intact(sha)
    assert import_paths(ws, [tmp_path / "exported" / "all.jsonl"]).errors == ()
    assert ws.captures.is_intact(sha)
    kept.write_bytes(b"no image")
    beside.unlink()
    report = import_paths(ws, [tmp_path / "exported" / "all.jsonl"])
    assert "the workspace's file of it is damaged; put the folder `captures` beside the file" in reasons(report)[0][1]


def test_bad_rows_are_named_and_good_ones_come_in(ws: Workspace, folder: Path, lines: Any) -> None:
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no image")
    path = lines(
        {"id": "good", "screenshot": "a.png"},
        {"id": "x", "kind": "tweets"},
        {"id": "gone", "screenshot": "gone.png"},
        {"id": "empty", "screenshot": "empty.png"},
        {"id": "text", "screenshot": "text.png"},
        {"id": "folder", "screenshot": "."},
        {"id": "good"},
        {"id": "l", "labels": {"toxicity": "toxik"}},
    )
    with path.open("a") as file:
        file.write("{broken\n")
    report = import_paths(ws, [path])
    assert report.imported == 1
    assert {error.file for error in report.errors} == {str(path)}
    assert [error.line for error in report.errors] == [2, 3, 4, 5, 6, 7, 8, 9]
    said = dict(reasons(report))
    assert said[3] == "screenshot 'gone.png': there is no such file"
    assert said[4] == "screenshot 'empty.png': the file is empty"
    assert "no PNG" in said[5]
    assert said[6] == "screenshot '.': it is not a file"
    assert said[7] == "the id 'good' is already on line 1 of 'metadata.jsonl'"
    assert "Did you mean 'toxic'" in said[8]


def test_strict_keeps_everything_out(ws: Workspace, lines: Any) -> None:
    good = lines({"id": "a", "screenshot": "a.png"}, name="one.jsonl")
    bad = lines({"id": "b", "screenshot": "b.png"}, {"id": "c", "kind": "x"}, name="two.jsonl")
    report = import_paths(ws, [good, bad], strict=True)
    assert (report.imported, report.skipped, len(report.errors)) == (0, 0, 1)
    assert ws.items.count() == 0
    assert captures_of(ws) == set()


def test_strict_lets_flawless_files_in(ws: Workspace, lines: Any) -> None:
    one, two = lines({"id": "a"}, name="one.jsonl"), lines({"id": "b", "screenshot": "c.jpg"}, name="two.jsonl")
    report = import_paths(ws, [one, two], strict=True)
    assert (report.imported, len(report.errors), len(report.warnings)) == (2, 0, 1)


def test_strict_refuses_an_id_that_is_in_two_files(ws: Workspace, lines: Any) -> None:
    one, two = lines({"id": "a"}, name="one.jsonl"), lines({"id": "a"}, name="two.jsonl")
    report = import_paths(ws, [one, two], strict=True)
    assert reasons(report) == [(1, "the id 'a' is already on line 1 of 'one.jsonl'")]
    assert ws.items.count() == 0


def test_the_same_again_is_skipped_and_a_change_is_an_error(ws: Workspace, folder: Path, lines: Any) -> None:
    lines({"id": "a", "screenshot": "a.png"}, {"id": "b", "exposure": 3})
    import_paths(ws, [folder])
    ws.items.set_splits({"a": "train"})
    again = import_paths(ws, [folder])
    assert (again.imported, again.skipped, again.errors) == (0, 2, ())
    lines({"id": "a", "screenshot": "b.png"}, {"id": "b", "exposure": 4}, {"id": "c"})
    report = import_paths(ws, [folder])
    assert (report.imported, report.skipped) == (1, 0)
    assert reasons(report) == [
        (1, "the workspace already has an item 'a' with other content (screenshot)"),
        (2, "the workspace already has an item 'b' with other content (exposure)"),
    ]


def test_what_differs_in_meta_is_named(ws: Workspace, lines: Any) -> None:
    import_paths(ws, [lines({"id": "a", "shop": "x", "meta": {"same": 1, "gone": None}})])
    report = import_paths(ws, [lines({"id": "a", "author": "ann", "shop": "y", "meta": {"same": 1}})])
    assert reasons(report) == [
        (1, "the workspace already has an item 'a' with other content (author, meta 'gone', meta 'shop')")
    ]


def test_the_same_item_in_two_files_is_skipped_the_second_time(ws: Workspace, lines: Any) -> None:
    one, two = lines({"id": "a"}, name="one.jsonl"), lines({"id": "a"}, name="two.jsonl")
    report = import_paths(ws, [one, two])
    assert (report.imported, report.skipped, report.errors) == (1, 1, ())


@pytest.mark.parametrize("screenshot", ["../secret.png", "/etc/passwd", "x/../../secret.png", "link.png", "out/s.png"])
def test_screenshots_stay_in_the_files_folder(ws: Workspace, folder: Path, lines: Any, screenshot: str) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    for secret in (folder.parent / "secret.png", outside / "s.png"):
        secret.write_bytes((folder / "a.png").read_bytes())
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(outside)
    lines({"id": "a", "screenshot": screenshot})
    ((line, reason),) = reasons(import_paths(ws, [folder]))
    assert line == 1
    assert "folder" in reason
    assert ws.items.count() == 0


@pytest.mark.parametrize("screenshot", ["a\0.png", "x" * 300, "loop.png", "pipe.png"])
def test_odd_paths_are_row_errors(ws: Workspace, folder: Path, lines: Any, screenshot: str) -> None:
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    lines({"id": "a", "screenshot": screenshot})
    assert len(import_paths(ws, [folder]).errors) == 1


def test_what_was_mended_is_a_warning(ws: Workspace, folder: Path, lines: Any) -> None:
    lines(
        {"id": "c", "screenshot": "c.jpg"},
        {"id": "r", "screenshot": "a.png", "regions": {"media": [[500, 500, 10, 10]]}},
        {"id": "s", "txt": "misspelt"},
        {"id": "t", "txt": "said once is enough"},
    )
    report = import_paths(ws, [folder])
    assert report.imported == 4
    assert [(warning.line, warning.reason) for warning in report.warnings] == [
        (1, "screenshot 'c.jpg': converted from JPEG to 8-bit RGB PNG"),
        (2, "the region 'media' lies outside the screenshot"),
        (3, "the unknown column 'txt' is kept in meta; did you mean 'text'?"),
    ]
    assert ws.items.get("t").meta == {"txt": "said once is enough"}


def test_csv_comes_in_like_json_lines(ws: Workspace, folder: Path) -> None:
    text = "id;kind;text;screenshot;exposure;label:toxicity\na;tweet;καλημέρα;a.png;1.5;non-toxic\nb;tweet;x;;nan;\n"
    (folder / "in.csv").write_text(text, encoding="utf-8-sig")
    report = import_paths(ws, [folder / "in.csv"])
    assert reasons(report) == [(3, "`exposure` 'nan' is no finite number from 0 up")]
    item = ws.items.get("a")
    assert (item.text, item.exposure, item.truths) == ("καλημέρα", 1.5, {"toxicity": ("non-toxic",)})


def test_a_bad_path_keeps_everything_out(ws: Workspace, lines: Any, folder: Path) -> None:
    good = lines({"id": "a"})
    with pytest.raises(InputError, match="no file or folder"):
        import_paths(ws, [good, folder / "none.jsonl"])
    assert ws.items.count() == 0


def test_progress_reaches_the_end(ws: Workspace, lines: Any) -> None:
    path = lines(*({"id": str(number)} for number in range(150)))
    seen: list[tuple[int, int]] = []
    import_paths(ws, [path], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 150), (128, 150), (150, 150)]
    seen.clear()
    import_paths(ws, [path], strict=True, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300)


def test_a_cancelled_import_keeps_only_finished_files(ws: Workspace, lines: Any) -> None:
    one = lines(*({"id": f"a{number}"} for number in range(10)), name="one.jsonl")
    two = lines(*({"id": f"b{number}"} for number in range(100)), name="two.jsonl")
    asked = iter([False, False, True])
    with pytest.raises(CancelledError, match=r"nothing of '.*two.jsonl' was imported"):
        import_paths(ws, [one, two], cancelled=lambda: next(asked))
    assert ws.items.count() == 10


def test_a_full_disk_keeps_the_file_out(
    ws: Workspace, folder: Path, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Captures, contents: Any) -> list[str]:
        raise StorageError("The disk is full.")

    lines({"id": "a"}, {"id": "b", "screenshot": "a.png"})
    monkeypatch.setattr(Captures, "store_many", full)
    with pytest.raises(StorageError):
        import_paths(ws, [folder])
    assert ws.items.count() == 0


def test_deciding_goes_on_while_an_import_reads(ws: Workspace, lines: Any) -> None:
    """An import holds the database only for its last moment, so a reviewer's decision does not wait for it."""
    from engine.types import Action
    from engine.workspace import NewDecision

    import_paths(ws, [lines({"id": "old"}, name="old.jsonl")])
    path = lines(*({"id": str(number)} for number in range(200)))
    decided = threading.Event()

    def decide() -> None:
        with Workspace.open(ws.path, check=False) as other:
            new = NewDecision(item="old", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada")
            other.decisions.record([new])
        decided.set()

    def halfway(done: int, total: int) -> None:
        if done == 128:
            thread = threading.Thread(target=decide)
            thread.start()
            assert decided.wait(10)
            thread.join()

    assert import_paths(ws, [path], progress=halfway).imported == 200
    assert ws.decisions.resolved("old") == {"toxicity": ("toxic",)}
