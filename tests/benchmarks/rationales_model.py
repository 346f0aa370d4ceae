"""The model whose explanations `rationales.py` measures: the recipe `text`, trained on the training posts."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.cli.experiment import recipe_files
from engine.models import checkpoint
from engine.service.protocol import RunProgress, TrainerEvent
from engine.training.experiment.cells import RecipeRow
from engine.training.experiment.folds import fixed_fold
from engine.training.experiment.sources import load_items
from engine.training.finish import card_of
from engine.training.job import Job
from engine.training.recipe import dump_recipe, read_recipe
from engine.training.run import fit


def trained_model(posts: Path, work: Path, overrides: Sequence[str], limit: int, cancelled: Callable[[], bool]) -> Path:
    """Train the recipe `text` on the posts' training side, their validation side unseen; return the model's folder.

    A model of the same recipe and posts that is there already is returned; a killed run goes on.

    Raises:
        CancelledError: `cancelled` said so.
        EngineError: the posts cannot be read, or the recipe cannot be trained on them.
    """
    source = load_items(posts).limited(limit)
    recipe = read_recipe(recipe_files(["text"])[0], ["image.backbone=none", *overrides])
    text = dump_recipe(recipe)
    row = RecipeRow("text", recipe)
    known = hashlib.sha256((row.fingerprint + source.fingerprint).encode()).hexdigest()
    run = work / f"text-{known[:12]}"
    if (run / "model").is_dir():
        return run / "model"
    items, splits = fixed_fold(source.items).sides(recipe.data.val, recipe.training.seed)
    run.mkdir(parents=True, exist_ok=True)
    job = Job(run, run, tuple(items), source.taxonomy, recipe, text, "", source.fingerprint, splits)
    fitted = fit(job, emit=_told, cancelled=cancelled)
    card = card_of(job, fitted.plan, fitted.splits, fitted.trained)
    checkpoint.save(run / "model", fitted.trained.network, card, fitted.trained.tokenizer)
    shutil.rmtree(job.kept, ignore_errors=True)
    return run / "model"


def _told(event: TrainerEvent) -> None:
    if isinstance(event, RunProgress):
        tell(f"training: {event.done}/{event.total}")


def tell(text: str) -> None:
    """Progress on one line of standard error."""
    sys.stderr.write(f"\r{text:<60}")
    sys.stderr.flush()
