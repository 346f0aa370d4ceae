from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import InputError, NotFoundError
from engine.intake.capture.job_folder import InJobFolder, Job, JobFolder, Todo
from engine.intake.capture.record import NoItemError
from engine.intake.capture.record_journal import Line
from engine.intake.capture.types import Address, Captured, Outcome, Settings
from engine.workspace import QueueQuery, Workspace

AT = "2026-01-31T12:00:00.000Z"
URL = "https://a.example/1"


@pytest.fixture
def address() -> Address:
    return Address(url=URL, id="p1", kind="product", fields={"subsets": ["spring"]})


@pytest.fixture
def folder(ws: Workspace, address: Address) -> JobFolder:
    made = JobFolder.of(ws.path)
    made.begin(Job(addresses=(address,), settings=Settings(width=300), profile="page", rate=0.0), ws.taxonomy)
    return made


@pytest.fixture
def keeper(folder: JobFolder) -> InJobFolder:
    return InJobFolder(folder, folder.taxonomy(), {"p1": URL})


def captured(address: Address, kind: Any = "captured") -> Captured:
    fields = {"title": "Lamp", "text": "Warm", "url": URL}
    return Captured(address=address, fields=fields, outcome=Outcome(kind=kind, reason="Gone."))


def test_a_job_is_read_as_it_was_written(folder: JobFolder, ws: Workspace, address: Address) -> None:
    assert folder.begun
    assert folder.job() == Job(addresses=(address,), settings=Settings(width=300), profile="page", rate=0.0)
    assert folder.taxonomy() == ws.taxonomy
    folder.write_todo(Todo(keys=(URL,), again=(URL,)))
    assert folder.todo() == Todo(keys=(URL,), again=(URL,))


def test_a_finished_capture_waits_and_becomes_an_item_once(
    folder: JobFolder, keeper: InJobFolder, ws: Workspace, address: Address, picture: Any
) -> None:
    png = picture()
    keeper.keep(captured(address), png, AT)
    assert ws.items.count() == 0
    assert keeper.known([address]) == {"p1": ""}
    (name,) = folder.finished()
    (taken,) = folder.take(ws, [name])
    item = ws.items.get("p1")
    assert (item.title, item.subsets, item.captured_at) == ("Lamp", ("spring",), AT)
    assert (taken.item, taken.capture, taken.title, taken.problem) == ("p1", item.capture, "Lamp", "")
    assert ws.captures.path_of(item.capture or "").read_bytes() == png
    assert folder.finished() == []
    assert folder.take(ws, [name]) == []


def test_what_was_broken_off_between_workspace_and_folder_is_not_added_twice(
    folder: JobFolder, keeper: InJobFolder, ws: Workspace, address: Address, picture: Any
) -> None:
    keeper.keep(captured(address), picture(), AT)
    (name,) = folder.finished()
    folder.take(ws, [name])
    keeper.keep(captured(address), picture(size=(50, 50)), AT)
    (taken,) = folder.take(ws, [name])
    assert (taken.item, taken.problem, ws.items.count()) == ("p1", "", 1)
    assert folder.finished() == []


def test_an_item_of_another_page_is_left_as_it_is(
    folder: JobFolder, ws: Workspace, address: Address, picture: Any
) -> None:
    other = Address(url="https://a.example/2", id="p1", kind="product")
    both = InJobFolder(folder, ws.taxonomy, {"p1": URL})
    both.keep(captured(address), picture(), AT)
    folder.take(ws, folder.finished())
    InJobFolder(folder, ws.taxonomy, {"p1": other.url}).keep(captured(other), picture(), AT)
    (taken,) = folder.take(ws, folder.finished())
    assert taken.problem == "The workspace has another page as the item 'p1'."
    assert ws.items.get("p1").url == URL


def test_a_page_that_is_gone_is_set_aside(
    folder: JobFolder, keeper: InJobFolder, ws: Workspace, address: Address, picture: Any
) -> None:
    keeper.keep(captured(address, "deleted"), picture(), AT)
    folder.take(ws, folder.finished())
    (row,) = ws.queues.page(QueueQuery(states=("skipped",))).rows
    assert row.item == "p1"
    (decision,) = ws.decisions.of("p1")
    assert (decision.reviewer, decision.note) == ("capture", "deleted: Gone.")


def test_what_can_be_no_item_is_not_kept(folder: JobFolder, keeper: InJobFolder, address: Address) -> None:
    with pytest.raises(NoItemError, match="picture of the page"):
        keeper.keep(captured(address), b"no picture", AT)
    assert folder.finished() == []


def test_pictures_of_failures_are_kept_beside_the_job(folder: JobFolder) -> None:
    assert folder.put_failed(URL, b"") == ""
    assert folder.failed_picture(URL) == ""
    name = folder.put_failed(URL, b"a picture")
    assert (folder.path / name).read_bytes() == b"a picture"
    assert folder.failed_picture(URL) == name


def test_a_half_written_capture_is_not_finished(folder: JobFolder, ws: Workspace) -> None:
    (folder.path / "done" / "x.png").write_bytes(b"half")
    (folder.path / "done" / "y.json.part").write_bytes(b"{")
    assert folder.finished() == []
    (folder.path / "done" / "z.json").write_bytes(b"{")
    (folder.path / "done" / "z.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"z\.json.*cannot be read"):
        folder.take(ws, folder.finished())


def test_a_job_that_is_removed_leaves_nothing(folder: JobFolder) -> None:
    with folder.journal as journal:
        journal.write(Line(at=AT, key=URL, kind="failed", reason="?"))
    folder.remove()
    assert not folder.begun
    assert not folder.path.exists()
    with pytest.raises(NotFoundError, match="no capture"):
        folder.job()


def test_a_damaged_job_is_named(folder: JobFolder, tmp_path: Path) -> None:
    (folder.path / "job.json").write_bytes(msgspec.json.encode({"addresses": 3}))
    with pytest.raises(InputError, match=r"job\.json.*cannot be read"):
        folder.job()
