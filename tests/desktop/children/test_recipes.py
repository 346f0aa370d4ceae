from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from desktop.children.recipes import default_recipe, next_recipe, with_masked, with_overrides
from engine.errors import InputError
from engine.taxonomy import preset
from engine.types import ModelCard
from engine.workspace import Workspace


def test_overrides_replace_values_and_keep_their_kind() -> None:
    text = '[text]\nbackbone = "cnn"\n[training]\nepochs = 10\nlearning_rate = 1e-3\n'
    changed = with_overrides(text, ["training.epochs=3", "text.backbone=none", "image.mask_regions=['handle']"])
    assert tomllib.loads(changed) == {
        "text": {"backbone": "none"},
        "training": {"epochs": 3, "learning_rate": 1e-3},
        "image": {"mask_regions": ["handle"]},
    }


def test_a_region_is_masked_beside_those_that_are_already() -> None:
    text = '[text]\nbackbone = "cnn"\nmask_users = false\n[image]\nmask_regions = ["price"]\nsize = 96\n'
    frame = with_masked(text, "elsewhere")
    assert tomllib.loads(frame) == {
        "text": {"backbone": "cnn", "mask_users": False},
        "image": {"mask_regions": ["price", "elsewhere"], "size": 96},
    }
    handle = with_masked(text, "handle")
    assert tomllib.loads(handle)["text"]["mask_users"] is True
    assert with_masked(handle, "handle") == handle
    assert tomllib.loads(with_masked("", "handle"))["image"] == {"mask_regions": ["handle"]}
    with pytest.raises(InputError, match="not valid TOML"):
        with_masked("[training", "handle")


@pytest.mark.parametrize("override", ["epochs=3", "training.epochs", ".epochs=3", "training.=3"])
def test_an_override_of_another_form_is_named(override: str) -> None:
    with pytest.raises(InputError, match=r"section\.key=value"):
        with_overrides("", [override])


def test_a_recipe_that_is_no_toml_is_refused() -> None:
    with pytest.raises(InputError, match="not valid TOML"):
        with_overrides("[training", ["training.epochs=3"])


def test_a_model_is_retrained_by_its_own_recipe(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w.secondlook", preset("tweets")) as workspace:
        assert next_recipe(workspace, None, ()) == default_recipe()
        card = ModelCard(id="m-a", created="2026-01-01T00:00:00Z", recipe="[training]\nepochs = 4\n", tasks={})
        (tmp_path / "w.secondlook" / "models" / "m-a").mkdir()
        workspace.models.register(card, tmp_path / "w.secondlook" / "models" / "m-a")
        workspace.models.promote("m-a", "The first.")
        assert next_recipe(workspace, None, ()) == card.recipe
        assert next_recipe(workspace, "[training]\nepochs = 1\n", ()) == "[training]\nepochs = 1\n"
        (workspace.path / "recipe.toml").write_text("[training]\nepochs = 2\n")
        assert next_recipe(workspace, None, ()) == "[training]\nepochs = 2\n"
        (workspace.path / "recipe.toml").write_bytes(b"\xff\xfe\xff")
        with pytest.raises(InputError, match="cannot be read"):
            next_recipe(workspace, None, ())
