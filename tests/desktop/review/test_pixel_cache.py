from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from desktop.review.pixel_cache import PixelCache, PixelPool
from engine.errors import InputError


def image(side: int = 10) -> QImage:
    return QImage(side, side, QImage.Format.Format_RGB32)


@pytest.fixture
def pool(qapp: object) -> Iterator[PixelPool]:
    made = PixelPool(threads=1)
    yield made
    made.close()


def test_the_least_recently_used_image_goes_first() -> None:
    cache = PixelCache(1000)
    for name in ("a", "b"):
        cache.put(name, image())
    assert cache.get("a") is not None
    cache.put("c", image())
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.size == 800


def test_an_image_beyond_the_limit_is_not_kept_and_throws_nothing_out() -> None:
    cache = PixelCache(1000)
    cache.put("a", image())
    cache.put("huge", image(100))
    assert "huge" not in cache
    assert "a" in cache


def test_putting_twice_counts_once() -> None:
    cache = PixelCache(10_000)
    cache.put("a", image())
    cache.put("a", image())
    assert (len(cache), cache.size) == (1, 400)


def test_a_key_is_made_once_however_often_it_is_asked_for(pool: PixelPool, qtbot: QtBot) -> None:
    gate, runs = Event(), []

    def job() -> QImage:
        runs.append(1)
        gate.wait(5)
        return image()

    with qtbot.waitSignal(pool.ready) as made:
        for _ in range(3):
            pool.request("key", job)
        gate.set()
    assert made.args is not None
    assert made.args[0] == "key"
    assert len(runs) == 1
    assert not pool.busy()


def test_a_failure_is_reported_as_no_picture(pool: PixelPool, qtbot: QtBot) -> None:
    def job() -> QImage:
        raise InputError("The file is damaged.")

    with qtbot.waitSignal(pool.ready) as made:
        pool.request("key", job)
    assert made.args == ["key", None]


def test_a_forgotten_job_does_not_run(pool: PixelPool, qtbot: QtBot) -> None:
    gate, ran = Event(), []

    def first() -> QImage:
        gate.wait(5)
        return image()

    with qtbot.waitSignal(pool.ready):
        pool.request("first", first)
        pool.request("second", lambda: ran.append(1))
        pool.forget("second")
        gate.set()
    pool.close()
    assert ran == []
