from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.intake.formats import arrays
from engine.intake.formats.arrays import read_array
from engine.intake.sources import Record


def read(tmp_path: Path, content: bytes) -> list[Record]:
    path = tmp_path / "in.json"
    path.write_bytes(content)
    return list(read_array(path))


def test_each_element_has_its_line(tmp_path: Path) -> None:
    records = read(tmp_path, '[\n{"a": "Ω]\\"}"},\n\n  {"a":\n 2}\n,{}]\n'.encode())
    assert [(record.line, record.fields) for record in records] == [(2, {"a": 'Ω]"}'}), (4, {"a": 2}), (6, {})]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_where_the_window_ends_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    documents = [{"n": number, "text": "αβ\n" * number, "deep": [[{}]] * number} for number in range(20)]
    monkeypatch.setattr(arrays, "_CHUNK", chunk)
    records = read(tmp_path, json.dumps(documents, ensure_ascii=False, indent=1).encode())
    assert [record.fields for record in records] == documents


def test_a_lone_object_is_one_element(tmp_path: Path) -> None:
    assert [record.fields for record in read(tmp_path, b'\xef\xbb\xbf {"a": 1} ')] == [{"a": 1}]
    assert read(tmp_path, b"[ ]") == []


@pytest.mark.parametrize(
    ("content", "good", "line", "words"),
    [
        (b"", 0, 1, "the file is empty"),
        (b'[{"a": 1},\n{"a": ', 1, 2, "cut short"),
        (b'[{"a": 1}', 1, 1, "cut short"),
        (b'[{"a": 1}\n{"a": 2}]', 1, 2, "a comma or the array's end is missing"),
        (b'[{"a": 1},\n{"a": nope}]', 1, 2, "not valid JSON"),
        (b'[{"a": 1},\n\n{"a": "\xff"}]', 0, 3, "not UTF-8"),
        (b'[{"a": 1}]\n[]', 1, 2, "the file goes on"),
        (b"[" * 100_000, 0, 1, "nested too deeply"),
        (b'[{"a": ' + b"9" * 5000 + b"}]", 0, 1, "too many digits"),
    ],
)
def test_what_is_broken_is_named_with_its_line(
    tmp_path: Path, content: bytes, good: int, line: int, words: str
) -> None:
    records = read(tmp_path, content)
    assert len([record for record in records if record.fields is not None]) == good
    assert (records[-1].line, records[-1].fields) == (line, None)
    assert words in records[-1].problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'["x", {"a": 1}]', "no JSON object"),
        (b'[{"a": NaN}, {"a": 1}]', "not valid JSON"),
        (b'[{"a": "\\ud800"}, {"a": 1}]', "surrogate"),
    ],
)
def test_a_bad_element_leaves_the_others(tmp_path: Path, content: bytes, words: str) -> None:
    bad, good = read(tmp_path, content)
    assert words in bad.problem
    assert good.fields == {"a": 1}


def test_an_element_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "LONGEST_ELEMENT", 1000)
    monkeypatch.setattr(arrays, "_CHUNK", 100)
    (bad,) = read(tmp_path, b'[{"a": "' + b"x" * 5000 + b'"}]')
    assert "longer than" in bad.problem
