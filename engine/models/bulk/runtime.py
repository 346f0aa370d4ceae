"""OpenVINO, which runs our graphs on the CPU: loaded when it is needed, and without the part of it that reports home.

Only graphs that are put together here are run; no file of its format is ever read.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.models.bulk.shelf import Shelf
from engine.models.processor import has_int8
from engine.models.proof import BULK, version_of

Run = Callable[..., NDArray[np.float32]]
"""Runs a graph on arrays in the order of its parameters. Any number of threads may call it at a time."""

_CONVERTER = "openvino.tools.ovc"


def usable() -> bool:
    """Whether it is installed and the CPU multiplies 8-bit integers, so that it pays."""
    return has_int8() and all(version_of(package) for package in BULK.packages)


@cache
def openvino() -> Any:
    """The library. Its model converter, which sends usage statistics as soon as it is imported, is kept out."""
    sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]  # importing it raises ImportError, as if absent
    return importlib.import_module("openvino")


@cache
def operations() -> Any:
    """The operations that graphs are made of."""
    openvino()
    return importlib.import_module("openvino.opset13")


@cache
def _core() -> Any:
    """The one that compiles, kept for as long as the process lives.

    With the last core goes its CPU plugin, and with that the memory that it had made the stack of signal handlers: the
    next signal, an interrupt say, would end the process.
    """
    return openvino().Core()


def constant(values: NDArray[Any] | float) -> Any:
    """A node that gives these values; numbers are 32-bit floats."""
    array = np.ascontiguousarray(values) if isinstance(values, np.ndarray) else np.float32(values)
    return operations().constant(array)


def shape(*numbers: int) -> Any:
    """A node that gives these whole numbers: the shape of a tensor, or axes."""
    return operations().constant(np.array(numbers, np.int64))


def in_integers(integers: NDArray[np.int8], steps: NDArray[np.float32], shelf: Shelf) -> Any:
    """A weight as the library recognises one in integers; they are on the shelf until the graph is compiled."""
    made = operations()
    stored = made.constant(shelf.put(integers), shared_memory=True)
    return made.multiply(made.convert(stored, "f32"), constant(steps))


def compiled(output: Any, parameters: Sequence[Any], threads: int, shelf: Shelf | None = None) -> Run:
    """The graph from `parameters` to `output`, ready for so many threads at a time, each on one core.

    Everything that is not in 8-bit integers is in 32-bit floats. What is on the shelf takes no memory after this.
    """
    library, made = openvino(), operations()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    ready = _core().compile_model(library.Model([made.result(output)], list(parameters)), "CPU", settings)
    if shelf is not None:
        shelf.let_go()
    free = [ready.create_infer_request() for _ in range(threads)]

    def run(*inputs: NDArray[Any]) -> NDArray[np.float32]:
        try:
            request = free.pop()  # a list's pop and append are atomic
        except IndexError:
            request = ready.create_infer_request()
        try:
            answer: NDArray[np.float32] = request.infer(list(inputs), share_inputs=True)[0]
        finally:
            free.append(request)
        return answer

    return run
