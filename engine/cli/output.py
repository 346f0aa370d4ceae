"""What a command writes: one answer on standard output, everything else (progress, warnings) on standard error."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import msgspec

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

PROGRESS_LINES = "SECONDLOOK_PROGRESS_LINES"
"""Environment variable; not empty: write progress as JSON lines."""
_answers: list[TextIO] = []


@contextlib.contextmanager
def only_answers_on_stdout() -> Iterator[None]:
    """Send whatever libraries print to standard error, so that standard output holds the answer and nothing else."""
    _answers.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.pop().flush()


def answer_stream() -> TextIO:
    """Return the stream that answers go to, also while `only_answers_on_stdout` holds."""
    return _answers[-1] if _answers else sys.stdout


def answer(document: object, text: str | Callable[[], str], *, as_json: bool) -> None:
    """Write a command's answer: the document as one line of JSON, or the text for people.

    `document` is anything msgspec encodes; not-a-number becomes null. `text` may be a function where it costs work.
    """
    if as_json:
        answer_stream().write(msgspec.json.encode(document).decode() + "\n")
        return
    written = text if isinstance(text, str) else text()
    if written:
        answer_stream().write(written.rstrip("\n") + "\n")


def note(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(text.rstrip("\n") + "\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns under their headers; control characters in cells become spaces."""
    cells = [list(headers), *([_plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def _plain(cell: str) -> str:
    return "".join(character if character.isprintable() else " " for character in cell)


def _unseen(_done: int, _total: int, /) -> None:
    """Progress that nobody watches."""


def _lines(title: str) -> Progress:
    """Return a function that writes `{"title", "done", "total"}` as a line, ten times a second at most."""
    last = 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.1 or done >= total > 0:
            last = now
            line = msgspec.json.encode({"title": title, "done": done, "total": max(0, total)})
            sys.stderr.write(line.decode() + "\n")
            sys.stderr.flush()

    show(0, 0)
    return show


@contextlib.contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show a progress bar on standard error while the block runs; nothing where that is no terminal.

    Gives a function to be called with (done, total); a total of 0 or less means that it is not known yet. For a
    program that reads along, `PROGRESS_LINES` in the environment gives JSON lines instead of a bar.
    """
    if os.environ.get(PROGRESS_LINES):
        yield _lines(title)
        return
    if not sys.stderr.isatty():
        yield _unseen
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total if total > 0 else None)

        yield show
