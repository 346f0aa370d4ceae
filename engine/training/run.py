"""A training run from its folder to a candidate: what the trainer process and `secondlook retrain` do."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from engine.errors import CancelledError, EngineError, TrainingError
from engine.models.spec import NetworkSpec
from engine.models.text import model_text
from engine.service.protocol import RunEnded, RunFailed, RunProgress
from engine.similarity import grouped
from engine.training.answers import age_weights
from engine.training.authors import author_items
from engine.training.callbacks import BestWeights, Cancel, Checkpoint, EarlyStop, Emit, Progress
from engine.training.crossed_out import CrossedOutParts
from engine.training.data import Examples, Inputs
from engine.training.device import Device, choose_device
from engine.training.finish import Trained, finished, leave_candidate
from engine.training.job import Job, read_job
from engine.training.loop import DivergedError, Loop
from engine.training.losses import losses_for
from engine.training.penalty import Penalty
from engine.training.plan import Plan, check_inputs, check_task_weights, make_plan
from engine.training.recipe import AUTHOR
from engine.training.splits import SPLITS, TRAIN, VAL, Splits, assign_splits
from engine.training.start import Start, champion_start, fresh_start, keep_start, kept_start
from engine.training.state import load_state
from engine.training.validation import Validation
from engine.types import ModelCard, Outcome

GRACE, GLANCE = 30.0, 0.2
"""Seconds for which a run waits for a trainer before it, which ends as soon as it sees that its desk is gone, and
between two looks at whether somebody cancelled.
"""
AFTER = 3
"""Progress units after the last step: scoring the candidate, scoring the champion, saving."""


def train(
    run_folder: Path,
    *,
    emit: Emit,
    cancelled: Callable[[], bool],
    models_folder: Path | None = None,
) -> tuple[ModelCard, Outcome]:
    """Train what the run folder asks for, leave `candidate/` in it, and return its card and how it compares.

    Emits the run's events; the last one is `RunEnded` or `RunFailed`. A run that was killed or cancelled goes on from
    its last checkpoint; one that had ended only repeats its result.

    Raises:
        CancelledError: `cancelled` said so; calling again goes on.
        EngineError: the run cannot start or go on. The champion is as it was.
    """
    try:
        job = read_job(run_folder, models_folder)
        with _alone(job, cancelled):
            card, outcome = finished(job) or _Run(job, emit, cancelled).train()
    except EngineError as error:
        emit(RunFailed(run=run_folder.name, message=str(error), cancelled=isinstance(error, CancelledError)))
        raise
    emit(RunEnded(run=job.id, card=card, outcome=outcome))
    return card, outcome


def fit(job: Job, *, emit: Emit, cancelled: Callable[[], bool]) -> Fitted:
    """Train a job and return its network with the best weights and temperatures, compared with nothing, left nowhere.

    Only `job.kept` is written: what a killed run needs to go on when this is called again.

    Raises:
        CancelledError: `cancelled` said so; calling again goes on.
        EngineError: the run cannot start or go on.
    """
    return _Run(job, emit, cancelled).fit()


@contextlib.contextmanager
def _alone(job: Job, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Keep a second trainer out of the run's folder; a killed one lets go, and one whose desk was killed soon does."""
    lock, deadline = FileLock(job.folder / "trainer.lock"), time.monotonic() + GRACE
    while not lock.is_locked:
        try:
            lock.acquire(timeout=min(GLANCE, GRACE))
        except Timeout as error:
            if cancelled():
                raise CancelledError from error
            if time.monotonic() >= deadline:
                raise TrainingError(
                    f"The run {job.id} is being trained by another process.", "Wait until it has ended, or stop it."
                ) from error
    try:
        yield
    finally:
        lock.release()


def _run_to_the_end(loop: Loop) -> tuple[str, ...]:
    """Run the loop; where it diverges after an epoch that was good, that one is kept. Returns what is to be told.

    Raises:
        DivergedError: not one epoch came to its end.
    """
    try:
        loop.run()
    except DivergedError as error:
        if not loop.best:
            raise
        return (f"{error.message} The model is that of epoch {loop.position.best_epoch}. {error.way_out}",)
    return ()


def _at_level(job: Job) -> Job:
    """Return the job over items as they are, or over authors where the recipe says so."""
    data = job.recipe.data
    if data.level != AUTHOR:
        return job
    items, taxonomy = author_items(job.items, job.taxonomy, data.tasks, data.positive)
    return replace(job, items=items, taxonomy=taxonomy)


@dataclass(frozen=True)
class _Material:
    """What a run works with."""

    splits: Splits
    plan: Plan
    spec: NetworkSpec
    start: Start
    device: Device
    train: Examples
    val: Examples


@dataclass(frozen=True)
class Fitted:
    """A trained network, what it was trained on, where, and in how many steps."""

    trained: Trained
    plan: Plan
    splits: Splits
    device: Device
    steps: int


class _Run:
    """One attempt at a run."""

    def __init__(self, job: Job, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self._job = _at_level(job)
        self._emit = emit
        self._cancelled = cancelled
        self._cancel = Cancel(cancelled)

    def train(self) -> tuple[ModelCard, Outcome]:
        """See `train` above."""
        fitted = self.fit()
        return leave_candidate(
            self._job,
            fitted.plan,
            fitted.splits,
            fitted.trained,
            progress=self._stages(fitted.steps),
            cancelled=self._cancelled,
        )

    def fit(self) -> Fitted:
        """See `fit` above."""
        material = self._gather()
        loop, validation = self._loop(material)
        state = load_state(self._state_path)
        if state is not None:
            loop.restore(state)
        notes = _run_to_the_end(loop)
        network = loop.network
        network.load_state_dict(loop.best)
        trained = Trained(
            network=network,
            tokenizer=material.start.tokenizer,
            temperatures=validation.temperatures(network),
            device=material.device.words,
            seconds=loop.position.seconds,
            origin=self._job.parent if material.start.champion else "",
            threads=material.device.threads,
            precision=material.device.precision,
            notes=notes,
            unread=frozenset(material.train.unread | material.val.unread),
        )
        return Fitted(trained, material.plan, material.splits, material.device, loop.steps)

    @property
    def _state_path(self) -> Path:
        return self._job.kept / "state.safetensors"

    def _gather(self) -> _Material:
        job, data = self._job, self._job.recipe.data
        splits = job.splits or self._split()
        check_task_weights(job.recipe.tasks, job.taxonomy)
        plan = make_plan(job.items, splits, job.taxonomy, data.tasks)
        spec = job.recipe.network(plan.heads)
        check_inputs(splits.pick(job.items, TRAIN), spec)
        device = choose_device(job.recipe.training.threads, job.recipe.training.precision)
        self._cancel.check()
        start = self._start(spec, splits)
        train, val = (self._examples(split, splits, spec, start) for split in (TRAIN, VAL))
        return _Material(splits, plan, spec, start, device, train, val)

    def _examples(self, split: str, splits: Splits, spec: NetworkSpec, start: Start) -> Examples:
        """Return the items of a split, made ready; those that train learn what the recipe says of their answers."""
        job, settings = self._job, self._job.recipe.training
        items, trains = splits.pick(job.items, split), split == TRAIN
        return Examples(
            items,
            spec,
            start.tokenizer,
            cache_bytes=job.recipe.data.cache_mb * (1 << 20) * len(items) // len(job.items),
            check=self._cancel.check,
            soft=settings.soft_labels and trains,
            weights=age_weights(items, job.items, settings.half_life_days) if trains else None,
        )

    def _split(self) -> Splits:
        """Return every item's side; near-duplicates and one author's items are on the same one."""
        recipe = self._job.recipe
        items = grouped(self._job.items, check=self._cancel.check)
        return assign_splits(items, val=recipe.data.val, test=recipe.data.test, seed=recipe.training.seed)

    def _start(self, spec: NetworkSpec, splits: Splits) -> Start:
        """Return the network before its first step: the kept one of an earlier attempt, else a new one, now kept.

        One of another network is of no use: what "auto" stands for may have been installed or removed meanwhile.
        """
        folder = self._job.kept / "start"
        kept = kept_start(folder)
        if kept is not None and kept.network.spec == spec:
            return kept
        shutil.rmtree(self._job.kept, ignore_errors=True)
        settings, start = self._job.recipe.training, None
        if settings.start == "champion" and self._job.champion is not None:
            start = champion_start(spec, self._job.champion)
        if start is None:
            texts = (model_text(item.content) for item in splits.pick(self._job.items, TRAIN))
            start = fresh_start(spec, texts, settings.seed)
        keep_start(folder, start, self._job.id)
        return start

    def _loop(self, material: _Material) -> tuple[Loop, Validation]:
        settings = self._job.recipe.training
        heads, device = material.plan.heads, material.device
        losses = losses_for(settings, heads, material.train.targets, self._job.recipe.tasks).to(device.torch)
        network = material.start.network.to(device.torch)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        validation = Validation(material.val, material.plan.majority, device, self._seen(material))
        counts = {split: material.plan.counts[split] for split in SPLITS}
        callbacks = (
            self._cancel,
            BestWeights(settings.best_by),
            EarlyStop(settings.patience),
            Progress(self._emit, self._job.id, counts, after=AFTER),
            Checkpoint(self._state_path, settings.checkpoint_seconds),
        )
        crossed_out = self._crossed_out(TRAIN, material.train, material)
        loop = Loop(
            network,
            material.train,
            losses,
            settings,
            device,
            validate=lambda: validation.scores(network),
            callbacks=callbacks,
            crossed_out=crossed_out,
            penalty=self._penalty(crossed_out, material),
        )
        return loop, validation

    def _seen(self, material: _Material) -> Callable[[Sequence[int]], Inputs] | None:
        """Return how validation items are seen: as in training, or the best epoch would be that of a shortcut."""
        parts = self._crossed_out(VAL, material.val, material)
        return None if parts is None else lambda rows: parts.inputs(rows, self._job.recipe.training.seed, 0)

    def _crossed_out(self, split: str, examples: Examples, material: _Material) -> CrossedOutParts | None:
        """Return what reviewers crossed out of the items of a split; None where nothing was."""
        items = material.splits.pick(self._job.items, split)
        if not any(item.crossed_out for item in items):
            return None
        settings, start = self._job.recipe.crossed_out, material.start
        return CrossedOutParts(items, examples, start.network.spec, start.tokenizer, settings)

    def _penalty(self, parts: CrossedOutParts | None, material: _Material) -> Penalty | None:
        weight, start = self._job.recipe.crossed_out.penalty, material.start
        if parts is None or not weight:
            return None
        items = material.splits.pick(self._job.items, TRAIN)
        return Penalty(items, parts, start.network, start.tokenizer, weight)

    def _stages(self, steps: int) -> Callable[[str], None]:
        """Return what tells of the work after the last step."""
        done = steps

        def tell(stage: str) -> None:
            nonlocal done
            done += 1
            self._emit(RunProgress(run=self._job.id, stage=stage, done=done, total=steps + AFTER))

        return tell
