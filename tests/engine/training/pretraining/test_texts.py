"""Reading texts from files and workspaces, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError, NotFoundError, WorkspaceError
from engine.training.pretraining.texts import read_texts
from engine.types import Item
from engine.workspace import Workspace
from resources import path as resource


def test_plain_text_has_one_text_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffΚαλημέρα 😀\r\n\r\n  \none\u2028two\nlast".encode())
    assert read_texts(file).texts == ("Καλημέρα 😀", "one\u2028two", "last")


def test_json_lines_have_titles_and_texts_and_bad_lines_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n{"title": "t", "text": "two"}\nno json\n{"text": 3}\n{"id": "x"}\n')
    found = read_texts(file)
    assert found.texts == ("one", "t\ntwo")
    assert [problem.split("line ")[1][0] for problem in found.problems] == ["3", "4", "5"]


def test_csv_has_a_column_text(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('n;text\n1;"a;\nb"\n2;ναι\n3;\n', encoding="utf-8")
    assert read_texts(file).texts == ("a;\nb", "ναι")
    file.write_text('n,text\n1,a\n2,"b\n3,c\n')
    source = read_texts(file)
    assert source.texts == ("a",)
    assert 'line 3: a quote (") is opened in it and never closed' in source.problems[0]
    file.write_text("n,texts\n1,a\n")
    with pytest.raises(InputError, match="no column `text`; it has: n, texts"):
        read_texts(file)


def test_a_workspace_gives_every_item_labelled_or_not(tmp_path: Path) -> None:
    from engine.taxonomy import load_taxonomy

    path = tmp_path / "w.secondlook"
    with Workspace.create(path, load_taxonomy(resource("taxonomies", "tweets.toml"))) as workspace:
        rows = [
            Item(id="a", kind="tweet", text="first"),
            Item(id="b", kind="tweet", title="Title", text="second", truths={"toxicity": ("toxic",)}),
            Item(id="c", kind="tweet"),
        ]
        workspace.items.add([(row, None) for row in rows])
    assert read_texts(path).texts == ("first", "Title\nsecond")


def test_what_is_no_text_is_said_in_words(tmp_path: Path) -> None:
    for name, data, words in (
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00", "no text in UTF-8"),
        ("b.txt", b"a\0b", "NUL"),
        ("c.pdf", b"text", "no kind of text file"),
        ("d.txt", b" \n\n", "holds no text"),
        ("e.jsonl", b"[1]\n", "holds no text to learn from .*line 1: it is no JSON object"),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        with pytest.raises(InputError, match=words):
            read_texts(file)
    with pytest.raises(NotFoundError, match="no workspace or file"):
        read_texts(tmp_path / "gone.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkspaceError):
        read_texts(tmp_path / "folder")
