"""A stand-in for the engine service: same protocol, no model. Its first argument says how it misbehaves."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.service import protocol
from engine.types import Explanation, ItemContent, ModelCard, Outcome, TokenWeight, Verdict

MODE = sys.argv[1]
MARK = Path(sys.argv[2])
"""A file that remembers how often the service was started."""
STALLED: dict[int, protocol.Explain] = {}
"""Explanations that are not answered yet: in the mode "stall" they wait for somebody to look at them."""


def say(message: protocol.Message) -> None:
    sys.stdout.buffer.write(protocol.encode(message))
    sys.stdout.buffer.flush()


def verdict(item: ItemContent, model: str) -> Verdict:
    toxic = 0.9 if "bad" in item.text or model.endswith("b") else 0.1
    label = "toxic" if toxic > 0.5 else "non-toxic"
    return Verdict(
        item=item.id,
        task="toxicity",
        model=model,
        label=label,
        probability=max(toxic, 1 - toxic),
        labels=(label,),
        probabilities={"toxic": toxic, "non-toxic": 1 - toxic},
    )


def explanation(request: protocol.Explain, model: str, *, final: bool) -> Explanation:
    token = TokenWeight(field="text", start=0, end=1, text="b", weight=0.5)
    return Explanation(
        item=request.item.id,
        task=request.task,
        label=request.label,
        model=model,
        probability=0.9,
        tokens=(token,),
        final=final,
    )


def explain(number: int, model: str) -> None:
    request = STALLED.pop(number)
    say(protocol.Explained(request=number, explanation=explanation(request, model, final=False)))
    say(protocol.Explained(request=number, explanation=explanation(request, model, final=True)))
    say(protocol.Done(request=number))


def refit(number: int, run: Path) -> None:
    """Leave a candidate that calls everything toxic, or say that this cannot be done."""
    if MODE == "no-refit":
        say(protocol.Failed(request=number, message="The model m-a cannot be refitted. It averages."))
        return
    if MODE == "refit-stalls":
        say(protocol.Refitting(request=number, stage="fit", done=0, total=0, text="Learning from the answers"))
        return
    name = f"{run.name}-b"
    card = ModelCard(
        id=name,
        created="2026-01-02T00:00:00Z",
        recipe="",
        tasks={"toxicity": ("toxic", "non-toxic")},
        decisions=(1, 2),
        base="m-a",
    )
    better = MODE != "worse-refit"
    outcome = Outcome(model=name, better=better, reason="macro-F1 0.60 against 0.33.")
    candidate = run / "candidate"
    candidate.mkdir()
    (candidate / "card.json").write_bytes(msgspec.json.encode(card))
    (candidate / "outcome.json").write_bytes(msgspec.json.encode(outcome))
    (candidate / "splits.json").write_bytes(b"{}")
    say(protocol.Refitting(request=number, stage="fit", done=0, total=0, text="Learning from the answers"))
    say(protocol.Refitted(request=number, outcome=outcome, answers=2, seconds=0.4))
    say(protocol.Done(request=number))


def settle(items: Sequence[ItemContent]) -> None:
    sys.stderr.write(f"settled by {len(items)} items, the last is {items[-1].id}\n")
    sys.stderr.flush()
    if MODE == "unsettled-dies":
        os.kill(os.getpid(), signal.SIGKILL)


def answer(request: protocol.Request, model: str, starts: int) -> str:
    match request:
        case protocol.Load(request=number, folder=folder):
            model = Path(folder).name
            if MODE == "no-model":
                say(protocol.Failed(request=number, message="The model's weights are missing."))
            else:
                say(protocol.Loaded(request=number, model=model, settled="unsettled" not in MODE))
        case protocol.Settle(request=number, items=items):
            settle(items)
            say(protocol.Done(request=number))
        case protocol.Score(request=number, items=items):
            if MODE == "poison" or (MODE == "crash-once" and starts == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            say(protocol.Scored(request=number, verdicts=tuple(verdict(item, model) for item in items)))
            say(protocol.Done(request=number))
        case protocol.Explain(request=number):
            STALLED[number] = request
            if MODE != "stall":
                explain(number, model)
        case protocol.Prioritise(request=number, priority=protocol.Priority.LOOKING) if number in STALLED:
            explain(number, model)
        case protocol.Refit(request=number, run_folder=run):
            refit(number, Path(run))
        case protocol.Cancel(request=number):
            say(protocol.Cancelled(request=number))
        case protocol.Stop():
            sys.exit(0)
    return model


def main() -> None:
    starts = len(MARK.read_text()) + 1 if MARK.exists() else 1
    MARK.write_text("x" * starts)
    sys.stderr.write("the fake engine is up\n")
    if MODE == "noisy":
        sys.stdout.write("this is no event\n")
        sys.stdout.flush()
    say(protocol.Ready(device="a fake device", versions={}))
    model = ""
    for line in sys.stdin.buffer:
        model = answer(protocol.decode_request(line), model, starts)


main()
