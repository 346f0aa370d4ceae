"""Which texts are read together, whose vectors they get, and when those are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.models.bulk.packing import Form, packed
from engine.models.bulk.work import Backbones, Vectors, Work
from engine.models.decoding import Square

ROW, MOST = 16, 5
FORM = Form(2, ROW, MOST)
SHORT = Form(4, ROW // 2, MOST)
MISSING = np.full(2, -1, np.float32), np.full(1, -2, np.float32)


class Tokens:
    """A text of n letters has n tokens, their code points."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]


class Encoder:
    """A text's vector is its number of tokens and their sum."""

    def __init__(self, *forms: Form) -> None:
        self.forms = forms or (FORM,)
        self.runs: list[list[list[Sequence[int]]]] = []

    def rows(self, lengths: Sequence[int]) -> list[tuple[Form, list[list[int]]]]:
        return packed(lengths, self.forms)

    def __call__(self, texts: Sequence[Sequence[Sequence[int]]], form: Form) -> list[np.ndarray]:
        assert len(texts) <= form.rows
        assert all(0 < sum(map(len, row)) <= form.tokens and len(row) <= form.texts for row in texts)
        self.runs.append([list(row) for row in texts])
        return [np.array([[len(tokens), sum(tokens)] for tokens in row], np.float32) for row in texts]


class Means:
    """A screenshot's vector is the mean of its bytes."""

    def __call__(self, squares: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([[square.mean()] for square in squares], np.float32)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def work_of(encoder: Encoder, pool: Executor) -> Work:
    backbones: Any = Backbones(Tokens(), encoder, Means())  # type: ignore[arg-type]
    return Work(backbones, MISSING, pool, 2)


def worked(
    parts: Sequence[Sequence[str]], encoder: Encoder, pool: Executor, square: Callable[[int], Square] = lambda _: None
) -> list[Vectors]:
    """The vectors of each part, taken as soon as they may be."""
    work, found = work_of(encoder, pool), []
    last: Callable[[], Vectors] | None = None
    for texts in parts:
        begun = work.begin(texts, [square(at) for at in range(len(texts))])
        if last is not None:
            found.append(last())
        last = begun
    work.finish()
    return [*found, last()] if last is not None else found


parts_of_texts = st.lists(st.lists(st.text("ab ", max_size=ROW), max_size=30), max_size=5)


@given(parts=parts_of_texts, forms=st.sampled_from([(FORM,), (SHORT, FORM)]))
def test_every_text_gets_its_own_vector_once_the_next_part_has_begun(
    pool: Executor, parts: list[list[str]], forms: tuple[Form, ...]
) -> None:
    found = worked(parts, Encoder(*forms), pool)
    for texts, (text, image) in zip(parts, found, strict=True):
        expected = [[len(one), sum(map(ord, one))] if one.strip() else [-1, -1] for one in texts]
        assert text.tolist() == expected
        assert image.tolist() == [[-2]] * len(texts)


@given(parts=parts_of_texts, forms=st.sampled_from([(FORM,), (SHORT, FORM)]))
def test_no_text_is_read_twice(pool: Executor, parts: list[list[str]], forms: tuple[Form, ...]) -> None:
    encoder = Encoder(*forms)
    worked(parts, encoder, pool)
    rows = [row for run in encoder.runs for row in run]
    assert sum(map(len, rows)) == sum(bool(text.strip()) for texts in parts for text in texts)


def test_what_would_leave_a_run_part_empty_waits_for_the_next_part(pool: Executor) -> None:
    encoder = Encoder()
    worked([["a" * ROW] * (FORM.rows + 1)] * 3, encoder, pool)
    assert sorted(len(run) for run in encoder.runs) == [1] + [FORM.rows] * ((3 * FORM.rows + 2) // FORM.rows)


def test_vectors_that_are_not_there_yet_are_not_given(pool: Executor) -> None:
    work = work_of(Encoder(), pool)
    begun = work.begin(["a"], [None])
    with pytest.raises(AssertionError, match="next part"):
        begun()
    work.finish()
    assert begun()[0].tolist() == [[1, ord("a")]]


@given(sizes=st.lists(st.integers(0, 70), min_size=1, max_size=4))
def test_screenshots_go_where_they_belong(pool: Executor, sizes: list[int]) -> None:
    parts = [["a"] * size for size in sizes]
    found = worked(parts, Encoder(), pool, lambda at: None if at % 3 == 0 else np.full((2, 2, 3), at, np.uint8))
    for size, (_, image) in zip(sizes, found, strict=True):
        assert image.tolist() == [[at if at % 3 else -2] for at in range(size)]


def test_the_last_texts_are_begun_before_the_last_screenshots() -> None:
    encoder, order = Encoder(), []

    class InTurn(Executor):
        """Does what it is given at once."""

        def submit(self, task: Callable[..., Any], /, *of: Any, **by: Any) -> Future[Any]:
            order.append(bool(of))  # what reads texts is given them, what looks at screenshots knows them
            done: Future[Any] = Future()
            done.set_result(task(*of, **by))
            return done

    work = work_of(encoder, InTurn())
    begun = work.begin(["a" * ROW] * (FORM.rows + 1), [np.zeros((2, 2, 3), np.uint8)] * 40)
    work.finish()
    assert begun()[1].tolist() == [[0]] * 40
    last = len(order) - 1 - order[::-1].index(True)
    assert order[:last].count(True) == 1
    assert 0 < len(order) - 1 - last < order[:last].count(False)
