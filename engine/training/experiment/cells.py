"""One recipe on one fold: trained by the trainer's own `fit`, measured on the fold's test side."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from engine.errors import InputError
from engine.models.registry import settled
from engine.models.verdicts import calibrated
from engine.taxonomy import Taxonomy
from engine.training.callbacks import Cancel, Emit
from engine.training.data import Examples
from engine.training.experiment.folds import Fold
from engine.training.experiment.records import Details, Figures, figures_of
from engine.training.job import Job
from engine.training.recipe import CrossedOutRecipe, Recipe, dump_recipe, read_recipe
from engine.training.run import Fitted, fit
from engine.training.validation import Validation


@dataclass(frozen=True)
class RecipeRow:
    """A recipe as a row of a table; the files that it names are absolute."""

    name: str
    recipe: Recipe

    @property
    def text(self) -> str:
        """The whole recipe as TOML."""
        return dump_recipe(self.recipe)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of all settings that results depend on, and of the files that they name."""
        replaced = msgspec.structs.replace
        recipe = self.recipe
        still = replaced(recipe.data, cache_mb=0, test=0.0)
        training = replaced(recipe.training, checkpoint_seconds=0.0, threads=0, seed=0, start="scratch")
        text = replaced(recipe.text, backbone=settled(recipe.text.backbone))
        plain = replaced(recipe, data=still, training=training, text=text)
        usual = ("crossed_out",) if recipe.crossed_out == CrossedOutRecipe() else ()
        digest = hashlib.sha256(dump_recipe(plain, without=usual).encode())
        for name in (text.backbone, recipe.image.weights):
            for file in _files(Path(name)):
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def read_rows(files: Sequence[Path], overrides: Sequence[str] = ()) -> list[RecipeRow]:
    """Return the rows of recipe files, named by the files; what a recipe names counts from the working folder.

    Raises:
        InputError: recipes cannot be used; names all mistakes of all of them.
    """
    rows: list[RecipeRow] = []
    mistakes: list[InputError] = []
    stems = [file.stem for file in files]
    for file in files:
        name = file.stem if stems.count(file.stem) == 1 else f"{file.parent.name}/{file.stem}"
        try:
            rows.append(RecipeRow(name, read_recipe(file, overrides).anchored(Path.cwd())))
        except InputError as error:
            mistakes.append(error)
    if mistakes:
        raise InputError(" ".join(one.message for one in mistakes), mistakes[0].way_out)
    return rows


@dataclass(frozen=True)
class Measured:
    """A network's figures by task, how long it trained, and what is worth knowing of it."""

    figures: dict[str, Figures]
    seconds: float
    details: Details


def measure(
    row: RecipeRow,
    fold: Fold,
    taxonomy: Taxonomy,
    seed: int,
    work: Path,
    *,
    emit: Emit,
    cancelled: Callable[[], bool],
) -> Measured:
    """Train the recipe on the fold's training side and return its figures on the test side.

    A part of the training side chooses the epoch and the temperatures; the test side is seen once, at the end. `work`
    keeps checkpoints, so that a killed cell goes on when this is called again; it is removed at the end.

    Raises:
        CancelledError: `cancelled` said so.
        EngineError: the recipe cannot be trained on this data.
    """
    job = _job(row, fold, taxonomy, seed, work)
    fitted = fit(job, emit=emit, cancelled=cancelled)
    figures = _figures(fitted, fold, job.recipe, Cancel(cancelled))
    shutil.rmtree(work, ignore_errors=True)
    trained = fitted.trained
    weights = sum(weight.numel() for weight in trained.network.parameters())
    details: Details = {"device": trained.device, "weights": weights, "steps": fitted.steps}
    details |= {f"temperature of {task}": round(value, 4) for task, value in trained.temperatures.items()}
    return Measured(figures, trained.seconds, details)


def _job(row: RecipeRow, fold: Fold, taxonomy: Taxonomy, seed: int, work: Path) -> Job:
    replaced = msgspec.structs.replace
    training = replaced(row.recipe.training, seed=row.recipe.training.seed + seed, start="scratch")
    recipe = replaced(row.recipe, training=training)
    items, splits = fold.sides(recipe.data.val, training.seed)
    work.mkdir(parents=True, exist_ok=True)
    return Job(
        folder=work,
        models=work,
        items=tuple(items),
        taxonomy=taxonomy,
        recipe=recipe,
        recipe_text=dump_recipe(recipe),
        parent="",
        fingerprint="",
        splits=splits,
    )


def _figures(fitted: Fitted, fold: Fold, recipe: Recipe, cancel: Cancel) -> dict[str, Figures]:
    trained = fitted.trained
    network = trained.network
    tasks = {head.task for head in network.spec.heads}
    items = [item for item in fold.test if item.labels.keys() & tasks]
    cancel.check()
    room = recipe.data.cache_mb << 20
    examples = Examples(items, network.spec, trained.tokenizer, cache_bytes=room, check=cancel.check)
    logits = Validation(examples, fitted.plan.majority, fitted.device).logits(network)
    found: dict[str, Figures] = {}
    for head in network.spec.heads:
        target = examples.targets[head.task].double().numpy()
        known = ~np.isnan(target).any(axis=1)
        if known.any():
            chances = calibrated(logits[head.task][known], head, trained.temperatures[head.task])
            majority = fitted.plan.majority[head.task]
            found[head.task] = figures_of(
                head.labels, target[known] > 0.5, chances, multi=head.multi, majority=majority
            )
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_absolute() and path.is_dir() else []
