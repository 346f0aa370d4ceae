"""The real process with a tiny real model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.service.protocol import (
    Done,
    Explain,
    Explained,
    Failed,
    Load,
    Loaded,
    Message,
    Ready,
    Score,
    Scored,
    ServiceEvent,
    decode_service_event,
    encode,
)
from engine.types import ItemContent, ModelCard

TEXTS = ["a calm river and a stone bridge", "Καλημέρα, ωραία μέρα σήμερα", "cheap silver watches, buy now"] * 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network in a model's folder."""
    import torch

    from engine.models import checkpoint
    from engine.models.network import build
    from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
    from engine.models.tokenizer import tokenizer_for

    spec = NetworkSpec(
        heads=(HeadSpec(task="toxicity", labels=("toxic", "non-toxic")),),
        text=TextSpec(max_tokens=16, vocabulary=300, width=8, filters=4),
        image=ImageSpec(size=32),
    )
    torch.manual_seed(0)
    tokenizer = tokenizer_for(spec, TEXTS)
    card = ModelCard(
        id="tiny", created="2026-01-01", recipe="", tasks={"toxicity": ("toxic", "non-toxic")}, network=to_plain(spec)
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    checkpoint.save(folder, build(spec, tokenizer).eval(), card, tokenizer)
    return folder


@pytest.fixture
def item(tmp_path: Path) -> ItemContent:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((64, 48)).save(tmp_path / "page.png")
    return ItemContent(id="ένα", kind="tweet", text="Καλημέρα 🎉 buy now", capture=str(tmp_path / "page.png"))


class Service:
    """The process, asked and answered line by line."""

    def __init__(self, workspace: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", str(workspace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def ask(self, message: Message) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encode(message))
        self.process.stdin.flush()

    def event(self) -> ServiceEvent:
        assert self.process.stdout is not None
        return decode_service_event(self.process.stdout.readline())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    with service.process:
        yield service
        service.process.kill()


def test_it_loads_scores_explains_and_ends_with_its_input(
    service: Service, model: Path, item: ItemContent, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert isinstance(service.event(), Ready)
    service.ask(Load(request=1, folder=str(model)))
    assert service.event() == Loaded(request=1, model="tiny", settled=False)

    service.ask(Score(request=2, items=(item,)))
    scored = service.event()
    assert isinstance(scored, Scored)
    assert scored.verdicts[0].item == "ένα"
    assert service.event() == Done(request=2)

    service.ask(Explain(request=3, item=item, task="toxicity", label="toxic"))
    explanations = []
    while isinstance(event := service.event(), Explained):
        explanations.append(event.explanation)
    assert event == Done(request=3)
    assert [one.final for one in explanations] == [False] * (len(explanations) - 1) + [True]
    assert [token.text for token in explanations[-1].tokens] == ["Καλημέρα", "🎉", "buy", "now"]
    assert explanations[-1].probability == pytest.approx(scored.verdicts[0].probabilities["toxic"], abs=1e-5)

    service.ask(Explain(request=4, item=item, task="toxicity", label="toxik"))
    failed = service.event()
    assert isinstance(failed, Failed)
    assert not failed.bug
    assert "Did you mean 'toxic'?" in failed.message

    assert service.process.stdin is not None
    service.process.stdin.close()
    assert service.process.wait(timeout=60) == 0
    kept = {path for path in tmp_path.rglob("*") if "features" in path.relative_to(tmp_path).parts}
    assert sorted(set(tmp_path.rglob("*")) - kept) == before
    assert any(path.suffix == ".vectors" for path in kept)


def test_it_ends_at_once_when_its_input_closes_while_it_starts(service: Service) -> None:
    assert service.process.stdin is not None
    assert service.process.stdout is not None
    service.process.stdin.close()
    assert service.process.stdout.read() == b""
    assert service.process.wait(timeout=60) == 0


def test_a_workspace_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine", "serve", str(tmp_path / "none")]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 2
    assert "no workspace" in ended.stderr
