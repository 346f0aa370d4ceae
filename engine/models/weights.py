"""Tensors of a safetensors file, read one at a time, so that no more than one of them is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import ModelUnavailableError


class Weights(Mapping[str, Tensor]):
    """The tensors whose names begin with `prefix`, by the rest of their names. Each look reads the file anew.

    Raises:
        ModelUnavailableError: the file is missing or damaged.
    """

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._path, self._prefix = path, prefix
        try:
            with safe_open(path, framework="pt") as file:
                names = [str(name) for name in file.keys()]  # noqa: SIM118  no mapping, for all that it has keys
        except OSError as error:
            raise ModelUnavailableError(f"The weights {path} cannot be read: {error.strerror or error}.") from error
        except SafetensorError as error:
            raise ModelUnavailableError(f"The weights {path} are damaged or not safetensors: {error}.") from error
        self._names = {name.removeprefix(prefix): None for name in names if name.startswith(prefix)}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        with safe_open(self._path, framework="pt") as file:  # closed at once: the pages it touched are let go
            tensor: Tensor = file.get_tensor(self._prefix + name)
            return tensor.clone()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
