"""The checks behind `secondlook doctor`. Each returns what it found; none changes anything."""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import engine
from engine.counting import counted, fit
from engine.errors import EngineError
from engine.types import Struct
from engine.workspace import Workspace
from engine.workspace.captures import digest
from engine.workspace.journal import journal_mode
from engine.workspace.merging import FROM_A_PACK

LIBRARIES = ("torch", "torchvision", "transformers", "tokenizers", "PySide6-Essentials", "lime", "pillow", "msgspec")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
CAPTURES_LOOKED_AT = 200
_UNSEEN = ("offscreen", "minimal")
_NO_DISPLAY = (
    "none, so the desk cannot be opened here: only pictures of it can be made (secondlook open --screenshot FILE);"
    " every other command works. To open it, log in to a desktop, connect with 'ssh -X',"
    " or give it a virtual display (xvfb-run secondlook open) that you look at over VNC"
)
_GPU_SECONDS = 60
# Run in a process of its own: importing torch takes seconds, and a broken driver may end the process.
_ASK_FOR_GPU = "from engine.models.devices import best, name_of; print(name_of(best()))"


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at; `detail` is one plain sentence or figure.

    `note`: nothing is broken, but something cannot be done here, or is left to be done.
    """

    name: str
    ok: bool
    detail: str
    note: bool = False


def installation() -> Iterator[Check]:
    """Check what does not depend on a workspace."""
    version = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    yield Check(name="second look", ok=True, detail=engine.__version__)
    yield Check(name="python", ok=sys.version_info >= (3, 11), detail=version)
    yield _libraries()
    yield _display()
    yield _gpu()
    yield _browser()
    mode = journal_mode(sqlite3.sqlite_version_info)
    yield Check(name="sqlite", ok=True, detail=f"{sqlite3.sqlite_version}, journal mode {mode}")


def _libraries() -> Check:
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    detail = f"missing: {', '.join(missing)}; install Second Look again" if missing else ", ".join(found)
    return Check(name="libraries", ok=not missing, detail=detail)


def _display() -> Check:
    chosen = os.environ.get("QT_QPA_PLATFORM")
    if chosen:
        unseen = chosen.partition(":")[0] in _UNSEEN
        detail = f"Qt platform '{chosen}' (from QT_QPA_PLATFORM){'; the desk opens, but nobody sees it' * unseen}"
        return Check(name="display", ok=True, note=unseen, detail=detail)
    if sys.platform != "linux":
        return Check(name="display", ok=True, detail="the system's own")
    for variable in ("WAYLAND_DISPLAY", "DISPLAY"):
        if os.environ.get(variable):
            return Check(name="display", ok=True, detail=f"{variable}={os.environ[variable]}")
    return Check(name="display", ok=True, note=True, detail=_NO_DISPLAY)


def _gpu() -> Check:
    command = [sys.executable, "-c", _ASK_FOR_GPU]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)
    except subprocess.TimeoutExpired:
        return Check(name="gpu", ok=False, detail=f"torch did not answer within {_GPU_SECONDS} seconds")
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        return Check(name="gpu", ok=False, detail=f"torch cannot be imported: {last}")
    return Check(name="gpu", ok=True, detail=done.stdout.strip())


def _browser() -> Check:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return Check(name="browser", ok=True, detail=f"{browser}, {driver}")
    missing = " and ".join(name for name, found in (("chromium", browser), ("chromedriver", driver)) if not found)
    return Check(name="browser", ok=True, note=True, detail=f"{missing} not found; only needed to capture pages")


def workspace(path: Path) -> Iterator[Check]:
    """Check a workspace; stops at the first check that leaves nothing to look at."""
    try:
        ws = Workspace.open(path, read_only=True)
    except EngineError as error:
        yield Check(name="workspace", ok=False, detail=str(error))
        return
    with ws:
        left = [one.words for one in ws.imports.unfinished()]
        missing = [words for words in ws.warnings if words not in left]
        yield Check(name="workspace", ok=not missing, detail=" ".join(missing) or f"{path} opens")
        yield Check(name="imports", ok=True, note=bool(left), detail=" ".join(left) or "none is left unfinished")
        yield _integrity(ws)
        yield _chain(ws)
        yield _annotations(ws)
        yield _origins(ws)
        yield _captures(ws)
        yield from _models(ws)


def _integrity(ws: Workspace) -> Check:
    try:
        ws.check(full=True)
    except EngineError as error:
        return Check(name="database integrity", ok=False, detail=str(error))
    counts = ws.queues.counts()
    return Check(
        name="database integrity", ok=True, detail=f"{counted(counts.total, 'item')}, {counts.decided:,} decided"
    )


def _chain(ws: Workspace) -> Check:
    report = ws.decisions.verify()
    detail = f"{counted(report.rows, 'row')}, every hash follows" if report.ok else report.reason
    return Check(name="decision chain", ok=report.ok, detail=detail)


def _annotations(ws: Workspace) -> Check:
    report = ws.annotations.verify()
    detail = f"{counted(report.rows, 'part')} crossed out, every hash follows" if report.ok else report.reason
    return Check(name="annotations", ok=report.ok, detail=detail)


def _origins(ws: Workspace) -> Check:
    report = ws.origins.verify()
    detail = (
        f"{counted(report.rows, 'decision')} came with packs, all as they were recorded" if report.ok else report.reason
    )
    return Check(name="origins", ok=report.ok, detail=detail)


def _captures(ws: Workspace) -> Check:
    """Look at captures spread over the whole workspace: each must be there and be what its name says."""
    with_capture = (item for item in ws.items.iter() if item.capture is not None)
    step = max(1, ws.items.count() // CAPTURES_LOOKED_AT)
    bad, seen = [], 0
    for item in itertools.islice(with_capture, 0, None, step):
        seen += 1
        path = ws.captures.path_of(item.capture or "")
        if not path.is_file():
            bad.append(f"that of '{item.id}' is missing")
        elif digest(path.read_bytes()) != item.capture:
            bad.append(f"that of '{item.id}' has changed")
    are = fit(len(bad), "is", "are")
    detail = (
        f"{len(bad)} of {seen} looked at {are} bad: {bad[0]}" if bad else f"{seen} looked at, all as they were stored"
    )
    return Check(name="captures", ok=not bad, detail=detail)


def _models(ws: Workspace) -> Iterator[Check]:
    rows = ws.models.list()
    if not rows:
        yield Check(name="models", ok=True, detail="none yet; train one with: secondlook retrain")
        return
    from engine.models.checkpoint import load

    for row in rows:
        name = f"model {row.card.id}"
        if row.reason.startswith(FROM_A_PACK) and not (ws.path / "models" / row.card.id).exists():
            yield Check(name=name, ok=True, detail=f"{row.status}; only its verdicts are here, they came with a pack")
            continue
        try:
            load(ws.models.folder(row.card.id), "cpu")
        except EngineError as error:
            yield Check(name=name, ok=False, detail=str(error))
            continue
        yield Check(name=name, ok=True, detail=f"loads; {row.status}")
