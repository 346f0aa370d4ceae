"""What a run folder asks for: its snapshot, recipe, taxonomy and parent, read and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.errors import TrainingError
from engine.taxonomy import Taxonomy, load_taxonomy
from engine.training.plan import check_labels
from engine.training.recipe import Recipe, read_recipe
from engine.training.splits import Splits
from engine.types import TrainingItem

SNAPSHOT, RECIPE, TAXONOMY, PARENT = "snapshot.jsonl", "recipe.toml", "taxonomy.toml", "parent.txt"
CANDIDATE = "candidate"
_decoder = msgspec.json.Decoder(TrainingItem)


@dataclass(frozen=True)
class Job:
    """A run as its folder describes it.

    `parent` is the champion's id when the run was prepared, "" where there was none; `models` the folder that it is in.
    `fingerprint` is the SHA-256 of the snapshot's bytes. `splits` are the items' sides; None: the trainer assigns them.
    """

    folder: Path
    models: Path
    items: tuple[TrainingItem, ...]
    taxonomy: Taxonomy
    recipe: Recipe
    recipe_text: str
    parent: str
    fingerprint: str
    splits: Splits | None = None

    @property
    def id(self) -> str:
        """The run's id, which becomes the model's."""
        return self.folder.name

    @property
    def candidate(self) -> Path:
        """Where the finished model is left."""
        return self.folder / CANDIDATE

    @property
    def kept(self) -> Path:
        """Where the run keeps what it needs to go on after it was killed."""
        return self.folder / "checkpoint"

    @property
    def champion(self) -> Path | None:
        """The folder of the champion to start from and compare with; it may be gone."""
        return self.models / self.parent if self.parent else None


def read_job(folder: Path, models: Path | None = None) -> Job:
    """Return what a run folder asks for; `models` is the workspace's folder of models where it is not beside `runs`.

    Raises:
        TrainingError: a file is missing or damaged.
        InputError: the recipe or taxonomy cannot be used, or the snapshot does not follow the taxonomy.
    """
    folder = folder.absolute()
    models = models or folder.parent.parent / "models"
    try:
        snapshot = (folder / SNAPSHOT).read_bytes()
        recipe_text = (folder / RECIPE).read_text(encoding="utf-8")
        parent = (folder / PARENT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{folder} is no run folder: {error}.", "Start a new run.") from error
    taxonomy = load_taxonomy(folder / TAXONOMY)
    items = _items(snapshot, folder / SNAPSHOT)
    check_labels(items, taxonomy)
    return Job(
        folder=folder,
        models=models,
        items=items,
        taxonomy=taxonomy,
        recipe=read_recipe(folder / RECIPE).anchored(models.absolute().parent),
        recipe_text=recipe_text,
        parent=parent,
        fingerprint=hashlib.sha256(snapshot).hexdigest(),
    )


def _items(snapshot: bytes, path: Path) -> tuple[TrainingItem, ...]:
    items: list[TrainingItem] = []
    for number, line in enumerate(snapshot.splitlines(), start=1):
        try:
            items.append(_decoder.decode(line))
        except msgspec.DecodeError as error:
            raise TrainingError(f"{path}, line {number} is damaged: {error}.", "Start a new run.") from error
    return tuple(items)
