"""How many cores numpy multiplies matrices with, which is one number for all threads of a process."""

from __future__ import annotations

import threading
from functools import cache

from threadpoolctl import OpenBLASController, ThreadpoolController


class _LinearAlgebra:
    """A limit for as long as anybody is inside, whichever thread came first and whichever leaves last.

    The library lets the first thread alone set limits, until it clears the way: for others nothing would happen.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                OpenBLASController.clear_controlling_thread(force=True)
                self._limit = _libraries().limit(limits=1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                OpenBLASController.clear_controlling_thread(force=True)
                self._limit.restore_original_limits()
                OpenBLASController.clear_controlling_thread()


numpy_on_one_core = _LinearAlgebra()
"""In here, numpy multiplies on one core, whoever asks. Shared out, small products wait for one another more than they
work, and the other core goes on looking for more of them for 100 ms, which whoever runs a network then lacks.
"""


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
