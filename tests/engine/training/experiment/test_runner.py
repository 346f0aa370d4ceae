"""Tables fill cell by cell, go on where they stopped, and give the same figures as an uninterrupted run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from engine.errors import CancelledError, InputError, TrainingError
from engine.training.experiment import baselines, cells, runner
from engine.training.experiment.cells import RecipeRow, read_rows
from engine.training.experiment.records import Record
from engine.training.experiment.runner import Settings, Watch, run_table
from engine.training.experiment.sources import Source, load_items, taxonomy_of
from engine.training.recipe import load_recipe

if TYPE_CHECKING:
    from tests.engine.training.experiment.conftest import Write


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def nonsense(count: int) -> list[tuple[str, str]]:
    """Texts that are unlike each other, and labels that have nothing to do with them."""
    random = np.random.default_rng(5)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [" ".join("".join(random.choice(letters, 6)) for _ in range(12)) for _ in range(count)]
    labels = random.permutation(np.arange(count) % 2)
    return [(text, f"label {label}") for text, label in zip(texts, labels, strict=True)]


@pytest.fixture
def unlike(write: Write) -> Source:
    return load_items(write("unlike.jsonl", [{"text": text, "label": label} for text, label in nonsense(12)]))


def test_a_table_has_the_peers_and_the_recipe_on_the_same_items(source: Source, row: RecipeRow, tmp_path: Path) -> None:
    table = run_table([row], source, tmp_path / "out")
    block = table.blocks[0]
    assert [one.name for one in block.rows] == [*baselines.BASELINES, "tiny"]
    assert (block.task, block.n, block.labels) == ("weather", 12, {"cold": 6.0, "warm": 6.0})
    ours = block.row("tiny")
    assert ours is not None
    assert ours.ece is not None
    assert ours.macro_f1.deviation is None
    assert files(tmp_path / "out") == {
        path for path in files(tmp_path / "out") if path.startswith("records/weather-") and path.endswith(".json")
    }  # no checkpoint, lock or half a file is left


def test_what_is_measured_is_not_measured_again(source: Source, row: RecipeRow, tmp_path: Path) -> None:
    first = run_table([row], source, tmp_path, Settings(seeds=2))
    begun: list[str] = []
    again = run_table([row], source, tmp_path, Settings(seeds=2), Watch(cell=begun.append))
    assert again == first
    assert begun == []


def test_a_changed_recipe_is_a_row_of_its_own_and_leaves_the_others(
    source: Source, row: RecipeRow, recipe: str, tmp_path: Path
) -> None:
    run_table([row], source, tmp_path)
    changed = RecipeRow("tiny", load_recipe(recipe, ["training.epochs=1"]))
    begun: list[str] = []
    run_table([changed], source, tmp_path, None, Watch(cell=begun.append))
    assert begun == ["4/4 weather: tiny, seed 0"]


def test_settings_that_change_no_result_change_no_fingerprint(row: RecipeRow, recipe: str) -> None:
    def print_of(*settings: str) -> str:
        return RecipeRow("tiny", load_recipe(recipe, ["training.epochs=2", *settings])).fingerprint

    assert print_of("training.checkpoint_seconds=3", "data.cache_mb=7") == row.fingerprint
    assert print_of("training.learning_rate=0.5") != row.fingerprint
    assert print_of("text.width=17") != row.fingerprint


def test_a_stopped_cell_goes_on_from_its_checkpoint_and_ends_in_the_same_figures(
    source: Source, recipe: str, tmp_path: Path
) -> None:
    row = RecipeRow("tiny", load_recipe(recipe, ["training.epochs=3", "training.checkpoint_seconds=0"]))
    whole = run_table([row], source, tmp_path / "whole", Settings(peers=False))
    steps: list[int] = []
    watch = Watch(progress=lambda done, _: steps.append(done), cancelled=lambda: bool(steps) and steps[-1] >= 5)
    with pytest.raises(CancelledError):
        run_table([row], source, tmp_path / "parts", Settings(peers=False), watch)
    assert not list((tmp_path / "parts").glob("records/*/*.json"))
    rest: list[int] = []
    found = run_table(
        [row], source, tmp_path / "parts", Settings(peers=False), Watch(progress=lambda n, _: rest.append(n))
    )
    assert rest[0] > steps[0]
    assert found.blocks[0].rows[0].per_class == whole.blocks[0].rows[0].per_class
    assert found.blocks[0].rows[0].auroc == whole.blocks[0].rows[0].auroc


def test_a_table_that_is_stopped_between_cells_keeps_those_before(
    source: Source, row: RecipeRow, tmp_path: Path
) -> None:
    done: list[Record] = []
    with pytest.raises(CancelledError, match="goes on from here"):
        run_table([row], source, tmp_path, None, Watch(measured=done.append, cancelled=lambda: len(done) == 2))
    assert len(list(tmp_path.glob("records/*/*.json"))) == 2
    rest: list[Record] = []
    run_table([row], source, tmp_path, None, Watch(measured=rest.append))
    assert [record.row for record in (*done, *rest)] == [*baselines.BASELINES, "tiny"]


def test_folds_and_seeds_give_mean_and_deviation(unlike: Source, tmp_path: Path) -> None:
    table = run_table([], unlike, tmp_path, Settings(folds=3, seeds=2))
    row = table.blocks[0].row(baselines.MAJORITY)
    assert row is not None
    assert row.cells == 6
    scores = list(row.macro_f1s.values())
    assert row.macro_f1.mean == pytest.approx(np.mean(scores))
    assert row.macro_f1.deviation == pytest.approx(np.std(scores, ddof=1))


def test_on_a_fixed_split_peers_are_measured_once_and_recipes_with_every_seed(
    source: Source, row: RecipeRow, tmp_path: Path
) -> None:
    block = run_table([row], source, tmp_path, Settings(seeds=2)).blocks[0]
    assert [one.cells for one in block.rows] == [1, 1, 1, 2]


def test_near_duplicates_on_both_sides_are_kept_together_and_the_leak_is_told(write: Write, tmp_path: Path) -> None:
    """Words that say nothing of the label, and of each item a copy: only a split that parts copies can score."""
    copies = [
        {"text": text + ending, "label": label, "author": f"{number}{ending}"}
        for number, (text, label) in enumerate(nonsense(40))
        for ending in ("", " again")
    ]
    table = run_table([], load_items(write("copies.jsonl", copies)), tmp_path, Settings(folds=4))
    assert table.leak is not None
    assert table.leak.groups == 40
    assert table.leak.tasks["copies"].naive > table.leak.tasks["copies"].grouped + 0.2
    row = table.blocks[0].row(baselines.LOGISTIC)
    assert row is not None
    assert row.macro_f1.mean < 0.7  # no copy of a measured item has been learned


def test_relatives_across_a_fixed_split_are_told(write: Write, tmp_path: Path) -> None:
    rows = [
        {"text": f"{text} {side}", "label": label, "split": side}
        for number, (text, label) in enumerate(nonsense(12))
        for side in (("train", "val") if number < 5 else ("train",) if number < 10 else ("val",))
    ]
    table = run_table([], load_items(write("copies.jsonl", rows)), tmp_path)
    assert table.notes == ("5 of the 7 measured items have a near-duplicate, or one of their group, that trains.",)


def test_a_recipe_that_cannot_be_trained_is_told_and_the_others_go_on(
    source: Source, row: RecipeRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cells.measure

    def fails(one: RecipeRow, *rest: Any, **named: Any) -> Any:
        if one.name == "wild":
            raise TrainingError("Training diverged.", "Lower the rate.")
        return real(one, *rest, **named)

    monkeypatch.setattr(cells, "measure", fails)
    told: list[str] = []
    rows = [replace(row, name="wild"), row]
    table = run_table(rows, source, tmp_path, Settings(peers=False), Watch(failed=told.append))
    assert [one.name for one in table.blocks[0].rows] == ["tiny"]
    assert table.failures == tuple(told)
    assert told == ["weather: wild, seed 0 could not be measured: Training diverged. Lower the rate."]


def test_all_mistakes_of_all_recipes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[training]\nepoch = 3\n")
    (tmp_path / "b.toml").write_text("[text]\nbackbone = ''\n")
    with pytest.raises(InputError) as caught:
        read_rows([tmp_path / "a.toml", tmp_path / "b.toml"])
    assert "did you mean 'epochs'" in str(caught.value)
    assert "b.toml cannot be used" in str(caught.value)


def test_recipes_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, recipe: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.toml").write_text(recipe)
    rows = read_rows([tmp_path / "one" / "same.toml", tmp_path / "two" / "same.toml"])
    assert [row.name for row in rows] == ["one/same", "two/same"]


def test_a_cell_that_another_process_measures_is_waited_for(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While this one waits for the lock, the other one leaves its record."""
    table = run_table([], source, tmp_path / "other")
    real = runner._turn

    def busy(path: Path, check: Callable[[], None]) -> Any:
        if not (tmp_path / "mine" / "records").exists():
            (tmp_path / "other" / "records").rename(tmp_path / "mine" / "records")
        return real(path, check)

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(runner, "_turn", busy)
    begun: list[str] = []
    assert run_table([], source, tmp_path / "mine", None, Watch(cell=begun.append)) == table
    assert begun == []


def test_two_tasks_have_a_block_each(source: Source, row: RecipeRow, tmp_path: Path) -> None:
    items = tuple(
        msgspec.structs.replace(item, labels={**item.labels, "pair": (str(number % 4 // 2),)})
        for number, item in enumerate(source.items)
    )
    both = Source("both", items, taxonomy_of("both", items))
    table = run_table([row], both, tmp_path)
    assert [block.task for block in table.blocks] == ["weather", "pair"]
    assert all(block.row("tiny") is not None for block in table.blocks)
