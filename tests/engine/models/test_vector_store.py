"""Kept vectors: the same verdicts without a look at the item, for the same content only, in bounded memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from engine.models import checkpoint, predictor
from engine.models.predictor import Predictor
from engine.models.spec import NetworkSpec
from engine.models.vector_store import VectorStore, backbones_digest, content_key
from engine.types import ItemContent

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]
ITEM = ItemContent(id="a", kind="tweet", title="t", text="words", capture=None, regions={"price": ((1, 2, 3, 4),)})


@pytest.fixture
def model(spec: NetworkSpec, make_model: MakeModel, tmp_path: Path) -> Predictor:
    model = Predictor.load(make_model(spec), "cpu")
    model.store = VectorStore.of(model.loaded, tmp_path / "features")
    return model


def blind(model: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make sure that neither captures nor backbones are used any more."""

    def refuse(*_: object) -> None:
        raise AssertionError("the item was looked at again")

    monkeypatch.setattr(predictor, "prepare_capture", refuse)
    monkeypatch.setattr("engine.models.decoding.prepare_capture", refuse)
    monkeypatch.setattr(type(model._scorer), "text_vectors", refuse)
    monkeypatch.setattr(type(model._scorer), "square_vectors", refuse)


def test_no_item_is_looked_at_twice(model: Predictor, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch) -> None:
    items = make_items(16)
    assert model.predict_known(items) is None
    first = model.predict(items)
    blind(model, monkeypatch)
    again = model.predict(items)
    assert model.predict_known(items) == again
    assert [(one.item, one.task, one.label) for one in again] == [(one.item, one.task, one.label) for one in first]
    differences = [abs(one.probability - other.probability) for one, other in zip(first, again, strict=True)]
    assert max(differences) < 2e-3  # half precision has eleven bits


def test_new_items_among_known_ones_come_in_their_order(model: Predictor, make_items: MakeItems) -> None:
    items = make_items(12)
    model.predict(items[::3])
    fresh = Predictor(model.loaded, torch.device("cpu")).predict(items)
    mixed = model.predict(items)
    assert [(one.item, one.task) for one in mixed] == [(one.item, one.task) for one in fresh]
    assert max(abs(one.probability - other.probability) for one, other in zip(mixed, fresh, strict=True)) < 2e-3


def test_what_an_explanation_computes_is_kept(model: Predictor, make_items: MakeItems) -> None:
    from engine.explain.lime import explain_steps

    items = make_items(7)
    for item in (items[0], items[6]):  # the last has no screenshot
        next(step for step in explain_steps(model, item, "toxicity", "toxic") if step is not None)
    known = model.predict_known([items[0], items[6]])
    assert known is not None
    fresh = Predictor(model.loaded, torch.device("cpu")).predict([items[0], items[6]])
    assert [one.probability for one in known] == pytest.approx([one.probability for one in fresh], abs=2e-3)


def test_vectors_outlive_the_process(
    model: Predictor, make_items: MakeItems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = make_items(9)
    first = model.predict(items)
    model.keep_vectors()
    later = Predictor(model.loaded, torch.device("cpu"))
    later.store = VectorStore.of(model.loaded, tmp_path / "features")
    blind(later, monkeypatch)
    assert [one.label for one in later.predict(items)] == [one.label for one in first]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"id": "b"}, True),
        ({"text": "other words"}, False),
        ({"title": ""}, False),
        ({"capture": "/elsewhere/" + "0" * 64 + ".png"}, False),
        ({"regions": {}}, False),
    ],
)
def test_the_key_is_what_the_item_holds(change: dict[str, object], same: bool) -> None:
    assert (content_key(msgspec.structs.replace(ITEM, **change)) == content_key(ITEM)) is same


def test_a_capture_counts_by_its_name_in_a_workspace_and_by_its_file_elsewhere(tmp_path: Path) -> None:
    def key(path: Path) -> bytes:
        return content_key(msgspec.structs.replace(ITEM, capture=str(path)))

    named = "c" * 64 + ".png"
    assert key(tmp_path / "one" / named) == key(tmp_path / "other" / named)
    plain = tmp_path / "page.png"
    plain.write_bytes(b"1")
    before = key(plain)
    plain.write_bytes(b"22")
    assert key(plain) != before


def test_an_item_whose_capture_cannot_be_read_is_not_kept(model: Predictor, make_items: MakeItems) -> None:
    item = make_items(1)[0]
    assert item.capture is not None
    sound = Path(item.capture).read_bytes()
    Path(item.capture).write_bytes(b"broken")
    model.predict([item])
    assert model.store is not None
    assert item not in model.store
    Path(item.capture).write_bytes(sound)
    model.predict([item])
    assert item in model.store


def contents(count: int) -> list[ItemContent]:
    return [ItemContent(id=f"i{number}", kind="tweet", text=f"words {number}") for number in range(count)]


def put(store: VectorStore, items: list[ItemContent], *, keep: bool = False, value: float = 1.0) -> None:
    text = torch.full((len(items), 4), value)
    store.add(items, np.ones(len(items), np.uint8), text, torch.zeros(len(items), 0), keep=keep)


def test_memory_is_bounded_and_labelled_items_find_room() -> None:
    store = VectorStore(4, 0, limit_bytes=3 * 8)
    items = contents(5)
    put(store, items[:4])
    assert [item in store for item in items] == [True, True, True, False, False]
    put(store, [items[4]], keep=True)
    assert [item in store for item in items] == [False, True, True, False, True]
    assert len(store) == 3


def test_vectors_that_half_precision_cannot_hold_are_left_out() -> None:
    store = VectorStore(4, 0)
    put(store, contents(1), value=1e6)
    assert len(store) == 0


def test_a_missing_part_is_the_learned_vector_of_the_model_that_asks() -> None:
    store = VectorStore(2, 2)
    item = contents(1)[0]
    store.add([item], np.array([2], np.uint8), torch.zeros(1, 2), torch.full((1, 2), 7.0), keep=False)
    text, image = store.take([0], np.array([1.5, 2.5], np.float32), np.array([0.0, 0.0], np.float32))
    assert text.tolist() == [[1.5, 2.5]]
    assert image.tolist() == [[7.0, 7.0]]


def test_the_digest_follows_the_backbones_and_not_the_heads(spec: NetworkSpec, make_model: MakeModel) -> None:
    loaded = dataclasses.replace(checkpoint.load(make_model(spec)), source=None)  # as it is in memory
    before = backbones_digest(loaded)
    with torch.no_grad():
        loaded.network.heads["toxicity"].weight.add_(1)  # type: ignore[operator]
        loaded.network.missing_text.add_(1)
    assert backbones_digest(loaded) == before
    with torch.no_grad():
        next(loaded.network.text.parameters()).add_(1)  # type: ignore[union-attr]
    assert backbones_digest(loaded) != before


def test_the_digest_follows_the_preparation_of_text(spec: NetworkSpec, make_model: MakeModel) -> None:
    plain = msgspec.structs.replace(spec, text=msgspec.structs.replace(spec.text, lower_case=False))
    one, other = (checkpoint.load(make_model(each, name)) for each, name in ((spec, "a"), (plain, "b")))
    assert backbones_digest(one) != backbones_digest(other)
