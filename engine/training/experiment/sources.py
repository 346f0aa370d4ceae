"""Data sets for experiments: JSON lines, CSV or TSV, an image folder or a workspace, as training items and tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from engine.errors import InputError, NotFoundError, did_you_mean
from engine.similarity import grouped
from engine.taxonomy import Label, Task, Taxonomy
from engine.training.experiment import images, rows
from engine.training.splits import SPLITS
from engine.types import TrainingItem
from engine.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """A data set: its name, labelled items and tasks; `notes` says what was left out while reading."""

    name: str
    items: tuple[TrainingItem, ...]
    taxonomy: Taxonomy
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all that a result can depend on: contents, labels, groups, splits, not where pictures lie."""
        digest = hashlib.sha256()
        for task in self.taxonomy.tasks:
            digest.update(msgspec.json.encode((task.name, task.kind, task.label_names)))
        for item in self.items:
            capture = item.content.capture
            content = msgspec.structs.replace(item.content, capture=Path(capture).name if capture else None)
            digest.update(msgspec.json.encode(msgspec.structs.replace(item, content=content)))
        return digest.hexdigest()

    def only(self, tasks: Sequence[str]) -> Source:
        """Return the source with these tasks alone, and the items that answer one of them.

        Raises:
            NotFoundError: there is no such task.
        """
        known = {task.name: task for task in self.taxonomy.tasks}
        for name in tasks:
            if name not in known:
                raise NotFoundError(f"{self.name} has no task {name!r}.", did_you_mean(name, known))
        kept = [
            msgspec.structs.replace(item, labels={name: item.labels[name] for name in tasks if name in item.labels})
            for item in self.items
            if item.labels.keys() & set(tasks)
        ]
        taxonomy = msgspec.structs.replace(
            self.taxonomy, tasks=tuple(msgspec.structs.replace(known[name], when={}) for name in tasks)
        )
        return replace(self, items=tuple(kept), taxonomy=taxonomy)

    def grouped(self, check: Callable[[], None]) -> Source:
        """Return the source with near-duplicates and items of one author in one group; `check` may raise to stop."""
        return replace(self, items=tuple(grouped(self.items, check=check)))

    def limited(self, limit: int) -> Source:
        """Return the source with at most `limit` items of each split, the same ones each time; 0 keeps all."""
        if limit <= 0:
            return self

        def place(item: TrainingItem) -> str:
            return hashlib.sha256(item.content.id.encode()).hexdigest()

        kept: set[str] = set()
        for split in (*SPLITS, ""):
            side = sorted((item for item in self.items if item.split == split), key=place)
            kept |= {item.content.id for item in side[:limit]}
        return replace(self, items=tuple(item for item in self.items if item.content.id in kept))


def load_items(path: Path, *, captures: Path | None = None) -> Source:
    """Read a data set.

    `path` is a file of JSON lines (`text`, `label`, and if you like `title`, `split`, `target`, `group` or `author`), a
    CSV or TSV file with such columns, a folder of such files named train, val and test, an image folder with a
    `metadata.jsonl`, or a workspace. `captures` is where the pictures of an image folder are kept as PNG files.

    Raises:
        InputError: there is nothing of that kind, or a row cannot be used; names file and row.
    """
    if not path.exists():
        raise InputError(f"There is no data set {path}.", "Give a file, a folder or a workspace.")
    if (path / "workspace.db").is_file():
        return _workspace(path)
    if (path / images.METADATA).is_file():
        items = images.read_folder(path, captures)
        return _source(path.name, items, ())
    items, notes = rows.read(path)
    return _source(path.stem if path.is_file() else path.name, items, notes)


def join(sources: Sequence[Source]) -> Source:
    """Return several data sets as one, for a network with a head for each task.

    Raises:
        InputError: two of them have a task of one name.
    """
    tasks = [task for source in sources for task in source.taxonomy.tasks]
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two data sets have a task {name!r}.", "Measure them one at a time, without --join.")
    items = [_renamed(item, source.name) for source in sources for item in source.items]
    name = "+".join(source.name for source in sources)
    taxonomy = Taxonomy(name=name, tasks=tuple(tasks))
    return Source(name, tuple(items), taxonomy, tuple(note for source in sources for note in source.notes))


def _renamed(item: TrainingItem, source: str) -> TrainingItem:
    content = msgspec.structs.replace(item.content, id=f"{source}/{item.content.id}")
    return msgspec.structs.replace(item, content=content)


def taxonomy_of(name: str, items: Iterable[TrainingItem]) -> Taxonomy:
    """Return the tasks and labels that occur, labels sorted; every task has one answer an item."""
    found: dict[str, set[str]] = {}
    for item in items:
        for task, labels in item.labels.items():
            found.setdefault(task, set()).update(labels)
    tasks = [
        Task(name=task, title=task, labels=tuple(Label(name=label, title=label) for label in sorted(labels)))
        for task, labels in found.items()
    ]
    return Taxonomy(name=name, tasks=tuple(tasks))


def _source(name: str, items: Sequence[TrainingItem], notes: Sequence[str]) -> Source:
    if not items:
        raise InputError(f"The data set {name} has no labelled item.", "Give one with labels.")
    return Source(name, tuple(items), taxonomy_of(name, items), tuple(notes))


def _workspace(path: Path) -> Source:
    with Workspace.open(path, read_only=True) as ws:
        items = tuple(ws.runs.labelled())
        if not items:
            raise InputError(f"No item of the workspace {path} is labelled.", "Label some, or import labelled ones.")
        return Source(path.stem, items, ws.taxonomy)
