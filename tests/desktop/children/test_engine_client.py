from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.children.engine_client import EngineClient
from desktop.children.log_file import LogFile
from desktop.children.states import EngineState
from engine.types import Explanation, ItemContent, Verdict

ITEMS = [ItemContent(id="t1", kind="tweet", text="bad words"), ItemContent(id="t2", kind="tweet", text="kind words")]
MODEL = Path("models/m-a")


@pytest.fixture
def make(
    log_file: LogFile, engine_command: Callable[[str], tuple[str, ...]], qtbot: QtBot
) -> Iterator[Callable[[str], EngineClient]]:
    clients: list[EngineClient] = []

    def build(mode: str) -> EngineClient:
        client = EngineClient(engine_command(mode), log_file, back_off_ms=(1,))
        clients.append(client)
        return client

    yield build
    for client in clients:
        client.close(grace_ms=0)


def test_what_is_asked_before_a_model_is_loaded_is_answered_once_it_is(
    qtbot: QtBot, make: Callable[[str], EngineClient]
) -> None:
    client = make("good")
    client.load(MODEL)
    number = client.score(ITEMS)
    client.start()
    verdicts: list[Verdict] = []
    client.scored.connect(lambda _request, part: verdicts.extend(part))
    with qtbot.waitSignal(client.ended) as ended:
        pass
    assert ended.args == [number]
    assert [(v.item, v.label, v.model) for v in verdicts] == [("t1", "toxic", "m-a"), ("t2", "non-toxic", "m-a")]
    assert client.outstanding() == 0


def test_the_states_tell_what_happens_in_words(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("good")
    states: list[EngineState] = []
    client.stateChanged.connect(states.append)
    client.start()
    qtbot.waitUntil(lambda: client.state.text.startswith("No model yet"))
    with qtbot.waitSignal(client.loaded):
        client.load(MODEL)
    assert [state.text for state in states] == [
        "Engine starting…",
        "No model yet: retrain to make the first one",
        "Loading the model…",
        "Engine ready · a fake device",
    ]
    assert states[-1].ready
    assert states[-1].model == "m-a"


def test_an_explanation_comes_as_a_preview_and_then_for_good(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("good")
    client.load(MODEL)
    client.start()
    explanations: list[Explanation] = []
    client.explained.connect(lambda _request, explanation: explanations.append(explanation))
    with qtbot.waitSignal(client.ended):
        client.explain(ITEMS[0], "toxicity", "toxic")
    assert [(e.item, e.label, e.final) for e in explanations] == [("t1", "toxic", False), ("t1", "toxic", True)]


def test_after_a_crash_it_starts_again_and_asks_again(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("crash-once")
    client.load(MODEL)
    client.start()
    states: list[EngineState] = []
    client.stateChanged.connect(states.append)
    failures: list[str] = []
    client.failed.connect(lambda _request, message: failures.append(message))
    deaths: list[str] = []
    client.died.connect(deaths.append)
    with qtbot.waitSignals([client.scored, client.ended]):
        client.score(ITEMS)
    assert not failures
    down = [state for state in states if not state.ok]
    assert "; starting it again in" in down[0].text
    assert deaths == [down[0].text]


def test_a_request_that_crashes_it_twice_is_given_up(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("poison")
    client.load(MODEL)
    client.start()
    with qtbot.waitSignal(client.failed) as failed:
        number = client.score(ITEMS)
    assert failed.args[0] == number
    assert "stopped twice" in failed.args[1]
    with qtbot.waitSignal(client.ended):
        client.explain(ITEMS[0], "toxicity", "toxic")


def test_a_line_that_is_no_event_is_logged_and_not_fatal(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("noisy")
    client.load(MODEL)
    with qtbot.waitSignal(client.loaded):
        client.start()
    assert "this is no event" in client.process.log.tail()
    assert "the fake engine is up" in client.process.log.tail()


def test_a_model_that_cannot_be_loaded_is_told_in_the_state(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("no-model")
    client.load(MODEL)
    with qtbot.waitSignal(client.loadFailed):
        client.start()
    assert client.state.text == "The model's weights are missing."
    assert not client.state.ok


def test_a_cancelled_request_ends(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("stall")
    client.load(MODEL)
    with qtbot.waitSignal(client.loaded):
        client.start()
    number = client.explain(ITEMS[0], "toxicity", "toxic")
    with qtbot.waitSignal(client.ended) as ended:
        client.cancel(number)
    assert ended.args == [number]


def test_a_request_cancelled_before_it_was_sent_ends_at_once(qtbot: QtBot, make: Callable[[str], EngineClient]) -> None:
    client = make("good")
    number = client.score(ITEMS)
    with qtbot.waitSignal(client.ended, timeout=0):
        client.cancel(number)
    assert client.outstanding() == 0


def test_a_service_that_cannot_be_started_says_so(qtbot: QtBot, log_file: LogFile) -> None:
    client = EngineClient(("/no/such/program",), log_file, back_off_ms=(60_000,))
    client.start()
    qtbot.waitUntil(lambda: "could not be started" in client.state.text)
    assert not client.state.ok
    client.close()
