"""The interchange formats: one table (`FORMATS`) of what can be read and written, and the guess which one a file is.

One module per format. Light: a library that only one format needs is imported inside that format's functions.
"""

from __future__ import annotations

from engine.intake.formats.base import Format, Reading, Writing, written_whole
from engine.intake.formats.registry import FORMATS, guess, named

__all__ = ["FORMATS", "Format", "Reading", "Writing", "guess", "named", "written_whole"]
