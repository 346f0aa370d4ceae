"""What a check of arithmetic found, kept beside the model, so that the next process need not find it again.

It holds for these very weights, this way of calculating and this kind of CPU only: anything else, and it is as if it
were not there. Light on purpose (no torch): what scores without torch asks here whether it may.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.models import folders, likeness, processor
from engine.models.likeness import Likeness
from engine.types import ModelCard, Struct

Ranges = tuple[tuple[float, float], ...]
"""The lowest and highest value of each tensor that is rounded, in the order in which data passes them."""

_HERE = Path(__file__).parent
_log = logging.getLogger(__name__)


class Kind(Struct, frozen=True, kw_only=True):
    """A way of calculating: its proof's file, what it needs installed, and where it is written how it calculates.

    If one of the files of `code` (below this one's folder) changes, or a package's version, the proof is void.
    """

    file: str
    packages: tuple[str, ...]
    code: tuple[str, ...]


BULK = Kind(
    file="bulk.json",
    packages=("openvino",),
    code=(
        "bulk/bert.py", "bulk/checking.py", "bulk/fusing.py", "bulk/loading.py", "bulk/packing.py",
        "bulk/resnet.py", "bulk/runtime.py", "bulk/scorer.py", "bulk/shelf.py", "bulk/tokens.py", "bulk/work.py",
        "likeness.py",
    ),
)  # fmt: skip
"""Both backbones in 8-bit integers, in a process without torch (`engine.models.bulk`)."""
TORCH = Kind(
    file="verified.json",
    packages=("torch", *BULK.packages),
    code=(
        "encoders.py", "int8.py", "int8_text.py", "network.py", "packed_image.py", "packed_text.py", "precision.py",
        "scorer.py", *BULK.code,
    ),
)  # fmt: skip
"""What torch offers. One check finds both, so that what makes the other void makes this one void, too."""


class Proof(Struct, frozen=True, kw_only=True):
    """A pair of arithmetics that gave the same verdicts as full precision on `items` real items.

    `agreement` (share of equal answers) and `difference` (mean, of probabilities) are per task. `bound_to` is the
    SHA-256 of everything that the finding depends on. `ranges` are what the image encoder's calibration found.
    `versions` are those of the packages that it was found with.
    """

    text: str
    image: str
    items: int
    agreement: dict[str, float]
    difference: dict[str, float]
    bound_to: str
    versions: dict[str, str]
    ranges: Ranges = ()
    format: int = 2


def read(folder: Path, card: ModelCard, kind: Kind = TORCH) -> Proof | None:
    """The proof beside the model in `folder`; None where there is none that holds here and now."""
    try:
        found = msgspec.json.decode((folder / kind.file).read_bytes(), type=Proof)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("%s is of no use, the arithmetic is checked anew: %s", folder / kind.file, error)
        return None
    return found if found.bound_to == _binding(folder, card, kind) and _suffices(found, card) else None


def write(
    folder: Path,
    card: ModelCard,
    ways: tuple[str, str],
    items: int,
    alike: Mapping[str, Likeness],
    *,
    ranges: Ranges = (),
    kind: Kind = TORCH,
) -> None:
    """Keep what a check found: the names of the arithmetics of text and image, and how alike each task's answers are.

    A folder that cannot be written to only costs the next process a check of its own.
    """
    proof = Proof(
        text=ways[0],
        image=ways[1],
        items=items,
        agreement={task: one.agreement for task, one in alike.items()},
        difference={task: one.difference for task, one in alike.items()},
        bound_to=_binding(folder, card, kind),
        versions=_versions(kind),
        ranges=ranges,
    )
    beside = folder / f".{kind.file}.{secrets.token_hex(4)}.part"
    try:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=2))
        beside.replace(folder / kind.file)
    except OSError as error:
        _log.warning("the check of the arithmetic cannot be kept in %s: %s", folder, error)
        beside.unlink(missing_ok=True)


def version_of(package: str) -> str:
    """The installed version of a package, without importing it; empty where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _suffices(proof: Proof, card: ModelCard) -> bool:
    """Whether it meets today's demands."""
    alike = [Likeness(proof.agreement.get(task, 0.0), proof.difference.get(task, 1.0)) for task in card.tasks]
    return proof.format == 2 and proof.items >= likeness.PROBE_ITEMS and all(one.enough for one in alike)


def _versions(kind: Kind) -> dict[str, str]:
    return {package: version_of(package) for package in kind.packages}


def _binding(folder: Path, card: ModelCard, kind: Kind) -> str:
    facts: list[Any] = [
        folders.all_digests(folder),
        card.network,
        card.temperatures,
        _versions(kind),
        sorted(processor.cpu_features()),
        [hashlib.sha256((_HERE / name).read_bytes()).hexdigest() for name in kind.code],
    ]
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()
