"""The training loop. It computes steps and notifies; everything else (progress, checkpoints, ends) is a callback."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import CancelledError, TrainingError
from engine.models.network import FusionNetwork
from engine.training.alternating import alternating_batches, item_sets
from engine.training.batching import batches_of_like_length, mixed_batches, steps_of
from engine.training.crossed_out import CrossedOutParts
from engine.training.data import Examples, Inputs, answered, augment, logits_of
from engine.training.device import Device, derived_seed
from engine.training.losses import TaskLosses
from engine.training.penalty import Penalty
from engine.training.rates import relative_rates
from engine.training.recipe import ALTERNATING, TrainingRecipe
from engine.training.state import Position, State, optimizer_tensors, restore_optimizer
from engine.types import TaskMetrics


@dataclass(frozen=True)
class Scores:
    """How the network does on the validation items: mean loss of an item, and each task's scores."""

    loss: float
    metrics: dict[str, TaskMetrics]

    @property
    def macro_f1(self) -> float:
        """The mean macro-F1 over tasks, in [0, 1], each weighing as much as it has items."""
        items = sum(one.n for one in self.metrics.values())
        return sum(one.macro_f1 * one.n for one in self.metrics.values()) / max(items, 1)


class DivergedError(TrainingError):
    """The loss is no number any more. The loop's weights are those before the step, and `best` is untouched."""

    def __init__(self, where: str, rate: float) -> None:
        super().__init__(
            f"Training diverged: the loss is no longer a number {where}.",
            f"Lower training.learning_rate (now {rate:g}) and start again.",
        )


class Callback:
    """What may be attached to a loop; every method may be left out.

    A callback may read its loop, change the loop's position, and raise an `EngineError` to end the run.
    """

    loop: Loop

    def started(self) -> None:
        """Before the first step, and again when a run resumes."""

    def working(self) -> None:
        """Between any two layers; must be quick."""

    def step_ended(self) -> None:
        """After the weights have changed."""

    def epoch_ended(self) -> None:
        """After validation: the loop's `loss` and `scores` are the epoch's."""

    def interrupted(self) -> None:
        """The run was cancelled; the loop stands between two steps."""

    def ended(self) -> None:
        """After the last epoch."""


class Loop:
    """Trains a network for some epochs; can stop between any two layers and go on from any step, bit for bit (CPU).

    `crossed_out` changes what the network sees of items of which something was crossed out, `penalty` the loss.
    `validate` scores the network as it is. `loss` (mean training loss of an item) and `scores` are the last epoch's.
    `position` and `best` (the best epoch's weights) are for callbacks to read and change.
    """

    def __init__(
        self,
        network: FusionNetwork,
        examples: Examples,
        losses: TaskLosses,
        settings: TrainingRecipe,
        device: Device,
        *,
        validate: Callable[[], Scores],
        callbacks: Sequence[Callback],
        crossed_out: CrossedOutParts | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        self.network = network
        self.settings = settings
        self.device = device
        self.position = Position()
        self.best: dict[str, Tensor] = {}
        self.loss = math.nan
        self.scores = Scores(math.nan, {})
        self._examples = examples
        self._crossed_out = crossed_out
        self._penalty = penalty
        alternating = settings.batches == ALTERNATING
        self._sets = item_sets(examples.targets) if alternating else [range(examples.count)]
        self._losses = losses
        self._validate = validate
        self._callbacks = tuple(callbacks)
        self._names: dict[Tensor, str] = {weight: name for name, weight in network.named_parameters()}
        self._optimizer = make_optimizer(network, settings)
        for callback in callbacks:
            callback.loop = self

    @property
    def steps_per_epoch(self) -> int:
        """How many batches the training items make."""
        return sum(steps_of(len(rows), self.settings.batch_size) for rows in self._sets)

    @property
    def steps_done(self) -> int:
        """How many steps the run has behind it."""
        return self.position.epoch * self.steps_per_epoch + self.position.step

    @property
    def steps(self) -> int:
        """How many steps the whole run has."""
        return self.settings.epochs * self.steps_per_epoch

    def state(self) -> State:
        """Return everything that is needed to go on from here."""
        tensors = {f"network/{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        moments = optimizer_tensors(self._optimizer, self._names)
        return State(self.position, tensors | {f"optimizer/{name}": value for name, value in moments.items()})

    def restore(self, state: State) -> None:
        """Go on from a state of the same run."""
        self.position = state.position
        self.best = state.part("best")
        self.network.load_state_dict(state.part("network"))
        restore_optimizer(self._optimizer, self._names, state.part("optimizer"))

    def run(self) -> None:
        """Train until the last epoch, or until a callback stops it.

        Raises:
            CancelledError: a callback asked to end; `interrupted` was called and the position is sound.
            DivergedError: the loss is no number any more.
            TrainingError: the GPU's memory is too small for two items.
        """
        self._notify("started")
        try:
            with self._watched():
                while self.position.epoch < self.settings.epochs and not self.position.stopped:
                    self._epoch()
        except CancelledError:
            self._notify("interrupted")
            raise
        self._notify("ended")

    def _notify(self, event: str) -> None:
        for callback in self._callbacks:
            getattr(callback, event)()

    def _epoch(self) -> None:
        position = self.position
        for rows in self._batches(position.epoch)[position.step :]:
            begun = time.monotonic()
            loss = self._step(rows)
            position.step += 1
            position.loss += loss
            position.seen += len(rows)
            position.seconds += time.monotonic() - begun
            self._notify("step_ended")
        self.scores = self._validate()
        if not math.isfinite(self.scores.loss):
            raise DivergedError(
                f"on the validation items after epoch {position.epoch + 1}", self.settings.learning_rate
            )
        self.loss = position.loss / position.seen
        position.epoch, position.step, position.loss, position.seen = position.epoch + 1, 0, 0.0, 0
        self._notify("epoch_ended")

    def _batches(self, epoch: int) -> list[list[int]]:
        """Return the epoch's rows in batches.

        Of like length only where no image backbone trains: texts of one length are often captures of one kind, and
        batch normalisation wants every batch to look like the whole.
        """
        size, lengths = self.settings.batch_size, self._examples.lengths
        alike = self.network.image is None or self.network.image_frozen

        def deal(rows: Sequence[int], seed: int) -> list[list[int]]:
            if alike:
                return batches_of_like_length([lengths[row] for row in rows], size, seed=seed, epoch=epoch)
            return mixed_batches(len(rows), size, seed=seed, epoch=epoch)

        return alternating_batches(self._sets, deal, self.settings.seed)

    def _step(self, rows: list[int]) -> float:
        """Change the weights once; returns the summed loss. Cancelled halfway, nothing has changed."""
        self.network.train()
        loss = self._gradients(rows)
        settings = self.settings
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip or math.inf)
        if not (math.isfinite(loss) and bool(norm.isfinite())):
            raise DivergedError(
                f"in epoch {self.position.epoch + 1}, step {self.position.step + 1}", settings.learning_rate
            )
        factor = rate_factor(self.steps_done, self.steps, settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self._optimizer.step()
        return loss

    def _gradients(self, rows: list[int]) -> float:
        """Compute the batch's gradients, in more parts each time the GPU's memory does not suffice."""
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(derived_seed(self.settings.seed, "step", self.steps_done))
            try:
                with _buffers_kept(self.network):
                    return sum(self._part(part, len(rows)) for part in _pieces(rows, self.position.parts))
            except torch.OutOfMemoryError as error:
                self._halve(len(rows), error)

    def _part(self, rows: Sequence[int], batch: int) -> float:
        inputs = self._inputs(rows).to(self.device.torch)
        generator = torch.Generator().manual_seed(derived_seed(self.settings.seed, "pixels", self.steps_done, rows[0]))
        settings = self.settings
        targets = {task: target.to(self.device.torch) for task, target in self._examples.targets_at(rows).items()}
        penalty = self._penalty
        with self.device.autocast(), penalty.watching(inputs) if penalty else contextlib.nullcontext() as watched:
            pixels = augment(inputs.pixels, shift=settings.shift, brightness=settings.brightness, generator=generator)
            seen = type(inputs)(inputs.text, pixels, inputs.with_image)
            logits = logits_of(self.network, seen, answered(targets))
        loss: Tensor = self._losses(logits, targets, self._examples.weights_at(rows).to(self.device.torch))
        if penalty is not None and watched is not None:
            loss = loss + penalty.of(rows, watched, logits)
        (loss / batch).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _inputs(self, rows: Sequence[int]) -> Inputs:
        if self._crossed_out is None:
            return self._examples.inputs(rows)
        return self._crossed_out.inputs(rows, self.settings.seed, self.steps_done)

    def _halve(self, batch: int, error: torch.OutOfMemoryError) -> None:
        if batch // (self.position.parts * 2) < 2:
            raise TrainingError(
                "The GPU's memory does not suffice for two items at a time.", "Lower image.size or text.max_tokens."
            ) from error
        self.position.parts *= 2
        torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Let callbacks end the run between any two layers, forward and backward.

        A step of a large network takes many seconds on a CPU, and cancelling must not wait for its end.
        """

        def check(*_: object) -> None:
            self._notify("working")

        def watch(_: nn.Module, __: object, output: object) -> None:
            check()
            if isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(check)  # type: ignore[no-untyped-call]

        leaves = [module for module in self.network.modules() if not any(module.children())]
        handles = [module.register_forward_hook(watch) for module in leaves]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _pieces(rows: list[int], parts: int) -> list[list[int]]:
    return [piece.tolist() for piece in torch.tensor_split(torch.tensor(rows), min(parts, max(len(rows) // 2, 1)))]


@contextlib.contextmanager
def _buffers_kept(network: nn.Module) -> Iterator[None]:
    """Put the buffers (running statistics) back if what happens inside does not come to its end."""
    with contextlib.ExitStack() as undone:
        for buffer in network.buffers():
            undone.callback(buffer.copy_, buffer.clone())
        yield
        undone.pop_all()


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate's factor in a 0-based step: up over the first steps, then down to zero in a line."""
    rising = math.ceil(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(steps - rising, 1)


def make_optimizer(network: FusionNetwork, settings: TrainingRecipe) -> torch.optim.Optimizer:
    """Return Adam (L2) or AdamW over the trainable weights; only matrices and kernels decay, not biases and norms."""
    factors = relative_rates(network, settings)
    groups: dict[tuple[bool, float], list[Tensor]] = {}
    for weight in network.parameters():
        if weight.requires_grad:
            groups.setdefault((weight.ndim > 1, factors.get(id(weight), 1.0)), []).append(weight)
    parameters = [
        {
            "params": weights,
            "weight_decay": settings.weight_decay if decays else 0.0,
            "base": settings.learning_rate * factor,
        }
        for (decays, factor), weights in groups.items()
    ]
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=settings.learning_rate, fused=True)
