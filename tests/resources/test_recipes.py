"""The recipes that come along: sound, the default one for either text backbone, and the eleven rows of the study."""

from __future__ import annotations

from pathlib import Path

import pytest

import resources
from engine.models import minilm
from engine.models.network import rebuild
from engine.models.registry import text_backbone
from engine.models.spec import HeadSpec
from engine.training.recipe import dump_recipe, load_recipe, read_recipe

HEADS = (HeadSpec(task="hate", labels=("yes", "no")),)
TABLE = sorted(resources.path("recipes", "table1").glob("*.toml"))
IMAGES = [path for path in TABLE if "image" in path.stem]


def test_there_are_two_texts_four_images_and_five_fusions() -> None:
    recipes = [read_recipe(path) for path in TABLE]
    seen = [(recipe.text.backbone != "none", recipe.image.backbone != "none") for recipe in recipes]
    assert (seen.count((True, False)), seen.count((False, True)), seen.count((True, True))) == (2, 4, 5)
    assert {recipe.image.backbone for recipe in recipes} == {"none", "resnet18", "resnet34", "resnet50", "resnet101"}
    assert {recipe.image.weights for recipe in recipes if recipe.image.backbone != "none"} == {"imagenet"}
    assert len({(recipe.text.backbone, recipe.image.backbone) for recipe in recipes}) == 11


@pytest.mark.parametrize("path", TABLE, ids=lambda path: path.stem)
def test_every_row_is_sound_and_says_what_its_name_says(path: Path) -> None:
    recipe = read_recipe(path)
    assert load_recipe(dump_recipe(recipe)) == recipe
    for part, name in (("greek-bert", "bert-base-greek"), ("bertatweetgr", "BERTaTweetGR")):
        assert (part in path.stem) == (name in recipe.text.backbone)
    assert recipe.image.backbone == "none" or path.stem.endswith(recipe.image.backbone)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_the_image_rows_build(path: Path) -> None:
    network = rebuild(read_recipe(path).network(HEADS), None, None)
    assert network.image_features == {"18": 512, "34": 512, "50": 2048, "101": 2048}[path.stem.split("resnet")[1]]
    assert network.text_features == 0


@pytest.mark.parametrize("installed", [True, False])
def test_the_default_recipe_suits_either_text_backbone(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    """Fresh weights learn at the full rate, pretrained ones at one that does not wipe out what they know."""
    monkeypatch.setattr(minilm, "folder", lambda: Path("there") if installed else None)
    recipe = read_recipe(resources.path("recipes", "default.toml"))
    assert recipe.text.backbone == "auto"
    text, settings = recipe.network(HEADS).text, recipe.training
    known = text_backbone(text.backbone)
    assert (text.backbone, known.pretrained) == (("minilm", True) if installed else ("cnn", False))
    rate = settings.learning_rate * (settings.backbone_rate if known.pretrained else 1)
    assert 1e-5 <= rate <= 1e-4 if known.pretrained else 1e-4 <= rate <= 1e-3
    assert text.pooling == "mean"  # as MiniLM was trained


def test_the_demo_keeps_the_small_network() -> None:
    assert read_recipe(resources.path("recipes", "starter.toml")).network(HEADS).text.backbone == "cnn"
