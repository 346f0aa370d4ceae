from __future__ import annotations

import gzip
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.errors import InputError, NotFoundError
from engine.intake.capture.addresses_saved import SavedPages, read_saved
from engine.intake.capture.campaign import Task
from engine.intake.capture.profile import Profile
from engine.intake.capture.record import is_same
from engine.taxonomy import Taxonomy, preset
from engine.types import Item

PAGE = '<html><head><link rel="stylesheet" href="lamp_files/s.css"></head><body>Lamp</body></html>'


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return preset("both")


def product(_: str) -> Profile:
    return Profile.load("product")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    (folder / "lamp_files").mkdir(parents=True)
    (folder / "more").mkdir()
    (folder / "lamp.html").write_text(PAGE)
    (folder / "lamp_files" / "s.css").write_text("body{}")
    (folder / "lamp_files" / "frame.html").write_text("a part, no page")
    (folder / "more" / "rug.html.gz").write_bytes(gzip.compress(b"<body>Rug</body>"))
    (folder / "notes.txt").write_text("no page")
    (tmp_path / "secret.html").write_text("outside")
    (folder / "out.html").symlink_to(tmp_path / "secret.html")
    (folder / "lamp_files" / "out.css").symlink_to(tmp_path / "secret.html")
    return folder


Served = tuple[SavedPages, list[Task]]


@pytest.fixture
def served(saved: Path, taxonomy: Taxonomy) -> Iterator[Served]:
    with SavedPages() as server:
        yield server, server.tasks(*read_saved(saved, taxonomy, product), product)


def fetched(server: SavedPages, path: str, host: str = "") -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{server.port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Type"]
    finally:
        connection.close()


def test_pages_of_a_folder_are_named_by_their_files(served: Served) -> None:
    _, tasks = served
    assert [task.address.id for task in tasks] == ["lamp", "more/rug"]
    assert [task.address.kind for task in tasks] == ["product", "product"]
    assert {task.host for task in tasks} == {""}
    assert len({task.ask for task in tasks}) == 2


def test_a_page_of_the_same_name_is_told_from_one_that_is_there(served: Served) -> None:
    _, (lamp, rug) = served
    item = Item(id="lamp", kind="product", url=lamp.address.url, meta=lamp.address.fields)
    assert is_same(item, lamp.address)
    assert not is_same(item, rug.address)


def test_each_page_is_served_with_its_parts(served: Served) -> None:
    server, (lamp, rug) = served
    assert fetched(server, urlsplit(lamp.ask).path) == (200, PAGE.encode(), "text/html")
    assert fetched(server, urlsplit(rug.ask).path)[:2] == (200, b"<body>Rug</body>")
    parts = urlsplit(lamp.ask).path.rsplit("/", 1)[0]
    assert fetched(server, f"{parts}/lamp_files/s.css") == (200, b"body{}", "text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/lamp.html",
        "/",
        "{own}/",
        "{own}/more/rug.html",
        "{own}/rug.html",
        "{own}/notes.txt",
        "{own}/lamp_files/../notes.txt",
        "{own}/lamp_files/%2e%2e/%2e%2e/secret.html",
        "{own}/lamp_files//etc/passwd",
        "{own}/lamp_files/out.css",
        "{own}/lamp_files/%00",
        "{own}/../lamp.html",
    ],
)
def test_nothing_else_is_served(served: Served, path: str) -> None:
    server, (lamp, _) = served
    status, body, _ = fetched(server, path.format(own=urlsplit(lamp.ask).path.rsplit("/", 1)[0]))
    assert (status, body) == (404, b"")


def test_another_name_for_this_computer_is_not_answered(served: Served) -> None:
    server, (lamp, _) = served
    assert fetched(server, urlsplit(lamp.ask).path, host="rebound.example")[0] == 404


@pytest.mark.parametrize(
    ("head", "origin"),
    [
        ("<!-- saved from url=(0024)https://a.example/p -->", "https://a.example/p"),
        ("<link href='https://a.example/p?x=1&amp;y=2' rel=canonical>", "https://a.example/p?x=1&y=2"),
        ('<meta property="og:url" content="HTTPS://A.example/p#part">', "https://a.example/p"),
        ("<link rel=canonical href='/p'><meta property=og:url content='https://a.example/q'>", "https://a.example/q"),
        ("<link rel=canonical href='file:///etc/passwd'>", ""),
        ("<p>no word of it</p>", ""),
    ],
)
def test_where_a_page_was_saved_from(tmp_path: Path, taxonomy: Taxonomy, head: str, origin: str) -> None:
    (tmp_path / "p.html").write_text(f"{head}<body>x</body>")
    found, _ = read_saved(tmp_path, taxonomy, product)
    assert [one.url for one in found.addresses] == [origin]


def test_a_broken_file_is_named_and_the_others_come(saved: Path, taxonomy: Taxonomy) -> None:
    (saved / "broken.html.gz").write_bytes(b"no gzip")
    found, files = read_saved(saved, taxonomy, product)
    assert [one.id for one in found.addresses] == ["lamp", "more/rug"]
    assert len(files) == 2
    (problem,) = found.problems
    assert problem.file.endswith("broken.html.gz")
    assert "cannot be read" in problem.reason


def test_a_folder_without_pages_is_said(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(InputError, match="holds no saved page"):
        read_saved(tmp_path, taxonomy, product)
    with pytest.raises(NotFoundError, match="no folder"):
        read_saved(tmp_path / "none", taxonomy, product)
