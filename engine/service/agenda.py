"""What the engine service has to do: jobs in the order of their urgency, each done a step at a time.

A job is an iterator of steps. Between two of them a more urgent job may go first, so that what the reviewer is looking
at waits for one step of something else at most. Thread-safe: one thread adds and cancels, another takes.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator

from engine.service.protocol import Priority, ServiceEvent

Steps = Iterator[ServiceEvent | None]
"""One element a step: an event, or None where there is nothing to tell yet."""


CANCELLED_URGENCY = -2
"""Ending a cancelled job takes no time: it goes before everything."""


class Job:
    """A request under way. `cancelled` may be asked from within a step, so that a step can end early.

    A `steady` job gets every second turn, whatever is more urgent: it goes on though somebody always waits. It gets
    every turn where who comes first was `told` something already.
    """

    def __init__(self, request: int, urgency: float, begin: Callable[[Job], Steps], *, steady: bool = False) -> None:
        self.request = request
        self.urgency = urgency
        self.steady = steady
        self.told = False
        self._begin = begin
        self._steps: Steps | None = None
        self._cancelled = threading.Event()

    def step(self) -> ServiceEvent | None:
        """Do one step and return its event, if any; raises StopIteration at the end, and what a step raises."""
        if self._steps is None:
            self._steps = self._begin(self)
        return next(self._steps)

    def cancel(self) -> None:
        """Ask the job to end; a step under way notices it at its next opportunity."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Tell whether the job was asked to end."""
        return self._cancelled.is_set()


class Agenda:
    """Jobs by urgency (lowest number first), then by arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._jobs: dict[int, Job] = {}
        self._arrivals = itertools.count()
        self._changed = threading.Condition()
        self._stopped = self._waited = False

    def add(self, job: Job) -> None:
        """Put a new job in its place; after `stop` it is dropped."""
        with self._changed:
            if not self._stopped:
                self._jobs[job.request] = job
                self._place(job, job.urgency)

    def move(self, request: int, urgency: float) -> None:
        """Let the job of this request go on as if it were this urgent and came now; nothing happens where there is none
        (any more), or where it was asked to end.
        """
        with self._changed:
            job = self._jobs.get(request)
            if job is not None and not job.cancelled():
                self._place(job, urgency)

    def cancel(self, request: int) -> None:
        """Ask the job of this request to end, before anything else; nothing happens where there is none (any more)."""
        with self._changed:
            if (job := self._jobs.get(request)) is not None:
                job.cancel()
                self._place(job, CANCELLED_URGENCY)

    def _place(self, job: Job, urgency: float) -> None:
        """Put a job here and nowhere else."""
        self._heap = [entry for entry in self._heap if entry[2] is not job]
        self._heap.append((urgency, next(self._arrivals), job))
        heapq.heapify(self._heap)
        self._changed.notify()

    def stop(self) -> None:
        """Let `next_one` return None from now on, and the step under way end early."""
        with self._changed:
            self._stopped = True
            for job in self._jobs.values():
                job.cancel()
            self._changed.notify_all()

    def next_one(self) -> Job | None:
        """Wait for a job and return the one whose turn it is, which stays on the agenda; None after `stop`."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._heap) or self._stopped)
            if self._stopped:
                return None
            urgency, _, first = self._heap[0]
            steady = next((job for _, _, job in sorted(self._heap) if job.steady), first)
            if urgency < Priority.LOOKING or steady is first:
                return first
            self._waited = not (self._waited or first.told)
            return first if self._waited else steady

    def remove(self, job: Job) -> None:
        """Take a job that ended off the agenda."""
        with self._changed:
            self._jobs.pop(job.request, None)
            self._heap = [entry for entry in self._heap if entry[2] is not job]
            heapq.heapify(self._heap)
