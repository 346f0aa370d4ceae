from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from engine.errors import InputError, StorageError
from engine.workspace.captures import Captures


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_capture_is_named_by_its_bytes_and_kept_once(tmp_path: Path) -> None:
    captures = Captures(tmp_path)
    sha = hashlib.sha256(b"one").hexdigest()
    assert captures.store_many([b"one", b"two", b"one"])[::2] == [sha, sha]
    assert captures.path_of(sha) == tmp_path / sha[:2] / f"{sha}.png"
    assert len(files(tmp_path)) == 2
    before = captures.path_of(sha).stat().st_mtime_ns
    captures.store(b"one")
    assert captures.path_of(sha).stat().st_mtime_ns == before


def test_a_damaged_capture_is_replaced_when_it_comes_again(tmp_path: Path) -> None:
    captures = Captures(tmp_path)
    sha = captures.store(b"one")
    assert captures.is_intact(sha)
    captures.path_of(sha).write_bytes(b"on")
    assert not captures.is_intact(sha)
    assert captures.store(b"one") == sha
    assert captures.path_of(sha).read_bytes() == b"one"
    captures.path_of(sha).unlink()
    assert not captures.is_intact(sha)


@pytest.mark.parametrize("name", ["", "abc", "../" * 22, "A" * 64, "0" * 63 + "\n"])
def test_only_digests_name_captures(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        Captures(tmp_path).path_of(name)


def test_a_full_disk_leaves_no_half_written_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures = Captures(tmp_path)
    real = os.fsync
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        captures.store_many([b"one", b"two", b"three"])
    assert files(tmp_path) == []
    assert captures.store_many([b"one", b"two"])
    assert len(files(tmp_path)) == 2
