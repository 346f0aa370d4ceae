"""From raw texts and prepared screenshots to calibrated probabilities, in buckets of similar length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from threading import Semaphore

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models import devices
from engine.models.batches import pixel_bytes, text_batch
from engine.models.bulk.resnet import AT_ONCE
from engine.models.encoders import Encoders
from engine.models.network import FusionNetwork
from engine.models.packed_text import PackedText, Run
from engine.models.spec import HeadSpec
from engine.models.tokenizer import TextTokenizer
from engine.models.verdicts import calibrated
from engine.models.workers import one_core, single_threaded, waited

Square = NDArray[np.uint8]
Squares = Sequence[Square | None]
Tables = dict[str, NDArray[np.float64]]
"""(n, L) calibrated probabilities per task."""
Vectors = tuple[Tensor, Tensor]
"""(n, Dt) and (n, Di): what the backbones give of n items."""

_IMAGES_ON_CPU, _IMAGES_ON_GPU = 8, 256
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 256, 32_768
"""So many at a time: small batches keep a CPU's caches warm and share the cores evenly, a GPU wants large ones."""
Tokens = list[list[int]]
"""Numbers of tokens, text by text."""
SPARE = 28
"""So many texts more are looked at to fill the last runs of the encoder."""
CHARACTERS = 100_000
"""So many are taken apart into tokens at a time, in 40 ms or so."""
AHEAD = 2
"""So many runs of an encoder a core are begun before anybody asks for what they give."""


@dataclass(frozen=True)
class Scorer:
    """A network with the encoders that stand for its backbones. Everything it returns is on `device`."""

    network: FusionNetwork
    tokenizer: TextTokenizer | None
    temperatures: dict[str, float]
    encoders: Encoders
    device: torch.device

    @property
    def name(self) -> str:
        """Where and how it runs, in words, such as "CPU, 2 threads, fp32"."""
        return f"{devices.name_of(self.device)}, {self.encoders.name}"

    def using(self, encoders: Encoders) -> Scorer:
        """The same network with other encoders."""
        return replace(self, encoders=encoders)

    @torch.inference_mode()
    def tables(self, texts: Sequence[str], squares: Squares) -> Tables:
        """Calibrated probabilities of all tasks for items given by raw text and prepared screenshot."""
        return self.tables_of(self.text_vectors(texts), self.square_vectors(squares))

    @torch.inference_mode()
    def tables_of(self, text: Tensor, image: Tensor, *, ready: bool = False) -> Tables:
        """Calibrated probabilities of all tasks from (n, Dt) and (n, Di) vectors.

        `ready` says that a GPU has them already: then it need not finish what it was given since.
        """
        with _beside(self.device) if ready else nullcontext():
            logits = self.network.fuse(text.to(self.device), image.to(self.device))
            return {head.task: self._calibrated(logits[head.task], head) for head in self.network.spec.heads}

    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """(n, Dt) vectors of raw texts; the vector that stands for a missing part for a blank one."""
        answer = self._missing_texts(len(texts))
        self._run(self._text_tasks(self._tokens(texts), answer))
        return answer

    def _missing_texts(self, count: int) -> Tensor:
        """(count, Dt), made on one core: threads that share something out look for more of it while others work."""
        with one_core():
            return self.network.missing_text.detach().repeat(count, 1)

    def text_vectors_in_turn(self, texts: Iterable[str], stops: Sequence[int]) -> Generator[Tensor | None, None, None]:
        """The (n, Dt) vectors of raw texts in parts: of the first `stops[0]`, then of those up to `stops[1]`, ….

        A part has some more texts, if there are any, where they take no more time. None comes now and then, before a
        part has all of its own: between two of these a core runs the encoder once, or some texts are taken apart. It
        goes on meanwhile: only a few runs ahead, and not after the iterator is closed.
        """
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        with single_threaded(threads) as pool:
            under_way: deque[Callable[[], Tensor | None]] = deque()
            for part in self._parts(texts, stops):
                if part is None:
                    yield None
                    continue
                for step in self._text_steps(part, pool, threads):
                    under_way.append(step)
                    if len(under_way) > AHEAD * threads:
                        yield under_way.popleft()()
            while under_way:
                yield under_way.popleft()()

    def _parts(self, texts: Iterable[str], stops: Sequence[int]) -> Iterator[Tokens | None]:
        """The tokens of each part's texts; those that had no room begin the next one, and are dropped at the end.

        Of long texts few are taken apart at a time, with None between them.
        """
        rest, done = iter(texts), 0
        left: Tokens = []
        for stop in stops:
            wanted = islice(rest, max(0, stop + SPARE - done - len(left)))
            while few := _few(wanted):
                left += self._tokens(few)
                if sum(map(len, few)) >= CHARACTERS:
                    yield None
            fewest = min(max(0, stop - done), len(left))
            packed = self.encoders.packed
            count = packed.filling([len(one) for one in left], fewest) if packed is not None else fewest
            yield left[:count]
            done, left = done + count, left[count:]

    def _text_steps(self, tokens: Tokens, pool: Executor, threads: int) -> Iterator[Callable[[], Tensor | None]]:
        """Begins a task of a part each time it is asked, and gives what waits for it; at last what has the vectors.

        Asked once more, it waits until every thread is at work outside Python: whoever prepares the next part would
        keep them from it for a millisecond or two.
        """
        answer, begun = self._missing_texts(len(tokens)), Semaphore(0)
        tasks = self._text_tasks(tokens, answer, begun.release)
        for task in tasks:
            yield pool.submit(_telling, task, begun.release).result
        yield lambda: answer
        for _ in range(min(threads, len(tasks))):
            begun.acquire()

    def _run(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Do tasks that need not wait for one another: on a CPU shared out, each on one core."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        if threads < 2 or len(tasks) < 2:
            for task in tasks:
                task()
            return
        with single_threaded(threads) as pool:
            for one in [pool.submit(task) for task in tasks]:
                one.result()

    def square_vectors(self, squares: Squares) -> Tensor:
        """(n, Di) vectors of prepared screenshots; the vector that stands for a missing part for None."""
        answer = self.network.missing_image.detach().repeat(len(squares), 1)
        self._run(self._image_tasks(squares, answer))
        return answer

    def square_vectors_in_turn(
        self, parts: Iterable[Callable[[], Sequence[Square]]]
    ) -> Generator[Tensor | None, None, None]:
        """The (n, Di) vectors of the n prepared screenshots that each part makes, part by part; None now and then.

        Each part is made and looked at on one core, a few of them ahead of whoever asks, and none is begun after the
        iterator is closed. Only with encoders that take bytes.
        """
        of_bytes = self.encoders.squares
        assert of_bytes is not None, "these encoders take floats"
        threads = torch.get_num_threads()
        with single_threaded(threads, patient=False) as pool:
            under_way: deque[Future[Tensor]] = deque()
            for part in parts:
                under_way.append(pool.submit(_looked_at, of_bytes, part))
                if len(under_way) > AHEAD * threads:
                    yield (yield from waited(under_way.popleft()))
            while under_way:
                yield (yield from waited(under_way.popleft()))

    def begin(self, texts: Sequence[str], squares: Squares, pool: Executor | None) -> Callable[[], Vectors]:
        """Start on items; call what is returned for their vectors.

        With a `pool` of single-threaded workers the parts are shared out among them, longest first. Without one the
        work is done at once, on a GPU in the background.
        """
        text = self.network.missing_text.detach().repeat(len(texts), 1)
        image = self.network.missing_image.detach().repeat(len(squares), 1)
        tasks = [*self._text_tasks(self._tokens(texts), text), *self._image_tasks(squares, image)]
        if pool is None or len(tasks) < 2:
            for task in tasks:
                task()
            return self._when_done((text, image))
        waiting = [pool.submit(task) for task in tasks]

        def vectors() -> Vectors:
            for one in waiting:
                one.result()
            return text, image

        return vectors

    def _when_done(self, vectors: Vectors) -> Callable[[], Vectors]:
        """Wait, when called, for what the GPU was given until now and not for more."""
        if self.device.type != "cuda":
            return lambda: vectors
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()

        def wait() -> Vectors:
            done.synchronize()
            return vectors

        return wait

    @torch.inference_mode()
    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) vectors of (n, 3, S, S) float pixels in [0, 1]."""
        if not self.network.image_features:
            return pixels.new_zeros((len(pixels), 0))
        answer = self.network.missing_image.new_empty((len(pixels), self.network.image_features))
        parts = zip(*(torch.split(whole, self._images_at_once) for whole in (pixels, answer)), strict=True)
        self._run([partial(self._fill_pixels, *part) for part in parts] if len(pixels) else [])
        return answer

    @torch.inference_mode()
    def probabilities(self, head: HeadSpec, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(n, L) calibrated probabilities of one task from (n, Dt) and (n, Di) vectors."""
        logits = self.network.fuse(text.to(self.device), image.to(self.device))
        return self._calibrated(logits[head.task], head)

    @torch.inference_mode()
    def crossed(self, head: HeadSpec, text: Tensor, image: Tensor) -> NDArray[np.float64]:
        """(T, I, L) calibrated probabilities of one task for each of (T, Dt) beside each of (I, Di) vectors."""
        logits = self.network.fuse_crossed(text.to(self.device), image.to(self.device))
        return self._calibrated(logits[head.task], head).reshape(len(text), len(image), -1)

    def normalised(self, squares: Squares) -> Tensor:
        """(n, 3, S, S) normalised pixels of those screenshots that are there."""
        return self.network.normalised(self._pixels([square for square in squares if square is not None]))

    def _tokens(self, texts: Sequence[str]) -> Tokens:
        """The numbers of each text's tokens; none of a blank one, nor where nothing reads texts."""
        found: Tokens = [[] for _ in texts]
        if self.tokenizer is None:
            return found
        written = [row for row, text in enumerate(texts) if text.strip()]
        for row, own in zip(written, self.tokenizer.encode([texts[row] for row in written]), strict=True):
            found[row] = own
        return found

    def _text_tasks(
        self, tokens: Tokens, answer: Tensor, begun: Callable[[], object] | None = None
    ) -> list[Callable[[], None]]:
        """What fills in the vectors of texts, the longest texts first; `begun` is called as `PackedText` does it."""
        written = [row for row, own in enumerate(tokens) if own]
        ids = [tokens[row] for row in written]

        def task(chunk: Sequence[int]) -> Callable[[], None]:
            return lambda: self._fill_text([written[at] for at in chunk], [ids[at] for at in chunk], answer)

        lengths = [len(own) for own in ids]
        packed = self.encoders.packed
        if packed is not None:
            return [partial(_fill_packed, packed, run, ids, written, answer, begun) for run in packed.runs(lengths)]
        return [task(chunk) for chunk in _by_length(lengths, self._at_once(_TOKENS_ON_CPU, _TOKENS_ON_GPU))]

    def _image_tasks(self, squares: Squares, answer: Tensor) -> list[Callable[[], None]]:
        """What fills in the vectors of screenshots."""
        if not self.network.image_features:
            return []
        seen = [row for row, square in enumerate(squares) if square is not None]
        at_once = self._images_at_once

        def task(rows: list[int]) -> Callable[[], None]:
            return lambda: self._fill_image(rows, [squares[row] for row in rows], answer)

        return [task(seen[start : start + at_once]) for start in range(0, len(seen), at_once)]

    @torch.inference_mode()
    def _fill_text(self, rows: list[int], ids: Sequence[Sequence[int]], answer: Tensor) -> None:
        assert self.tokenizer is not None
        batch = text_batch(ids, [True] * len(ids), self.tokenizer.pad)
        answer[rows] = self.encoders.text(batch.to(self.device))

    @torch.inference_mode()
    def _fill_image(self, rows: list[int], squares: Squares, answer: Tensor) -> None:
        of_bytes = self.encoders.squares
        if of_bytes is not None:
            answer[rows] = of_bytes([square for square in squares if square is not None])
        else:
            answer[rows] = self._image(self._pixels(squares))

    @torch.inference_mode()
    def _fill_pixels(self, pixels: Tensor, answer: Tensor) -> None:
        answer[:] = self._image(pixels)

    def _pixels(self, squares: Squares) -> Tensor:
        """(n, 3, S, S) float pixels in [0, 1] on the device; bytes travel there, a quarter of what floats would be."""
        size = self.network.spec.image.size
        raw = pixel_bytes(squares, size, pinned=self.device.type == "cuda").to(self.device, non_blocking=True)
        return raw.permute(0, 3, 1, 2).float().div_(255)

    def _image(self, pixels: Tensor) -> Tensor:
        return self.encoders.image(pixels.to(self.device).contiguous(memory_format=torch.channels_last))

    @property
    def _images_at_once(self) -> int:
        return AT_ONCE if self.encoders.squares is not None else self._at_once(_IMAGES_ON_CPU, _IMAGES_ON_GPU)

    def _at_once(self, on_cpu: int, on_gpu: int) -> int:
        return on_cpu if self.device.type == "cpu" else on_gpu

    def _calibrated(self, logits: Tensor, head: HeadSpec) -> NDArray[np.float64]:
        return calibrated(logits.float().cpu().numpy(), head, self.temperatures.get(head.task, 1.0))


def _looked_at(vectors: Callable[[Sequence[Square]], Tensor], make: Callable[[], Sequence[Square]]) -> Tensor:
    return vectors(make())


def _fill_packed(
    packed: PackedText,
    run: Run,
    ids: Sequence[Sequence[int]],
    written: Sequence[int],
    answer: Tensor,
    begun: Callable[[], object] | None,
) -> None:
    """Fill in the vectors of a run's texts: rows `written` of the answer have the tokens `ids`."""
    answer.numpy()[[written[text] for text in run.texts]] = packed.vectors(run, ids, begun)


def _telling(task: Callable[[], None], done: Callable[[], object]) -> None:
    """Do a task and tell, also where it goes wrong."""
    try:
        task()
    finally:
        done()


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _beside(device: torch.device) -> AbstractContextManager[object]:
    """On a GPU, a queue of work of its own, beside the one that networks wait in."""
    return torch.cuda.stream(_stream(device)) if device.type == "cuda" else nullcontext()


def _by_length(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Row numbers in chunks of at most so many padded tokens and of similar length, so that little is padded."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    start = 0
    while start < len(order):
        end = start + max(1, tokens // max(lengths[order[start]], 1))
        yield order[start:end]
        start = end


def _few(texts: Iterator[str]) -> list[str]:
    """The next texts, until they have `CHARACTERS` together."""
    few, characters = [], 0
    for text in texts:
        few.append(text)
        characters += len(text)
        if characters >= CHARACTERS:
            break
    return few
