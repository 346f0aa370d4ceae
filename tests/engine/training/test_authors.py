"""An author is positive if at least one item is: as training data for profiles, and as a score over items."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from engine.errors import InputError, TrainingError
from engine.models.predictor import Predictor
from engine.taxonomy import Taxonomy, parse_taxonomy
from engine.training.authors import author_items, author_label, authors_of, evaluate_authors, positives_of
from engine.training.run import train
from engine.types import ItemContent, ModelCard, TrainingItem, Verdict

if TYPE_CHECKING:
    from tests.engine.training.conftest import RunMaker

TASKS = """
name = "accounts"

[[tasks]]
name = "tone"
applies_to = ["tweet", "profile"]
labels = [
  { name = "threat", key = "1", severity = 4 },
  { name = "insult", key = "2", severity = 2 },
  { name = "fine", key = "3", severity = 0 },
]

[[tasks]]
name = "topics"
kind = "multi"
applies_to = ["tweet", "profile"]
labels = [{ name = "sport", key = "4" }, { name = "news", key = "5" }]

[[tasks]]
name = "language"
labels = [{ name = "greek", key = "6" }, { name = "english", key = "7" }]
"""
Labels = dict[str, tuple[str, ...]]
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def accounts() -> Taxonomy:
    return parse_taxonomy(TASKS)


def item(
    name: str, author: str, tone: str = "", *, kind: str = "tweet", split: str = "", number: int = 0
) -> TrainingItem:
    labels: Labels = {"tone": (tone,)} if tone else {}
    content = ItemContent(id=name, kind=kind, text=name)
    decisions = (number,) if number else ()
    return TrainingItem(content=content, labels=labels, group=f"author:{author}", split=split, decisions=decisions)


def test_one_positive_item_makes_the_author_positive(accounts: Taxonomy) -> None:
    items = [
        item("1", "ann", "fine", number=3),
        item("2", "@Ann", "insult", number=1),
        item("3", "ann", "fine"),
        item("p1", "ann", kind="profile"),
        item("p2", "ann", kind="profile"),
        item("4", "bob", "fine"),
        item("p3", "bob", kind="profile"),
        item("5", "eve", "threat"),
        item("p4", "dan", kind="profile"),
        replace(item("6", "x", "threat"), group="text:1"),
    ]
    found, asked = author_items(items, accounts, ["tone"])
    assert [(one.content.id, one.labels["tone"], one.group) for one in found] == [
        ("p2", ("insult",), "author:ann"),
        ("p3", ("fine",), "author:bob"),
    ]
    assert found[0].decisions == (1, 3)
    assert [(task.name, task.applies_to) for task in asked.tasks] == [("tone", ("profile",))]


def test_the_first_of_the_positive_labels_wins_else_the_most_frequent(accounts: Taxonomy) -> None:
    tone = accounts.task("tone")
    items = [item("1", "a", "insult"), item("2", "a", "fine"), item("3", "a", "insult"), item("4", "a", "threat")]
    assert positives_of(tone) == ("threat", "insult")
    assert author_label(tone, items, ("threat", "insult")) == ("threat",)
    assert author_label(tone, items, ("insult", "threat")) == ("insult",)
    assert author_label(tone, items[:3], ("threat",)) == ("insult",)
    assert author_label(tone, [item("5", "a")], ("threat",)) is None


def test_a_multi_label_task_takes_every_label_that_an_item_has(accounts: Taxonomy) -> None:
    topics = accounts.task("topics")
    items = [replace(item("1", "a"), labels={"topics": given}) for given in (("news",), (), ("sport", "news"))]
    assert author_label(topics, items, ()) == ("sport", "news")
    assert author_label(topics, items[1:2], ()) == ()


def test_a_profile_s_own_answer_counts_as_an_item(accounts: Taxonomy) -> None:
    items = [item("1", "ann", "fine"), item("p", "ann", "threat", kind="profile")]
    assert author_items(items, accounts, ["tone"])[0][0].labels == {"tone": ("threat",)}


def test_the_side_of_an_author_is_the_profile_s_else_the_items(accounts: Taxonomy) -> None:
    items = [
        item("1", "a", "fine", split="train"),
        item("p1", "a", kind="profile", split="test"),
        item("2", "b", "fine", split="val"),
        item("p2", "b", kind="profile"),
        item("3", "c", "fine", split="val"),
        item("4", "c", "fine", split="test"),
        item("p3", "c", kind="profile"),
        item("5", "d", "fine"),
    ]
    assert [author.split for author in authors_of(items)] == ["test", "val", "train", ""]


@pytest.mark.parametrize(
    ("tasks", "positive", "message"),
    [
        (["language"], [], "'language' does not apply to profiles. Add \"profile\""),
        (["tone"], ["insults"], "data.positive names 'insults'.*Did you mean 'insult'"),
        (["tonne"], [], "tonne"),
        (["tone", "topics"], ["sport"], "No label of 'tone' makes an author positive"),
    ],
)
def test_what_cannot_be_is_named(accounts: Taxonomy, tasks: list[str], positive: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        author_items([item("1", "a", "fine")], accounts, tasks, positive)


def test_without_profiles_there_is_nothing_to_train(accounts: Taxonomy) -> None:
    with pytest.raises(TrainingError, match="No author has both a profile and a labelled item"):
        author_items([item("1", "a", "fine")], accounts, ["tone"])


class Guesser:
    """Stands for a predictor: says what it was given, of tweets only."""

    def __init__(self, chances: dict[str, dict[str, float]]) -> None:
        self.card = ModelCard(id="m", created="", recipe="", tasks={"tone": ("threat", "insult", "fine")})
        self._chances = chances

    def predict(self, contents: Sequence[ItemContent], **_: object) -> list[Verdict]:
        return [
            Verdict(
                item=one.id,
                task="tone",
                model="m",
                label="",
                probability=0,
                labels=(),
                probabilities=self._chances[one.id],
            )
            for one in contents
            if one.kind == "tweet"
        ]


def test_an_author_scores_as_the_worst_item_does(accounts: Taxonomy) -> None:
    """Against scikit-learn over maxima computed by hand."""
    chance = random.Random(0)
    items = [
        item(f"i{n}", f"a{n % 17}", chance.choice(["threat", "insult", "fine", "fine", "fine"])) for n in range(60)
    ]
    items += [item(f"p{n}", f"a{n}", kind="profile") for n in range(5)]
    guesses = {}
    for one in items:
        threat, insult = chance.random() / 2, chance.random() / 3
        guesses[one.content.id] = {"threat": threat, "insult": insult, "fine": 1 - threat - insult}
    found = evaluate_authors(cast("Predictor", Guesser(guesses)), authors_of(items), accounts)["tone"]
    truth, said = [], []
    for author in sorted({one.group for one in items}):
        mine = [one for one in items if one.group == author and one.content.kind == "tweet"]
        truth.append(any(one.labels["tone"] != ("fine",) for one in mine))
        said.append(max(1 - guesses[one.content.id]["fine"] for one in mine) >= 0.5)
    assert found.n == 17
    assert found.labels == ("threat or insult", "fine")
    assert found.macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))
    assert found.confusion[0] == (
        sum(t and s for t, s in zip(truth, said, strict=True)),
        sum(t and not s for t, s in zip(truth, said, strict=True)),
    )


def test_a_run_learns_authors_from_their_profiles(make_run: RunMaker, image_recipe: str) -> None:
    """Profiles of warm accounts are red; that they are warm is known only from what they say."""
    tweets = make_run.items()
    folder = make_run.root / "captures"
    found: list[TrainingItem] = []
    for number in range(36):
        warm = number % 2 == 0
        mine = [tweets[1], tweets[3], tweets[0 if warm else 5]]
        for place, one in enumerate(mine):
            found.append(replace(one, content=replace(one.content, id=f"t{number}.{place}"), group=f"author:{number}"))
        path = folder / f"profile{number}.png"
        Image.new("RGB", (40, 40), (200 + number, 80, 40) if warm else (40, 80, 200 + number)).save(path)
        content = ItemContent(id=f"p{number}", kind="profile", capture=str(path))
        found.append(TrainingItem(content=content, labels={}, group=f"author:{number}"))
    make_run.taxonomy = _asked_of_profiles(make_run.taxonomy)
    run = make_run(found, image_recipe + '[data]\nlevel = "author"\ntasks = ["mood"]\npositive = ["warm"]\n')
    card, outcome = train(run, emit=lambda _: None, cancelled=lambda: False)
    assert card.counts["train"] + card.counts["val"] + card.counts["test"] == 36
    assert card.metrics["test"]["mood"].macro_f1 > 0.9
    assert (outcome.better, "judges authors by their profiles" in outcome.reason) == (False, True)
    verdicts = Predictor.load(run / "candidate", "cpu").predict([one.content for one in found])
    assert {verdict.item[0] for verdict in verdicts} == {"p"}
    splits = msgspec.json.decode((run / "candidate/splits.json").read_bytes(), type=dict[str, str])
    assert set(splits) == {f"p{number}" for number in range(36)}


def _asked_of_profiles(taxonomy: Taxonomy) -> Taxonomy:
    return replace(taxonomy, tasks=tuple(replace(task, applies_to=("tweet", "profile")) for task in taxonomy.tasks))
