"""An unfinished run on disk, beside where its result goes: what it was asked, its start, its texts and its state.

The folder appears as a whole. From then on only its state and the rates change, each replaced as a whole.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from engine.errors import EngineError, InputError, StorageError, TrainingError
from engine.training.pretraining.corpus import Corpus, TextCounts, keep_corpus, kept_corpus
from engine.training.pretraining.encoder import Encoder, load_encoder
from engine.training.pretraining.settings import CHANGEABLE, PretrainingSettings
from engine.training.state import sync
from engine.types import Struct

_ASKED, _START, _TEXTS, _STATE, _RESULT = "asked.json", "start", "texts.safetensors", "state.safetensors", "result"


class Asked(Struct, frozen=True, kw_only=True):
    """What a run was asked for and what it found.

    `encoder` is the one that is continued, "" for a new one. `rates` are pairs of the first step and the learning rate
    from there on: a run that diverged may go on with a lower one.
    """

    settings: PretrainingSettings
    source: str
    encoder: str
    counts: TextCounts
    fingerprint: str
    created: str
    rates: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Begun:
    """A run that can go on: its encoder before the first step, and its texts."""

    asked: Asked
    encoder: Encoder
    corpus: Corpus


class WorkFolder:
    """The folder of the unfinished run whose result will be `out`."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = out.with_name(f".{out.name}.unfinished")
        self.state = self.path / _STATE

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second run for the same result out; a killed one lets go.

        Raises:
            TrainingError: another process is at it.
            StorageError: the place cannot be written to.
        """
        lock = FileLock(self.out.with_name(f".{self.out.name}.lock"), timeout=0)
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise TrainingError(
                f"'{self.out}' is being pretrained by another process.", "Wait until it has ended, or stop it."
            ) from error
        except OSError as error:
            raise StorageError(
                f"'{self.out.parent}' cannot be written to ({error.strerror or error}).",
                "Make room there, or name another folder with --out.",
            ) from error
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def begun(self) -> Begun | None:
        """Return the unfinished run; None where there is none.

        Raises:
            StorageError: it is damaged.
        """
        if not self.path.exists():
            return None
        try:
            asked = msgspec.json.decode((self.path / _ASKED).read_bytes(), type=Asked)
            return Begun(asked, load_encoder(str(self.path / _START)), kept_corpus(self.path / _TEXTS))
        except (OSError, msgspec.DecodeError, SafetensorError, KeyError, EngineError) as error:
            raise StorageError(
                f"The unfinished pretraining in '{self.path}' is damaged: {error}.", "Start it anew with --anew."
            ) from error

    def begin(self, begun: Begun) -> None:
        """Write a new run; all of it or nothing.

        Raises:
            StorageError: the disk refused.
        """
        beside = self.path.with_name(f"{self.path.name}.part")
        with _refusals(self.path):
            shutil.rmtree(beside, ignore_errors=True)
            (beside / _START).mkdir(parents=True)
            begun.encoder.save(beside / _START)
            keep_corpus(beside / _TEXTS, begun.corpus)
            (beside / _ASKED).write_bytes(msgspec.json.encode(begun.asked))
            _publish(beside, self.path)

    def note(self, asked: Asked) -> None:
        """Replace what was asked (another learning rate)."""
        beside = self.path / f".{_ASKED}.part"
        with _refusals(self.path):
            beside.write_bytes(msgspec.json.encode(asked))
            sync(beside)
            beside.replace(self.path / _ASKED)

    def finish(self, encoder: Encoder, name: str, card: bytes) -> None:
        """Put the result in its place: all of it or nothing; then the unfinished run is gone.

        Raises:
            StorageError: the disk refused; the run is still there and can be finished by the same command.
        """
        result = self.path / _RESULT
        with _refusals(self.out):
            shutil.rmtree(result, ignore_errors=True)
            result.mkdir()
            encoder.save(result)
            (result / name).write_bytes(card)
            _publish(result, self.out)
        self.forget()

    def forget(self) -> None:
        """Throw the unfinished run away."""
        shutil.rmtree(self.path, ignore_errors=True)


def check_same(asked: Asked, given: Mapping[str, Any], source: str, encoder: str) -> None:
    """Raise `InputError` naming every difference between an unfinished run and what is asked for now."""
    before = msgspec.structs.asdict(asked.settings)
    differences = [
        f"{name} was {before[name]}, now {value}"
        for name, value in given.items()
        if name not in CHANGEABLE and before[name] != value
    ]
    if asked.source != source:
        differences.append(f"the texts were those of '{asked.source}', now of '{source}'")
    if asked.encoder != encoder:
        differences.append(f"--from was {asked.encoder or 'not given'}, now {encoder or 'not given'}")
    if differences:
        raise InputError(
            f"An unfinished pretraining for this folder asks for something else: {'; '.join(differences)}.",
            "Ask for the same to go on, give another folder, or start over with --anew.",
        )


@contextlib.contextmanager
def _refusals(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"'{place}' cannot be written: {error}.", "Make room, then run the command again."
        ) from error


def _publish(folder: Path, place: Path) -> None:
    """Rename a folder into its place once all of it is on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync(path)
    sync(folder)
    folder.rename(place)
    sync(place.parent)
