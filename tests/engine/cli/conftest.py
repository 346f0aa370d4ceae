from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.cli.main import run
from engine.cli.registry import COMMANDS, Command
from engine.types import Action, CrossedOut, LabelScores, Mark, ModelCard, TaskMetrics, Verdict
from engine.workspace import NewDecision, Workspace


class Ended:
    """How a command ended: exit status and what it wrote."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


Runner = Callable[..., Ended]


@pytest.fixture
def secondlook(capsys: pytest.CaptureFixture[str], log_folder: Path) -> Runner:
    """Run a command in this process."""

    def runner(*arguments: object) -> Ended:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return runner


@pytest.fixture(autouse=True)
def log_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logs and the demo away from the user's own folders."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "state"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Register a function as the command `probe`."""

    def register(function: Callable[..., Any]) -> None:
        module = types.ModuleType("engine.cli.probe")
        module.probe = function  # type: ignore[attr-defined]
        module.EXAMPLES = ("secondlook probe",)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "engine.cli.probe", module)
        monkeypatch.setitem(COMMANDS, "probe", Command("probe", "probe", "", "for tests"))

    return register


@pytest.fixture
def made(secondlook: Any, tmp_path: Path) -> Path:
    """A workspace of the preset "both" with two tweets and a product."""
    path = tmp_path / "w.secondlook"
    rows = [
        {"id": "t1", "kind": "tweet", "text": "hello", "labels": {"toxicity": "non-toxic"}, "split": "test"},
        {"id": "t2", "kind": "tweet", "text": "Ωμέγα\x1b[31m"},
        {"id": "p1", "kind": "product", "title": "Gin"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert secondlook("init", path, "--preset", "both").status == 0
    assert secondlook("import", path, tmp_path / "in.jsonl").status == 0
    return path


@pytest.fixture
def modelled(made: Path) -> Path:
    """The same with two models; the champion `m2` says that t1 is toxic and p1 prohibited for two reasons."""
    with Workspace.open(made) as ws:
        for name, parent in (("m1", ""), ("m2", "m1")):
            (made / "models" / name).mkdir()
            ws.models.register(card(name, parent), made / "models" / name)
            ws.models.promote(name, "better")
        ws.verdicts.put(
            [
                verdict("t1", "toxicity", ("toxic",), 0.75),
                verdict("p1", "verdict", ("prohibited",), 0.5),
                verdict("p1", "reason", ("smoking", "alcohol"), 0.625),
            ]
        )
    return made


def card(name: str, parent: str) -> ModelCard:
    scores = TaskMetrics(
        n=4,
        accuracy=0.75,
        macro_f1=0.7,
        majority_accuracy=0.5,
        majority_macro_f1=0.33,
        ece=0.1,
        labels=("toxic", "non-toxic"),
        per_class={"toxic": LabelScores(precision=1, recall=0.5, f1=0.67, support=2)},
    )
    tasks: dict[str, tuple[str, ...]] = {
        "toxicity": ("toxic", "non-toxic"),
        "verdict": ("ok", "prohibited"),
        "reason": ("smoking", "alcohol"),
    }
    created = "2026-01-01T00:00:00.000Z"
    return ModelCard(
        id=name, created=created, recipe="", tasks=tasks, parent=parent, metrics={"test": {"toxicity": scores}}
    )


def verdict(item: str, task: str, labels: tuple[str, ...], probability: float) -> Verdict:
    return Verdict(
        item=item,
        task=task,
        model="m2",
        label=labels[0],
        probability=probability,
        labels=labels,
        probabilities=dict.fromkeys(labels, probability),
    )


@pytest.fixture
def crossed(made: Path) -> Path:
    """A word of t1's is crossed out by its decision."""
    with Workspace.open(made) as ws:
        word = CrossedOut(kind=Mark.WORD, field="text", start=0, end=5, text="hello")
        said = NewDecision(
            item="t1", task="toxicity", action=Action.CORRECT, labels=("toxic",), reviewer="ada", crossed_out=(word,)
        )
        ws.decisions.record([said])
    return made
