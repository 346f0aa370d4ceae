"""Whoever wants numpy on one core has it so, in every thread, and nobody else afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from engine.models.linear_algebra import numpy_on_one_core


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    with threadpool_limits(2, "blas"):
        assert threads_of_numpy() == {2}
        yield


def threads_of_numpy() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_it_is_limited_until_nobody_wants_it_any_more() -> None:
    with ExitStack() as one, ExitStack() as other:
        one.enter_context(numpy_on_one_core)
        assert threads_of_numpy() == {1}
        other.enter_context(numpy_on_one_core)
        one.close()
        assert threads_of_numpy() == {1}
        other.close()
        assert threads_of_numpy() == {2}


def test_it_is_limited_in_every_thread_also_where_another_one_leaves_last() -> None:
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for _ in range(2):
            first.submit(numpy_on_one_core.__enter__).result()
            assert threads_of_numpy() == {1}
            second.submit(numpy_on_one_core.__enter__).result()
            first.submit(numpy_on_one_core.__exit__).result()
            assert threads_of_numpy() == {1}
            second.submit(numpy_on_one_core.__exit__).result()
            assert threads_of_numpy() == {2}
        with numpy_on_one_core:
            assert threads_of_numpy() == {1}
        assert threads_of_numpy() == {2}
