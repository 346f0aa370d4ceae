"""Vectors on disk: what is sound comes back, what is not is left out, whoever wrote it and however it ended."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from engine.models import vector_file
from engine.models.vector_file import VectorFile

DIGEST, WIDTH, ROOM = "ab" * 32, 5, 100


@pytest.fixture
def file(tmp_path: Path) -> VectorFile:
    return VectorFile(tmp_path / "features", DIGEST, WIDTH)


def records(file: VectorFile, *numbers: int) -> NDArray[np.void]:
    made = np.zeros(len(numbers), file.record)
    made["key"] = np.array([number.to_bytes(16, "little") for number in numbers], "V16")
    made["parts"], made["vector"] = 3, np.array(numbers, np.float16)[:, None]
    return made


def numbers_in(file: VectorFile, most: int = ROOM) -> list[int]:
    return [int(record["vector"][0]) for record in file.read(most)]


def test_records_come_back_in_their_order(file: VectorFile) -> None:
    assert len(file.read(ROOM)) == 0
    assert file.append(records(file, 1, 2), ROOM)
    assert file.append(records(file, 3), ROOM)
    assert numbers_in(file) == [1, 2, 3]
    assert numbers_in(file, most=2) == [1, 2]
    assert file.read(1)[0]["key"].tobytes() == (1).to_bytes(16, "little")


def test_a_damaged_record_is_left_out_and_no_other(file: VectorFile) -> None:
    file.append(records(file, 1, 2, 3), ROOM)
    data = bytearray(file.path.read_bytes())
    data[-file.record.itemsize - 6] ^= 1
    file.path.write_bytes(data)
    assert numbers_in(file) == [1, 3]


def test_what_a_killed_writer_left_is_cut_off_by_the_next(file: VectorFile) -> None:
    file.append(records(file, 1, 2), ROOM)
    with file.path.open("r+b") as opened:
        opened.truncate(file.path.stat().st_size - 7)
    assert numbers_in(file) == [1]
    file.append(records(file, 3), ROOM)
    assert numbers_in(file) == [1, 3]


@pytest.mark.parametrize("content", [b"", b"SLVEC", b"something else altogether, and long enough to be one of ours"])
def test_a_foreign_file_is_not_read_and_gives_way(file: VectorFile, content: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    assert len(file.read(ROOM)) == 0
    file.append(records(file, 4), ROOM)
    assert numbers_in(file) == [4]


def test_a_file_of_vectors_of_another_length_is_not_read(file: VectorFile) -> None:
    file.append(records(file, 1), ROOM)
    assert len(VectorFile(file.path.parent, DIGEST, WIDTH + 1).read(ROOM)) == 0


def test_it_may_be_deleted_at_any_time(file: VectorFile) -> None:
    file.append(records(file, 1), ROOM)
    file.path.unlink()
    assert file.append(records(file, 2), ROOM)
    assert numbers_in(file) == [2]


def test_a_full_file_does_not_grow(file: VectorFile) -> None:
    for number in range(6):
        file.append(records(file, number), 4)
    assert numbers_in(file) == [0, 1, 2, 3]


def test_a_disk_that_refuses_costs_time_only(file: VectorFile, caplog: pytest.LogCaptureFixture) -> None:
    file.path.parent.write_text("a file where the folder should be")
    assert not file.append(records(file, 1), ROOM)
    assert "cannot be kept" in caplog.text


def test_while_another_process_writes_nothing_is_written(
    file: VectorFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vector_file, "LOCK_S", 0)
    file.path.parent.mkdir()
    with FileLock(file.path.with_suffix(".lock")):
        assert not file.append(records(file, 1), ROOM)
    assert file.append(records(file, 1), ROOM)


def test_files_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    files = [VectorFile(tmp_path, f"{number:02}" * 32, WIDTH) for number in range(5)]
    for age, file in enumerate(files):
        file.append(records(file, 1), ROOM)
        os.utime(file.path, (1000 - age, 1000 - age))
    files[4].tidy()
    assert {file.path for file in files if file.path.exists()} == {files[0].path, files[1].path, files[4].path}
