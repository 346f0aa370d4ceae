"""In how few bits a model is run: full precision at first, then the fastest arithmetic that gives the same verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from engine.models import likeness, proof
from engine.models.bulk.checking import BulkCheck, Seen
from engine.models.decoding import Decoded, Square
from engine.models.encoders import FP32, INT8, let_go
from engine.models.half_hidden import with_versions
from engine.models.precision import Check, Choice, Probe
from engine.models.scorer import Scorer, Vectors
from engine.models.text import model_text
from engine.types import ModelCard

SETTLED_AT_ONCE = 2
"""Items of one step of `settle`: with their checks 100 ms or so."""
FEWEST_SETTLED = 32
"""From fewer items nothing can be told, not even how to explain them."""
_CHECKED_PER_ITEM = 4
"""So many items of the probe are checked with each further item: large batches end the check, small ones stay short."""
Part = TypeVar("Part")


class Arithmetic:
    """How a model calculates: `explaining` is what explains items, and scores them once enough have told that it may.

    On a CPU the first 200 items are scored in 32-bit floats, and then the arithmetic is chosen by them (see
    `engine.models.precision`) and kept in the model's `folder` (see `engine.models.proof`).
    """

    def __init__(self, exact: Scorer, card: ModelCard, folder: Path | None = None) -> None:
        """`exact` is what full precision gives, or what was chosen before; nothing is kept without a `folder`."""
        self.explaining = self._exact = exact
        self._card, self._folder = card, folder
        self._probe: Probe | None = Probe() if exact.device.type == "cpu" else None
        self._check: Check | None = None
        self._found: Choice | None = None
        self._bulk: BulkCheck | None = None

    @property
    def scoring(self) -> Scorer:
        """What scores items: full precision until enough of them were found to have the same verdicts otherwise."""
        return self.explaining if self._probe is None else self._exact

    @property
    def settled(self) -> bool:
        """Whether the arithmetic is chosen, and what was found is kept."""
        return self._probe is None and self._found is None

    def trust(self) -> None:
        """Stay with the arithmetic in use."""
        self._probe = self._check = None

    def follow(self, other: Arithmetic) -> None:
        """Take what was chosen for other heads on the same backbones, whose `scoring` this began with."""
        if other._probe is None:
            self.trust()
        else:
            self.explaining = self._exact.using(other.explaining.encoders)

    def begin(self, part: Sequence[Decoded], pool: Executor | None) -> Callable[[], Vectors]:
        """Start the backbones on items; call what is returned for what they give."""
        texts, kinds, squares = _columns(part)
        self._settle(len(part))
        encoding = self.scoring.begin(texts, squares, pool)
        probe = self._probe if self._probe is not None and not self._probe.full else None
        if probe is None:
            return encoding

        def noted() -> Vectors:
            text, image = encoding()
            if not probe.full:
                probe.add(texts, kinds, squares, text, image)
            return text, image

        return noted

    def settle(self, items: Iterable[Decoded], count: int) -> Iterator[None]:
        """Choose by these items, which are so many, now, where that is open; yields after every small step.

        Fewer than `likeness.PROBE_ITEMS` tell nothing of others. They, and versions of them, choose for explanations
        alone, until there are more: scoring goes on in full precision, and nothing is kept. Fewer than `FEWEST_SETTLED`
        do nothing.
        """
        if self._probe is not None and not self._probe.full:
            if count < likeness.PROBE_ITEMS:
                yield from self._settle_explanations(items, count)
                return
            self._probe = Probe()
        waiting = parts(items, SETTLED_AT_ONCE)
        while self._probe is not None and not self._probe.full and (part := next(waiting, None)):
            self.begin(part, None)()
            yield
        while not self.settled:
            self._settle(SETTLED_AT_ONCE)
            yield

    def _settle_explanations(self, items: Iterable[Decoded], count: int) -> Iterator[None]:
        """Choose for explanations by a few items, unless that was done already."""
        if count < FEWEST_SETTLED or self.explaining.encoders is not self._exact.encoders:
            return
        exact, probe = self._exact, Probe(whole=count)
        for part in parts(with_versions(items, likeness.PROBE_ITEMS), SETTLED_AT_ONCE):
            texts, kinds, squares = _columns(part)
            probe.add(texts, kinds, squares, *exact.begin(texts, squares, None)())
            yield
            if self._probe is None:  # scoring came to a choice meanwhile, from more items, and let go of the floats
                return
        check = Check(exact, probe)
        while (choice := check.step(_CHECKED_PER_ITEM * SETTLED_AT_ONCE)) is None:
            yield
            if self._probe is None:
                return
        self.explaining = exact.using(choice.encoders)

    def _settle(self, items: int) -> None:
        """Before, not after, further items: a job that ends with its probe never pays for a choice it cannot use."""
        self._settle_bulk(_CHECKED_PER_ITEM * items)
        if self._probe is None or not self._probe.full:
            return
        self._check = self._check or Check(self._exact, self._probe)
        choice = self._check.step(_CHECKED_PER_ITEM * items)
        if choice is None:
            return
        check, probe = self._check, self._probe
        self.explaining = self._exact = self._exact.using(choice.encoders)
        self.trust()
        if self._folder is not None and choice.items:
            self._found, self._bulk = choice, _bulk_check(self._folder, self._exact, check, probe, choice)
            self._settle_bulk(_CHECKED_PER_ITEM * items)
            let_go(self._exact.network, choice.encoders)

    def _settle_bulk(self, items: int) -> None:
        """The one check is kept only with the other, or the next process would never make the other."""
        if self._found is None or self._folder is None or (self._bulk is not None and not self._bulk.step(items)):
            return
        found, self._found, self._bulk = self._found, None, None
        proof.write(self._folder, self._card, found.ways, found.items, found.likeness, ranges=found.ranges)


def parts(whole: Iterable[Part], size: int) -> Iterator[list[Part]]:
    """So many at a time."""
    items = iter(whole)
    while part := list(islice(items, size)):
        yield part


def _bulk_check(folder: Path, scorer: Scorer, check: Check, probe: Probe, choice: Choice) -> BulkCheck | None:
    """Whether the model may be scored without torch, too; None where nothing says how to round what it sees.

    Which arithmetic torch reads its texts in does not matter: the check looks at the verdicts.
    """
    if choice.ways == (FP32, FP32) or (scorer.network.image_features and choice.ways[1] != INT8):
        return None
    written = [text for text in probe.texts if text.strip()]
    ids = scorer.tokenizer.encode(written) if scorer.tokenizer is not None else []
    seen = Seen(texts=probe.texts, kinds=probe.kinds, ids=ids, squares=probe.squares, tables=check.reference)
    return BulkCheck.of(folder, seen, choice.ranges)


def _columns(part: Sequence[Decoded]) -> tuple[list[str], list[str], list[Square]]:
    """The raw texts, kinds and screenshots of items."""
    texts, kinds = [model_text(content) for content, _ in part], [content.kind for content, _ in part]
    return texts, kinds, [square for _, square in part]
