"""Recipes: read, overridden, written back, and every mistake named at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.models.spec import ImageSpec, TextSpec
from engine.training.recipe import Recipe, TrainingRecipe, dump_recipe, load_recipe, read_recipe

RECIPES = Path(__file__).parents[3] / "resources" / "recipes"


def test_an_empty_recipe_has_defaults() -> None:
    assert load_recipe("") == Recipe()


def test_overrides_win_and_are_typed() -> None:
    recipe = load_recipe(
        "[training]\nepochs = 9\n[text]\nbackbone = 'none'",
        ["training.epochs=3", "text.backbone=cnn", "fusion.hidden=[32, 16]", "training.class_weights=true"],
    )
    assert recipe.training.epochs == 3
    assert recipe.text.backbone == "cnn"
    assert recipe.fusion.hidden == (32, 16)
    assert recipe.training.class_weights is True


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    assert load_recipe("[training]\nclip = 1").training.clip == 1.0


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load_recipe(
            "[traning]\n[training]\nepoch = 3\nlearning_rate = 'fast'\noptimizer = 'adamww'\n[image]\nsize = 5",
            ["training.batch_size=1", "epochs=3", "text.emoji=word"],
            source="mine.toml",
        )
    message = str(caught.value)
    for part in (
        "mine.toml",
        "[traning] (did you mean 'training'?)",
        "'epoch' (did you mean 'epochs'?)",
        "training.learning_rate is 'fast'",
        "training.optimizer is 'adamww'",
        "(did you mean 'adamw'?)",
        "image.size is 5",
        "training.batch_size is 1",
        "'epochs=3' is no setting",
        "text.emoji",
    ):
        assert part in message


@pytest.mark.parametrize("value", ["nan", "inf", "-1.0"])
def test_odd_numbers_are_refused(value: str) -> None:
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        load_recipe(f"[training]\nlearning_rate = {value}")


def test_a_setting_where_a_section_belongs_is_refused() -> None:
    with pytest.raises(InputError, match="text must be a section"):
        load_recipe("text = 3", ["text.width=4"])


def test_tasks_have_weights_by_name() -> None:
    recipe = load_recipe("[tasks]\nhate = 0.8\n'odd name' = 2", ["tasks.stance=1"])
    assert recipe.tasks == {"hate": 0.8, "odd name": 2.0, "stance": 1.0}
    assert load_recipe(dump_recipe(recipe)) == recipe


@pytest.mark.parametrize("value", ["0", "-1", "nan", "true", "'much'", "1e9"])
def test_odd_task_weights_are_refused_with_the_other_mistakes(value: str) -> None:
    with pytest.raises(InputError, match=r"'epoch'.*tasks\.hate is .*from 0\.001 to 1000"):
        load_recipe(f"[training]\nepoch = 3\n[tasks]\nhate = {value}")


def test_two_ways_of_weighing_labels_are_one_too_many() -> None:
    with pytest.raises(InputError, match=r"class_weights and training\.class_balance_beta"):
        load_recipe("[training]\nclass_weights = true\nclass_balance_beta = 0.99")


def test_misspelt_losses_and_batches_get_a_hint() -> None:
    with pytest.raises(InputError, match=r"did you mean 'focal'.*did you mean 'alternating'"):
        load_recipe("[training]\nloss = 'focall'\nbatches = 'alternate'")


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(InputError, match="line 2"):
        load_recipe("[training]\nepochs = = 3")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        read_recipe(tmp_path / "nowhere.toml")


@given(st.text(max_size=20).map("hub/{}".format), st.floats(1e-8, 1.0), st.lists(st.text(max_size=5), max_size=3))
def test_what_is_written_reads_back_equal(backbone: str, rate: float, regions: list[str]) -> None:
    recipe = Recipe(
        text=TextSpec(backbone=backbone),
        image=ImageSpec(mask_regions=tuple(regions)),
        training=TrainingRecipe(learning_rate=rate),
    )
    assert load_recipe(dump_recipe(recipe)) == recipe


@pytest.mark.parametrize("name", ["starter", "default"])
def test_the_recipes_that_come_along_are_sound(name: str) -> None:
    recipe = read_recipe(RECIPES / f"{name}.toml")
    assert load_recipe(dump_recipe(recipe)) == recipe
