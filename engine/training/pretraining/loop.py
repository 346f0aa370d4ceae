"""The steps of a pretraining run: every draw is seeded by its place in it, so that it goes on bit for bit (CPU)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.errors import TrainingError
from engine.training.batching import batches_of_like_length, steps_of
from engine.training.device import Device, derived_seed
from engine.training.loop import rate_factor
from engine.training.pretraining.corpus import Corpus
from engine.training.pretraining.encoder import Encoder
from engine.training.pretraining.masking import Masked, hide
from engine.training.pretraining.scores import HeldOut, MaskedScores
from engine.training.pretraining.settings import PretrainingSettings
from engine.training.state import Position, State, optimizer_tensors, restore_optimizer

_SCORES = "scores"


class PretrainingLoop:
    """Trains an encoder to predict hidden tokens.

    `scores` are the held-out scores before the first step and after every epoch so far. Callers give what is to happen
    on the way: `step_ended` after every step, `epoch_ended` after every epoch's scores, and `check`, which is called
    between any two layers and may raise to end the run between two steps.
    """

    def __init__(
        self,
        encoder: Encoder,
        corpus: Corpus,
        settings: PretrainingSettings,
        device: Device,
        *,
        check: Callable[[], None],
    ) -> None:
        self.encoder = encoder
        self.settings = settings
        self.device = device
        self.position = Position()
        self.scores: list[MaskedScores] = []
        self._corpus = corpus
        self._check = check
        self._words = encoder.vocabulary
        self._pad = int(encoder.tokenizer.pad_token_id)  # checked when it was loaded
        self.held_out = HeldOut(corpus.held_out, self._words, self._pad, settings)
        encoder.model.to(device.torch)  # type: ignore[arg-type]
        self._weights = dict(encoder.model.named_parameters())  # tied ones once
        self._optimizer = _optimizer(self._weights, settings)

    @property
    def steps_per_epoch(self) -> int:
        """How many batches the training texts make."""
        return steps_of(len(self._corpus.train), self.settings.batch_size)

    @property
    def steps(self) -> int:
        """How many steps the whole run has."""
        return self.settings.epochs * self.steps_per_epoch

    @property
    def steps_done(self) -> int:
        """How many steps the run has behind it."""
        return self.position.epoch * self.steps_per_epoch + self.position.step

    @property
    def loss(self) -> float:
        """The mean loss of a hidden token in this epoch so far."""
        return self.position.loss / max(self.position.seen, 1)

    def unigram(self) -> MaskedScores:
        """Return what token frequencies alone score on the same hidden tokens."""
        return self.held_out.unigram(self._corpus.train, self._words)

    def state(self) -> State:
        """Return everything that is needed to go on from here."""
        tensors: dict[str, Tensor] = {f"network/{name}": weight for name, weight in self._weights.items()}
        names: dict[Tensor, str] = {weight: name for name, weight in self._weights.items()}
        moments = optimizer_tensors(self._optimizer, names)
        tensors |= {f"optimizer/{name}": value for name, value in moments.items()}
        rows = [[one.loss, one.accuracy, one.n] for one in self.scores]
        tensors[_SCORES] = torch.tensor(rows, dtype=torch.float64)
        return State(self.position, tensors)

    def restore(self, state: State) -> None:
        """Go on from a state of the same run."""
        self.position = state.position
        with torch.no_grad():
            for name, value in state.part("network").items():
                self._weights[name].copy_(value)
        restore_optimizer(
            self._optimizer, {weight: name for name, weight in self._weights.items()}, state.part("optimizer")
        )
        rows = state.tensors[_SCORES].tolist()
        self.scores = [MaskedScores(loss=loss, accuracy=accuracy, n=int(n)) for loss, accuracy, n in rows]

    def run(self, *, step_ended: Callable[[], None], epoch_ended: Callable[[float], None]) -> None:
        """Train to the end; `epoch_ended` gets the epoch's mean training loss.

        Raises:
            TrainingError: the loss is no number any more, or the GPU's memory is too small for a single text.
        """
        with self._watched():
            if not self.scores:
                self._score()
            while self.position.epoch < self.settings.epochs:
                self._epoch(step_ended)
                loss = self.loss
                self._score()
                place = self.position
                place.epoch, place.step, place.loss, place.seen = place.epoch + 1, 0, 0.0, 0
                epoch_ended(loss)

    def _score(self) -> None:
        begun = time.monotonic()
        self.scores.append(self.held_out.score(self.encoder, self.device, check=self._check))
        self.position.seconds += time.monotonic() - begun

    def _epoch(self, step_ended: Callable[[], None]) -> None:
        settings, place = self.settings, self.position
        lengths = self._corpus.train.lengths.tolist()
        batches = batches_of_like_length(lengths, settings.batch_size, seed=settings.seed, epoch=place.epoch)
        for rows in batches[place.step :]:
            begun = time.monotonic()
            loss, count = self._step(rows)
            place.step += 1
            place.loss += loss
            place.seen += count
            place.seconds += time.monotonic() - begun
            step_ended()

    def _step(self, rows: list[int]) -> tuple[float, int]:
        """Change the weights once; returns the summed loss of how many tokens. Stopped halfway, nothing has changed."""
        self.encoder.model.train()
        ids, attention = self._corpus.train.padded(rows, self._pad)
        generator = torch.Generator().manual_seed(derived_seed(self.settings.seed, "mask", self.steps_done))
        batch = hide(ids, attention, self._words, self.settings.mask, generator)
        loss = self._gradients(batch)
        norm = nn.utils.clip_grad_norm_(self._weights.values(), self.settings.clip or math.inf)
        if not (math.isfinite(loss) and bool(norm.isfinite())):
            raise TrainingError(
                f"Pretraining diverged: the loss is no longer a number in epoch {self.position.epoch + 1}, "
                f"step {self.position.step + 1}.",
                f"Start it again with a lower --learning-rate (now {self.settings.learning_rate:g}): it goes on from "
                "the last good checkpoint.",
            )
        rate = self.settings.learning_rate * rate_factor(self.steps_done, self.steps, self.settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        return loss, len(batch.targets)

    def _gradients(self, batch: Masked) -> float:
        """Compute the batch's gradients, in more parts each time the GPU's memory does not suffice."""
        while True:
            self._optimizer.zero_grad(set_to_none=True)
            torch.manual_seed(derived_seed(self.settings.seed, "step", self.steps_done))
            try:
                return sum(self._part(part, len(batch.targets)) for part in _parts(batch, self.position.parts))
            except torch.OutOfMemoryError as error:
                self._halve(len(batch.ids), error)

    def _part(self, part: Masked, tokens: int) -> float:
        here = part.to(self.device.torch)
        with self.device.autocast():
            logits = self.encoder.predictions(here)
        loss: Tensor = nn.functional.cross_entropy(logits, here.targets, reduction="sum")
        (loss / tokens).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _halve(self, batch: int, error: torch.OutOfMemoryError) -> None:
        if self.position.parts * 2 > batch:
            raise TrainingError(
                "The GPU's memory does not suffice for one text at a time.", "Lower --max-tokens."
            ) from error
        self.position.parts *= 2
        torch.cuda.empty_cache()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Let `check` end the run between any two layers: a step of a large encoder takes seconds on a CPU."""

        def watch(_: nn.Module, __: object, output: object) -> None:
            self._check()
            if isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(lambda _: self._check())  # type: ignore[no-untyped-call]

        leaves = [module for module in self.encoder.model.modules() if not any(module.children())]
        handles = [module.register_forward_hook(watch) for module in leaves]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _parts(batch: Masked, parts: int) -> Iterator[Masked]:
    """Give the batch in so many parts, those without a hidden token left out."""
    targets = torch.split(batch.targets, batch.chosen.sum(dim=1).tolist())
    for rows in torch.arange(len(batch.ids)).tensor_split(parts):
        chosen = batch.chosen[rows]
        if chosen.any():
            mine = torch.cat([targets[row] for row in rows.tolist()])
            yield Masked(batch.ids[rows], batch.attention[rows], chosen, mine)


def _optimizer(weights: dict[str, nn.Parameter], settings: PretrainingSettings) -> torch.optim.Optimizer:
    """AdamW; only matrices decay, not biases and norms. RoBERTa's second beta (Liu et al. 2019, section 3.1)."""
    groups = [
        {"params": [one for one in weights.values() if (one.ndim > 1) == decays], "weight_decay": decay}
        for decays, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
