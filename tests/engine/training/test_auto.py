"""A recipe may leave the text backbone open; a run and its card never do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import CancelledError, InputError
from engine.models import checkpoint, minilm
from engine.models.spec import HeadSpec, NetworkSpec, TextSpec, problems
from engine.service.protocol import EpochEnded
from engine.training.recipe import Recipe, load_recipe
from engine.training.run import train

if TYPE_CHECKING:
    from tests.engine.training.conftest import Listener, RunMaker

HEADS = (HeadSpec(task="t", labels=("a", "b")),)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "folder", lambda: None)


@pytest.fixture
def auto(recipe: str) -> str:
    return recipe.replace("[text]", '[text]\nbackbone = "auto"')


def test_a_network_never_says_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(text=TextSpec(backbone="auto"))
    monkeypatch.setattr(minilm, "folder", lambda: Path("somewhere"))
    assert recipe.network(HEADS).text.backbone == "minilm"
    monkeypatch.setattr(minilm, "folder", lambda: None)
    assert recipe.network(HEADS).text.backbone == "cnn"
    assert "auto" in problems(NetworkSpec(heads=HEADS, text=recipe.text))[0]


def test_a_run_settles_it_once(make_run: RunMaker, listener: type[Listener], auto: str, not_installed: None) -> None:
    folder, heard = make_run(recipe=auto), listener()
    card, _ = train(folder, emit=heard, cancelled=heard.cancelled)
    assert card.network["text"]["backbone"] == "cnn"
    assert 'backbone = "auto"' in card.recipe  # the next run may find more installed
    assert checkpoint.load(folder / "candidate").network.spec.text.backbone == "cnn"


def test_what_a_run_had_kept_is_of_no_use_for_another_network(
    make_run: RunMaker, listener: type[Listener], auto: str, not_installed: None
) -> None:
    """As if another backbone had been installed between two attempts."""
    folder, heard = make_run(recipe=auto), listener(until=lambda event: isinstance(event, EpochEnded))
    with pytest.raises(CancelledError):
        train(folder, emit=heard, cancelled=heard.cancelled)
    (folder / "recipe.toml").write_text(auto.replace("width = 16", "width = 8"))
    again = listener()
    card, _ = train(folder, emit=again, cancelled=again.cancelled)
    assert card.network["text"]["width"] == 8
    assert [event.epoch for event in again.of(EpochEnded) if isinstance(event, EpochEnded)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("given", "meant"), [("minlm", "minilm"), ("Auto", "auto"), ("cnnn", "cnn"), ("non", "none")])
def test_a_misspelt_backbone_gets_did_you_mean(given: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"Did you mean '{meant}'"):
        load_recipe(f"[text]\nbackbone = '{given}'")


@pytest.mark.parametrize("name", ["bert-base-uncased", "nlpaueb/cnn", "./cnn", "albert-base-v2", "vinai/bertweet-base"])
def test_hub_ids_and_folders_are_taken_as_they_are(name: str) -> None:
    assert load_recipe(f"[text]\nbackbone = '{name}'").text.backbone == name


def test_a_folder_called_like_a_backbone_does_not_stand_in_its_way(tmp_path: Path) -> None:
    for name in ("cnn", "mine"):
        (tmp_path / name).mkdir()
    assert load_recipe("[text]\nbackbone = 'cnn'").anchored(tmp_path).text.backbone == "cnn"
    assert load_recipe("[text]\nbackbone = './cnn'").anchored(tmp_path).text.backbone == str(tmp_path / "cnn")
    assert load_recipe("[text]\nbackbone = 'mine'").anchored(tmp_path).text.backbone == str(tmp_path / "mine")
