"""The check that lets a model be scored without torch: full precision's verdicts on the same real items."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.models import proof
from engine.models.bulk import loading, runtime
from engine.models.bulk.fusing import Tables
from engine.models.bulk.scorer import BulkScorer
from engine.models.decoding import Square
from engine.models.likeness import alike
from engine.models.proof import Ranges
from engine.types import Struct

INT8 = "int8"
_log = logging.getLogger(__name__)


class Seen(Struct, frozen=True, kw_only=True):
    """What full precision saw and said of items of these `kinds`.

    Raw `texts` with their token numbers, prepared `squares`, `tables` by task.
    """

    texts: Sequence[str]
    kinds: Sequence[str]
    ids: Sequence[Sequence[int]]
    squares: Sequence[Square]
    tables: Tables


class BulkCheck:
    """Looks at items again, in steps, and keeps beside the model that it may be scored without torch if it may."""

    def __init__(self, folder: Path, scorer: BulkScorer, seen: Seen, ranges: Ranges) -> None:
        self._folder, self._scorer, self._seen, self._ranges = folder, scorer, seen, ranges
        self._found: list[Tables] = []
        self._looked = 0

    @classmethod
    def of(cls, folder: Path, seen: Seen, ranges: Ranges) -> BulkCheck | None:
        """A check of the model in `folder`; None where nothing can be gained or the network is not known here.

        Raises:
            ModelUnavailableError: the folder holds no sound model any more.
        """
        scorer = loading.make(folder, ranges) if runtime.usable() else None
        if scorer is None:
            return None
        if scorer.encode(seen.texts) != [list(one) for one in seen.ids]:
            _log.info("%s is not scored without torch: its tokenizer alone gives other tokens", folder.name)
            return None
        return cls(folder, scorer, seen, ranges)

    def step(self, items: int) -> bool:
        """Look at that many more items. True once all are looked at and what was found is kept."""
        part = slice(self._looked, self._looked + items)
        self._found.append(self._scorer.tables(self._seen.texts[part], self._seen.squares[part]))
        self._looked += items
        if self._looked < len(self._seen.texts):
            return False
        self._judge()
        return True

    def _judge(self) -> None:
        heads = self._scorer.spec.heads
        tables = {head.task: np.concatenate([one[head.task] for one in self._found]) for head in heads}
        reference, kinds = self._seen.tables, self._seen.kinds
        likeness = {head.task: alike(reference[head.task], tables[head.task], head, kinds) for head in heads}
        same, items = all(one.enough for one in likeness.values()), len(self._seen.texts)
        _log.info("int8 without torch %s on %d items", "agrees" if same else "does not agree", items)
        if same:
            card = self._scorer.card
            proof.write(self._folder, card, (INT8, INT8), items, likeness, ranges=self._ranges, kind=proof.BULK)
