"""Every text backbone that is trained from nothing, and late fusion, learn in a run and score from what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.models.predictor import Predictor
from engine.training.run import train

if TYPE_CHECKING:
    from tests.engine.training.conftest import Listener, RunMaker


@pytest.mark.parametrize(
    ("backbone", "settings", "rate"),
    [("char-cnn", "max_tokens = 48\nwindows = [2, 4]", "0.02"), ("bert-tiny", "layers = 1\nmax_tokens = 16", "0.005")],
)
def test_text_from_nothing_learns(
    make_run: RunMaker, listener: type[Listener], recipe: str, backbone: str, settings: str, rate: str
) -> None:
    text = recipe.replace("[text]", f'[text]\nbackbone = "{backbone}"').replace(
        "windows = [1, 2]\nmax_tokens = 16", settings
    )
    text = text.replace("epochs = 4", "epochs = 10").replace("0.02", rate)
    folder, heard = make_run(recipe=text), listener()
    card, _ = train(folder, emit=heard, cancelled=heard.cancelled)
    assert card.network["text"]["backbone"] == backbone
    assert card.metrics["test"]["mood"].macro_f1 > 0.9 > card.metrics["test"]["mood"].majority_macro_f1


def test_late_fusion_learns_and_scores_items_that_lack_a_part(
    make_run: RunMaker, listener: type[Listener], image_recipe: str
) -> None:
    late = image_recipe.replace("[fusion]", '[fusion]\nkind = "late"')
    folder, heard = make_run(make_run.items(captures=True), late), listener()
    card, _ = train(folder, emit=heard, cancelled=heard.cancelled)
    assert card.network["fusion"]["kind"] == "late"
    assert card.metrics["test"]["mood"].macro_f1 > 0.9
    content = make_run.items(captures=True)[2].content
    predictor = Predictor.load(folder / "candidate")
    both, text, image, neither = (
        next(verdict for verdict in predictor.predict([seen]) if verdict.task == "mood").probabilities["warm"]
        for seen in (
            content,
            type(content)(id="t", kind="tweet", text=content.text),
            type(content)(id="i", kind="tweet", capture=content.capture),
            type(content)(id="n", kind="tweet"),
        )
    )
    assert min(both, text, image) > 0.5
    assert neither == pytest.approx(0.5, abs=0.01)  # no such item was trained on
