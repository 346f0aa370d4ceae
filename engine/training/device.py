"""Where a run computes, how precisely, and seeds that depend on nothing but their names."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass

import torch

from engine.models.devices import best, name_of
from engine.models.processor import has_bf16
from engine.training.recipe import AUTO, BF16, FP32


@dataclass(frozen=True)
class Device:
    """A torch device and the number format of its forward passes."""

    torch: torch.device
    half: bool

    @property
    def words(self) -> str:
        """Where and how it runs, such as "CPU, 2 threads, fp32"."""
        return f"{name_of(self.torch)}, {self.precision}"

    @property
    def precision(self) -> str:
        """The number format of forward passes: "bf16" or "fp32"."""
        return BF16 if self.half else FP32

    @property
    def threads(self) -> int:
        """How many threads compute; 0 for a device that is no CPU."""
        return torch.get_num_threads() if self.torch.type == "cpu" else 0

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return bf16 autocast where it is used, else a context that does nothing. bf16 needs no loss scaling."""
        if not self.half:
            return contextlib.nullcontext()
        return torch.autocast(self.torch.type, dtype=torch.bfloat16)


def choose_device(threads: int = 0, precision: str = AUTO) -> Device:
    """Return CUDA where there is one, else the CPU with `threads` threads (0: all usable cores).

    `precision` "auto" means bf16 autocast wherever the hardware multiplies bfloat16 itself (weights, their updates,
    losses and normalisation stay in 32 bits), "fp32" and "bf16" one of the two.

    All cores, because the process runs at niceness 19: the desk takes the processor whenever it wants it (frames at the
    99th percentile stay under 20 ms), and an idle machine is not left half unused.
    """
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    device = best()
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else has_bf16()
    return Device(device, half=able if precision == AUTO else precision == BF16)


def derived_seed(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for one purpose, such as `(seed, "step", 12)`.

    Every draw of a run is seeded by its place in the run, so a resumed run draws what the uninterrupted one would have
    and no generator's state needs to be kept.
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
