"""Write a review pack: streamed, complete or not at all, and the same bytes for the same content."""

from __future__ import annotations

import hashlib
import itertools
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from engine.errors import CancelledError
from engine.intake.formats.base import Writing, written_whole
from engine.intake.pack import manifest as names
from engine.intake.pack.choosing import Choice, chosen
from engine.intake.pack.manifest import FORMAT, LARGE, MANIFEST, MOST_RATIO, VERSION, Manifest, Stated, capture_name
from engine.intake.screenshots import screenshot_of
from engine.taxonomy import dump_taxonomy
from engine.types import Decision, Explanation, Item, ModelCard, Struct, Verdict
from engine.workspace import Workspace
from engine.workspace.origins import Carried

_BATCH = 500
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16
_encode = msgspec.json.Encoder().encode


class PackReport(Struct, frozen=True, kw_only=True):
    """What was packed. `pack` is its id: the SHA-256 of its manifest."""

    file: str
    pack: str
    items: int
    captures: int
    verdicts: int
    explanations: int
    decisions: int


def write_pack(ws: Workspace, path: Path, choice: Choice, how: Writing | None = None) -> PackReport:
    """Write the chosen items with all that belongs to them, replacing what is at `path`.

    Raises:
        InputError: nothing or too much is chosen, or the folder does not exist.
        StorageError: the disk refused, or a screenshot is lost; a file that was there before is untouched.
        CancelledError: `how` called it off.
    """
    ids = chosen(ws, choice)
    with written_whole(path) as file:
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            file.seek(0)
            file.truncate()
            writer = _Writer(ws, ids, choice, how or Writing(), file, method)
            with writer.zip:
                report = writer.write(path)
            # What repeats itself so much that it would look like a zip bomb goes in as it is.
            if not writer.bloated:
                break
    return report


class _Writer:
    """One pack under way."""

    def __init__(
        self, ws: Workspace, ids: list[str], choice: Choice, how: Writing, file: IO[bytes], method: int
    ) -> None:
        self.ws = ws
        self.ids = ids
        self.choice = choice
        self.how = how
        self.method = method
        self.zip = zipfile.ZipFile(file, "w", method, compresslevel=6)
        self.files: dict[str, Stated] = {}
        self.captures: dict[str, str] = {}
        self.models: set[str] = set()

    @property
    def bloated(self) -> bool:
        """Whether an entry is packed more tightly than a reader trusts."""
        return any(info.file_size > max(LARGE, MOST_RATIO * info.compress_size) for info in self.zip.filelist)

    def write(self, path: Path) -> PackReport:
        champion = self.ws.models.champion()
        self.document(names.TAXONOMY, [dump_taxonomy(self.ws.taxonomy).encode()])
        items = self.document(names.ITEMS, self.items())
        verdicts = self.document(names.VERDICTS, self.verdicts())
        explanations = self.document(names.EXPLANATIONS, self.explanations())
        self.models |= {champion.card.id} if champion else set()
        self.document(names.MODELS, (_line(self.ws.models.get(model).card) for model in sorted(self.models)))
        decisions = self.document(names.DECISIONS, self.decisions())
        self.copy_captures()
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            items=items,
            truths=self.choice.truths,
            decisions=self.choice.decisions,
            champion=champion.card.id if champion else "",
            files=self.files,
        )
        body = msgspec.json.format(_encode(manifest), indent=1)
        self.zip.writestr(_entry(MANIFEST, self.method), body)
        return PackReport(
            file=str(path),
            pack=hashlib.sha256(body).hexdigest(),
            items=items,
            captures=len(self.captures),
            verdicts=verdicts,
            explanations=explanations,
            decisions=decisions,
        )

    def document(self, name: str, lines: Iterable[bytes]) -> int:
        """Write lines as one entry and return how many there were."""
        count = size = 0
        digest = hashlib.sha256()
        with self.zip.open(_entry(name, self.method), "w", force_zip64=True) as entry:
            for line in lines:
                entry.write(line)
                digest.update(line)
                size += len(line)
                count += 1
        self.files[name] = Stated(sha256=digest.hexdigest(), bytes=size)
        return count

    def batches(self, *, told: bool = False) -> Iterator[list[str]]:
        for start in range(0, len(self.ids), _BATCH):
            if self.how.cancelled is not None and self.how.cancelled():
                raise CancelledError("The export was cancelled; no file was written.")
            batch = self.ids[start : start + _BATCH]
            yield batch
            if told and self.how.progress is not None:
                self.how.progress(start + len(batch), len(self.ids))

    def items(self) -> Iterator[bytes]:
        for batch in self.batches():
            for item in self.ws.items.get_many(batch):
                if item.capture is not None:
                    self.captures.setdefault(item.capture, item.id)
                yield _line(item if self.choice.truths else msgspec.structs.replace(item, truths={}))

    def verdicts(self) -> Iterator[bytes]:
        for batch in self.batches():
            for verdicts in self.ws.verdicts.of_many(batch).values():
                for task in sorted(verdicts):
                    self.models.add(verdicts[task].model)
                    yield _line(verdicts[task])

    def explanations(self) -> Iterator[bytes]:
        for batch in self.batches() if self.choice.explanations else ():
            for verdicts in self.ws.verdicts.of_many(batch).values():
                for one in verdicts.values():
                    yield from map(_line, self.explained(one))

    def explained(self, verdict: Verdict) -> Iterator[Explanation]:
        """Give the stored explanations of a verdict, of whichever labels."""
        for label in verdict.probabilities:
            found = self.ws.explanations.get(verdict.item, verdict.task, label, verdict.model)
            if found is not None:
                yield found

    def decisions(self) -> Iterator[bytes]:
        """Give every decision on the items in the order of their numbers, so that their chain can be followed."""
        if not self.choice.decisions:
            return
        wanted = set(self.ids)
        stream = (one for one in self.ws.decisions.iter() if one.item in wanted)
        while batch := list(itertools.islice(stream, _BATCH)):
            yield from map(_line, self.carried(batch))

    def carried(self, batch: list[Decision]) -> Iterator[Carried]:
        items = list(dict.fromkeys(one.item for one in batch))
        annotations, origins = self.ws.annotations.of_many(items), self.ws.origins.of_many(items)
        for one in batch:
            crossed = tuple(mark for mark in annotations.get(one.item, ()) if mark.decision == one.number)
            yield Carried(decision=one, origin=origins.get(one.number), crossed_out=crossed)

    def copy_captures(self) -> None:
        for sha, item in sorted(self.captures.items()):
            png = screenshot_of(self.ws, item, sha)
            name = capture_name(sha)
            self.zip.writestr(_entry(name, zipfile.ZIP_STORED), png)
            self.files[name] = Stated(sha256=sha, bytes=len(png))


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = method
    entry.create_system = 3
    entry.external_attr = _PLAIN_FILE
    return entry


def _line(one: Item | Verdict | Explanation | ModelCard | Carried) -> bytes:
    return _encode(one) + b"\n"
