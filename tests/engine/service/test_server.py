from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TrainingError
from engine.service.protocol import (
    Cancel,
    Cancelled,
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Loaded,
    Prioritise,
    Priority,
    Refit,
    Refitted,
    Refitting,
    Score,
    Scored,
    ServiceEvent,
    Settle,
    Stop,
    encode,
)
from engine.service.server import Server
from engine.training import refit
from engine.types import ItemContent, ModelCard, Outcome

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


def test_what_was_prefetched_goes_on_before_everything_once_it_is_looked_at(bench: Any) -> None:
    steps: list[tuple[str, int]] = []

    def at_step(item: str, step: int) -> None:
        steps.append((item, step))
        if (item, step) == ("left", 1):
            bench.take(
                Prioritise(request=2, priority=Priority.PREFETCH), Prioritise(request=4, priority=Priority.LOOKING)
            )

    bench.at_explain_step = at_step
    prefetch = [explain(3, "next", Priority.PREFETCH), explain(4, "looked-at", Priority.PREFETCH)]
    events = bench.run(LOAD, explain(2, "left"), *prefetch, Prioritise(request=99, priority=Priority.LOOKING))
    order = list(dict.fromkeys(steps))
    assert order == steps  # nothing is done twice
    assert [item for item, _ in steps] == ["left"] * 2 + ["looked-at"] * 3 + ["next"] * 3 + ["left"]
    assert numbers(events, Done) == [4, 3, 2]


def test_what_was_asked_to_end_ends_before_everything_wherever_it_is_moved(bench: Any) -> None:
    ending = [Cancel(request=3), Prioritise(request=3, priority=Priority.BULK)]
    events = bench.run(LOAD, explain(2), explain(3, priority=Priority.PREFETCH), *ending)
    assert events[0] == Cancelled(request=3)


def test_what_is_moved_after_its_end_stays_ended(bench: Any) -> None:
    again = Prioritise(request=2, priority=Priority.LOOKING)
    bench.at_event = lambda event: bench.take(again) if isinstance(event, Done) else None
    assert numbers(bench.run(LOAD, explain(2)), Done) == [2]


def test_the_arithmetic_is_chosen_though_somebody_always_waits(bench: Any, items: Items) -> None:
    """Every second turn is its own, every one after a preview; what is explained begins anew with what was chosen."""
    model, seen = bench.models["first"], []
    model.settled = False
    bench.at_explain_step = lambda item, step: seen.append((item, step, model.settled_by))
    events = bench.run(LOAD, explain(2), Settle(request=3, items=items(3)), explain(4, "next"))
    assert events[0] == Loaded(request=1, model="first", settled=False)
    assert seen == [
        ("looked-at", 0, 0),
        *(("looked-at", 0, 3), ("looked-at", 1, 3), ("looked-at", 2, 3)),
        *(("next", 0, 3), ("next", 1, 3), ("next", 2, 3)),
    ]
    finals = [event.request for event in events if isinstance(event, Explained) and event.explanation.final]
    assert (numbers(events, Done), finals) == ([3, 2, 4], [2, 4])


def test_loading_and_cancelling_go_before_the_choice_of_arithmetic(bench: Any, items: Items) -> None:
    bench.models["first"].settled = False
    settle = Settle(request=3, items=items(3))
    events = bench.run(LOAD, settle, explain(2), Cancel(request=2), Load(request=4, folder="/models/first"))
    assert [event.request for event in events] == [2, 1, 4, 3]


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


def test_what_the_model_knows_is_scored_in_one_go(bench: Any, items: Items) -> None:
    bench.models["first"].knows = True
    events = bench.run(LOAD, Score(request=2, items=items(100)))
    assert [type(event) for event in events] == [Loaded, Scored, Done]
    assert len(events[1].verdicts) == 100
    assert bench.models["first"].batches == 0


def test_vectors_are_kept_after_scoring_and_at_the_end(bench: Any, items: Items) -> None:
    bench.run(LOAD, Score(request=2, items=items(3)))
    assert bench.models["first"].kept == 2


def refitted(reason: str = "As good.") -> refit.Refitted:
    card = ModelCard(id="refit-1", created="", recipe="", tasks={}, base="first")
    outcome = Outcome(model="refit-1", better=True, reason=reason)
    return refit.Refitted(card, outcome, answers=12, seconds={"read": 0.25, "fit": 0.5})


def test_a_refit_tells_how_far_it_is_and_how_it_ended(bench: Any) -> None:
    bench.refit_steps = [refit.Progress("features", 3, 40), None, refitted()]
    events = bench.run(LOAD, Refit(request=2, run_folder="/runs/refit-1"))
    assert bench.refit_of == Path("/runs/refit-1")
    assert events[1] == Refitting(
        request=2, stage="features", done=3, total=40, text="Looking at labelled items, 3 of 40"
    )
    outcome = Outcome(model="refit-1", better=True, reason="As good.")
    assert events[2:] == [Refitted(request=2, outcome=outcome, answers=12, seconds=0.75), Done(request=2)]


def test_a_refit_waits_for_what_is_looked_at_and_goes_before_prefetch(bench: Any) -> None:
    bench.refit_steps = [refitted()]
    events = bench.run(
        LOAD,
        explain(2, priority=Priority.PREFETCH),
        Refit(request=3, run_folder="/runs/r"),
        explain(4, priority=Priority.LOOKING),
    )
    assert numbers(events, Done) == [4, 3, 2]


def test_a_refit_can_be_cancelled_between_two_pieces_of_work(bench: Any) -> None:
    bench.refit_steps = [refit.Progress("fit", 0, 0), *[None] * 1000, refitted()]
    bench.at_event = lambda event: bench.take(Cancel(request=2)) if isinstance(event, Refitting) else None
    events = bench.run(LOAD, Refit(request=2, run_folder="/runs/r"))
    assert [type(event) for event in events] == [Loaded, Refitting, Cancelled]


def test_a_model_that_cannot_be_refitted_says_so(bench: Any) -> None:
    bench.refit_steps = [TrainingError("The model m cannot be refitted.", "A full training run learns from these.")]
    events = bench.run(LOAD, Refit(request=2, run_folder="/runs/r"))
    message = "The model m cannot be refitted. A full training run learns from these."
    assert events[1:] == [Failed(request=2, message=message)]


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
    def never(*_all: object, **_named: object) -> Generator[None, None, None]:
        yield pytest.fail("nothing is explained")

    def emit(_event: ServiceEvent) -> None:
        raise BrokenPipeError

    server = Server(lambda _folder: pytest.fail("nothing is loaded"), never, emit)
    server.read([b"nonsense\n", encode(LOAD)])
    server.work()
