"""The rows of a CSV file, each with the line that it starts in, and what is wrong with one in words."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from typing import IO

LONGEST_LINE = 8 << 20
"""Bytes that a line, or a cell of several lines, may take."""

_WORDS = (
    (
        "unexpected end",
        'a quote (") is opened in it and never closed; close it there, or write "" for a quote in a text',
    ),
    (
        "field larger",
        f'a cell is longer than {LONGEST_LINE >> 20} MB; perhaps a quote (") is opened in it and never closed',
    ),
    (
        "expected after",
        'text follows right behind a closing quote ("); a quote before it was never closed, or one in a text is not'
        ' written as ""',
    ),
    ("new-line character", "a line ends in a carriage return alone; save the file with ordinary line ends"),
)
"""Parts of what the csv module says of a row, and how a person would say it."""


class TableError(Exception):
    """The row that starts in `line` (from 1) cannot be read, and so nothing behind it; `reason` says why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def numbered_lines(file: IO[bytes], longest: int = LONGEST_LINE) -> Iterator[tuple[int, bytes | None]]:
    """Give numbered lines; None for one that is too long, which is passed over in pieces."""
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) <= longest:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(longest)
        yield number, None


def text_lines(file: IO[bytes]) -> Iterator[str]:
    """Give the lines of a table as text; raises `TableError` for one that is too long."""
    for number, line in numbered_lines(file):
        if line is None:
            raise TableError(number, f"line {number} is longer than {LONGEST_LINE >> 20} MB")
        # Bytes that are no UTF-8 are carried along as surrogates, so that only their own row is refused.
        yield line.decode(errors="surrogateescape")


def table_rows(lines: Iterable[str], separator: str = "", *, quotes: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Give each row's cells (none for a blank line) with the line that it starts in, from 1.

    Without a `separator` it is the comma, semicolon or tab, whichever the first line has most of. Without `quotes` a
    quote is a character like any other.

    Raises:
        TableError: a row cannot be read. It names the row's first line: that is where a quote that was never closed
            was opened.
    """
    csv.field_size_limit(LONGEST_LINE)
    lines = iter(lines)
    first = next(lines, "")
    reader = csv.reader(
        itertools.chain([first], lines),
        delimiter=separator or max(",;\t", key=first.count),
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        strict=quotes,
    )
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableError(line, in_words(error)) from error
    except TableError as error:
        raise TableError(line, error.reason) from error


def in_words(error: csv.Error) -> str:
    """Return what the csv module says of a row in plain words, and how to mend it."""
    return next((words for start, words in _WORDS if start in str(error)), str(error))
