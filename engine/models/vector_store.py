"""The vectors that a model's backbones gave of items, kept so that other heads need no backbone to look at them again.

They depend on the backbones' weights, on how text and screenshots are prepared, and on what the item holds; all of that
is in the keys. Heads are no part of it: a refitted model shares the vectors of its base.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.models import folders
from engine.models.spec import NetworkSpec
from engine.models.vector_file import VectorFile
from engine.models.weights import Arrays
from engine.types import ItemContent

if TYPE_CHECKING:
    from engine.models.checkpoint import Checkpoint

FOLDER = "features"
LIMIT_BYTES = 256 * 1024 * 1024
"""Memory and disk for vectors: 150,000 items with 384 numbers for the text and 512 for the screenshot."""
FLUSH_AT = 256
_TEXT, _IMAGE = 1, 2
_BY_CONTENT = re.compile(r"[0-9a-f]{64}")
_encoder = msgspec.json.Encoder(order="sorted")

Parts = NDArray[np.uint8]
"""(n,) flags: which of its parts an item has."""
Floats = NDArray[np.float32]


class VectorStore:
    """Vectors of one pair of backbones by item, in half precision, bounded; one thread uses it at a time.

    `text_width` and `image_width` are the lengths of the two vectors. With a `file` they outlive the process.
    """

    def __init__(
        self, text_width: int, image_width: int, file: VectorFile | None = None, *, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        self._split = text_width
        self._file = file
        width = text_width + image_width
        self._room = max(1, limit_bytes // (2 * max(width, 1)))
        self._vectors = np.empty((self._room, width), np.float16)  # untouched pages take no memory
        self._parts = np.zeros(self._room, np.uint8)
        self._keys: list[bytes] = []
        self._rows: dict[bytes, int] = {}
        self._oldest = 0
        self._unwritten: list[int] = []
        self._read()

    @classmethod
    def of(cls, loaded: Checkpoint, folder: Path | None) -> VectorStore:
        """The store of a model's backbones, filled from `folder` where it was kept there before."""
        widths = (loaded.network.text_features, loaded.network.image_features)
        return cls(*widths) if folder is None else cls.kept(widths, backbones_digest(loaded), folder)

    @classmethod
    def kept(cls, widths: tuple[int, int], digest: str, folder: Path) -> VectorStore:
        """The store of backbones with that digest, for vectors of those lengths, filled from `folder`."""
        file = VectorFile(folder, digest, sum(widths))
        file.tidy()
        return cls(*widths, file)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, content: object) -> bool:
        return isinstance(content, ItemContent) and content_key(content) in self._rows

    def find(self, contents: Sequence[ItemContent]) -> list[int | None]:
        """Where each item's vectors are kept; None for one that was not looked at yet. Good until `add`."""
        return [self._rows.get(content_key(content)) for content in contents]

    def take(self, rows: Sequence[int], missing_text: Floats, missing_image: Floats) -> tuple[Floats, Floats]:
        """(n, Dt) and (n, Di) vectors of kept rows, the given ones for parts that are missing."""
        kept = self._vectors[rows].astype(np.float32)
        parts = self._parts[rows][:, None]
        text, image = kept[:, : self._split], kept[:, self._split :]
        return (
            np.where((parts & _TEXT) > 0, text, missing_text),
            np.where((parts & _IMAGE) > 0, image, missing_image),
        )

    def add(
        self, contents: Sequence[ItemContent], parts: Parts, text: ArrayLike, image: ArrayLike, *, keep: bool
    ) -> None:
        """Take in (n, Dt) and (n, Di) vectors. With `keep` the oldest make room where there is none left.

        Vectors that half precision cannot hold, and items whose screenshot could not be read, are left out.
        """
        values = np.concatenate([np.asarray(text, np.float32), np.asarray(image, np.float32)], axis=1)
        for content, flags, row in zip(contents, parts, values, strict=True):
            unread = content.capture is not None and self._vectors.shape[1] > self._split and not flags & _IMAGE
            if not unread and np.abs(row).max(initial=0.0) < np.finfo(np.float16).max:
                self._put(content_key(content), int(flags), row, keep=keep)
        if len(self._unwritten) >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what is new to the file, if there is one."""
        rows, self._unwritten = self._unwritten, []
        if self._file is None or not rows:
            return
        records = np.zeros(len(rows), self._file.record)
        records["key"] = np.array([self._keys[row] for row in rows], "V16")
        records["parts"], records["vector"] = self._parts[rows], self._vectors[rows]
        self._file.append(records, self._room)

    def _put(self, key: bytes, parts: int, vector: NDArray[np.floating], *, keep: bool) -> None:
        if key in self._rows or (len(self._keys) >= self._room and not keep):
            return
        if len(self._keys) < self._room:
            row = len(self._keys)
            self._keys.append(key)
            self._unwritten.append(row)
        else:
            row, self._oldest = self._oldest, (self._oldest + 1) % self._room
            del self._rows[self._keys[row]]
            self._keys[row] = key
        self._rows[key], self._parts[row], self._vectors[row] = row, parts, vector

    def _read(self) -> None:
        if self._file is None:
            return
        records = self._file.read(self._room)
        count = len(records)
        self._vectors[:count], self._parts[:count] = records["vector"], records["parts"]
        self._keys = [key.tobytes() for key in records["key"]]
        self._rows = {key: row for row, key in enumerate(self._keys)}


def parts_of(texts: Sequence[str], seen: Sequence[bool]) -> Parts:
    """Which parts items have, from their raw texts and whether they have a screenshot that can be used."""
    pairs = zip(texts, seen, strict=True)
    return np.array([_TEXT * bool(text.strip()) + _IMAGE * with_image for text, with_image in pairs], np.uint8)


def content_key(content: ItemContent) -> bytes:
    """16 bytes that tell what the item holds: its words, its screenshot, the screenshot's regions; not its id."""
    facts = (content.title, content.text, _capture(content.capture), content.regions)
    return hashlib.blake2b(_encoder.encode(facts), digest_size=16).digest()


def backbones_digest(loaded: Checkpoint) -> str:
    """The SHA-256 of what turns an item into vectors: weights of both backbones, preparation, vocabulary."""
    spec = loaded.network.spec
    if loaded.source is not None:  # what scores in fewer bits has let its floats go
        return digest_of(spec, loaded.source)
    tensors = loaded.network.state_dict()
    return _digest(spec, {}, ((name, tensors[name].detach().cpu().contiguous().numpy()) for name in sorted(tensors)))


def digest_of(spec: NetworkSpec, source: Path) -> str:
    """As `backbones_digest`, of a network whose backbones are in the folder `source`.

    Raises:
        ModelUnavailableError: a file is missing or damaged.
    """
    tensors = Arrays(source / folders.WEIGHTS)
    return _digest(spec, folders.other_digests(source), ((name, tensors[name]) for name in sorted(tensors)))


def _digest(spec: NetworkSpec, others: dict[str, str], tensors: Iterable[tuple[str, NDArray[Any]]]) -> str:
    digest = hashlib.sha256()
    digest.update(_encoder.encode((spec.text, spec.image)))
    digest.update(_encoder.encode(others))
    for name, tensor in tensors:
        if name.startswith(("text.", "image.")):
            digest.update(f"{name}{tensor.shape}torch.{tensor.dtype}".encode())  # as torch writes it
            digest.update(tensor.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _capture(path: str | None) -> str:
    """A capture of a workspace is named by its bytes; of any other file its size and time stand for them."""
    if path is None:
        return ""
    if _BY_CONTENT.fullmatch(Path(path).stem):
        return Path(path).stem
    try:
        facts = Path(path).stat()
    except OSError:
        return path
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"
