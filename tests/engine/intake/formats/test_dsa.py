"""Statements of reasons for the EU transparency database."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from engine.intake import export
from engine.intake.formats.dsa_fields import FIELDS, problems
from engine.intake.formats.personal import personal_data
from engine.types import Action, Item
from engine.workspace import NewDecision, Workspace

MAPPING = """
puid_prefix = "desk-"
content_date_from = "meta.posted"

[every]
source_type = "SOURCE_VOLUNTARY"
source_identity = "never sent with a voluntary initiative"
automated_detection = "Yes"
automated_decision = "AUTOMATED_DECISION_PARTIALLY"
territorial_scope = ["GR", "CY"]

[content_type]
tweet = ["CONTENT_TYPE_TEXT", "CONTENT_TYPE_IMAGE"]
product = ["CONTENT_TYPE_PRODUCT"]

[[statement]]
task = "toxicity"
label = "toxic"
decision_visibility = ["DECISION_VISIBILITY_CONTENT_REMOVED"]
decision_ground = "DECISION_GROUND_INCOMPATIBLE_CONTENT"
incompatible_content_ground = "Community rules, section 2"
incompatible_content_explanation = "Insults are not allowed."
category = "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"
decision_facts = "A {kind} was reviewed on {date}: {label}. {note}"
"""


@pytest.fixture
def ws(new_workspace: Callable[[], Workspace]) -> Workspace:
    made = new_workspace()
    made.items.add(
        (
            Item(
                id=f"t{number}",
                kind="tweet",
                text=f"text {number}",
                author="somebody",
                meta={"posted": "2026-01-31T10:00:00Z"} if number != 1 else {},
                truths={"toxicity": ("toxic",)},
            ),
            None,
        )
        for number in range(4)
    )
    (made.path / "dsa.toml").write_text(MAPPING)
    return made


def decide(ws: Workspace, item: str, label: str = "toxic", reviewer: str = "ann", note: str = "") -> None:
    ws.decisions.record(
        [NewDecision(item=item, task="toxicity", action=Action.CORRECT, labels=(label,), reviewer=reviewer, note=note)]
    )


def statements(path: Path) -> list[dict[str, Any]]:
    document = json.loads(path.read_text())
    assert document.keys() == {"statements"}
    rows: list[dict[str, Any]] = document["statements"]
    return rows


def test_a_decision_becomes_a_statement_with_every_field_that_is_due(ws: Workspace, tmp_path: Path) -> None:
    decide(ws, "t0", note="plain")
    decide(ws, "t2", "non-toxic")
    report = export(ws, tmp_path / "sor.json", format="dsa")
    (statement,) = statements(tmp_path / "sor.json")
    today = dt.datetime.now(dt.UTC).date().isoformat()
    assert (report.items, report.rows, report.notes) == (1, 1, ())
    assert re.fullmatch(r"desk-[0-9a-f]{40}", statement.pop("puid"))
    assert statement == {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": "Community rules, section 2",
        "incompatible_content_explanation": "Insults are not allowed.",
        "content_type": ["CONTENT_TYPE_TEXT", "CONTENT_TYPE_IMAGE"],
        "category": "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
        "territorial_scope": ["GR", "CY"],
        "content_date": "2026-01-31",
        "application_date": today,
        "decision_facts": f"A tweet was reviewed on {today}: Toxic. plain",
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
    }


def test_what_is_named_is_the_decision(ws: Workspace, tmp_path: Path) -> None:
    def puid() -> str:
        export(ws, tmp_path / "sor.json", format="dsa")
        return str(statements(tmp_path / "sor.json")[0]["puid"])

    decide(ws, "t0")
    first = puid()
    decide(ws, "t3", "non-toxic")
    assert puid() == first
    ws.decisions.undo("ann", item="t0")
    decide(ws, "t0")
    assert puid() != first


def test_truths_and_outvoted_answers_are_no_decisions(ws: Workspace, tmp_path: Path) -> None:
    decide(ws, "t0", "toxic", "ann")
    decide(ws, "t0", "non-toxic", "ben")
    decide(ws, "t0", "non-toxic", "cem")
    assert export(ws, tmp_path / "sor.json", format="dsa").rows == 0
    assert statements(tmp_path / "sor.json") == []


def test_what_the_database_would_refuse_is_left_out_and_named(ws: Workspace, tmp_path: Path) -> None:
    decide(ws, "t0", note="x" * 5_000)
    decide(ws, "t1")
    report = export(ws, tmp_path / "sor.json", format="dsa")
    assert report.rows == 0
    assert "left out: 't0': `decision_facts` has 5,0" in report.notes[0]
    assert "left out: 't1': `content_date` is missing" in report.notes[1]


def test_personal_data_in_what_is_published_is_a_warning(ws: Workspace, tmp_path: Path) -> None:
    decide(ws, "t0", note="Somebody wrote to @otherone, mail a.b@example.org, +30 210 1234567")
    (note,) = export(ws, tmp_path / "sor.json", format="dsa").notes
    for word in ("'a.b@example.org'", "'@otherone'", "'+30 210 1234567'", "the name 'somebody'"):
        assert word in note


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nothing here; 5,000 of 12.5 % on 2026-01-31 and 31.01.2026", 0),
        ("see x@y.gr", 1),
        ("by @user_1, and @other", 2),
        ("call 0030 (210) 123-4567", 1),
        ("https://example.org/user/ann did it", 1),
        ("Ann did it, not Anna", 1),
        ("ann@example.org", 1),
    ],
)
def test_personal_data(text: str, found: int) -> None:
    assert len(personal_data(text, ["ann", "", "io"])) == found


def test_more_than_a_hundred_go_into_several_files(ws: Workspace, tmp_path: Path) -> None:
    ws.items.add((Item(id=f"m{n}", kind="tweet", text="x", meta={"posted": "2026-01-01"}), None) for n in range(101))
    for number in range(101):
        decide(ws, f"m{number}")
    report = export(ws, tmp_path / "sor.json", format="dsa")
    files = sorted(path.name for path in tmp_path.glob("sor*.json"))
    assert (report.rows, files) == (101, ["sor-001.json", "sor-002.json"])
    both = [statements(tmp_path / name) for name in files]
    assert [len(one) for one in both] == [100, 1]
    assert len({one["puid"] for batch in both for one in batch}) == 101


def test_a_missing_mapping_says_how_to_get_one_and_the_template_can_be_filled_in(ws: Workspace, tmp_path: Path) -> None:
    (ws.path / "dsa.toml").unlink()
    with pytest.raises(InputError, match="dsa-mapping"):
        export(ws, tmp_path / "sor.json", format="dsa")
    export(ws, ws.path / "dsa.toml", format="dsa-mapping")
    body = (ws.path / "dsa.toml").read_text()
    assert 'label = "toxic"' in body
    assert 'label = "non-toxic"' not in body
    decide(ws, "t0")
    report = export(ws, tmp_path / "sor.json", format="dsa")
    assert "`decision_ground` is missing" in report.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('label = "toxic"', 'label = "toxc"', "has no label 'toxc'. Did you mean 'toxic'"),
        ('task = "toxicity"', 'task = "tox"', "no task 'tox'"),
        ("decision_facts", "decision_fact", "no field `decision_fact`. Did you mean 'decision_facts'"),
        ("CONTENT_REMOVED", "CONTENT_BURNT", "`decision_visibility` cannot be 'DECISION_VISIBILITY_CONTENT_BURNT'"),
        ('["GR", "CY"]', '"GR"', "`territorial_scope` must be a list"),
        ('["GR", "CY"]', '["US"]', "cannot be 'US'"),
        ("Insults", "x" * 2000, "characters; 2,000 is the most"),
        ("[every]", "[every", "cannot be read"),
        ("[content_type]", "[content]", "no `content`"),
        ("tweet =", "song =", "must name kinds of items"),
        ("puid_prefix =", 'puid = "x" #', "no `puid`"),
    ],
)
def test_mistakes_in_the_mapping_are_named(ws: Workspace, tmp_path: Path, old: str, new: str, words: str) -> None:
    (ws.path / "dsa.toml").write_text(MAPPING.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        export(ws, tmp_path / "sor.json", format="dsa")
    assert words in caught.value.message
    assert not (tmp_path / "sor.json").exists()


def test_the_rules_of_the_database() -> None:
    """Every conditional field and limit, as the database's own source code checks them."""
    good = {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "illegal_content_legal_ground": "foo",
        "illegal_content_explanation": "bar",
        "category": "STATEMENT_CATEGORY_ANIMAL_WELFARE",
        "content_type": ["CONTENT_TYPE_SYNTHETIC_MEDIA"],
        "content_date": "2023-05-18",
        "application_date": "2023-05-18",
        "decision_facts": "decision and facts",
        "source_type": "SOURCE_ARTICLE_16",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
        "puid": "TK421",
    }
    assert problems(good) == []
    for name in good:
        assert problems({key: value for key, value in good.items() if key != name}), name
    for change in (
        {"content_date": "1999-12-31"},
        {"application_date": "2019-12-31"},
        {"application_date": "2038-01-02"},
        {"application_date": "18 May"},
        {"decision_visibility": ["DECISION_VISIBILITY_OTHER"]},
        {"decision_monetary": "DECISION_MONETARY_OTHER"},
        {"content_type": ["CONTENT_TYPE_OTHER"]},
        {"decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT"},
        {"puid": "not allowed!"},
        {"content_language": "el"},
        {"category_specification": ["KEYWORD_NONE"]},
        {"automated_detection": "maybe"},
    ):
        assert problems(good | change), change
    for name, field in FIELDS.items():
        if field.longest > 2 and name != "decision_ground_reference_url":
            assert problems(good | {name: "x" * field.longest}) == []
            assert problems(good | {name: "x" * (field.longest + 1)}), name
