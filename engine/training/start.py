"""Where a network's weights come from: the champion, pretrained parts, or nothing. Kept, so that a run can resume."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from engine.errors import ModelUnavailableError
from engine.models import checkpoint
from engine.models.backbones import HuggingFaceEncoder
from engine.models.network import FusionNetwork, build, rebuild
from engine.models.spec import NetworkSpec, to_plain
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.training.device import derived_seed
from engine.types import ModelCard

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """A network before its first step, on the CPU; `champion` says whether it has the champion's weights."""

    network: FusionNetwork
    tokenizer: TextTokenizer | None
    champion: bool


def same_architecture(one: NetworkSpec, other: NetworkSpec) -> bool:
    """Say whether the weights of one fit the other and mean the same: dropout, freezing and origins do not matter."""
    return _essence(one) == _essence(other)


def fresh_start(spec: NetworkSpec, texts: Iterable[str], seed: int) -> Start:
    """Return a new network, its vocabulary learned from these raw texts (of the training items only).

    Raises:
        ModelUnavailableError: a pretrained part cannot be had.
    """
    tokenizer = tokenizer_for(spec, texts)
    torch.manual_seed(derived_seed(seed, "weights"))
    return Start(build(spec, tokenizer), tokenizer, champion=False)


def champion_start(spec: NetworkSpec, folder: Path) -> Start | None:
    """Return a network with the weights and vocabulary of the champion in `folder`; None where they do not fit."""
    try:
        loaded = checkpoint.load(folder)
    except ModelUnavailableError as error:
        _log.warning("the champion's weights cannot be used, so training starts from scratch: %s", error)
        return None
    if loaded.card.base and not same_architecture(spec, loaded.network.spec):  # a refit with heads of another form
        return champion_start(spec, folder.parent / loaded.card.base)
    if not same_architecture(spec, loaded.network.spec):
        return None
    text = loaded.network.text
    encoder = text.encoder.config if isinstance(text, HuggingFaceEncoder) else None
    network = rebuild(spec, loaded.tokenizer, encoder)
    network.load_state_dict(loaded.network.state_dict())
    return Start(network, loaded.tokenizer, champion=True)


def keep_start(folder: Path, start: Start, run: str) -> None:
    """Write the start into `folder`, which must not exist yet."""
    spec = start.network.spec
    card = ModelCard(
        id=run,
        created="",
        recipe="",
        tasks={head.task: head.labels for head in spec.heads},
        multi=tuple(head.task for head in spec.heads if head.multi),
        parent="champion" if start.champion else "",
        network=to_plain(spec),
    )
    checkpoint.save(folder, start.network, card, start.tokenizer)


def kept_start(folder: Path) -> Start | None:
    """Return the start kept in `folder`; None where there is none, or it is damaged (logged: the run starts over)."""
    if not folder.exists():
        return None
    try:
        loaded = checkpoint.load(folder)
    except ModelUnavailableError as error:
        _log.warning("what the run had kept cannot be read, so it starts over: %s", error)
        return None
    return Start(loaded.network, loaded.tokenizer, champion=bool(loaded.card.parent))


def _essence(spec: NetworkSpec) -> NetworkSpec:
    replace = msgspec.structs.replace
    return replace(
        spec,
        text=replace(spec.text, dropout=0.0, freeze_layers=0),
        image=replace(spec.image, weights="scratch", freeze=False),
        fusion=replace(spec.fusion, dropout=0.0, drop_parts=0.0),
    )
