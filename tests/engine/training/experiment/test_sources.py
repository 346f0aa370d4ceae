"""Data sets are read as they are found, and bad rows are named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from engine.errors import EngineError, InputError
from engine.taxonomy import Taxonomy
from engine.training.experiment.sources import Source, join, load_items
from engine.types import Item
from engine.workspace import Workspace

if TYPE_CHECKING:
    from tests.engine.training.experiment.conftest import Write


def test_json_lines_become_items_of_one_task(write: Write) -> None:
    path = write(
        "mood.jsonl",
        [
            {"text": "sun", "label": "warm", "split": "train"},
            {"text": "ice", "label": "cold", "split": "val", "target": "weather"},
        ],
    )
    source = load_items(path)
    assert [task.name for task in source.taxonomy.tasks] == ["mood"]
    assert source.taxonomy.tasks[0].label_names == ("cold", "warm")
    assert [item.labels for item in source.items] == [{"mood": ("warm",)}, {"mood": ("cold",)}]
    assert [item.split for item in source.items] == ["train", "val"]
    assert [(item.content.title, item.content.text) for item in source.items] == [("", "sun"), ("weather", "ice")]


def test_a_folder_of_files_gives_each_row_its_file_as_split(write: Write) -> None:
    write("set/train.jsonl", [{"text": "sun", "label": "warm"}])
    path = write("set/val.jsonl", [{"text": "ice", "label": "cold"}])
    assert [item.split for item in load_items(path.parent).items] == ["train", "val"]


def test_annotators_answer_by_majority_and_a_tie_is_left_out(write: Write) -> None:
    path = write(
        "posts.jsonl",
        [
            {"tokens": ["a", "b"], "labels": ["x", "y", "x"]},
            {"tokens": ["c"], "labels": ["x", "y", "z"]},
            {"tokens": ["d"], "labels": ["y", "y", "y"]},
        ],
    )
    source = load_items(path)
    assert [(item.content.text, item.labels["posts"]) for item in source.items] == [("a b", ("x",)), ("d", ("y",))]
    assert "1 rows of posts.jsonl are left out" in source.notes[0]


def test_a_table_with_quotes_and_other_column_names_is_read(tmp_path: Path) -> None:
    path = tmp_path / "greek.tsv"
    path.write_text('id\ttweet\tsubtask_a\n7\t"μισή πρόταση\tOFF\n8\tάλλη\tNOT\n', encoding="utf-8")
    items = load_items(path).items
    assert [(item.content.text, item.labels["greek"]) for item in items] == [
        ('"μισή πρόταση', ("OFF",)),
        ("άλλη", ("NOT",)),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"text": "a", "label": "x"}\n{"text": "b"}\n', "d.jsonl, row 2 has no label"),
        ('{"text": "a", "label": "x"}\n\n{oops\n', "d.jsonl, row 3 is not JSON"),
        ('["a", "x"]\n', "d.jsonl, row 1 is no JSON object"),
        ('{"txt": "a", "label": "x"}\n', "d.jsonl, row 1 has no text"),
        ('{"text": "a", "label": "x", "split": "trian"}\n', "Did you mean 'train'"),
        ("\n", "no labelled item"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(words)):
        load_items(path)


def test_a_quote_that_is_never_closed_is_named_by_the_row_that_opens_it(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('text,label\n"two\nlines",x\n"never,y\nb,x\n')
    with pytest.raises(InputError, match=r"d\.csv, row 4: a quote .* never closed"):
        load_items(tmp_path / "d.csv")


def test_rows_with_the_same_words_or_author_share_a_group(write: Write) -> None:
    path = write(
        "d.jsonl",
        [
            {"text": "Good  morning", "label": "x"},
            {"text": "good morning", "label": "y"},
            {"text": "one", "label": "x", "author": "k"},
            {"text": "two", "label": "x", "author": "k"},
            {"text": "", "label": "y"},
            {"text": "", "label": "y"},
        ],
    )
    groups = [item.group for item in load_items(path).items]
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len(set(groups)) == 4  # nothing is known of items without words


def test_an_image_folder_has_a_task_for_every_column_of_words(write: Write, tmp_path: Path) -> None:
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue")):
        (tmp_path / "shop" / "train").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (400, 300), colour).save(tmp_path / "shop" / "train" / name)
    write(
        "shop/metadata.jsonl",
        [
            {
                "file_name": "train/a.jpg",
                "title": "A",
                "description": "d",
                "fine": "x1",
                "coarse": "x",
                "split": "train",
            },
            {"file_name": "train/b.jpg", "title": "B", "text": "e", "fine": "y1", "coarse": "y", "split": "val"},
        ],
    )
    source = load_items(tmp_path / "shop", captures=tmp_path / "kept")
    assert [task.name for task in source.taxonomy.tasks] == ["fine", "coarse"]
    first = source.items[0]
    assert (first.content.title, first.content.text, first.split) == ("A", "d", "train")
    assert first.content.capture is not None
    with Image.open(first.content.capture) as kept:
        assert (kept.format, kept.size) == ("PNG", (256, 192))
        assert kept.convert("RGB").getpixel((5, 5)) == pytest.approx((254, 0, 0), abs=3)
    again = load_items(tmp_path / "shop", captures=tmp_path / "elsewhere")
    assert again.fingerprint == source.fingerprint  # where pictures are kept does not matter


def test_a_missing_picture_is_named(write: Write) -> None:
    path = write("shop/metadata.jsonl", [{"file_name": "gone.png", "label": "x"}])
    with pytest.raises(InputError, match=r"metadata.jsonl, row 1 names the picture 'gone.png', which is not there"):
        load_items(path.parent)


def test_a_damaged_picture_is_named(write: Write, tmp_path: Path) -> None:
    path = write("shop/metadata.jsonl", [{"file_name": "a.jpg", "label": "x"}])
    path.with_name("a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"row 1: the picture a.jpg cannot be read"):
        load_items(path.parent, captures=tmp_path / "kept")


def test_a_workspace_gives_its_labelled_items(tmp_path: Path, taxonomy: Taxonomy) -> None:
    with Workspace.create(tmp_path / "w.secondlook", taxonomy) as ws:
        ws.items.add(
            [
                (Item(id="a", kind="tweet", text="fire", truths={"mood": ("warm",), "why": ("fire",)}), None),
                (Item(id="b", kind="tweet", text="no label"), None),
            ]
        )
    source = load_items(tmp_path / "w.secondlook")
    assert [item.content.id for item in source.items] == ["a"]
    assert [task.name for task in source.taxonomy.tasks] == ["mood", "why"]


def test_a_place_with_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="There is no data set"):
        load_items(tmp_path / "gone.jsonl")
    with pytest.raises(EngineError, match="says not which rows train"):
        load_items(tmp_path)


def test_only_keeps_a_task_and_the_items_that_answer_it(source: Source) -> None:
    assert source.only(["weather"]).items == source.items
    with pytest.raises(InputError, match="Did you mean 'weather'"):
        source.only(["wheather"])


def test_a_limit_keeps_the_same_items_of_each_split(source: Source) -> None:
    few = source.limited(5)
    assert [sum(item.split == split for item in few.items) for split in ("train", "val")] == [5, 5]
    assert few == source.limited(5)
    assert source.limited(0) is source


def test_joined_sets_keep_their_tasks_apart(source: Source, write: Write) -> None:
    other = load_items(write("sea.jsonl", [{"text": "wave", "label": "wet"}, {"text": "sand", "label": "dry"}]))
    both = join([source, other])
    assert [task.name for task in both.taxonomy.tasks] == ["weather", "sea"]
    assert len({item.content.id for item in both.items}) == len(both.items) == 50
    with pytest.raises(InputError, match="have a task 'sea'"):
        join([other, other])


def test_the_fingerprint_follows_words_labels_and_groups(write: Write, weather: Callable[..., Any]) -> None:
    rows = weather(8)
    one = load_items(write("d.jsonl", rows)).fingerprint
    assert load_items(write("d.jsonl", rows)).fingerprint == one
    for change in ({"text": "other"}, {"label": "cold"}, {"author": "nobody"}, {"split": "val"}):
        assert load_items(write("d.jsonl", [{**rows[0], **change}, *rows[1:]])).fingerprint != one
