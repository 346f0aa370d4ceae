"""Weights in a file without a name while a graph is made of them, so that they need not stay in memory after that."""

from __future__ import annotations

import logging
import mmap
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLAB = 2**24
_ALIGNED = 64
_log = logging.getLogger(__name__)


class Shelf:
    """Where a graph's weights are until it is compiled.

    The runtime puts them in another order then, and keeps the first ones too for as long as the graph lives, though
    nothing reads them any more. In a file mapped into memory their pages can be let go; whoever does read one finds it
    as it was.
    """

    def __init__(self) -> None:
        self._slabs: list[mmap.mmap] = []
        self._used = 0

    def put(self, values: NDArray[Any]) -> NDArray[Any]:
        """The same values on the shelf; where no file can be written, in memory as they are."""
        values = np.ascontiguousarray(values)
        try:
            return self._put(values)
        except OSError as error:
            _log.info("weights stay in memory: %s", error.strerror or error)
            return values

    def let_go(self) -> None:
        """Take no memory for what is on the shelf until it is read again."""
        if sys.platform != "win32":
            for slab in self._slabs:
                slab.madvise(mmap.MADV_DONTNEED)

    def _put(self, values: NDArray[Any]) -> NDArray[Any]:
        start = -(-self._used // _ALIGNED) * _ALIGNED
        if not self._slabs or start + values.nbytes > len(self._slabs[-1]):
            self._slabs.append(_slab(max(_SLAB, values.nbytes)))
            start = 0
        slab = self._slabs[-1]
        self._used = start + values.nbytes
        slab[start : self._used] = values.tobytes()
        return np.frombuffer(slab, values.dtype, values.size, start).reshape(values.shape)


def _slab(size: int) -> mmap.mmap:
    """So much of a file that is gone with the last look at it, room on the disk being set aside for all of it.

    Raises:
        OSError: there is no such room.
    """
    with tempfile.TemporaryFile() as file:
        file.write(bytes(size))
        file.flush()
        return mmap.mmap(file.fileno(), 0)
