from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, NotFoundError
from engine.triage import named, parse_where


@pytest.mark.parametrize(
    ("condition", "field", "value"),
    [
        ("kind=tweet", "kind", "tweet"),
        (" Label = toxic ", "label", "toxic"),
        ("split=val", "split", "val"),
        ("split=none", "split", ""),
        ("state=decided,open,decided", "states", ("decided", "open")),
        ("order=risk", "order", "risk"),
        ("search=a = b", "search", "a = b"),
        ("disagreement=yes", "disagreement", True),
        ("probability<=0.7", "max_probability", 0.7),
        ("probability>=.7", "min_probability", 0.7),
    ],
)
def test_a_condition_narrows_the_queue(condition: str, field: str, value: Any) -> None:
    query = parse_where([condition], "uncertain")
    assert getattr(query, field) == value
    assert (
        msgspec.structs.replace(query, **{field: getattr(named("uncertain").query, field)}) == named("uncertain").query
    )


@given(st.floats(0, 1))
def test_below_and_above_leave_the_value_itself_out(value: float) -> None:
    below, above = parse_where([f"probability<{value!r}"]), parse_where([f"probability>{value!r}"])
    assert below.max_probability is not None
    assert above.min_probability is not None
    assert below.max_probability < value < above.min_probability
    exactly = parse_where([f"probability={value!r}"])
    assert (exactly.min_probability, exactly.max_probability) == (value, value)


def test_conditions_are_joined_and_later_ones_win() -> None:
    query = parse_where(["kind=tweet", "probability>0.5", "probability<0.7", "kind=product"], "high-risk")
    assert (query.kind, query.order) == ("product", "risk")
    assert query.min_probability is not None
    assert query.max_probability is not None
    assert 0.5 < query.min_probability < query.max_probability < 0.7


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("labl=toxic", "Did you mean 'label'"),
        ("probabilty<0.5", "Did you mean 'probability'"),
        ("label", "is no condition"),
        ("", "is no condition"),
        ("kind<tweet", "kind=tweet"),
        ("kind=", "gives no value"),
        ("split=tset", "Did you mean 'test'"),
        ("state=opne", "Did you mean 'open'"),
        ("order=risky", "Did you mean 'risk'"),
        ("probability<seven", "'seven'"),
        ("probability<7", "0 to 1"),
        ("probability<nan", "0 to 1"),
        ("disagreement=maybe", "'maybe'"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(condition: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_where([condition])


def test_all_mistakes_are_raised_together() -> None:
    with pytest.raises(InputError, match=r"'labl'.*'splt'.*above 0\.7"):
        parse_where(["labl=toxic", "splt=val", "probability>0.7", "probability<0.5"])
    with pytest.raises(NotFoundError, match="no queue"):
        parse_where([], "nowhere")
