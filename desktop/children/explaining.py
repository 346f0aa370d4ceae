"""Explanations on demand: from the workspace where they are stored, from the engine where they are not, never twice."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.children.engine_client import EngineClient
from desktop.children.jobs import StoreExplanation
from desktop.children.writer import JobFailure, Writer
from engine.service.protocol import Priority
from engine.types import Explanation
from engine.workspace import Workspace

Key = tuple[str, str, str]
"""Item, task, label."""


class Explaining(QObject):
    """Asks the engine for explanations that are not stored, and stores the final ones.

    `arrived(Explanation)` for stored ones, previews and final ones; `failed(item, task, label, sentence)`.
    """

    arrived = Signal(object)
    failed = Signal(str, str, str, str)

    def __init__(
        self, workspace: Workspace, engine: EngineClient, writer: Writer, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._engine = engine
        self._writer = writer
        self._asked: dict[Key, int] = {}
        self._keys: dict[int, Key] = {}
        self._looked_at: Key | None = None
        engine.explained.connect(self._on_explained)
        engine.failed.connect(self._on_failed)
        engine.ended.connect(self._on_ended)

    def explain(self, model: str, key: Key, priority: Priority) -> bool:
        """Answer from the workspace at once, else ask the engine; True while an answer is on its way."""
        stored = self._workspace.explanations.get(*key, model) if model else None
        if stored is not None and stored.final:
            self.arrived.emit(stored)
            return False
        if not model:
            return False
        if priority is Priority.LOOKING:
            self._look_at(key)
        if key not in self._asked:
            self._ask(key, priority)
        return True

    def cancel(self, key: Key) -> None:
        """Stop asking for one explanation."""
        request = self._asked.pop(key, None)
        if request is not None:
            del self._keys[request]
            self._engine.cancel(request)

    def cancel_all(self, *, keep: frozenset[str] = frozenset()) -> None:
        """Stop asking for the explanations of all items but those in `keep`."""
        for key in [key for key in self._asked if key[0] not in keep]:
            self.cancel(key)

    def _look_at(self, key: Key) -> None:
        """Only what is on screen is in a hurry."""
        before, self._looked_at = self._looked_at, key
        if before == key:
            return
        if before is not None and before in self._asked:
            self._engine.prioritise(self._asked[before], Priority.PREFETCH)
        if key in self._asked:
            self._engine.prioritise(self._asked[key], Priority.LOOKING)

    def _ask(self, key: Key, priority: Priority) -> None:
        item, task, label = key
        content = self._workspace.items.content(self._workspace.items.get(item))
        request = self._engine.explain(content, task, label, priority)
        self._asked[key] = request
        self._keys[request] = key

    def _on_explained(self, request: int, explanation: Explanation) -> None:
        key = self._keys.get(request)
        if explanation.final:
            self._writer.submit(StoreExplanation(explanation), _ignore, lambda failure: self._on_unstored(key, failure))
        if key is not None:
            self.arrived.emit(explanation)

    def _on_unstored(self, key: Key | None, failure: JobFailure) -> None:
        if key is not None:
            self.failed.emit(*key, f"The explanation could not be stored: {failure.message}")

    def _on_failed(self, request: int, message: str) -> None:
        key = self._keys.get(request)
        if key is not None:
            self.failed.emit(*key, message)

    def _on_ended(self, request: int) -> None:
        key = self._keys.pop(request, None)
        if key is not None:
            del self._asked[key]


def _ignore(_result: None) -> None:
    """A stored explanation changes nothing on the screen."""
