from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import engine.explain
from engine.errors import InputError
from engine.models.predictor import Predictor
from engine.taxonomy import preset
from engine.types import Explanation, Item, ItemContent, ModelCard, Verdict
from engine.workspace import Workspace

ITEMS = 30
WAY_OUT = """secondlook retrain WORKSPACE --set 'image.mask_regions=["price", "handle"]' --set text.mask_users=true"""


def explanation(item: str, task: str, label: str, handle: float) -> Explanation:
    return Explanation(
        item=item,
        task=task,
        label=label,
        model="m1",
        probability=0.9,
        modality_share={"text": 0.5, "image": 0.5},
        region_share={"handle": handle, "media": 1 - handle},
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A workspace whose first 25 of 30 tweets are explained by half a handle."""
    folder = tmp_path / "w.secondlook"
    network = {"image": {"mask_regions": ["price"]}}
    card = ModelCard(id="m1", created="", recipe="", tasks={"toxicity": ("toxic", "non-toxic")}, network=network)
    with Workspace.create(folder, preset("tweets")) as ws:
        ws.items.add((Item(id=f"t{number:02}", kind="tweet", text="words"), None) for number in range(ITEMS))
        (folder / "models" / "m1").mkdir()
        ws.models.register(card, folder / "models" / "m1")
        ws.models.promote("m1", "the first")
        ws.explanations.put_many(explanation(f"t{number:02}", "toxicity", "toxic", 0.8) for number in range(25))
    return folder


def test_a_shortcut_is_told_with_the_way_out(secondlook: Any, made: Path) -> None:
    document = secondlook("looks", made, "--json").json
    assert document["items"] == 25
    assert document["shares"] == pytest.approx({"words": 0.5, "handle": 0.4, "media": 0.1})
    assert document["shortcut"] == {"region": "handle", "share": pytest.approx(0.4)}
    out = secondlook("looks", made, "--model", "m1").out
    assert document["warning"] in out
    assert "handle  40 %" in out
    assert WAY_OUT in out


def test_without_explanations_or_models_it_says_how_to_get_them(secondlook: Any, made: Path, tmp_path: Path) -> None:
    with Workspace.open(made) as ws:
        card = ModelCard(id="m2", created="", recipe="", tasks={})
        (made / "models" / "m2").mkdir()
        ws.models.register(card, made / "models" / "m2")
    ended = secondlook("looks", made, "--model", "m2")
    assert (ended.status, "--explain 50" in ended.out) == (0, True)
    assert "Did you mean 'm1'" in secondlook("looks", made, "--model", "m11").err
    assert secondlook("init", tmp_path / "new.secondlook", "--preset", "tweets").status == 0
    assert "There is no model yet" in secondlook("looks", tmp_path / "new.secondlook").err


def test_items_that_are_not_explained_yet_are_explained_on_demand(
    secondlook: Any, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Model:
        def predict(self, contents: list[ItemContent], **_: object) -> list[Verdict]:
            (content,) = contents
            chances = {"toxic": 0.1, "non-toxic": 0.9}
            answer = {"label": "non-toxic", "labels": ("non-toxic",), "probability": 0.9, "probabilities": chances}
            return [Verdict(item=content.id, task="toxicity", model="m1", **answer)]  # type: ignore[arg-type]

    def explain(_model: Model, content: ItemContent, task: str, label: str, **_: object) -> Explanation:
        if content.id == "t26":
            raise InputError("The screenshot of item 't26' cannot be read: gone.", "Import the item again.")
        asked.append(content.id)
        return explanation(content.id, task, label, 0.0)

    monkeypatch.setattr(Predictor, "load", lambda _folder: Model())
    monkeypatch.setattr(engine.explain, "explain", explain)
    assert secondlook("looks", made, "--explain", 2, "--json").json["items"] == 27
    assert asked == ["t25", "t27"]
    rest = secondlook("looks", made, "--explain", 50, "--json")
    assert rest.json["items"] == ITEMS - 1
    assert "1 item could not be explained. The screenshot of item 't26' cannot be read: gone. Import the" in rest.err
    assert sorted(asked) == ["t25", "t27", "t28", "t29"]
