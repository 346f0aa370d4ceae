"""Read a JSON array of objects one element at a time, however large the file is.

Elements are cut out with the standard library's scanner and then decoded as strictly as a line of JSON lines.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from engine.errors import InputError
from engine.intake.sources import Record, json_record

LONGEST_ELEMENT = 64 << 20
"""Bytes that one element may take, a picture inside it included."""

_CHUNK = 1 << 20
_BLANK = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


def read_array(path: Path) -> Iterator[Record]:
    """Give the record of each element of a JSON array of objects; a lone object counts as one element.

    `line` is where the element starts. What follows a broken element cannot be told apart and is left out, which the
    record with the problem says.

    Raises:
        InputError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            yield from _Elements(file).records()
    except OSError as error:
        raise InputError(
            f"'{path}' cannot be read: {error.strerror}.", "Check that the file is there and that you may read it."
        ) from error


class _BrokenError(Exception):
    """The text cannot be read on from here."""


class _Elements:
    """A window over the text of a file: `text` from `at` on has not been read yet."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.decode = codecs.getincrementaldecoder("utf-8-sig")("strict")
        self.text = ""
        self.at = 0
        self.line = 1
        self.ended = False

    def records(self) -> Iterator[Record]:
        try:
            opening = self.peek()
            if opening == "[":
                self.pass_over(1)
                yield from self.elements()
            else:
                yield self.element() if opening else Record(line=1, problem="the file is empty")
            if self.peek():
                yield Record(line=self.line, problem="the array has ended, but the file goes on; the rest was left out")
        except _BrokenError as error:
            yield Record(line=self.line, problem=f"{error}; the rest of the file was left out")

    def elements(self) -> Iterator[Record]:
        if self.peek() == "]":
            self.pass_over(1)
            return
        while True:
            self.peek()
            yield self.element()
            closing = self.peek()
            if closing not in {",", "]"}:
                raise _BrokenError("after this element a comma or the array's end is missing" if closing else _CUT)
            self.pass_over(1)
            if closing == "]":
                return

    def peek(self) -> str:
        """Pass over blanks and return the next character, "" at the file's end."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            end = blank.end() if blank else self.at
            self.line += self.text.count("\n", self.at, end)
            self.at = end
            if end < len(self.text) or not self.more():
                return self.text[end : end + 1]

    def pass_over(self, characters: int) -> None:
        self.at += characters

    def element(self) -> Record:
        """Cut out the element that starts here; the window grows until it holds all of it."""
        while True:
            try:
                _, end = _scan(self.text, self.at)
            except RecursionError:
                raise _BrokenError("its brackets are nested too deeply") from None
            except ValueError as error:
                # What is cut off at the window's end looks broken too: only a full window or the file's end decides.
                if len(self.text) - self.at > LONGEST_ELEMENT:
                    raise _BrokenError(f"an element is broken or longer than {LONGEST_ELEMENT >> 20} MB") from None
                if not self.ended:
                    self.more(grow=True)
                    continue
                raise _BrokenError(self.what_is_wrong(error)) from None
            if end == len(self.text) and not self.ended:
                self.more(grow=True)  # a number may go on
                continue
            break
        line, raw = self.line, self.text[self.at : end]
        self.line += raw.count("\n")
        self.at = end
        return json_record(line, raw.encode())

    def what_is_wrong(self, error: ValueError) -> str:
        if not isinstance(error, json.JSONDecodeError):
            return "it holds a number with too many digits"
        self.line += self.text.count("\n", self.at, error.pos)
        return f"it is not valid JSON ({error.msg})" if error.pos < len(self.text) else _CUT

    def more(self, *, grow: bool = False) -> bool:
        """Read on, as much again as an unfinished element already takes; return whether there was anything."""
        if self.ended:
            return False
        held = self.text[self.at :]
        raw = self.file.read(max(_CHUNK, len(held)) if grow else _CHUNK)
        self.ended = not raw
        try:
            self.text = held + self.decode.decode(raw, final=self.ended)
        except UnicodeDecodeError as error:
            self.line += held.count("\n") + error.object[: error.start].count(b"\n")
            raise _BrokenError(f"it is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8") from None
        self.at = 0
        return not self.ended


_CUT = "the file is cut short"
