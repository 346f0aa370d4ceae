"""What the CPU calculates fast."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import psutil


@cache
def cpu_features() -> frozenset[str]:
    """The CPU's instruction sets by the names that Linux gives them; empty where they cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), ":")
    return frozenset(flags.partition(":")[2].split())


def has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself, so that it pays."""
    return bool(cpu_features() & {"avx512_bf16", "amx_bf16"})


def has_int8() -> bool:
    """Whether the CPU multiplies 8-bit integers straight into 32 bits, so that it pays and nothing overflows."""
    return bool(cpu_features() & {"avx512_vnni", "avx_vnni"})


def cores() -> int:
    """How many cores this process may calculate on; fewer where OMP_NUM_THREADS says so, as for torch."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed))
