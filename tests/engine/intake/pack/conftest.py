"""A workspace worth packing: screenshots, verdicts, an explanation, decisions, an undo, a word crossed out."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.intake.pack import Choice, write_pack
from engine.taxonomy import preset
from engine.types import Action, CrossedOut, Explanation, Item, Mark, ModelCard, TokenWeight, Verdict
from engine.workspace import NewDecision, Workspace

MODEL = "model-1"
Decide = Callable[..., NewDecision]
Rewrite = Callable[..., Path]


@pytest.fixture
def decide() -> Decide:
    """Make a new decision."""
    return answer


def answer(item: str, label: str, reviewer: str = "ann", **more: object) -> NewDecision:
    fields = {"item": item, "task": "toxicity", "action": Action.CORRECT, "labels": (label,), "reviewer": reviewer}
    return NewDecision(**{**fields, **more})  # type: ignore[arg-type]


def picture(shade: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 120, 200)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workspace `home.secondlook` and a pack of all of it, `pack.zip`, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    with Workspace.create(folder / "home.secondlook", preset("tweets")) as ws:
        fill(ws)
        word = CrossedOut(kind=Mark.WORD, label="toxic", field="text", start=0, end=5, text="Words")
        ws.decisions.record([answer("t0", "toxic", crossed_out=(word,), seconds=2.5, note="Καλημέρα")])
        ws.decisions.record([answer("t1", "toxic")])
        ws.decisions.undo("ann")
        ws.decisions.record([answer("t1", "non-toxic", action=Action.CONFIRM)])
        write_pack(ws, folder / "pack.zip", Choice())
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The workspace that the packs are made of: six tweets, t0 to t5, all judged, t0 and t1 decided by ann."""
    shutil.copytree(made / "home.secondlook", tmp_path / "home.secondlook")
    with Workspace.open(tmp_path / "home.secondlook") as ws:
        yield ws


def fill(ws: Workspace) -> None:
    ws.items.add(
        (
            Item(
                id=f"t{number}",
                kind="tweet",
                text=f"Words number {number}, «Ελληνικά»",
                author=f"a{number % 2}",
                width=40,
                height=30,
                truths={"toxicity": ("toxic",)} if number == 5 else {},
                regions={"text": ((1.0, 2.0, 30.0, 10.5),)},
                meta={"n": number, "deep": [1, None, {"x": 0.5}]},
            ),
            picture(number),
        )
        for number in range(6)
    )
    folder = ws.path / "models" / MODEL
    folder.mkdir()
    ws.models.register(
        ModelCard(id=MODEL, created="2026-01-01T00:00:00Z", recipe="", tasks={"toxicity": LABELS}), folder
    )
    ws.models.promote(MODEL, "first")
    ws.verdicts.put([verdict(f"t{number}", 0.1 * number) for number in range(6)])
    ws.explanations.put(
        Explanation(
            item="t0",
            task="toxicity",
            label="non-toxic",
            model=MODEL,
            probability=1.0,
            tokens=(TokenWeight(field="text", start=0, end=5, text="Words", weight=0.25),),
        )
    )


LABELS = ("toxic", "non-toxic")


def verdict(item: str, toxic: float) -> Verdict:
    label = "toxic" if toxic > 0.5 else "non-toxic"
    top = max(toxic, 1.0 - toxic)
    both = {"toxic": toxic, "non-toxic": 1.0 - toxic}
    return Verdict(
        item=item, task="toxicity", model=MODEL, label=label, probability=top, labels=(label,), probabilities=both
    )


@pytest.fixture
def packed(made: Path, tmp_path: Path) -> Path:
    """A pack of everything."""
    shutil.copy(made / "pack.zip", tmp_path / "pack.zip")
    return tmp_path / "pack.zip"


@pytest.fixture
def rewrite(packed: Path, tmp_path: Path) -> Rewrite:
    """Make a zip of the pack's entries, changed by a function of {name: bytes}; with a fitting manifest if asked."""

    def make(change: Callable[[dict[str, bytes]], None], *, fitting: bool = False) -> Path:
        with zipfile.ZipFile(packed) as source:
            entries = {name: source.read(name) for name in source.namelist()}
        change(entries)
        if fitting:
            manifest = json.loads(entries["manifest.json"])
            manifest["files"] = {
                name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
                for name, body in entries.items()
                if name != "manifest.json"
            }
            entries["manifest.json"] = json.dumps(manifest).encode()
        path = tmp_path / "changed.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name, body in entries.items():
                target.writestr(name, body)
        return path

    return make
