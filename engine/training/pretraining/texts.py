"""The texts to learn from: every item of a workspace, or a file of lines, JSON lines or CSV."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from engine.errors import InputError, NotFoundError
from engine.intake.sources import read_records
from engine.intake.tables import TableError, table_rows
from engine.models.text import model_text
from engine.types import ItemContent, Struct
from engine.workspace import Workspace

PLAIN, JSON_LINES, CSV = (".txt", ".text", ""), (".jsonl", ".ndjson"), (".csv",)
_KINDS = "Give a workspace, plain text one a line (.txt), JSON lines with `text` (.jsonl) or CSV with `text` (.csv)."


class Source(Struct, frozen=True, kw_only=True):
    """Raw texts in the order of their source, blank ones left out, and what could not be read, a sentence each."""

    name: str
    texts: tuple[str, ...]
    problems: tuple[str, ...] = ()


def read_texts(path: Path) -> Source:
    """Return the texts of a workspace (title and text of every item, labelled or not) or of a file.

    Raises:
        NotFoundError: there is nothing at `path`.
        InputError: it is no file of texts, or holds none.
        WorkspaceError: the folder is no workspace that can be opened.
    """
    if not path.exists():
        raise NotFoundError(f"There is no workspace or file '{path}'.", "Check the path.")
    problems: list[str] = []
    found = _of_workspace(path) if path.is_dir() else _of_file(path, problems)
    texts = tuple(text for text in found if text.strip())
    if not texts:
        why = f" ({problems[0]})" if problems else ""
        raise InputError(f"'{path}' holds no text to learn from{why}.", _KINDS)
    return Source(name=str(path), texts=texts, problems=tuple(problems))


def _of_workspace(path: Path) -> Iterator[str]:
    with Workspace.open(path) as workspace:
        for item in workspace.items.iter():
            yield model_text(workspace.items.content(item))


def _of_file(path: Path, problems: list[str]) -> Iterator[str]:
    kind = path.suffix.lower()
    if kind in JSON_LINES:
        return _of_json_lines(path, problems)
    if kind in CSV:
        return _of_csv(path, problems)
    if kind in PLAIN:
        return _of_lines(path)
    raise InputError(f"'{path}' is no kind of text file that can be read here.", _KINDS)


def _of_json_lines(path: Path, problems: list[str]) -> Iterator[str]:
    for record in read_records(path):
        fields = record.fields or {}
        title, text = fields.get("title") or "", fields.get("text") or ""
        if record.problem:
            problems.append(f"{path}, line {record.line}: {record.problem}")
        elif not (isinstance(title, str) and isinstance(text, str)):
            problems.append(f"{path}, line {record.line}: `text` is no text")
        elif not (title or text):
            problems.append(f"{path}, line {record.line}: it has no `text`")
        else:
            yield model_text(ItemContent(id="", kind="", title=title, text=text))


def _of_csv(path: Path, problems: list[str]) -> Iterator[str]:
    rows = table_rows(io.StringIO(_decoded(path), newline=""))
    try:
        columns = next(rows, (1, []))[1]
        if "text" not in columns:
            has = ", ".join(columns)[:200]
            raise InputError(f"'{path}' has no column `text`; it has: {has}.", "Name the column with the texts `text`.")
        for row in (dict(zip(columns, cells, strict=False)) for _, cells in rows if cells):
            yield model_text(ItemContent(id="", kind="", title=row.get("title", ""), text=row.get("text", "")))
    except TableError as error:
        problems.append(f"{path}, line {error.line}: {error.reason}; the rest of the file is left out")


def _of_lines(path: Path) -> Iterator[str]:
    return (line.rstrip("\n") for line in io.StringIO(_decoded(path), newline=None))


def _decoded(path: Path) -> str:
    """The file's text. A NUL is in no text, but in nearly every file that is none."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read ({error.strerror or error}).",
            "Check that the file is there and that you may read it.",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is no text in UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    if "\0" in text:
        raise InputError(f"'{path}' is no text file: it holds NUL characters.", _KINDS)
    return text
