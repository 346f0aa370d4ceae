from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.taxonomy import preset
from engine.workspace import Workspace

MakeImage = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> MakeImage:
    """Return the bytes of a small image with some structure: `picture("JPEG", mode="CMYK", size=(40, 30))`."""

    def make(kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
        image = Image.linear_gradient("L").resize(size).convert(mode)
        written = io.BytesIO()
        image.save(written, kind, **options)
        return written.getvalue()

    return make


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace of the preset "both"."""
    with Workspace.create(tmp_path / "w.secondlook", preset("both")) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, picture: MakeImage) -> Path:
    """A folder with `a.png`, `b.png` and `c.jpg` to import from."""
    made = tmp_path / "source"
    made.mkdir()
    (made / "a.png").write_bytes(picture())
    (made / "b.png").write_bytes(picture(size=(50, 20)))
    (made / "c.jpg").write_bytes(picture("JPEG"))
    return made


WriteLines = Callable[..., Path]


@pytest.fixture
def lines(folder: Path) -> WriteLines:
    """Write JSON lines into the folder: `lines({"id": "a"}, name="x.jsonl")`; kind and text are filled in."""

    def write(*records: dict[str, Any], name: str = "metadata.jsonl") -> Path:
        path = folder / name
        filled = [{"kind": "tweet", "text": "hello", **record} for record in records]
        path.write_text("".join(json.dumps(record) + "\n" for record in filled))
        return path

    return write
