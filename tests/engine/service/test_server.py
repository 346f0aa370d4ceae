from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.service.protocol import (
    Cancel,
    Cancelled,
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Loaded,
    Priority,
    Score,
    Scored,
    ServiceEvent,
    Stop,
    encode,
)
from engine.service.server import Server
from engine.types import ItemContent

Items = Callable[[int], tuple[ItemContent, ...]]
LOAD = Load(request=1, folder="/models/first")


def explain(request: int, item: str = "looked-at", priority: Priority = Priority.LOOKING) -> Explain:
    content = ItemContent(id=item, kind="tweet", text="hello")
    return Explain(request=request, item=content, task="toxicity", label="toxic", priority=priority)


def numbers(events: list[ServiceEvent], kind: type[Any]) -> list[int]:
    return [event.request for event in events if isinstance(event, kind)]


def test_a_model_is_loaded_and_every_item_scored(bench: Any, items: Items) -> None:
    events = bench.run(LOAD, Score(request=2, items=items(40)))
    assert events[0] == Loaded(request=1, model="first")
    assert events[-1] == Done(request=2)
    verdicts = [verdict for event in events if isinstance(event, Scored) for verdict in event.verdicts]
    assert [verdict.item for verdict in verdicts] == [f"item-{number}" for number in range(40)]


def test_an_explanation_streams_previews_and_then_the_final_one(bench: Any) -> None:
    events = bench.run(LOAD, explain(2))
    finals = [event.explanation.final for event in events if isinstance(event, Explained)]
    assert finals == [False, False, True]
    assert events[-1] == Done(request=2)


def test_without_a_model_the_answer_is_a_clear_sentence(bench: Any, items: Items) -> None:
    events = bench.run(explain(1), Score(request=2, items=items(1)))
    assert numbers(events, Failed) == [1, 2]
    assert "no model yet" in events[0].message
    assert not events[0].bug


def test_loading_goes_before_what_waits(bench: Any, items: Items) -> None:
    events = bench.run(Score(request=2, items=items(1)), explain(3), LOAD)
    assert isinstance(events[0], Loaded)
    assert not numbers(events, Failed)


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_in_place(bench: Any, items: Items) -> None:
    events = bench.run(LOAD, Load(request=2, folder="/models/gone"), explain(3))
    assert Failed(request=2, message="There is no model in gone. Retrain.") in events
    assert {event.explanation.model for event in events if isinstance(event, Explained)} == {"first"}


def test_what_is_looked_at_comes_first_then_prefetch_then_bulk(bench: Any, items: Items) -> None:
    events = bench.run(
        LOAD,
        Score(request=2, items=items(1)),
        explain(3, priority=Priority.PREFETCH),
        explain(4, priority=Priority.LOOKING),
    )
    assert numbers(events, Done) == [4, 3, 2]


def test_looking_waits_for_one_batch_of_bulk_scoring_only(bench: Any, items: Items) -> None:
    bench.models["first"].at_batch = lambda number: bench.take(explain(3)) if number == 2 else None
    events = bench.run(LOAD, Score(request=2, items=items(100)))
    order = [(type(event).__name__, event.request) for event in events]
    assert order[1:4] == [("Scored", 2), ("Scored", 2), ("Explained", 3)]
    assert numbers(events, Done) == [3, 2]
    assert sum(len(event.verdicts) for event in events if isinstance(event, Scored)) == 100


def test_prefetch_yields_to_looking_between_steps_and_goes_on_where_it_was(bench: Any) -> None:
    steps: list[tuple[str, int]] = []

    def at_step(item: str, step: int) -> None:
        steps.append((item, step))
        if (item, step) == ("next", 1):
            bench.take(explain(3))

    bench.at_explain_step = at_step
    events = bench.run(LOAD, explain(2, item="next", priority=Priority.PREFETCH))
    assert steps == [("next", 0), ("next", 1), ("looked-at", 0), ("looked-at", 1), ("looked-at", 2), ("next", 2)]
    assert numbers(events, Done) == [3, 2]


def test_a_request_that_waits_is_cancelled_before_anything_else_is_done(bench: Any, items: Items) -> None:
    events = bench.run(LOAD, explain(2), Score(request=3, items=items(5)), Cancel(request=3))
    assert events[0] == Cancelled(request=3)
    assert bench.models["first"].batches == 0
    assert numbers(events, Done) == [2]


def test_a_running_request_ends_at_its_next_opportunity(bench: Any, items: Items) -> None:
    bench.models["first"].at_batch = lambda number: bench.take(Cancel(request=2)) if number == 2 else None
    events = bench.run(LOAD, Score(request=2, items=items(1000)))
    assert [type(event) for event in events] == [Loaded, Scored, Cancelled]


def test_cancelling_what_has_ended_or_never_was_does_nothing(bench: Any) -> None:
    events = bench.run(LOAD, Cancel(request=99), explain(2))
    assert numbers(events, Done) == [2]
    assert not numbers(events, Cancelled)


def test_a_mistake_of_ours_ends_one_request_and_is_logged(
    bench: Any, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    def divide(_item: str, _step: int) -> None:
        raise ZeroDivisionError("by nothing")

    bench.at_explain_step = divide
    events = bench.run(LOAD, explain(2), Score(request=3, items=items(1)))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.bug
    assert "ZeroDivisionError" in failed.message
    assert "divide" in caplog.text
    assert numbers(events, Done) == [3]


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b"{}\n", b"\xff\xfe\n", b"\n", b'{"type":"score"}\n', b'{"type":"cancel","request":"\xff"}\n'],
)
def test_a_line_that_is_no_request_is_answered_and_the_next_one_read(bench: Any, line: bytes) -> None:
    bench.server.read([line, encode(Cancel(request=1))])
    (failed,) = bench.events
    assert (failed.request, failed.bug) == (-1, True)


@pytest.mark.parametrize("lines", [[], [encode(Stop()), encode(LOAD)]])
def test_the_end_of_input_and_stop_end_the_work(bench: Any, lines: list[bytes]) -> None:
    bench.server.read(lines)
    bench.server.work()
    assert bench.events == []


def test_nobody_listening_ends_the_reading_and_the_work() -> None:
    def emit(_event: ServiceEvent) -> None:
        raise BrokenPipeError

    server = Server(lambda _folder: pytest.fail("nothing is loaded"), lambda *_all, **_named: iter(()), emit)
    server.read([b"nonsense\n", encode(LOAD)])
    server.work()
