from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import InputError, NotFoundError
from engine.intake.capture.addresses import LONGEST, AddressList, host_of, id_of, normalised, read_addresses
from engine.intake.capture.profile import Profile, choose
from engine.taxonomy import Taxonomy, preset


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return preset("both")


def read(path: Path, taxonomy: Taxonomy, text: str | bytes, profile: str = "product") -> AddressList:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_addresses(path, taxonomy, lambda url: Profile.load(profile) if profile else choose(url))


def told(found: AddressList) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in found.problems]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("HTTPS://Shop.Example/A?b=C", "https://shop.example/A?b=C"),
        ("http://a.example:80", "http://a.example/"),
        ("https://a.example:443/x#part", "https://a.example/x"),
        ("https://a.example:8443/x", "https://a.example:8443/x"),
        ("a.example/x", "https://a.example/x"),
        (" http://[2001:DB8::1]/ ", "http://[2001:db8::1]/"),
        ("https://a.example/%41?x=%2f", "https://a.example/%41?x=%2f"),
    ],
)
def test_addresses_are_compared_in_one_form(given: str, plain: str) -> None:
    assert normalised(given) == plain
    assert normalised(plain) == plain


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("file:///etc/passwd", "no http or https"),
        ("javascript:alert(1)", "no http or https"),
        ("just words", "no http or https"),
        ("https://", "no http or https"),
        ("https://a.example:99999/", "no address"),
        ("https://me:secret@a.example/", "password"),
        ("https://a.example/a b", "space"),
        ("https://[nonsense/", "no address"),
        (f"https://a.example/{'x' * LONGEST}", "longer than"),
    ],
)
def test_what_is_no_address_is_said(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        normalised(given)


def test_text_has_one_address_a_line_with_comments(tmp_path: Path, taxonomy: Taxonomy) -> None:
    text = (
        "\ufeff# my list\nhttps://a.example/1\n\nhttps://a.example/2#part  # the second\nHTTPS://A.EXAMPLE/1\nnot one\n"
    )
    found = read(tmp_path / "list.txt", taxonomy, text)
    assert [one.url for one in found.addresses] == ["https://a.example/1", "https://a.example/2"]
    assert [one.kind for one in found.addresses] == ["product", "product"]
    assert found.addresses[0].id == id_of("https://a.example/1")
    assert found.repeated == 1
    assert told(found) == [(6, "'not one' is no http or https address")]


def test_a_table_names_ids_kinds_and_fields_to_keep(tmp_path: Path, taxonomy: Taxonomy) -> None:
    text = (
        "url;id;subsets;label:toxicity;campaign;kind\n"
        "https://x.com/a/status/1;t1;spring; toxic ;north;tweet\n"
        "https://x.com/a/status/2;t1;;;;tweet\n"
        "https://x.com/a/status/3;t3;;rotten;;tweet\n"
        "https://x.com/a/status/4;t4\n"
        ";t5;;;;\n"
    )
    found = read(tmp_path / "list.csv", taxonomy, text, profile="")
    (one,) = found.addresses
    assert (one.id, one.kind) == ("t1", "tweet")
    assert one.fields == {"subsets": ["spring"], "labels": {"toxicity": ["toxic"]}, "campaign": "north"}
    lines = dict(told(found))
    assert sorted(lines) == [3, 4, 5, 6]
    assert "already on line 2" in lines[3]
    assert "rotten" in lines[4]
    assert "2 cells" in lines[5]
    assert "no `url`" in lines[6]


def test_json_lines_are_read_the_same_way(tmp_path: Path, taxonomy: Taxonomy) -> None:
    rows = [{"url": "https://a.example/1", "id": 7, "meta": {"a": 1}, "regions": {"x": []}}, {"id": "b"}, {"url": 3}]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "{broken\n"
    found = read(tmp_path / "list.jsonl", taxonomy, text)
    (one,) = found.addresses
    assert (one.id, one.fields) == ("7", {"meta": {"a": 1}})
    assert [line for line, _ in told(found)] == [2, 3, 4]


def test_a_kind_that_nothing_says_is_a_bad_line(tmp_path: Path, taxonomy: Taxonomy) -> None:
    found = read(tmp_path / "list.txt", taxonomy, "https://a.example/1\nhttps://x.com/a/status/1\n", profile="")
    assert [one.kind for one in found.addresses] == ["tweet"]
    assert [line for line, _ in told(found)] == [1]
    assert "whether it is a tweet or a product" in told(found)[0][1]
    assert "choose the kind of page" in told(found)[0][1]


BROKEN = [b"", b"\xff\xfe\x00", b"url\n\xff\xff\n", b"\x00" * 50, b"[" * 5000]


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.jsonl"])
@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_broken_files_hold_no_address(tmp_path: Path, taxonomy: Taxonomy, name: str, body: bytes) -> None:
    found = read(tmp_path / name, taxonomy, body)
    assert found.addresses == ()
    assert all(row.line >= 1 and row.reason for row in found.problems)


def test_a_table_that_ends_in_an_open_quote_is_said(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(InputError, match=r"list\.csv.* starts in line 3, a quote .* never closed"):
        read(tmp_path / "list.csv", taxonomy, 'url\nhttps://a.example/1\n"https://a.example/2\n')


def test_a_missing_file_is_said(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        read_addresses(tmp_path / "none.txt", taxonomy, choose)


def test_ids_tell_addresses_apart_and_stay() -> None:
    assert id_of("https://a.example/1") != id_of("https://a.example/2")
    assert id_of("https://www.a.example/1").startswith("a.example-")
    assert host_of("https://www.a.example:8443/1") == "a.example"
