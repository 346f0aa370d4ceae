from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.intake.sources import Record, count_lines, near_miss, read_records
from engine.intake.tables import LONGEST_LINE

LINE = json.dumps({"id": "a", "kind": "tweet", "text": "καλημέρα", "regions": {"x": [[1, 2, 3, 4]]}}).encode()


def read(tmp_path: Path, raw: bytes, name: str = "in.jsonl") -> list[Record]:
    (tmp_path / name).write_bytes(raw)
    return list(read_records(tmp_path / name))


def test_json_lines_keep_their_numbers_past_blank_and_broken_ones(tmp_path: Path) -> None:
    records = read(tmp_path, b'{"id": "a"}\n\n{broken\n[1]\r\n{"id": "b"}')
    assert [(record.line, record.fields) for record in records if record.fields] == [(1, {"id": "a"}), (5, {"id": "b"})]
    assert [record.line for record in records if record.problem] == [3, 4]
    assert "not valid JSON" in records[1].problem
    assert "no JSON object but a list" in records[2].problem


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"id": "caf\xe9"}', "not UTF-8 (byte 0xe9 at position 12)"),
        (b'{"exposure": NaN}', "not valid JSON"),
        (b'{"exposure": 1e999}', "not valid JSON"),
        (b'{"text": "\\ud800"}', r"not valid JSON (\ud800 at position 11 is half of a surrogate pair"),
        (b'{"text": "\\\\ud800 \\ud83d\\ude00 \\uDC00 x"}', r"(\uDC00 at position 32 is half of a surrogate pair"),
        (b'{"text": "\\ud83dx\\ude00"}', r"(\ud83d at position 11 is half of a surrogate pair"),
        (b'{"text": "\\ud83d\\ude00', "not valid JSON (Input data was truncated)"),
        (b"null", "it is no JSON object but null"),
        (b"true", "it is no JSON object but true"),
        (b"1.5", "it is no JSON object but a number"),
        (b'"x"', "it is no JSON object but a text"),
        (b"[" * 100_000, "nested too deeply"),
        ('{"id": "a"}'.encode("utf-16"), "the file is UTF-16"),
        (b'"' + b"x" * LONGEST_LINE + b'"', "longer than 8 MB"),
    ],
)
def test_a_bad_line_says_why(tmp_path: Path, raw: bytes, words: str) -> None:
    (record,) = read(tmp_path, raw)
    assert words in record.problem


def test_a_huge_line_does_not_hide_the_next(tmp_path: Path) -> None:
    records = read(tmp_path, b"x" * (3 * LONGEST_LINE) + b'\n{"id": "b"}\n')
    assert [record.line for record in records] == [1, 2]
    assert records[1].fields == {"id": "b"}


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    assert read(tmp_path, b'\xef\xbb\xbf{"id": "a"}')[0].fields == {"id": "a"}
    assert read(tmp_path, b"\xef\xbb\xbfid,text\na,x\n", "in.csv")[0].fields == {"id": "a", "text": "x"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_cells_become_fields(tmp_path: Path, separator: str) -> None:
    header = separator.join(["id", "labels", "subsets", "label:reason", "price", "text"])
    row = separator.join(["a", '"{""verdict"": ""ok""}"', '"x; y"', '"alcohol;smoking"', "5", '"two\nlines"'])
    after = separator.join(["b", "", '"[""p""]"', "", "", "t"])
    records = read(tmp_path, f"{header}\r\n{row}\r\n{after}\r\n".encode(), "in.csv")
    assert [record.line for record in records] == [2, 4]
    assert records[0].fields == {
        "id": "a",
        "labels": {"verdict": "ok", "reason": ["alcohol", "smoking"]},
        "subsets": ["x", "y"],
        "price": "5",
        "text": "two\nlines",
    }
    assert records[1].fields == {"id": "b", "subsets": ["p"], "text": "t"}


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"", 1, "the file is empty"),
        (b"a,b\n1,2\n", 1, "`id` among them"),
        (b"id,id\n1,2\n", 1, "the column 'id' comes twice"),
        (b"id,\xe9\n1,2\n", 1, "header is not UTF-8"),
        (b"id,text\n1\n", 2, "it has 1 cell, but the header has 2 columns"),
        (b"id,text\n1,caf\xe9\n", 2, "it is not UTF-8"),
        (b"id,regions\n1,{x\n", 2, "`regions` is not valid JSON: '{x'"),
        (b"id,labels\n1,toxic\n", 2, "put plain labels in a column named `label:TASK`"),
        (b'id,text\n1,"never closed\n2,x\n', 2, "the row that starts here cannot be read"),
        (b'id,text\n1,"two\nlines"\n2,"never closed\n3,x\n', 4, 'a quote (") is opened in it and never closed'),
        (b'id,text\n\n1,"never closed\n2,"x"\n', 3, "a quote before it was never closed"),
        (b'id,text\n1,"' + b"x\n" * (LONGEST_LINE // 2 + 1), 2, "a cell is longer than 8 MB"),
        (b"id,text\n1,a\rb\n", 2, "save the file with ordinary line ends"),
        (b"id,text\n1," + b"x" * LONGEST_LINE + b"\n2,x\n", 2, "longer than 8 MB"),
        ("id,text\n1,2\n".encode("utf-16"), 1, "the file is UTF-16"),
    ],
)
def test_bad_csv_says_where_and_why(tmp_path: Path, raw: bytes, line: int, words: str) -> None:
    bad = [record for record in read(tmp_path, raw, "in.csv") if record.problem]
    assert [record.line for record in bad] == [line]
    assert words in bad[0].problem


def test_only_the_bad_rows_of_a_csv_are_refused(tmp_path: Path) -> None:
    records = read(tmp_path, b"id,text\n1,caf\xe9\n2,x\n", "in.csv")
    assert [record.fields for record in records] == [None, {"id": "2", "text": "x"}]


def test_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{}\n{}\n{}")
    assert count_lines(tmp_path / "a.jsonl") == 2


def test_misspelt_columns_are_recognised() -> None:
    assert near_miss("screenshots") == "screenshot"
    assert near_miss("Text") == "text"
    assert near_miss("price") == near_miss("label:reason") == near_miss("file_name") == near_miss("id") == ""


FEW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEW
@given(st.lists(st.tuples(st.integers(0, len(LINE) - 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_mutated_json_line_is_a_record_or_a_problem(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    raw = bytearray(LINE)
    for place, byte in changes:
        raw[place] = byte
    assert all(record.problem or record.fields is not None for record in read(tmp_path, bytes(raw)))


@FEW
@given(st.binary(max_size=200))
def test_any_bytes_can_be_read_as_csv_and_json_lines(tmp_path: Path, raw: bytes) -> None:
    for name in ("in.csv", "in.jsonl"):
        for head in (b"", b"id,text,labels\n"):
            assert all(record.line >= 1 for record in read(tmp_path, head + raw, name))
