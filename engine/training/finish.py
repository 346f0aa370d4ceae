"""From the best weights to a candidate folder: calibrate, score, compare with the champion, leave it by rename."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import torch

from engine.errors import ModelUnavailableError, StorageError
from engine.models import checkpoint
from engine.models.decoding import Unread
from engine.models.network import FusionNetwork
from engine.models.predictor import Predictor
from engine.models.spec import to_plain
from engine.models.tokenizer import TextTokenizer
from engine.models.unread import without_screenshots
from engine.training.answers import decisions_used
from engine.training.compare import Comparison, beyond_majority, compare, first_model, kept_beside, seen_before
from engine.training.evaluate import Answers, collect_answers, majority_label, metrics_of, with_versions
from engine.training.job import Job
from engine.training.parts_hidden import PartsHidden, remark, to_compare, told_more
from engine.training.plan import Plan
from engine.training.recipe import AUTHOR
from engine.training.splits import TEST, TRAIN, VAL, Splits
from engine.training.state import sync
from engine.types import ModelCard, Outcome, TaskMetrics, TrainingItem

OUTCOME, SPLITS = "outcome.json", "splits.json"
PACKAGES = ("secondlook", "torch", "torchvision", "transformers", "tokenizers", "numpy", "scikit-learn")
_PART = ".candidate.part"

SplitAnswers = Mapping[str, Mapping[str, Answers]]
"""A model's answers by split, then task."""


@dataclass(frozen=True)
class Trained:
    """A network with its best weights, and what its card says of the training; `notes` are sentences worth telling.

    `unread` are the ids of items that it saw without their screenshots, which cannot be read.
    """

    network: FusionNetwork
    tokenizer: TextTokenizer | None
    temperatures: Mapping[str, float]
    device: str
    seconds: float
    origin: str = ""
    threads: int = 0
    precision: str = ""
    notes: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


def leave_candidate(
    job: Job,
    plan: Plan,
    splits: Splits,
    trained: Trained,
    *,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> tuple[ModelCard, Outcome]:
    """Write the candidate's folder, score it on the held-out items and return its card and how it compares.

    `progress` is told the stages "evaluate" (twice) and "save". Killed halfway, nothing is left but a part folder that
    the next attempt replaces.

    Raises:
        CancelledError: `cancelled` said so.
        StorageError: the disk refused.
    """
    part = job.folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    card = card_of(job, plan, splits, trained)
    checkpoint.save(part, trained.network, card, trained.tokenizer)
    card = msgspec.structs.replace(card, weights=checkpoint.weights_digest(part))
    held_out = {split: found for split in (VAL, TEST) if (found := splits.pick(job.items, split))}
    model = Predictor.load(part)
    unread = set(trained.unread)
    mine = _answers_of(model, held_out, cancelled, lambda one: unread.add(one.id))
    progress("evaluate")
    rival = _champion(job)
    theirs = {} if isinstance(rival, str) else _answers_of(rival, held_out, cancelled)
    progress("evaluate")
    rival_metrics = {} if isinstance(rival, str) else metrics_by_split(rival.card, theirs)
    card = msgspec.structs.replace(card, metrics=metrics_by_split(card, mine), champion_metrics=rival_metrics)
    hidden = None if isinstance(rival, str) else _parts_hidden(job, held_out, (model, rival), (mine, theirs), cancelled)
    outcome = outcome_of(job, plan, splits, mine, theirs, rival, card, hidden=hidden)
    outcome = msgspec.structs.replace(outcome, reason=" ".join([outcome.reason, *trained.notes, *_lost(unread)]))
    leave(job, part, card, outcome, splits)
    progress("save")
    return checkpoint.read_card(job.candidate), outcome


def finished(job: Job) -> tuple[ModelCard, Outcome] | None:
    """Return the card and outcome of a candidate that an earlier attempt left; None where there is none."""
    if not job.candidate.is_dir():
        return None
    outcome = msgspec.json.decode((job.candidate / OUTCOME).read_bytes(), type=Outcome)
    return checkpoint.read_card(job.candidate), outcome


def card_of(job: Job, plan: Plan, splits: Splits, trained: Trained) -> ModelCard:
    """Return the card of what a job trained, its scores still to come."""
    training = splits.pick(job.items, TRAIN)
    tasks, soft = [head.task for head in plan.heads], job.recipe.training.soft_labels
    return ModelCard(
        id=job.id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=job.recipe_text,
        tasks={head.task: head.labels for head in plan.heads},
        multi=tuple(head.task for head in plan.heads if head.multi),
        parent=job.parent,
        fingerprint=job.fingerprint,
        seed=job.recipe.training.seed,
        device=trained.device,
        network=to_plain(trained.network.spec),
        temperatures=dict(trained.temperatures),
        decisions=tuple(sorted(set().union(*(decisions_used(item, tasks, soft=soft) for item in training)))),
        counts=plan.counts,
        versions=versions(),
        seconds=round(trained.seconds, 1),
        origin=trained.origin,
        threads=trained.threads,
        precision=trained.precision,
    )


def versions() -> dict[str, str]:
    """Return the versions, here and now, of what weights depend on; "processor" is the CPU's instruction set."""
    found = {"python": platform.python_version(), "processor": torch.backends.cpu.get_cpu_capability()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _champion(job: Job) -> Predictor | str:
    """Return the champion, or why there is none to compare with."""
    if job.champion is None:
        return "The first model of this workspace"
    if not job.champion.exists():  # as in a workspace from a pack, which brings verdicts and no weights
        return f"Compared with nothing, since the files of the champion {job.parent} are not in this workspace"
    try:
        return Predictor.load(job.champion)
    except ModelUnavailableError as error:
        return f"The champion {job.parent} cannot be used ({error.message.rstrip('.')})"


def _answers_of(
    predictor: Predictor,
    held_out: Mapping[str, Sequence[TrainingItem]],
    cancelled: Callable[[], bool],
    unread: Unread | None = None,
) -> SplitAnswers:
    return {
        split: collect_answers(predictor, items, cancelled=cancelled, unread=unread)
        for split, items in held_out.items()
    }


def _lost(unread: Collection[str]) -> list[str]:
    return [without_screenshots(unread, "learned from or tested")] if unread else []


def _parts_hidden(
    job: Job,
    held_out: Mapping[str, Sequence[TrainingItem]],
    models: tuple[Predictor, Predictor],
    answers: tuple[SplitAnswers, SplitAnswers],
    cancelled: Callable[[], bool],
) -> PartsHidden | None:
    """Return both models' answers where what reviewers crossed out is hidden; None where there is nothing to hide."""
    split = compared_split(answers[0])
    versions = to_compare(job.items, held_out[split], [model.spec for model in models])
    if not versions:
        return None
    mine, theirs = (
        with_versions(model, one.get(split, {}), versions, cancelled=cancelled)
        for model, one in zip(models, answers, strict=True)
    )
    return PartsHidden(mine, theirs, frozenset(versions))


def compared_split(answers: SplitAnswers) -> str:
    """Return the split that decides: the test items, or the validation items where there are none."""
    return TEST if answers.get(TEST) else VAL


def metrics_by_split(card: ModelCard, answers: SplitAnswers) -> dict[str, dict[str, TaskMetrics]]:
    """Return a model's scores by split, then task."""
    return {
        split: {task: metrics_of(one, majority_label(card, task, one)) for task, one in tasks.items()}
        for split, tasks in answers.items()
    }


def outcome_of(
    job: Job,
    plan: Plan,
    splits: Splits,
    mine: SplitAnswers,
    theirs: SplitAnswers,
    rival: Predictor | str,
    card: ModelCard,
    *,
    tie: bool = False,
    hidden: PartsHidden | None = None,
) -> Outcome:
    """Return how a candidate with this card compares with the champion (or why there is none), with all remarks.

    `tie` as in `compare`; it also holds for a candidate that was told of more wrong reasons than the champion. With
    `hidden` those answers decide.
    """
    split = compared_split(mine)
    notes = [*beyond_majority(card.metrics.get(split, {})), *plan.left_out, *_moved(splits)]
    if job.recipe.data.level == AUTHOR:  # it has no verdict for anything but profiles
        comparison = kept_beside(mine[split], split)
    elif isinstance(rival, str):
        comparison = first_model(mine[split], split, rival)
    else:
        tie = tie or told_more(job.items, splits, job.recipe.crossed_out, rival.card)
        comparison, told = _fair(job, split, PartsHidden(mine[split], theirs.get(split, {})), hidden, tie=tie)
        notes = [*told, *notes]
    return Outcome(model=job.id, better=comparison.better, reason=" ".join([comparison.reason, *notes]))


def _fair(
    job: Job, split: str, plain: PartsHidden, hidden: PartsHidden | None, *, tie: bool
) -> tuple[Comparison, list[str]]:
    """Compare with parts hidden, and on the items that the champion was not trained on; says so where there are any."""
    ids = sorted({name for one in plain.mine.values() for name in one.ids})
    seen, notes = _not_compared(ids, _recorded_splits(job))
    plain = PartsHidden(without(plain.mine, seen), without(plain.theirs, seen))
    shown = plain
    if hidden is not None:
        shown = PartsHidden(without(hidden.mine, seen), without(hidden.theirs, seen), hidden.ids - seen)
    crossed = any(item.crossed_out for item in job.items)
    return compare(shown.mine, shown.theirs, split, tie=tie), [*(remark(plain, shown) if crossed else []), *notes]


def _not_compared(ids: Sequence[str], recorded: Mapping[str, str]) -> tuple[set[str], list[str]]:
    """Return the items that are left out because the champion was trained on them, and what is to be said of it."""
    seen = set(seen_before(ids, recorded))
    if not seen:
        return seen, []
    if len(seen) == len(ids):
        return set(), ["The champion was trained on all of these items, which flatters it."]
    return seen, [f"{len(seen)} more held-out items are left out because the champion was trained on them."]


def without(answers: Mapping[str, Answers], seen: set[str]) -> dict[str, Answers]:
    """Return the answers less those for some items; tasks that have none left are dropped."""
    kept = {task: one.without(seen) for task, one in answers.items()}
    return {task: one for task, one in kept.items() if one.ids}


def _recorded_splits(job: Job) -> dict[str, str]:
    if job.champion is None:
        return {}
    try:
        return msgspec.json.decode((job.champion / SPLITS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _moved(splits: Splits) -> list[str]:
    if not splits.moved:
        return []
    groups = f"{len(splits.moved)} group{'s' if len(splits.moved) > 1 else ''} (an author and near-duplicates)"
    return [f"{groups} came in on several sides of the split; their items all train."]


def leave(job: Job, part: Path, card: ModelCard, outcome: Outcome, splits: Splits) -> None:
    """Complete the model's folder `part` and make it the job's candidate by one rename; the job's kept state goes.

    Raises:
        StorageError: the disk refused.
    """
    checkpoint.write_card(part, card)
    try:
        for name, value in ((OUTCOME, outcome), (SPLITS, splits.of)):
            (part / name).write_bytes(msgspec.json.encode(value))
            sync(part / name)
        sync(part)
        part.rename(job.candidate)
        sync(job.folder)
    except OSError as error:
        raise StorageError(
            f"The candidate cannot be written to {job.candidate}: {error}.",
            "Make room on the disk, then start the training again: it goes on from its last checkpoint.",
        ) from error
    shutil.rmtree(job.kept, ignore_errors=True)
