"""Figures are averaged over cells, and what is undefined is a dash."""

from __future__ import annotations

import pytest

from engine.training.experiment.records import Cell, Figures
from engine.training.experiment.sources import Source
from engine.training.experiment.table import Table, cells_of, headers


def figures(score: float, *, auroc: float | None = 0.9, ece: float | None = 0.1) -> Figures:
    per_class = {"cold": score, "warm": score / 2}
    return Figures(
        n=10, accuracy=score, macro_f1=score, per_class=per_class, supports={"cold": 4, "warm": 6}, auroc=auroc, ece=ece
    )


def table_of(source: Source, **rows: list[Figures]) -> Table:
    records = [
        Cell(name, "f", "weather", "d", f"{number}-of-9", 0).record({"weather": one}, 2.0, {})
        for name, found in rows.items()
        for number, one in enumerate(found)
    ]
    return Table.of(source, 9, records)


def test_rows_read_as_mean_and_deviation(source: Source) -> None:
    block = table_of(source, ours=[figures(0.4), figures(0.6)], svm=[figures(0.5, ece=None, auroc=None)]).blocks[0]
    assert headers(block) == ["row", "accuracy", "macro-F1", "F1 cold", "F1 warm", "AUROC", "ECE", "cells"]
    first, second = cells_of(block)
    assert first[:4] == ["ours", "0.500 ± 0.141", "0.500 ± 0.141", "0.500 ± 0.141"]
    assert first[4:] == ["0.250 ± 0.071", "0.900 ± 0.000", "0.100 ± 0.000", "2"]
    assert second == ["svm", "0.500", "0.500", "0.500", "0.250", "–", "–", "1"]


def test_a_figure_that_some_cells_lack_is_the_mean_of_the_others(source: Source) -> None:
    row = table_of(source, ours=[figures(0.5, auroc=None), figures(0.5, auroc=0.8)]).blocks[0].rows[0]
    assert row.auroc is not None
    assert (row.auroc.mean, row.auroc.deviation) == (0.8, None)
    assert row.macro_f1s == {"0-of-9/0": 0.5, "1-of-9/0": 0.5}


def test_many_labels_have_no_column_each(source: Source) -> None:
    many = {f"l{number}": 0.5 for number in range(9)}
    one = Figures(n=9, accuracy=0.5, macro_f1=0.5, per_class=many, supports=dict.fromkeys(many, 1))
    block = table_of(source, ours=[one]).blocks[0]
    assert headers(block) == ["row", "accuracy", "macro-F1", "AUROC", "ECE", "cells"]
    assert block.rows[0].per_class["l8"].mean == pytest.approx(0.5)
