"""Weights that take no memory once a graph is made of them, and that are there all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.bulk import runtime, shelf
from engine.models.bulk.shelf import Shelf


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_SLAB", 4096)


def weights_of(rows: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(-127, 128, (rows, 100)).astype(np.int8)


@given(rows=st.lists(st.integers(1, 90), max_size=8))
def test_what_is_let_go_is_there_when_it_is_read(rows: list[int]) -> None:
    put = Shelf()
    found = [put.put(weights_of(count, seed)) for seed, count in enumerate(rows)]
    put.let_go()
    for seed, (count, values) in enumerate(zip(rows, found, strict=True)):
        np.testing.assert_array_equal(values, weights_of(count, seed))


def test_without_a_file_the_weights_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    put, weights = Shelf(), weights_of(3, 0)
    assert put.put(weights) is weights
    put.let_go()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process is told what memory its files take")
def test_a_graph_takes_no_memory_for_weights_on_the_shelf() -> None:
    made, put = runtime.operations(), Shelf()
    values = made.parameter([16, 2048], np.float32)
    weight = np.random.default_rng(0).integers(-127, 128, (1024, 2048)).astype(np.int8)
    before = of_nameless_files()
    stored = runtime.in_integers(weight, np.full((1024, 1), 0.01, np.float32), put)
    assert of_nameless_files() - before >= weight.nbytes
    rounded = made.fake_quantize(values, *[runtime.constant(end) for end in (-128.0, 127.0)] * 2, 256)
    run = runtime.compiled(made.matmul(rounded, stored, transpose_a=False, transpose_b=True), [values], 1, put)
    whole = np.random.default_rng(1).integers(-127, 128, (16, 2048)).astype(np.float32)
    expected = whole.astype(np.int64) @ weight.T.astype(np.int64) * 0.01
    np.testing.assert_allclose(run(whole), expected, rtol=1e-4, atol=0.02)
    assert of_nameless_files() - before < 0.1 * weight.nbytes


def of_nameless_files() -> int:
    """Bytes that files without a name take of this process's memory."""
    total, nameless = 0, False
    for line in Path("/proc/self/smaps").read_text("utf-8").splitlines():
        if "-" in line.split()[0]:
            nameless = line.endswith("(deleted)")
        elif nameless and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total
