"""A stand-in for the trainer. Its first argument says how it ends; the last is the run folder."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from engine.service import protocol
from engine.types import LabelScores, ModelCard, Outcome, TaskMetrics

MODE = sys.argv[1]
RUN = Path(sys.argv[-1])


def say(message: protocol.Message) -> None:
    sys.stdout.buffer.write(protocol.encode(message))
    sys.stdout.buffer.flush()


def metrics(score: float) -> dict[str, TaskMetrics]:
    scores = LabelScores(precision=score, recall=score, f1=score, support=4)
    return {
        "toxicity": TaskMetrics(
            n=8,
            accuracy=score,
            macro_f1=score,
            majority_accuracy=0.5,
            majority_macro_f1=0.33,
            ece=0.05,
            labels=("toxic", "non-toxic"),
            per_class={"toxic": scores, "non-toxic": scores},
            confusion=((3, 1), (1, 3)),
        )
    }


def main() -> None:
    if MODE == "hang-in-words":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    mark = RUN / "starts"
    starts = len(mark.read_text()) + 1 if mark.exists() else 1
    mark.write_text("x" * starts)
    say(protocol.RunStarted(run=RUN.name, device="CPU", epochs=2, epoch=starts - 1, items={"train": 32, "val": 8}))
    for epoch in (1, 2):
        say(protocol.RunProgress(run=RUN.name, stage="train", done=epoch * 5, total=12, loss=1.0 / epoch))
        if MODE == "hang":
            time.sleep(60)
        if MODE == "hang-in-words":
            signal.sigwait({signal.SIGTERM})
            words = "Training was cancelled; it goes on from here when it is started again."
            say(protocol.RunFailed(run=RUN.name, message=words, cancelled=True))
            sys.exit(130)
        if MODE.endswith("die-once") and starts == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if MODE == "always-die":
            sys.exit(3)
        say(
            protocol.EpochEnded(
                run=RUN.name, epoch=epoch, loss=1.0 / epoch, val_loss=1.1 / epoch, metrics=metrics(0.4 + epoch / 10)
            )
        )
    if MODE == "fail":
        say(protocol.RunFailed(run=RUN.name, message="Too few labels: toxic has 1 item and needs 2."))
        sys.exit(2)
    name_file = RUN.parent.parent / "candidate-name"
    name = name_file.read_text() if name_file.exists() else "m-new"
    card = ModelCard(
        id=name,
        created="2026-01-02T00:00:00Z",
        recipe="",
        tasks={"toxicity": ("toxic", "non-toxic")},
        decisions=(1, 2, 3),
    )
    outcome = Outcome(model=name, better=True, reason="macro-F1 0.60 against 0.33.")
    candidate = RUN / "candidate"
    candidate.mkdir(exist_ok=True)
    (candidate / "card.json").write_bytes(msgspec.json.encode(card))
    (candidate / "outcome.json").write_bytes(msgspec.json.encode(outcome))
    (candidate / "splits.json").write_bytes(b"{}")
    say(protocol.RunEnded(run=RUN.name, card=card, outcome=outcome))


main()
