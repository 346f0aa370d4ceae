"""A record is whole or not there, and is found again by what it depends on alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import StorageError
from engine.training.experiment.records import Cell, Records, figures_of

CELL = Cell("row", "a" * 64, "data set", "b" * 64, "1-of-5", 0)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path)


def test_a_record_is_read_back_as_it_was_written(records: Records) -> None:
    truth = np.eye(3, dtype=bool)[[0, 1, 0, 1]]
    chances = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1]])
    figures = figures_of(("x", "y", "z"), truth, chances, multi=False, majority="x")
    record = CELL.record({"task": figures}, 1.26, {"C": 0.3}, "recipe")
    assert records.get(CELL) is None
    records.put(CELL, record)
    assert records.get(CELL) == record
    assert (figures.accuracy, figures.per_class["z"], figures.supports) == (0.5, 0.0, {"x": 2, "y": 2, "z": 0})


def test_scores_that_are_no_probabilities_have_no_calibration_error() -> None:
    truth, scores = np.eye(2, dtype=bool)[[0, 1]], np.array([[0.9, 0.1], [0.3, 0.7]])
    assert figures_of(("x", "y"), truth, scores, multi=False, majority="x").ece == pytest.approx(0.2)
    assert figures_of(("x", "y"), truth, scores, multi=False, majority="x", probable=False).ece is None


@pytest.mark.parametrize("change", ["row_fingerprint", "data_fingerprint", "fold", "seed"])
def test_another_row_data_set_fold_or_seed_is_another_record(records: Records, change: str) -> None:
    records.put(CELL, CELL.record({}, 0.0, {}))
    others = {
        "row_fingerprint": replace(CELL, row_fingerprint="c" * 64),
        "data_fingerprint": replace(CELL, data_fingerprint="c" * 64),
        "fold": replace(CELL, fold="2-of-5"),
        "seed": replace(CELL, seed=1),
    }
    assert records.get(others[change]) is None


def test_a_damaged_record_is_measured_again(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    records.put(CELL, CELL.record({}, 0.0, {}))
    path = records.path(CELL)
    path.write_bytes(path.read_bytes()[:20])
    with caplog.at_level(logging.WARNING):
        assert records.get(CELL) is None
    assert "cannot be read, so it is measured again" in caplog.text


def test_a_full_disk_leaves_the_record_that_was_there(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    first = CELL.record({}, 1.0, {})
    records.put(CELL, first)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        records.put(CELL, CELL.record({}, 2.0, {}))
    assert records.get(CELL) == first
