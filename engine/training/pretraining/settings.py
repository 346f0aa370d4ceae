"""What a pretraining run is told: the encoder's size, how texts are prepared, how long and how fast it trains."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from engine.errors import InputError, did_you_mean
from engine.models.spec import EMOJI, TextSpec
from engine.training.recipe import AUTO, PRECISIONS
from engine.types import Struct

FRESH_RATE, CONTINUED_RATE = 1e-3, 5e-5
"""Learning rates for an encoder from nothing and for one that has learned already."""


class PretrainingSettings(Struct, frozen=True, kw_only=True):
    """How an encoder is pretrained.

    `vocabulary`, `layers`, `width`, `heads` and `dropout` describe a new encoder; one that is continued keeps its own.
    `max_tokens` counts special tokens; longer texts are cut into pieces of that length. `mask` is the share of tokens
    to be predicted. `held_out` is the share of texts that are only measured on. `warmup` is the share of steps in which
    the rate rises to `learning_rate`; it then falls linearly to zero. `clip` bounds the gradient's norm (0: off).
    `checkpoint_seconds` is the most work in seconds that a kill can lose. `threads` is for the CPU (0: all cores).
    `precision` is "auto" (bf16 where the hardware multiplies it), "fp32" or "bf16". The other fields are the switches
    of `TextSpec` and must be the same where the encoder is used.
    """

    vocabulary: int = 8000
    layers: int = 4
    width: int = 256
    heads: int = 4
    dropout: float = 0.1
    max_tokens: int = 128
    lower_case: bool = True
    strip_accents: bool = True
    mask_users: bool = True
    mask_urls: bool = True
    emoji: str = "words"
    mask: float = 0.15
    held_out: float = 0.05
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = FRESH_RATE
    weight_decay: float = 0.01
    warmup: float = 0.06
    clip: float = 1.0
    seed: int = 0
    checkpoint_seconds: float = 60.0
    threads: int = 0
    precision: str = AUTO

    def text_spec(self, backbone: str) -> TextSpec:
        """Return how texts are read with the encoder `backbone`."""
        switches = {name: getattr(self, name) for name in SWITCHES}
        return TextSpec(backbone=backbone, max_tokens=self.max_tokens, **switches)


SWITCHES = ("lower_case", "strip_accents", "mask_users", "mask_urls", "emoji")
ARCHITECTURE = ("vocabulary", "layers", "width", "heads", "dropout")
CHANGEABLE = ("learning_rate", "checkpoint_seconds", "threads")
"""What may be another when an unfinished run goes on: none of it changes what is predicted from what."""

_RANGES: dict[str, tuple[float, float]] = {
    "vocabulary": (300, 200_000),
    "layers": (1, 48),
    "width": (8, 4096),
    "heads": (1, 64),
    "dropout": (0.0, 0.9),
    "max_tokens": (8, 8192),
    "mask": (0.01, 0.9),
    "held_out": (0.01, 0.5),
    "epochs": (1, 100_000),
    "batch_size": (1, 65_536),
    "learning_rate": (1e-8, 1.0),
    "weight_decay": (0.0, 10.0),
    "warmup": (0.0, 1.0),
    "clip": (0.0, 1e6),
    "seed": (0, 2**31 - 1),
    "checkpoint_seconds": (0.0, 86_400.0),
    "threads": (0, 1024),
}
_TYPES = {field.name: field.type for field in msgspec.structs.fields(PretrainingSettings)}


def read_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Return settings given as "epochs=3" by name; a value is read as TOML, and as a plain string where it is none.

    Raises:
        InputError: one is no setting or has a value of another kind; names all of them.
    """
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for override in overrides:
        name, equals, text = (part.strip() for part in override.partition("="))
        if not equals:
            mistakes.append(f"{override!r} is no setting: write KEY=VALUE, such as epochs=3.")
        elif name not in _TYPES:
            mistakes.append(f"There is no setting {name!r}. {did_you_mean(name, _TYPES)}")
        else:
            _take(name, text, values, mistakes)
    if mistakes:
        raise InputError(" ".join(mistakes), "See 'secondlook pretrain --help'.")
    return values


def make_settings(given: Mapping[str, Any], known: Mapping[str, Any], *, continued: bool) -> PretrainingSettings:
    """Return checked settings: those `given`, else those `known` of the encoder that is continued, else the defaults.

    Raises:
        InputError: some cannot be used; names all of them.
    """
    values = {"learning_rate": CONTINUED_RATE if continued else FRESH_RATE, **known, **given}
    settings = PretrainingSettings(**values)
    mistakes = [*_impossible(settings), *(_fixed(given) if continued else _misfits(settings))]
    if mistakes:
        raise InputError(" ".join(mistakes), "See 'secondlook pretrain --help'.")
    return settings


def _take(name: str, text: str, values: dict[str, Any], mistakes: list[str]) -> None:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    try:
        values[name] = msgspec.convert(value, _TYPES[name], strict=True)
    except msgspec.ValidationError as error:
        mistakes.append(f"{name} is {value!r}: {str(error)[:1].lower()}{str(error)[1:]}.")


def _impossible(settings: PretrainingSettings) -> Iterator[str]:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not (math.isfinite(value) and low <= value <= high):
            yield f"{name} is {value}: it must be from {low:g} to {high:g}."
    for name, choices in (("emoji", EMOJI), ("precision", PRECISIONS)):
        value = getattr(settings, name)
        if value not in choices:
            yield f"{name} cannot be {value!r}. {did_you_mean(value, choices)}"


def _misfits(settings: PretrainingSettings) -> Iterator[str]:
    if settings.heads and settings.width % settings.heads:
        yield f"width is {settings.width}: it must be a multiple of heads ({settings.heads})."


def _fixed(given: Mapping[str, Any]) -> Iterator[str]:
    for name in ARCHITECTURE:
        if name in given:
            yield f"{name} belongs to a new encoder: the one that is continued keeps its own, so leave it out."
