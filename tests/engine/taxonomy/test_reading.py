from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, InputError, NotFoundError
from engine.taxonomy import PRESETS, Label, Task, Taxonomy, dump_taxonomy, load_taxonomy, parse_taxonomy, preset
from engine.taxonomy.checks import DESK_KEYS

TWO = "labels = [{ name = 'a' }, { name = 'b' }]"


def one_task(extra: str = "", labels: str = TWO) -> str:
    return f"name = 'mine'\n[[tasks]]\nname = 'first'\n{extra}\n{labels}\n"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_reads_and_survives_a_round_trip(name: str) -> None:
    taxonomy = preset(name)
    assert taxonomy.name == name
    assert parse_taxonomy(dump_taxonomy(taxonomy)) == taxonomy
    for task in taxonomy.tasks:
        assert all(label.guideline and label.title and label.key for label in task.labels)
        assert len({label.colour for label in task.labels}) == len(task.labels)


def test_the_presets_hold_the_stable_machine_names() -> None:
    both = preset("both")
    assert both.task("toxicity").label_names == ("toxic", "non-toxic")
    assert both.task("verdict").label_names == (
        "ok",
        "restricted",
        "adult",
        "prohibited",
        "suspect-to-fraud",
        "task-error",
    )
    reason = both.task("reason")
    assert reason.multi
    assert len(reason.labels) == 13
    assert reason.when == {"verdict": ("prohibited",)}
    assert "".join(label.key for label in reason.labels) == "123456789qwry"


def test_a_missing_preset_names_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'tweets'"):
        preset("tweet")


def test_fields_left_out_get_defaults() -> None:
    task = parse_taxonomy(one_task()).task("first")
    assert (task.title, task.kind, task.applies_to) == ("First", "single", ("tweet", "product"))
    assert [label.key for label in task.labels] == ["1", "2"]


def test_default_keys_avoid_the_ones_that_are_given() -> None:
    task = parse_taxonomy(one_task(labels="labels = [{ name = 'a' }, { name = 'b', key = '1' }]")).task("first")
    assert [label.key for label in task.labels] == ["2", "1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'", "it has no tasks"),
        ("tasks = 3", "it has no tasks"),
        ("[[tasks]\n", "not valid TOML"),
        (one_task(labels=""), "at least two labels"),
        (one_task("kind = 'multi'", "labels = []"), "at least one label"),
        (one_task("kind = 'many'"), "neither 'single' nor 'multi'"),
        (one_task("applies_to = ['tweets']"), "no item kind 'tweets'. Did you mean 'tweet'"),
        (one_task("applies_to = 7"), "must be a list of item kinds"),
        (one_task("titel = 'x'"), "unknown field 'titel'. Did you mean 'title'"),
        (one_task("title = 3"), "`title` must be text, not 3"),
        (one_task("when = 'x'"), "`when` must be a table"),
        (one_task("when = { other = ['a'] }"), "unknown task 'other'"),
        (one_task("when = { first = ['a'] }"), "leads back to itself (first → first)"),
        (one_task(labels="labels = [{ name = 'A b' }, { name = 'b' }]"), "'A b' is no machine name"),
        (one_task(labels="labels = [{ name = 'a' }, { name = 'a' }]"), "the label 'a' comes 2 times"),
        (
            one_task(labels="labels = [{ name = 'a', key = '1' }, { name = 'b', key = '1' }]"),
            "the key '1' comes 2 times",
        ),
        (
            one_task(labels="labels = [{ name = 'a', key = 'u' }, { name = 'b' }]"),
            "the key 'u' cannot be a label's key",
        ),
        (one_task(labels="labels = [{ name = 'a', key = '12' }, { name = 'b' }]"), "the key '12' cannot"),
        (one_task(labels="labels = [{ name = 'a', colour = 'red' }, { name = 'b' }]"), "'red' is no colour"),
        (one_task(labels="labels = [{ name = 'a', severity = 5 }, { name = 'b' }]"), "severity 5 is not"),
        (one_task(labels="labels = [{ name = 'a', severity = true }, { name = 'b' }]"), "severity True is not"),
        (one_task(labels="labels = ['a', 'b']"), "label 1: it must be a table"),
        (one_task(labels="labels = [{ title = 'x' }, { name = 'b' }]"), "it needs a `name`"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_taxonomy(text, "mine.toml")
    assert "mine.toml" in str(caught.value)
    assert words in str(caught.value)


def test_a_longer_cycle_is_found() -> None:
    tasks = "".join(
        f"[[tasks]]\nname = '{name}'\nwhen = {{ {parent} = ['a'] }}\n{TWO}\n" for name, parent in ("xy", "yz", "zx")
    )
    with pytest.raises(InputError, match="x → y → z → x"):
        parse_taxonomy(tasks)


def test_a_condition_that_can_never_hold_is_a_mistake() -> None:
    text = one_task("applies_to = ['tweet']") + f"[[tasks]]\nname = 'second'\nwhen = {{ first = ['c'] }}\n{TWO}\n"
    with pytest.raises(InputError) as caught:
        parse_taxonomy(text)
    assert "`when` names 'c', no label of the task 'first'" in str(caught.value)
    assert "never come up for a product" in str(caught.value)


def test_all_mistakes_come_together() -> None:
    text = one_task(
        "kind = 'x'\ntitel = 'y'", "labels = [{ name = 'a', colour = 'red' }, { name = 'b', severity = 9 }]"
    )
    with pytest.raises(InputError, match="4 mistakes"):
        parse_taxonomy(text)


def test_a_file_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_bytes(b"\xef\xbb\xbf" + one_task().encode())
    assert load_taxonomy(tmp_path / "t.toml").name == "mine"


def test_unreadable_files_are_the_users_errors(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no taxonomy file"):
        load_taxonomy(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read"):
        load_taxonomy(tmp_path)
    (tmp_path / "t.toml").write_bytes(b"# fine\n# caf\xe9\n")
    with pytest.raises(InputError, match="line 2: this is not UTF-8"):
        load_taxonomy(tmp_path / "t.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(InputError, match="larger than 1 MB"):
        load_taxonomy(tmp_path / "big.toml")


def test_deep_nesting_is_a_mistake_not_a_crash() -> None:
    with pytest.raises(InputError):
        parse_taxonomy("a = " + "[" * 100_000)


NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,4})?", fullmatch=True)
LABELS = st.builds(
    Label,
    name=NAMES,
    title=st.text(min_size=1),
    key=st.just(""),
    colour=st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
    severity=st.integers(0, 4),
    guideline=st.text().map(str.strip),
)
TASKS = st.builds(
    Task,
    name=NAMES,
    title=st.text(min_size=1),
    kind=st.sampled_from(["single", "multi"]),
    applies_to=st.sampled_from([("tweet",), ("product",), ("tweet", "product")]),
    when=st.just({}),
    labels=st.lists(LABELS, min_size=2, max_size=5, unique_by=lambda label: label.name).map(tuple),
)
TAXONOMIES = st.builds(
    Taxonomy,
    name=st.text(min_size=1),
    tasks=st.lists(TASKS, min_size=1, max_size=4, unique_by=lambda task: task.name).map(tuple),
)


@given(TAXONOMIES)
def test_whatever_is_written_reads_back_equal(taxonomy: Taxonomy) -> None:
    assert parse_taxonomy(dump_taxonomy(taxonomy)) == taxonomy


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "key", "when"]), inner),
    max_leaves=8,
)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises_anything_but_an_input_error(text: str) -> None:
    try:
        parse_taxonomy(text)
    except EngineError:
        return


@given(st.dictionaries(st.sampled_from(["name", "title", "kind", "applies_to", "when", "labels", "key"]), VALUES))
def test_no_document_raises_anything_but_an_input_error(document: dict[str, object]) -> None:
    import tomllib
    from unittest.mock import patch

    with patch.object(tomllib, "loads", return_value={"tasks": [document, {"labels": [document, document]}]}):
        try:
            parse_taxonomy("")
        except EngineError:
            return


def test_no_desk_key_is_offered_to_labels() -> None:
    assert not {label.key for task in preset("both").tasks for label in task.labels} & DESK_KEYS


def test_profiles_are_asked_about_only_where_they_are_named() -> None:
    named = parse_taxonomy(one_task("applies_to = ['tweet', 'profile']"))
    assert [task.name for task in named.tasks_for("profile")] == ["first"]
    assert parse_taxonomy(one_task("")).tasks_for("profile") == ()
