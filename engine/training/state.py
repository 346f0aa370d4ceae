"""Where a run stands, on disk: one safetensors file whose header carries the rest as JSON, replaced as a whole."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import StorageError

_log = logging.getLogger(__name__)
_POSITION = "position"


@dataclass
class Position:
    """Where a run stands.

    `epoch` counts whole epochs (validation included), `step` the steps of the next one, `loss` sums their items'
    losses and `seen` counts those items. `parts` is how many pieces a batch is computed in (more after running out of
    GPU memory). `best` is the score of the best epoch so far (larger is better, first difference decides),
    `best_epoch` its number, `waited` how many epochs have passed since.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    seen: int = 0
    parts: int = 1
    best: tuple[float, ...] = ()
    best_epoch: int = 0
    waited: int = 0
    stopped: bool = False
    seconds: float = 0.0


@dataclass
class State:
    """A position and the tensors that go with it: "network/…", "optimizer/…" and "best/…" names."""

    position: Position = field(default_factory=Position)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors below `name`, without it."""
        prefix = name + "/"
        return {key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)}


def save_state(path: Path, state: State) -> None:
    """Replace the file at `path`: a reader sees the old state or the new one, also after a kill or a power cut.

    Raises:
        StorageError: the disk refused; the old state is still there.
    """
    beside = path.with_name(f".{path.name}.part")
    header = {_POSITION: msgspec.json.encode(state.position).decode()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}, beside, header)
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise _refused(path, state, error) from error


def _refused(path: Path, state: State, error: Exception) -> StorageError:
    """Return what to say when the disk refused: the folder, what is needed, what is there."""
    needed = sum(tensor.numel() * tensor.element_size() for tensor in state.tensors.values())
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        return StorageError(
            f"The training state cannot be written to {path}: {error}.",
            f"It needs {needed / 1e6:.1f} MB and the folder's disk has {free / 1e6:.1f} MB free. Free some space and "
            "start again; training goes on from the state before.",
        )
    return StorageError(f"The training state cannot be written to {path}: {error}.", "Choose a folder that is there.")


def load_state(path: Path) -> State | None:
    """Return the state at `path`; None where there is none, or it is damaged (logged: the run then starts over)."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            position = msgspec.json.decode((file.metadata() or {})[_POSITION], type=Position)
            return State(position, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, msgspec.DecodeError, KeyError) as error:
        _log.warning("the training state %s cannot be read, so the run starts over: %s", path, error)
        return None


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Return the optimizer's tensors as "NAME/KEY"."""
    found: dict[str, Tensor] = {}
    for weight, values in optimizer.state.items():
        for key, value in values.items():
            found[f"{names[weight]}/{key}"] = torch.as_tensor(value)
    return found


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str], found: Mapping[str, Tensor]
) -> None:
    """Give the optimizer its tensors back, laid out in memory as its weights are, so that it goes on bit for bit."""
    by_name = {name: weight for weight, name in names.items()}
    for path, value in found.items():
        name, _, key = path.rpartition("/")
        weight = by_name[name]
        if value.shape == weight.shape:
            value = torch.empty_like(weight, dtype=value.dtype).copy_(value)  # noqa: PLW2901 - same value, other layout
        optimizer.state[weight][key] = value


def sync(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
