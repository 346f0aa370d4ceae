"""What a check of arithmetic found, kept beside the model, so that the next process need not find it again.

It holds for these very weights, this way of calculating and this kind of CPU only: anything else, and it is as if it
were not there.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from pathlib import Path
from typing import Any

import msgspec
import torch

from engine.models import checkpoint, encoders, int8, int8_text, network, precision, processor, scorer
from engine.models.int8 import Ranges
from engine.models.precision import Choice, Likeness
from engine.types import ModelCard, Struct

FILE = "verified.json"
_CODE = (encoders, int8, int8_text, network, precision, scorer)
"""Where it is written how the fast arithmetic calculates: if one of these files changes, the proof is void."""

_log = logging.getLogger(__name__)


class Proof(Struct, frozen=True, kw_only=True):
    """A pair of arithmetics that gave the same verdicts as full precision on `items` real items.

    `agreement` (share of equal answers) and `difference` (mean, of probabilities) are per task. `bound_to` is the
    SHA-256 of everything that the finding depends on. `ranges` are what the image encoder's calibration found.
    """

    text: str
    image: str
    items: int
    agreement: dict[str, float]
    difference: dict[str, float]
    bound_to: str
    torch: str
    ranges: Ranges = ()
    format: int = 1


def read(folder: Path, card: ModelCard) -> Proof | None:
    """The proof beside the model in `folder`; None where there is none that holds here and now."""
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=Proof)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("%s is of no use, the arithmetic is checked anew: %s", folder / FILE, error)
        return None
    return found if found.bound_to == _binding(folder, card) and _suffices(found, card) else None


def write(folder: Path, card: ModelCard, choice: Choice) -> None:
    """Keep what a check chose. A folder that cannot be written to only costs the next process a check of its own."""
    proof = Proof(
        text=choice.encoders.text_name,
        image=choice.encoders.image_name,
        items=choice.items,
        agreement={task: one.agreement for task, one in choice.likeness.items()},
        difference={task: one.difference for task, one in choice.likeness.items()},
        bound_to=_binding(folder, card),
        torch=str(torch.__version__),
        ranges=choice.ranges,
    )
    beside = folder / f".{FILE}.{secrets.token_hex(4)}.part"
    try:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=2))
        beside.replace(folder / FILE)
    except OSError as error:
        _log.warning("the check of the arithmetic cannot be kept in %s: %s", folder, error)
        beside.unlink(missing_ok=True)


def _suffices(proof: Proof, card: ModelCard) -> bool:
    """Whether it meets today's demands."""
    alike = [Likeness(proof.agreement.get(task, 0.0), proof.difference.get(task, 1.0)) for task in card.tasks]
    return proof.format == 1 and proof.items >= precision.PROBE_ITEMS and all(one.enough for one in alike)


def _binding(folder: Path, card: ModelCard) -> str:
    facts: list[Any] = [
        checkpoint.all_digests(folder),
        card.network,
        card.temperatures,
        str(torch.__version__),
        sorted(processor.cpu_features()),
        [hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest() for module in _CODE],
    ]
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()
