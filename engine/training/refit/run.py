"""A refit from its run folder to a candidate that is adopted as any other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from engine.errors import CancelledError, TrainingError
from engine.models import checkpoint
from engine.models.network import FusionNetwork
from engine.models.predictor import Predictor
from engine.models.spec import NetworkSpec
from engine.models.workers import each_on_one_core
from engine.training.calibration import fit_temperature
from engine.training.data import targets_of
from engine.training.evaluate import Answers, answers_of
from engine.training.finish import (
    SplitAnswers,
    Trained,
    card_of,
    compared_split,
    leave,
    metrics_by_split,
    outcome_of,
)
from engine.training.job import Job, read_job
from engine.training.parts_hidden import PartsHidden
from engine.training.plan import Plan
from engine.training.recipe import AUTO
from engine.training.refit.hidden import Hidden, first_layer, fit_hidden
from engine.training.refit.linear import Linear, fit_linear
from engine.training.refit.material import (
    Material,
    applies,
    check_refittable,
    looked_at,
    material_of,
    planned,
)
from engine.training.refit.parts import REGIONS_STAY, looked_at_versions, regions_stay, versions_of
from engine.training.splits import TEST, TRAIN, VAL, Splits
from engine.types import ModelCard, Outcome

_PART = ".candidate.part"
ModelAt = Callable[[Path], Predictor]
"""Gives the model of a folder, loaded or already in memory."""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` of one stage: "features" (items), "fit" or "compare" (pieces of work; of 0: not known)."""

    stage: str
    done: int
    total: int

    @property
    def text(self) -> str:
        """One line in words."""
        if self.stage == "features":
            return f"Looking at labelled items, {self.done:,} of {self.total:,}"
        return "Learning from the answers" if self.stage == "fit" else "Comparing with the champion"


@dataclass(frozen=True)
class Refitted:
    """A candidate lies in the run folder. `answers` counts the training items whose answers the champion did not know.

    `seconds` is by phase: "read", "features", "fit", "compare", "save".
    """

    card: ModelCard
    outcome: Outcome
    answers: int
    seconds: dict[str, float]


def refit(
    run_folder: Path,
    model_at: ModelAt,
    *,
    models_folder: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> Refitted:
    """Fit new heads on the champion's backbones, leave `candidate/` in the run folder and say how it compares.

    Raises:
        CancelledError: `cancelled` said so, between two pieces of work.
        TrainingError: there is no champion, its heads cannot be fitted by themselves, or there are too few answers.
        EngineError: the run folder, the champion or the disk cannot be used.
    """
    for step in refit_steps(run_folder, model_at, models_folder=models_folder):
        if isinstance(step, Refitted):
            return step
        if cancelled():
            raise CancelledError
        if step is not None:
            progress(step)
    raise AssertionError("a refit ends with its result")


def refit_steps(
    run_folder: Path, model_at: ModelAt, *, models_folder: Path | None = None
) -> Iterator[Progress | Refitted | None]:
    """`refit` in pieces of work of a tenth of a second or so, the result last."""
    watch = _Watch()
    job = read_job(run_folder, models_folder)
    shutil.rmtree(job.candidate, ignore_errors=True)  # of an attempt that was killed before it could tell
    if job.champion is None:
        raise TrainingError("There is no model yet whose heads could be fitted anew.", "Train one: secondlook retrain.")
    champion = model_at(job.champion)
    check_refittable(champion)
    splits, plan = planned(job)
    watch.ends("read")
    material: Material | None = None
    for step in _gathered(job, champion, splits, plan):
        if isinstance(step, Material):
            material = step
        else:
            yield step
    assert material is not None
    watch.ends("features")
    network: FusionNetwork | None = None
    for number, network in enumerate(each_on_one_core(_fitted(material))):  # noqa: B007 - the last one is wanted
        yield Progress("fit", number, 0)
    assert network is not None
    temperatures = _temperatures(material, network)
    watch.ends("fit")
    yield Progress("compare", 0, 2)
    yield _left(material, network, temperatures, watch)


def _gathered(job: Job, champion: Predictor, splits: Splits, plan: Plan) -> Iterator[Progress | Material]:
    """Yields how many items and versions of items were looked at, and last what the refit works with."""
    versions = versions_of(job, splits, champion)
    count = len(job.items)
    total = count + len(versions.all)
    yield Progress("features", 0, total)
    for done, vectors in looked_at(champion, job.items):
        if vectors is None:
            yield Progress("features", done, total)
    assert vectors is not None
    row = {item.content.id: number for number, item in enumerate(job.items)}
    rows = [row[one.item.content.id] for one in versions.all]
    for done, more in looked_at_versions(champion, versions.all, rows, vectors):
        if more is None:
            yield Progress("features", count + done, total)
    assert more is not None
    yield material_of(job, champion, splits, plan, vectors, versions, more)


def _fitted(material: Material) -> Iterator[FusionNetwork | None]:
    """Yields None between pieces of work, the champion's network with new heads last."""
    settings, champion = material.job.recipe.refit, material.champion.loaded.network
    train, val = material.features[TRAIN], material.features[VAL]
    targets, val_targets = material.objectives[TRAIN], material.objectives[VAL]
    layers = len(champion.spec.fusion.hidden)
    if settings.head == "hidden" or (settings.head == AUTO and layers == 1):
        first = first_layer(champion, settings.width, train)
        work = fit_hidden(first, train, targets, val, val_targets, l2=settings.l2, steps=settings.steps)
        for hidden in work:
            yield None if hidden is None else _network(material, hidden.heads, hidden)
        return
    for linear in fit_linear(train, targets, val, val_targets, l2=settings.l2):
        yield None if linear is None else _network(material, linear, None)


def _network(material: Material, heads: Linear, hidden: Hidden | None) -> FusionNetwork:
    champion = material.champion.loaded.network
    replace = msgspec.structs.replace
    widths = (len(hidden.bias),) if hidden is not None else ()
    spec: NetworkSpec = replace(
        champion.spec, heads=material.plan.heads, fusion=replace(champion.spec.fusion, hidden=widths)
    )
    network = champion.with_heads(spec)
    state: dict[str, Tensor] = {}
    if hidden is not None:
        state = {"fusion.0.weight": hidden.weight, "fusion.0.bias": hidden.bias}
    for head, rows in zip(spec.heads, material.objectives[TRAIN].columns, strict=True):
        state[f"heads.{head.task}.weight"] = heads.weight[rows]
        state[f"heads.{head.task}.bias"] = heads.bias[rows]
    strange = network.load_state_dict(state, strict=False).unexpected_keys
    assert not strange, strange
    return network.eval()


def _temperatures(material: Material, network: FusionNetwork) -> dict[str, float]:
    vectors, items = material.vectors[VAL], material.items[VAL]
    device = network.scale.device
    with torch.inference_mode():
        logits = network.fuse(vectors.text.to(device), vectors.image.to(device))
    found = {}
    for head in material.plan.heads:
        truth = targets_of(items, head).double().numpy()
        known = ~np.isnan(truth).any(axis=1)
        scores = logits[head.task].double().cpu().numpy()
        found[head.task] = fit_temperature(scores[known], truth[known], multi=head.multi)
    return found


def _left(material: Material, network: FusionNetwork, temperatures: dict[str, float], watch: _Watch) -> Refitted:
    job, champion = material.job, material.champion
    base = checkpoint.base_for(champion_folder(job), champion.card)
    trained = Trained(network, champion.loaded.tokenizer, temperatures, champion.scorer.name, watch.total)
    card = msgspec.structs.replace(card_of(job, material.plan, material.splits, trained), base=base.model)
    candidate = champion.sharing(checkpoint.Checkpoint(network, card, champion.loaded.tokenizer))
    mine, theirs = (_answers(material, model) for model in (candidate, champion))
    card = msgspec.structs.replace(
        card, metrics=metrics_by_split(card, mine), champion_metrics=metrics_by_split(champion.card, theirs)
    )
    hidden = _parts_hidden(material, (candidate, champion), (mine, theirs))
    outcome = outcome_of(job, material.plan, material.splits, mine, theirs, champion, card, tie=True, hidden=hidden)
    if regions_stay(job, champion):
        outcome = msgspec.structs.replace(outcome, reason=f"{outcome.reason} {REGIONS_STAY}")
    watch.ends("compare")
    part = job.folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    checkpoint.save_heads(part, network, card, base)
    leave(job, part, card, outcome, material.splits)
    watch.ends("save")
    return Refitted(card, outcome, _new_answers(material), watch.seconds)


def champion_folder(job: Job) -> Path:
    """The champion's folder of a job that has one."""
    assert job.champion is not None
    return job.champion


def _answers(material: Material, model: Predictor) -> dict[str, dict[str, Answers]]:
    """A model's answers by split and task, from the very vectors that the other one answers from."""
    found: dict[str, dict[str, Answers]] = {}
    for split in (VAL, TEST):
        items, vectors = material.items[split], material.vectors[split]
        for head in model.spec.heads:
            rows = [row for row, item in enumerate(items) if applies(head, item)]
            if not rows:
                continue
            chances = model.probabilities(head.task, vectors.text[rows], vectors.image[rows])
            ids, truths = [items[row].content.id for row in rows], [items[row].labels[head.task] for row in rows]
            answers = answers_of(model.card, head.task, ids, np.asarray(chances), truths)
            found.setdefault(split, {})[head.task] = answers
    return found


def _parts_hidden(
    material: Material, models: tuple[Predictor, Predictor], answers: tuple[SplitAnswers, SplitAnswers]
) -> PartsHidden | None:
    """Both models' answers where what reviewers crossed out is hidden; None where there is nothing to hide."""
    if not material.versions.held_out:
        return None
    split, vectors = compared_split(answers[0]), material.hidden
    names = [one.content.id for one in material.versions.held_out]

    def of(model: Predictor, plain: Mapping[str, Answers]) -> dict[str, Answers]:
        chances = {task: model.probabilities(task, vectors.text, vectors.image).tolist() for task in plain}
        return {task: one.instead(dict(zip(names, chances[task], strict=True))) for task, one in plain.items()}

    mine, theirs = (of(model, one.get(split, {})) for model, one in zip(models, answers, strict=True))
    return PartsHidden(mine, theirs, frozenset(names))


def _new_answers(material: Material) -> int:
    known = max(material.champion.card.decisions, default=0)
    return sum(max(item.decisions, default=0) > known for item in material.items[TRAIN])


class _Watch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def ends(self, phase: str) -> None:
        """Note the time since the phase before ended."""
        now = time.perf_counter()
        self.seconds[phase], self._last = now - self._last, now

    @property
    def total(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._started
