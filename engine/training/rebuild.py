"""Training a model again from its card and the snapshot of its run, to see whether the same weights come out."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

import msgspec
import torch

from engine.errors import ModelUnavailableError, TrainingError
from engine.models import checkpoint
from engine.models.spec import from_card
from engine.training.callbacks import Emit
from engine.training.finish import SPLITS, Trained, versions
from engine.training.job import Job, read_job
from engine.training.recipe import Recipe
from engine.training.run import fit
from engine.training.splits import Splits
from engine.types import ItemContent, ModelCard, Struct, TrainingItem

WORK = "rebuild"
"""The folder in a run's folder where it is trained again; it is kept while that is unfinished."""
_replace = msgspec.structs.replace


class Rebuilt(Struct, frozen=True, kw_only=True):
    """How the weights that came out compare with the model's own.

    `identical` means bit for bit. `largest_difference` is that of any weight, `differing` the tensors (of `tensors`)
    that are not the same; None where the model's own weights are gone and only their digest is known. `reasons` are
    sentences on what is not as it was.
    """

    model: str
    identical: bool
    largest_difference: float | None
    differing: int | None
    tensors: int
    reasons: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Workshop:
    """A workspace's folders of runs, models and captures, and the cards of its models, also of those that are gone."""

    runs: Path
    models: Path
    captures: Path
    cards: Mapping[str, ModelCard]


def rebuild(model: str, shop: Workshop, *, emit: Emit, cancelled: Callable[[], bool]) -> Rebuilt:
    """Train a model again as its card says and return how the weights compare; the workspace stays as it is.

    A model that started from another one's weights needs those: where they are gone, that model is trained again first.
    Cancelled or killed, it goes on when this is called again.

    Raises:
        CancelledError: `cancelled` said so.
        TrainingError: the run's snapshot, a screenshot or a parent that it needs is gone or not what it was.
        EngineError: a backbone is not there, or the disk refused.
    """
    card = shop.cards[model]
    work = shop.runs / model / WORK
    trained, reasons = _trained(card, shop, work, emit, cancelled)
    folder = work / "model"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.save(folder, trained.network, card, trained.tokenizer)
    found = _compared(card, folder, shop.models / model, (*reasons, *_changes(card, trained)), trained.seconds)
    shutil.rmtree(work, ignore_errors=True)
    return found


def _trained(
    card: ModelCard, shop: Workshop, work: Path, emit: Emit, cancelled: Callable[[], bool]
) -> tuple[Trained, list[str]]:
    """Return the network trained again, and what was not as it was."""
    if card.base:
        raise TrainingError(
            f"The model {card.id} is a refit: only its heads were fitted, on the backbones of {card.base}.",
            f"Rebuild {card.base}; a refit follows from it and the same answers in a second.",
        )
    job = _job(card, shop, work)
    origin = _origin(card, job.recipe)
    reasons: list[str] = []
    if origin:
        models, reasons = _with_parent(origin, shop, work / "parents", emit, cancelled)
        job = changed(job, models=models, parent=origin)
    return fit(job, emit=emit, cancelled=cancelled).trained, reasons


def _job(card: ModelCard, shop: Workshop, work: Path) -> Job:
    """Return the run's job as it was, pinned to what the card says was settled when it ran."""
    folder = shop.runs / card.id
    if not folder.is_dir():
        raise TrainingError(
            f"The model {card.id} cannot be rebuilt: the folder of its run is gone: {folder}.",
            "Put it back from a copy of the workspace.",
        )
    job = read_job(folder, shop.models)
    if (job.fingerprint, job.recipe_text) != (card.fingerprint, card.recipe):
        raise TrainingError(
            f"The model {card.id} cannot be rebuilt: the snapshot or the recipe in {folder} is not what it was.",
            "Put them back from a copy of the workspace.",
        )
    return changed(
        job,
        folder=work / card.id,
        items=tuple(_items(job.items, shop.captures)),
        recipe=_pinned(card, job.recipe),
        splits=_splits(shop.models / card.id),
        parent="",
    )


def _items(items: tuple[TrainingItem, ...], captures: Path) -> Iterator[TrainingItem]:
    """Yield the items, their screenshots where the workspace has them now, each checked against its name."""
    missing: list[ItemContent] = []
    for item in items:
        if item.content.capture is None:
            yield item
            continue
        path = captures / Path(item.content.capture).parent.name / Path(item.content.capture).name
        if not _is_what_it_was(path):
            missing.append(item.content)
        yield _replace(item, content=_replace(item.content, capture=str(path)))
    if missing:
        raise TrainingError(
            f"{len(missing)} screenshots that the model was trained with are gone or damaged, such as that of item "
            f"{missing[0].id!r}: {captures}.",
            "Put them back from a copy of the workspace.",
        )


def _is_what_it_was(path: Path) -> bool:
    """Say whether the file named by the SHA-256 of its bytes still has them."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    except OSError:
        return False


def _pinned(card: ModelCard, recipe: Recipe) -> Recipe:
    """Return the recipe with what it left open ("auto", all cores) as it was settled when the model was trained."""
    training = recipe.training
    if card.threads:
        training = _replace(training, threads=card.threads)
    if card.precision:
        training = _replace(training, precision=card.precision)
    start = "champion" if _origin(card, recipe) else "scratch"
    text = _replace(recipe.text, backbone=from_card(card).text.backbone)
    return _replace(recipe, text=text, training=_replace(training, start=start))


def _origin(card: ModelCard, recipe: Recipe) -> str:
    """Return the model whose weights it started from; cards without that note had the champion's, where asked for."""
    if card.weights:
        return card.origin
    return card.parent if recipe.training.start == "champion" else ""


def _splits(folder: Path) -> Splits | None:
    """Return the sides that the model left beside its weights; None where they are gone: they are assigned anew."""
    try:
        return Splits(of=msgspec.json.decode((folder / SPLITS).read_bytes(), type=dict[str, str]))
    except (OSError, msgspec.DecodeError):
        return None


def _with_parent(
    origin: str, shop: Workshop, work: Path, emit: Emit, cancelled: Callable[[], bool]
) -> tuple[Path, list[str]]:
    """Return a folder of models that has `origin`: the workspace's, else one where it was trained again."""
    if _loads(shop.models / origin):
        return shop.models, []
    if origin not in shop.cards:
        raise TrainingError(
            f"It started from the weights of the model {origin}, which is gone and was never recorded.",
            "Put the model's folder back from a copy of the workspace.",
        )
    if _loads(work / origin):
        return work, []
    card = shop.cards[origin]
    trained, reasons = _trained(card, shop, work / f"{origin}.run", emit, cancelled)
    checkpoint.save(work / origin, trained.network, card, trained.tokenizer)
    same = checkpoint.weights_digest(work / origin) == card.weights
    told = "with the same weights" if same else "but its weights may not be those that it had"
    return work, [*reasons, f"It started from {origin}, which is gone and was trained again, {told}."]


def _loads(folder: Path) -> bool:
    try:
        checkpoint.load(folder)
    except ModelUnavailableError:
        return False
    return True


def _compared(card: ModelCard, folder: Path, original: Path, reasons: tuple[str, ...], seconds: float) -> Rebuilt:
    new = checkpoint.load(folder).network.state_dict()
    try:
        old = checkpoint.load(original).network.state_dict()
    except ModelUnavailableError:
        if not card.weights:
            raise
        same = checkpoint.weights_digest(folder) == card.weights
        note = "The model's own weights are gone; what came out was compared with their recorded SHA-256."
        return Rebuilt(
            model=card.id,
            identical=same,
            largest_difference=None,
            differing=None,
            tensors=len(new),
            reasons=(note, *reasons),
            seconds=seconds,
        )
    differing = [name for name in new if not torch.equal(new[name], old[name])]
    gaps = [float((new[name].double() - old[name].double()).abs().max()) for name in differing]
    return Rebuilt(
        model=card.id,
        identical=not differing,
        largest_difference=max(gaps, default=0.0),
        differing=len(differing),
        tensors=len(new),
        reasons=reasons,
        seconds=seconds,
    )


def _changes(card: ModelCard, trained: Trained) -> list[str]:
    """Return sentences on what computed the weights then and now, where it is not the same."""
    now = versions()
    found = [
        f"{name} was {then} when the model was trained and is {now.get(name, 'not known')} now."
        for name, then in card.versions.items()
        if now.get(name) != then and name != "secondlook"
    ]
    if card.device and card.device != trained.device:
        found.append(f"It was trained on {card.device} and rebuilt on {trained.device}.")
    if card.device.startswith("CUDA"):
        found.append("Graphics processors add numbers up in no fixed order, so that the last digits may differ.")
    return found
