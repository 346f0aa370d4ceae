"""Where a record's screenshot is: a path beside the file, bytes in the record, or a capture that is named by digest."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path, PurePosixPath

from engine.errors import InputError
from engine.intake.captures import MOST_BYTES, Capture, CaptureError, check_capture, read_capture
from engine.intake.rows import Row
from engine.intake.sources import Record
from engine.workspace import Workspace
from engine.workspace.captures import digest

_DATA_URI = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)
_MOST_TEXT = (MOST_BYTES + 2) // 3 * 4


def picture_of(record: Record, row: Row, folder: Path, ws: Workspace) -> Capture | CaptureError | None:
    """Return a record's checked screenshot, what is wrong with it, or None where it has none (or none is here)."""
    try:
        if record.picture is not None:
            return check_capture(record.picture, suffix=None)
        if row.screenshot:
            return read_capture(inside(folder, row.screenshot))
        return _kept(record.capture, folder, ws) if record.capture else None
    except CaptureError as error:
        return error


def inside(folder: Path, screenshot: str) -> Path:
    """Return the screenshot's path, which must not lead out of the import file's folder, also not through links."""
    parts = PurePosixPath(screenshot)
    if parts.is_absolute() or ".." in parts.parts:
        raise CaptureError("the path must be relative to the file and stay in its folder")
    try:
        path = (folder / parts).resolve()
        within = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise CaptureError(f"it is no usable path ({error})") from error
    if not within:
        raise CaptureError("it is a link that leads out of the file's folder")
    return path


def from_data_uri(text: str) -> bytes:
    """Return the bytes of an image in a `data:` URI; raises `CaptureError` where it is none, damaged or too large."""
    start = _DATA_URI.match(text[:80])
    if start is None:
        raise CaptureError("it is no base64 image (data:image/…;base64,…)")
    if len(text) - start.end() > _MOST_TEXT:
        raise CaptureError(f"the image is larger than {MOST_BYTES >> 20} MB")
    try:
        return base64.b64decode(text[start.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise CaptureError("its base64 text is damaged") from error


def as_data_uri(png: bytes) -> str:
    """Return the `data:` URI of a PNG file's bytes."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _kept(sha: str, folder: Path, ws: Workspace) -> Capture | None:
    try:
        kept = ws.captures.path_of(sha)
    except InputError as error:
        raise CaptureError(error.message.rstrip(".")) from error
    if ws.captures.is_intact(sha):
        return read_capture(kept)
    beside = PurePosixPath("captures", sha[:2], f"{sha}.png")
    if (folder / beside).is_file():
        found = read_capture(inside(folder, str(beside)))
        if digest(found.png) != sha:
            raise CaptureError("its bytes are not the ones that its digest names")
        return found
    if kept.is_file():
        raise CaptureError("the workspace's file of it is damaged; put the folder `captures` beside the file")
    return None
