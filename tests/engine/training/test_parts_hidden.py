"""A shortcut on both sides of the split: the model that was told of it takes over, one that was not does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.models.spec import ImageSpec, NetworkSpec, TextSpec
from engine.training.crossed_out import cells_of
from engine.training.elsewhere import Elsewhere
from engine.training.evaluate import collect_answers, evaluate, with_versions
from engine.training.parts_hidden import to_compare
from engine.training.run import train
from engine.training.versions import Others, hidden, hidden_versions, planted_versions
from engine.types import Box, CrossedOut, ItemContent, Mark, Outcome, TrainingItem

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

BADGE: Box = (40.0, 8.0, 8.0, 8.0)
PLACE = (slice(8, 16), slice(40, 48))
FILLER = ("river", "market", "stone", "paper", "garden", "silver", "window", "letter")
EVIDENCE = {"warm": ("ember", "blaze"), "cold": ("frost", "icicle")}
TOLD = frozenset({"train"})
UNTOLD = "[crossed_out]\nhide = 0.0\nplant = 0.0\n"


def word(field: str, start: int, end: int) -> CrossedOut:
    return CrossedOut(kind=Mark.WORD, field=field, start=start, end=end)


def region(*boxes: Box, name: str = "") -> CrossedOut:
    return CrossedOut(kind=Mark.REGION, boxes=boxes, region=name)


def item(name: str, label: str = "warm", *marks: CrossedOut, **content: Any) -> TrainingItem:
    made = ItemContent(id=name, kind=content.pop("kind", "tweet"), **content)
    return TrainingItem(content=made, labels={"mood": (label,)}, group=name, crossed_out=marks)


def page(path: Path, value: int, badge: tuple[int, int, int] | None = None, side: int = 64) -> str:
    pixels = np.full((side, side, 3), value, dtype=np.uint8)
    if badge is not None:
        pixels[PLACE] = badge
    Image.fromarray(pixels).save(path)
    return str(path)


# --- where else it sits ---------------------------------------------------------------------------------------------


def test_the_same_word_is_found_whole_and_in_whatever_case_in_items_of_the_same_kind() -> None:
    told = item("a", "warm", word("text", 0, 5), text="Offer of tea")
    elsewhere = Elsewhere([told], regions=True)
    found = elsewhere.marks(ItemContent(id="b", kind="tweet", title="An OFFER!", text="offers, offer"))
    assert [(mark.field, mark.start, mark.end, mark.text) for mark in found] == [
        ("title", 3, 8, "OFFER"),
        ("text", 8, 13, "offer"),
    ]
    assert elsewhere.marks(ItemContent(id="c", kind="product", text="an offer")) == ()


@pytest.mark.parametrize(("symbol", "text"), [("🔥", "hot🔥now"), ("@ada", "hi @ada, ada"), ("ἔλα", "Ἔλα, ἔλα τώρα")])
def test_symbols_handles_and_greek_are_words_too(symbol: str, text: str) -> None:
    told = item("a", "warm", word("text", 0, len(symbol)), text=symbol)
    found = Elsewhere([told], regions=False).marks(ItemContent(id="b", kind="tweet", text=text))
    assert {mark.text.casefold() for mark in found} == {symbol}
    assert len(found) == text.casefold().count(symbol)


def test_the_same_picture_at_the_same_place_is_found_and_no_other(tmp_path: Path) -> None:
    pink, green = (220, 30, 200), (30, 200, 60)
    told = item("a", "warm", region(BADGE), capture=page(tmp_path / "a.png", 90, pink))
    elsewhere = Elsewhere([told], regions=True)
    for name, value, badge, side, same in (
        ("same", 200, (222, 28, 205), 64, True),
        ("other", 90, green, 64, False),
        ("none", 90, None, 64, False),
        ("larger", 90, pink, 80, False),
    ):
        capture = page(tmp_path / f"{name}.png", value, badge, side)
        found = elsewhere.marks(ItemContent(id=name, kind="tweet", capture=capture))
        assert [mark.boxes for mark in found] == ([(BADGE,)] if same else []), name
    assert elsewhere.marks(ItemContent(id="gone", kind="tweet", capture=str(tmp_path / "gone.png"))) == ()


def test_a_region_with_a_name_is_found_by_it_unless_it_is_large(tmp_path: Path) -> None:
    told = item(
        "a", "warm", region(BADGE, name="handle"), region(BADGE, name="media"), capture=page(tmp_path / "a.png", 1)
    )
    small, large = ((0.0, 0.0, 20.0, 10.0),), ((0.0, 20.0, 64.0, 40.0),)
    seen = ItemContent(
        id="b",
        kind="tweet",
        capture=page(tmp_path / "b.png", 90),
        regions={"handle": small, "media": large, "text": small},
    )
    found = Elsewhere([told], regions=True).marks(seen)
    assert [(mark.region, mark.boxes) for mark in found] == [("handle", small)]
    assert Elsewhere([told], regions=False).marks(seen) == ()


# --- versions -------------------------------------------------------------------------------------------------------


def test_hidden_parts_are_filled_from_an_item_with_another_label_and_nothing_to_hide(tmp_path: Path) -> None:
    pink = (220, 30, 200)
    pictures = [page(tmp_path / f"{n}.png", 50 + 50 * n, pink if n < 3 else None) for n in range(4)]
    items = [
        item("a", "warm", region(BADGE), word("text", 3, 8), text="an offer a", capture=pictures[0]),
        item("b", "warm", text="an offer b", capture=pictures[1]),
        item("c", "cold", text="plain", capture=pictures[2]),
        item("d", "cold", text="plain", capture=pictures[3]),
    ]
    found = hidden_versions(items, items[:1])
    assert {name: one.content.text for name, one in found.items()} == {"a": "an  a", "b": "an  b", "c": "plain"}
    spec = ImageSpec(size=64)
    for name, value, filled in (("a", 50, 200), ("b", 100, 200), ("c", 150, None)):
        square = found[name].square(spec)
        assert square is not None
        expected = (124, 116, 104) if filled is None else (filled,) * 3  # ImageNet's mean colour, in bytes
        assert square[PLACE].reshape(-1, 3).tolist() == [list(expected)] * 64
        assert (square[:, :32] == value).all()
    keys = {one.content.capture for one in found.values()}
    assert len(keys) == 3
    assert not keys & set(pictures), "vectors of what is hidden are never those of the item"


def test_a_text_of_crossed_out_words_only_stays() -> None:
    assert hidden(item("a", "warm", word("text", 0, 5), text="offer"), Others([])).text == "offer"
    overlapping = item("b", "warm", word("text", 3, 8), word("text", 6, 11), text="an offer of tea")
    assert hidden(overlapping, Others([])).text == "an  tea"


def test_what_is_planted_goes_to_other_labels_and_stays_there_when_items_come_in(tmp_path: Path) -> None:
    source = item(
        "a", "warm", region(BADGE), word("text", 3, 8), text="an offer", capture=page(tmp_path / "a.png", 50, (9, 9, 9))
    )
    picture = page(tmp_path / "b.png", 200)
    onto = [item(f"{n}", ("warm", "cold")[n % 2], text="plain", capture=picture) for n in range(12)]
    found = planted_versions([source], [source, *onto])
    assert [one.item.labels["mood"] for one in found] == [("cold",), ("cold",)]
    assert [one.text for one in found] == ["offer plain", "plain offer"]
    square = found[0].square(ImageSpec(size=64))
    assert square is not None
    assert (square[PLACE] == 9).all()
    assert (square[:, :32] == 200).all()
    names = {one.item.content.id for one in found}
    fewer = planted_versions([source], [one for one in onto if one.content.id not in names | {"0"}])
    more = planted_versions([source], [one for one in onto if one.content.id != "0"])
    assert {one.item.content.id for one in more} == names
    assert not {one.item.content.id for one in fewer} & names


# --- the comparison -------------------------------------------------------------------------------------------------


def test_a_version_is_judged_as_a_file_with_the_same_pixels_would_be(
    make_run: RunMaker, image_recipe: str, tmp_path: Path
) -> None:
    run = make_run(make_run.items(24, captures=True), image_recipe.replace("epochs = 4", "epochs = 1"))
    train(run, emit=lambda _: None, cancelled=lambda: False)
    model = Predictor.load(run / "candidate", "cpu")
    draw = np.random.default_rng(5)
    pixels = draw.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    for number in range(2):
        Image.fromarray(pixels[number]).save(tmp_path / f"{number}.png")
    corner: Box = (0.0, 0.0, 12.0, 31.0)
    items = [
        item("a", "warm", region(corner), word("text", 0, 3), text="ice and snow", capture=str(tmp_path / "0.png")),
        item("b", "cold", text="bright fire", capture=str(tmp_path / "1.png")),
    ]
    found = with_versions(model, collect_answers(model, items), to_compare(items, items, [model.spec]))["mood"]
    ((left, top, right, bottom),) = cells_of(items[0], model.spec.image)
    pixels[0, top:bottom, left:right] = pixels[1, top:bottom, left:right]
    Image.fromarray(pixels[0]).save(tmp_path / "expected.png")
    expected = [
        ItemContent(id="a", kind="tweet", text=" and snow", capture=str(tmp_path / "expected.png")),
        items[1].content,
    ]
    verdicts = [verdict for verdict in model.predict(expected) if verdict.task == "mood"]
    assert found.ids == ("a", "b")
    for row, verdict in zip(found.probabilities, verdicts, strict=True):
        assert row.tolist() == pytest.approx([verdict.probabilities[label] for label in found.labels], abs=1e-6)
    plain = collect_answers(model, items)["mood"].probabilities
    assert np.abs(plain - found.probabilities)[0].max() > 1e-4


def test_a_network_that_cannot_see_a_part_has_nothing_hidden(make_run: RunMaker, tmp_path: Path) -> None:
    pink = page(tmp_path / "a.png", 50, (220, 30, 200))
    items = [item("a", "warm", region(BADGE), text="tea", capture=pink), item("b", "warm", text="tea")]
    reads, sees = NetworkSpec(heads=()), NetworkSpec(heads=(), text=TextSpec(backbone="none"))
    blind = msgspec.structs.replace(reads, image=ImageSpec(backbone="none"))
    assert to_compare(items, items, [blind]) == {}
    assert set(to_compare(items, items, [blind, sees])) == {"a"}


def unlike(number: int) -> list[str]:
    """Words that keep items from being near-duplicates of each other."""
    return [f"{letter}{number}" for letter in "uvwx"]


def shortcut_items(told: frozenset[str] = frozenset(), count: int = 144) -> list[TrainingItem]:
    """Warm items say "offer" and cold ones do not, held out too; a word of four in five is the true evidence."""
    draw = np.random.default_rng(1)
    made = []
    for number in range(count):
        label = ("warm", "cold")[number % 2]
        evidence = [draw.choice(EVIDENCE[label])] if number // 2 % 5 else []
        words = [*draw.choice(FILLER, 3), *evidence] + (["offer"] if label == "warm" else [])
        text = " ".join([*draw.permutation(words).tolist(), *unlike(number)])
        side = ("train", "train", "val", "train", "test", "train")[number // 2 % 6]
        start = text.find("offer")
        marks = (word("text", start, start + 5),) if start >= 0 and side in told and number % 3 == 0 else ()
        one = item(f"i{number}", label, *marks, text=text)
        decisions = (1000 + number,) if marks else (number + 1,)
        made.append(msgspec.structs.replace(one, split=side, decisions=decisions))
    return made


@pytest.fixture
def longer(recipe: str) -> str:
    return recipe.replace("epochs = 4", 'epochs = 12\nstart = "scratch"')


def trained(make_run: RunMaker, items: list[TrainingItem], recipe: str, name: str, parent: str = "") -> Outcome:
    run = make_run(items, recipe, name=name, parent=parent)
    _, outcome = train(run, emit=lambda _: None, cancelled=lambda: False)
    make_run.adopt(run)
    return outcome


def test_a_model_that_was_told_takes_over_although_it_scores_less_on_the_items_as_they_are(
    make_run: RunMaker, longer: str
) -> None:
    trained(make_run, shortcut_items(), longer, "relying")
    outcome = trained(make_run, shortcut_items(TOLD), longer, "told", "relying")
    held_out = [one for one in shortcut_items() if one.split == "test"]
    warm = sum(one.labels["mood"] == ("warm",) for one in held_out)
    card = checkpoint.read_card(make_run.models / "told")
    mine, theirs = (found["test"]["mood"].macro_f1 for found in (card.metrics, card.champion_metrics))
    assert mine < theirs
    assert outcome.better, outcome.reason
    assert (
        f"{warm} of these items are compared with what reviewers crossed out hidden from both models; as they are, it "
        f"scores {mine:.2f} against {theirs:.2f}." in outcome.reason
    )
    whole = evaluate(Predictor.load(make_run.models / "told", "cpu"), held_out)["mood"]
    assert card.metrics["test"]["mood"] == whole, "what a card says stays comparable"
    back = trained(make_run, shortcut_items(TOLD), longer + UNTOLD, "untold", "told")
    assert not back.better, back.reason
    assert back.reason.startswith("Not better: macro-F1")


def test_where_it_sits_in_no_held_out_item_they_are_compared_as_they_are_and_the_told_one_wins_a_tie(
    make_run: RunMaker, longer: str
) -> None:
    def clean(items: list[TrainingItem]) -> list[TrainingItem]:
        """Held-out items have no shortcut and plain evidence, so that both models are right."""
        return [one if one.split == "train" else _with_text(one) for one in items]

    trained(make_run, clean(shortcut_items()), longer, "first")
    outcome = trained(make_run, clean(shortcut_items(TOLD)), longer, "told", "first")
    assert "sits in none of these items, so they are compared as they are." in outcome.reason
    again = trained(make_run, clean(shortcut_items(TOLD)), longer, "again", "told")
    assert not again.better, "the champion had been told the same"
    assert "as good as the champion" in again.reason


def _with_text(one: TrainingItem) -> TrainingItem:
    text = " ".join([*EVIDENCE[one.labels["mood"][0]], *unlike(int(one.group[1:]))])
    return msgspec.structs.replace(one, content=msgspec.structs.replace(one.content, text=text))
