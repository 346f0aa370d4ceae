"""Models for the engine service: with the vectors of items looked at before, and in no time where only heads differ."""

from __future__ import annotations

from pathlib import Path

from engine.models import checkpoint
from engine.models.predictor import Predictor
from engine.models.vector_store import FOLDER, VectorStore


class Loader:
    """Reads models of one workspace; a refit shares the backbones and kept vectors of the model loaded before it."""

    def __init__(self, workspace: Path) -> None:
        self._features = workspace / FOLDER
        self._last: Predictor | None = None

    def __call__(self, folder: Path) -> Predictor:
        """Return the model in `folder`, ready to score.

        Raises:
            ModelUnavailableError: the folder holds no sound model, or its base is gone or another.
        """
        self._last = self._shared(folder) or self._read(folder)
        return self._last

    def _shared(self, folder: Path) -> Predictor | None:
        if self._last is None or folder.parent != self._models_of(self._last):
            return None
        loaded = checkpoint.load_onto(folder, self._last.loaded)
        return None if loaded is None else self._last.sharing(loaded)

    def _models_of(self, model: Predictor) -> Path | None:
        return None if model.loaded.source is None else model.loaded.source.parent

    def _read(self, folder: Path) -> Predictor:
        model = Predictor.load(folder)
        model.store = VectorStore.of(model.loaded, self._features)
        return model
