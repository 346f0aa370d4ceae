"""Tensors of a safetensors file, read one at a time, so that no more than one of them is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engine.errors import ModelUnavailableError

if TYPE_CHECKING:
    from torch import Tensor

Kind = TypeVar("Kind")


class _Named(Mapping[str, Kind]):
    """The tensors whose names begin with `prefix`, by the rest of their names. Each look reads the file anew.

    Raises:
        ModelUnavailableError: the file is missing or damaged.
    """

    framework: ClassVar[str]

    def __init__(self, path: Path, prefix: str = "") -> None:
        self._path, self._prefix = path, prefix
        try:
            with self._open() as file:
                names = [str(name) for name in file.keys()]  # noqa: SIM118  no mapping, for all that it has keys
        except OSError as error:
            raise ModelUnavailableError(
                f"The weights {path} cannot be read: {error.strerror or error}.",
                "Check that the file is there and that you may read it.",
            ) from error
        except SafetensorError as error:
            raise ModelUnavailableError(
                f"The weights {path} are damaged or not safetensors: {error}.",
                "Bring the model back from a backup, or train a new one with: secondlook retrain.",
            ) from error
        self._names = {name.removeprefix(prefix): None for name in names if name.startswith(prefix)}

    def _open(self) -> Any:
        """The file; closed at once after each look, so that the pages it touched are let go."""
        return safe_open(self._path, framework=self.framework)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _checked(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        return self._prefix + name


class Weights(_Named["Tensor"]):
    """As torch tensors."""

    framework = "pt"

    def __getitem__(self, name: str) -> Tensor:
        whole = self._checked(name)
        with self._open() as file:
            tensor: Tensor = file.get_tensor(whole)
            return tensor.clone()


class Arrays(_Named[NDArray[Any]]):
    """As arrays, without torch."""

    framework = "np"

    def __getitem__(self, name: str) -> NDArray[Any]:
        whole = self._checked(name)
        with self._open() as file:
            return np.array(file.get_tensor(whole))

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        whole = self._checked(name)
        with self._open() as file:
            return tuple(file.get_slice(whole).get_shape())

    def rows(self, name: str, part: slice) -> NDArray[Any]:
        """Some rows of a tensor."""
        whole = self._checked(name)
        with self._open() as file:
            return np.array(file.get_slice(whole)[part])
