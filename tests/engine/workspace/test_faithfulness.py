from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.types import Faithfulness, FaithfulnessRow, Spread
from engine.workspace import faithfulness


def measured(model: str) -> Faithfulness:
    row = FaithfulnessRow(method="lime", scores={"deletion": Spread(mean=0.25, n=9, error=0.01)})
    return Faithfulness(model=model, at="2026-01-01T00:00:00+00:00", split="val", items=9, seed=0, rows=(row,))


def test_what_is_written_is_read_and_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "m-a"
    folder.mkdir()
    assert faithfulness.read(folder) is None
    file = faithfulness.write(folder, measured("m-a"))
    assert faithfulness.read(folder) == measured("m-a")
    later = Faithfulness(model="m-a", at="2026-01-02T00:00:00+00:00", split="val", items=2, seed=1, rows=())
    faithfulness.write(folder, later)
    assert faithfulness.read(folder) == later
    assert list(folder.iterdir()) == [file]


def test_what_cannot_be_read_or_is_another_models_counts_as_not_measured(tmp_path: Path) -> None:
    folder = tmp_path / "m-a"
    folder.mkdir()
    faithfulness.write(folder, measured("m-b"))
    assert faithfulness.read(folder) is None
    (folder / faithfulness.FILE).write_bytes(b'{"model": "m-a"')
    assert faithfulness.read(folder) is None


def test_a_disk_that_refuses_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "m-a"
    (folder / faithfulness.FILE).mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written"):
        faithfulness.write(folder, measured("m-a"))
    assert [file.name for file in folder.iterdir()] == [faithfulness.FILE]
