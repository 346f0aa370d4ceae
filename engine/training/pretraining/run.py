"""A pretraining run from texts to an encoder's folder: what `secondlook pretrain` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from engine.errors import CancelledError, EngineError, InputError
from engine.service.protocol import EpochEnded, RunFailed, RunProgress, RunStarted
from engine.training.callbacks import PROGRESS_SECONDS
from engine.training.device import choose_device, derived_seed
from engine.training.pretraining.card import CARD, PretrainingCard, known_settings, library_versions
from engine.training.pretraining.corpus import Corpus, split_texts, tokenized
from engine.training.pretraining.encoder import fitted, load_encoder, new_encoder
from engine.training.pretraining.events import EncoderReady, PretrainingEvent
from engine.training.pretraining.loop import PretrainingLoop
from engine.training.pretraining.settings import PretrainingSettings, make_settings
from engine.training.pretraining.work import Asked, Begun, WorkFolder, check_same
from engine.training.state import load_state, save_state
from engine.workspace.encoding import now

Emit = Callable[[PretrainingEvent], None]


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    `texts` gives raw texts and is asked only when the run begins: one that was killed or cancelled goes on with those
    it began with. `source` says where they come from. `given` are settings by name. `encoder` is a folder or hub id to
    continue ("" for a new encoder). The result goes to `out`, which must not exist. `anew` throws an unfinished run for
    the same folder away.
    """

    texts: Callable[[], Sequence[str]]
    source: str
    out: Path
    given: Mapping[str, Any]
    encoder: str = ""
    anew: bool = False


def pretrain(
    wanted: Wanted, *, emit: Emit = lambda _: None, cancelled: Callable[[], bool] = lambda: False
) -> PretrainingCard:
    """Train an encoder by masked-language modelling (Devlin et al. 2019, section 3.1) and return what came of it.

    Emits the run's events; the last one is `EncoderReady` or `RunFailed`.

    Raises:
        CancelledError: `cancelled` said so; calling again goes on.
        EngineError: the run cannot start or go on; there is no result, and the last checkpoint is kept.
    """
    out = wanted.out
    try:
        if out.exists():
            raise InputError(f"'{out}' exists already.", "Give a new folder for the encoder, or move that one away.")
        work = WorkFolder(out)
        with work.alone():
            if wanted.anew:
                work.forget()
            card = _Run(work, _begun(work, wanted), emit, cancelled).train()
    except EngineError as error:
        emit(RunFailed(run=out.name, message=str(error), cancelled=isinstance(error, CancelledError)))
        raise
    emit(EncoderReady(folder=str(out), card=card))
    return card


def _begun(work: WorkFolder, wanted: Wanted) -> Begun:
    """Return the unfinished run if it is what is asked for, else a new one, now on disk.

    What is not given is as it was when the run began.
    """
    continued = bool(wanted.encoder)
    old = work.begun()
    if old is None:
        begun = _begin(wanted, make_settings(wanted.given, known_settings(wanted.encoder), continued=continued))
        work.begin(begun)
        return begun
    check_same(old.asked, wanted.given, wanted.source, wanted.encoder)
    settings = make_settings(wanted.given, msgspec.structs.asdict(old.asked.settings), continued=continued)
    return Begun(msgspec.structs.replace(old.asked, settings=settings), old.encoder, old.corpus)


def _begin(wanted: Wanted, settings: PretrainingSettings) -> Begun:
    texts = split_texts(wanted.texts(), settings)
    torch.manual_seed(derived_seed(settings.seed, "weights"))
    encoder = load_encoder(wanted.encoder) if wanted.encoder else new_encoder(texts.train, settings)
    settings = fitted(settings, encoder, asked="max_tokens" in wanted.given)
    corpus = Corpus(
        *(tokenized(side, encoder.tokenizer, settings.max_tokens) for side in (texts.train, texts.held_out))
    )
    if not wanted.encoder:
        encoder.expect(corpus.train)
    asked = Asked(
        settings=settings,
        source=wanted.source,
        encoder=wanted.encoder,
        counts=texts.counts,
        fingerprint=texts.fingerprint,
        created=now(),
        rates=((0, settings.learning_rate),),
    )
    return Begun(asked, encoder, corpus)


class _Run:
    """One attempt at a run."""

    def __init__(self, work: WorkFolder, begun: Begun, emit: Emit, cancelled: Callable[[], bool]) -> None:
        self._work = work
        self._asked = begun.asked
        self._emit = emit
        self._cancelled = cancelled
        self._settings = begun.asked.settings
        device = choose_device(self._settings.threads, self._settings.precision)
        self._loop = PretrainingLoop(begun.encoder, begun.corpus, self._settings, device, check=self._check)
        self._name = work.out.name
        self._saved = self._told = time.monotonic()

    def train(self) -> PretrainingCard:
        """Train to the end and leave the result."""
        loop = self._loop
        state = load_state(self._work.state)
        if state is not None:
            loop.restore(state)
        self._note_rate()
        self._emit(
            RunStarted(
                run=self._name,
                device=loop.device.words,
                epochs=self._settings.epochs,
                epoch=loop.position.epoch,
                items={"train": self._asked.counts.train, "held out": self._asked.counts.held_out},
            )
        )
        try:
            loop.run(step_ended=self._step_ended, epoch_ended=self._epoch_ended)
        except CancelledError:
            self._save()
            raise
        self._save()
        card = self._card()
        self._work.finish(loop.encoder, CARD, msgspec.json.format(msgspec.json.encode(card), indent=2))
        return card

    def _check(self) -> None:
        if self._cancelled():
            raise CancelledError("Pretraining was stopped; the same command goes on from here.")

    def _note_rate(self) -> None:
        """Keep with the run that its learning rate is another from here on."""
        rates, rate = self._asked.rates, self._settings.learning_rate
        if rates[-1][1] != rate:
            rates = (*(one for one in rates if one[0] < self._loop.steps_done), (self._loop.steps_done, rate))
            self._asked = msgspec.structs.replace(self._asked, rates=rates)
            self._work.note(self._asked)

    def _step_ended(self) -> None:
        loop, moment = self._loop, time.monotonic()
        if moment - self._told >= PROGRESS_SECONDS or loop.position.step == loop.steps_per_epoch:
            self._told = moment
            done, total = loop.steps_done, loop.steps
            self._emit(RunProgress(run=self._name, stage="train", done=done, total=total, loss=loop.loss))
        if moment - self._saved >= self._settings.checkpoint_seconds:
            self._save()
        self._check()

    def _epoch_ended(self, loss: float) -> None:
        scores, epoch = self._loop.scores[-1], self._loop.position.epoch
        self._emit(EpochEnded(run=self._name, epoch=epoch, loss=loss, val_loss=scores.loss, metrics={}))

    def _save(self) -> None:
        save_state(self._work.state, self._loop.state())
        self._saved = time.monotonic()

    def _card(self) -> PretrainingCard:
        asked, loop = self._asked, self._loop
        return PretrainingCard(
            settings=self._settings,
            source=asked.source,
            encoder=asked.encoder,
            texts=asked.counts,
            fingerprint=asked.fingerprint,
            created=asked.created,
            before=loop.scores[0],
            after=loop.scores[-1],
            unigram=loop.unigram(),
            epochs=tuple(loop.scores[1:]),
            rates=asked.rates,
            device=loop.device.words,
            seconds=loop.position.seconds,
            versions=library_versions(),
        )
