"""Look a pack over from end to end before anything of it is used: sizes, hashes, records, screenshots."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from engine.counting import counted
from engine.errors import EngineError
from engine.intake.captures import CaptureError, check_capture, quiet_pillow
from engine.intake.pack import manifest as names
from engine.intake.pack.archive import Archive
from engine.intake.pack.checks import (
    check_card,
    check_carried,
    check_explanation,
    check_item,
    check_order,
    check_verdict,
)
from engine.intake.pack.choosing import MOST_ITEMS
from engine.intake.pack.manifest import (
    DOCUMENTS,
    FORMAT,
    MANIFEST,
    SUFFIX,
    VERSION,
    Manifest,
    PackError,
    capture_name,
    capture_of,
)
from engine.taxonomy import Taxonomy, parse_taxonomy
from engine.types import Decision, Explanation, Item, ModelCard, Struct, Verdict
from engine.workspace.origins import Carried

LONGEST_LINE = 8 << 20
_T = TypeVar("_T", Item, ModelCard, Verdict, Explanation, Carried)
_manifest = msgspec.json.Decoder(Manifest)


class _Head(Struct, frozen=True, kw_only=True):
    """What every version's manifest has."""

    format: str = ""
    version: int = 0


def is_pack(path: Path) -> bool:
    """Whether a file is a zip that says it is a review pack; never fails."""
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


class Pack:
    """A pack whose every byte was looked at. Items, verdicts, explanations and decisions are read when asked for."""

    def __init__(self, archive: Archive, manifest: Manifest, identity: str, taxonomy: Taxonomy) -> None:
        self.archive = archive
        self.path = archive.path
        self.manifest = manifest
        self.id = identity
        self.taxonomy = taxonomy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.archive.close()

    def items(self) -> Iterator[Item]:
        """Give the items in the order in which the pack holds them."""
        return self._read(names.ITEMS, Item)

    def cards(self) -> tuple[ModelCard, ...]:
        """Return the cards of the models whose verdicts are in the pack."""
        return tuple(self._read(names.MODELS, ModelCard))

    def verdicts(self) -> Iterator[Verdict]:
        """Give the verdicts that the reviewer is shown."""
        return self._read(names.VERDICTS, Verdict)

    def explanations(self) -> Iterator[Explanation]:
        """Give the stored explanations."""
        return self._read(names.EXPLANATIONS, Explanation)

    def decisions(self) -> Iterator[Carried]:
        """Give the decisions in the order of their numbers."""
        return self._read(names.DECISIONS, Carried)

    def capture(self, sha: str) -> bytes:
        """Return the PNG of this digest; raises `PackError`."""
        name = capture_name(sha)
        raw = b"".join(self.archive.pieces(name))
        if hashlib.sha256(raw).hexdigest() != sha:
            raise self.archive.refused(name, "is not the screenshot that its name says")
        return raw

    def captures(self) -> Iterator[str]:
        """Give the digests of all screenshots."""
        return (sha for name in self.archive.entries if (sha := capture_of(name)))

    def _read(self, name: str, kind: type[_T]) -> Iterator[_T]:
        decoder = msgspec.json.Decoder(kind)
        for number, line in self.archive.lines(name, LONGEST_LINE):
            try:
                record = decoder.decode(line)
                msgspec.msgpack.encode(record)  # what holds a number of more than 64 bits cannot be kept
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
                raise self.archive.refused(name, f"cannot be read in line {number} ({error})") from error
            yield record


def open_pack(path: Path, *, progress: Callable[[int, int], None] | None = None) -> Pack:
    """Open a pack and check all of it; the caller closes it.

    Raises:
        PackError: one sentence that names the entry and what is wrong with it.
    """
    with contextlib.ExitStack() as refused, quiet_pillow():
        pack = _checked(refused.enter_context(Archive(path)), progress)
        refused.pop_all()
        return pack


def _checked(archive: Archive, progress: Callable[[int, int], None] | None) -> Pack:
    body = b"".join(archive.pieces(MANIFEST))
    manifest = _read_manifest(archive, body)
    _check_names(archive, manifest)
    for done, (name, stated) in enumerate(manifest.files.items(), start=1):
        digest, size = hashlib.sha256(), 0
        for piece in archive.pieces(name):
            digest.update(piece)
            size += len(piece)
        if size != stated.bytes:
            raise archive.refused(name, f"has {size} bytes, but the manifest says {stated.bytes}")
        if digest.hexdigest() != stated.sha256 or capture_of(name) not in {"", stated.sha256}:
            raise archive.refused(name, "is not what the manifest says: its SHA-256 is another one")
        if progress is not None:
            progress(done, len(manifest.files))
    pack = Pack(archive, manifest, hashlib.sha256(body).hexdigest(), _taxonomy(archive))
    _check_records(pack)
    return pack


def _read_manifest(archive: Archive, body: bytes) -> Manifest:
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format != FORMAT:
            raise archive.refused(MANIFEST, f"is of '{head.format[:40]}', not of a '{FORMAT}'")
        if head.version != VERSION:
            raise PackError(
                f"The pack '{archive.path}' is of version {head.version}; this Second Look knows version {VERSION}.",
                "Update Second Look, or have the pack made by the same version.",
            )
        return _manifest.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise archive.refused(MANIFEST, f"cannot be read ({error})") from error


def _check_names(archive: Archive, manifest: Manifest) -> None:
    """Every entry has its line in the manifest, and the other way round."""
    for name in archive.entries:
        if name != MANIFEST and name not in manifest.files:
            raise archive.refused(name, "is not in the manifest")
    for name in (*DOCUMENTS, *manifest.files):
        if name not in archive.entries:
            raise archive.refused(name, "is missing")


def _taxonomy(archive: Archive) -> Taxonomy:
    try:
        return parse_taxonomy(b"".join(archive.pieces(names.TAXONOMY)).decode(), source=names.TAXONOMY)
    except (EngineError, UnicodeDecodeError) as error:
        raise archive.refused(names.TAXONOMY, f"cannot be used ({error})") from error


def _check_records(pack: Pack) -> None:
    """Decode every record once: what follows may rely on them."""
    items = _check_items(pack)
    models = {card.id for card in pack.cards()}
    for name, records in ((names.VERDICTS, pack.verdicts()), (names.EXPLANATIONS, pack.explanations())):
        for record in records:
            _refuse(pack, name, _stranger(record.item, items) or _unknown_model(record.model, models))
    for card in pack.cards():
        _refuse(pack, names.MODELS, check_card(card))
    for verdict in pack.verdicts():
        _refuse(pack, names.VERDICTS, check_verdict(verdict))
    for explanation in pack.explanations():
        _refuse(pack, names.EXPLANATIONS, check_explanation(explanation))
    before: Decision | None = None
    for carried in pack.decisions():
        one = carried.decision
        fault = _stranger(one.item, items) or check_carried(carried) or check_order(one, before)
        _refuse(pack, names.DECISIONS, fault)
        before = one


def _check_items(pack: Pack) -> set[str]:
    """Check items and their screenshots, and return the ids."""
    if pack.manifest.items > MOST_ITEMS:
        most = f"{counted(pack.manifest.items, 'item')}; {MOST_ITEMS:,} is the most"
        raise pack.archive.refused(MANIFEST, f"speaks of {most}")
    ids: set[str] = set()
    left = set(pack.captures())
    sizes: dict[str, tuple[int, int]] = {}
    for item in pack.items():
        problem = "comes twice" if item.id in ids else check_item(item, pack.taxonomy)
        if not problem and item.capture is not None:
            problem = _capture_problem(pack, item, sizes)
            left.discard(item.capture)
        if problem:
            raise pack.archive.refused(names.ITEMS, f"holds an item '{item.id[:60]}' that cannot be used: {problem}")
        ids.add(item.id)
        if len(ids) > pack.manifest.items:
            raise pack.archive.refused(names.ITEMS, f"holds more than the {pack.manifest.items} of the manifest")
    if left:
        raise pack.archive.refused(capture_name(min(left)), "is the screenshot of no item")
    if len(ids) != pack.manifest.items:
        raise pack.archive.refused(
            names.ITEMS, f"holds {counted(len(ids), 'item')}, but the manifest says {pack.manifest.items}"
        )
    return ids


def _capture_problem(pack: Pack, item: Item, sizes: dict[str, tuple[int, int]]) -> str:
    sha = item.capture or ""
    name = capture_name(sha)
    if name not in pack.archive.entries or not capture_of(name):
        return "its screenshot is missing"
    if sha not in sizes:
        raw = pack.capture(sha)
        try:
            capture = check_capture(raw)
        except CaptureError as error:
            raise pack.archive.refused(name, f"cannot be used: {error.message}") from error
        if capture.png != raw:
            raise pack.archive.refused(name, f"is no 8-bit PNG: {capture.changed}")
        sizes[sha] = (capture.width, capture.height)
    return "" if sizes[sha] == (item.width, item.height) else "its screenshot has another size"


def _stranger(item: str, items: set[str]) -> str:
    return "" if item in items else f"it is about '{item[:60]}', which is not in the pack"


def _unknown_model(model: str, models: set[str]) -> str:
    return "" if model in models else f"it is of the model '{model[:60]}', whose card is not in the pack"


def _refuse(pack: Pack, name: str, problem: str) -> None:
    if problem:
        raise pack.archive.refused(name, f"holds a record that cannot be used: {problem}")
