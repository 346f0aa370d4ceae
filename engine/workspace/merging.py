"""Taking in what another workspace knows: items, verdicts and every decision, as one transaction.

A DECISION FROM ELSEWHERE becomes a new row at the end of this workspace's chain. It keeps its act, reviewer, time,
answer, note and what was shown; its number and the hashes of its old chain are kept beside it (`origins`). Which
decisions are here already is told by the hash that each had where it was first recorded, so a pack that is merged
twice, or that comes home, adds nothing twice. Nothing is overwritten: an item with other content keeps its own, and
the decisions on the other one are left out and named.

WHAT COUNTS. The rule in `resolution` goes by the order in which rows were recorded here. Where one reviewer answered
in both workspaces, the answer that came in last counts; such a pair is listed among the conflicts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from engine.counting import counted, fit
from engine.errors import CancelledError, InputError, WorkspaceError
from engine.taxonomy import Taxonomy
from engine.types import Action, CrossedOut, Decision, Explanation, Item, ModelCard, Struct, Verdict
from engine.workspace import acts, board, chain, marks, origins
from engine.workspace.annotations import attach
from engine.workspace.conflicts import Conflict, conflicts_of
from engine.workspace.database import Database
from engine.workspace.decisions import Decisions, write
from engine.workspace.encoding import rows_parameter
from engine.workspace.explanations import Explanations
from engine.workspace.items import Items
from engine.workspace.models import Models
from engine.workspace.names import check_name
from engine.workspace.origins import Carried, Origin
from engine.workspace.verdicts import Verdicts

FROM_A_PACK = "Its verdicts came with the pack"
"""How the reason of a model begins whose weights are elsewhere."""

BATCH = 500
_T = TypeVar("_T")
Rows = dict[str, tuple[int, str]]


class Incoming(Struct, frozen=True, kw_only=True):
    """What is to be merged. `pack` is the id (SHA-256) of where it comes from; the captures are already kept here.

    `brought_back` are the captures that were not here, or were damaged, before.

    `decisions` come in the order of their numbers. `truths` says whether the items' truths came with them. `champion`
    is the model whose verdicts are shown if this workspace has no champion of its own.
    """

    pack: str
    brought_back: frozenset[str] = frozenset()
    items: Iterable[Item]
    truths: bool = True
    cards: tuple[ModelCard, ...] = ()
    champion: str = ""
    verdicts: Iterable[Verdict] = ()
    explanations: Iterable[Explanation] = ()
    decisions: Iterable[Carried] = ()


class Merged(Struct, frozen=True, kw_only=True):
    """What a merge did. `differing` are items that are here with other content: nothing about them was merged.

    `reviewers` counts the decision rows that came in, undos and skips included. `conflicts` are all the tasks of the
    pack's items that are answered differently, with at least one of the answers from the pack. `idle` counts answers
    by task whose task or label this workspace's taxonomy does not have: they are kept, but count for nothing.
    """

    pack: str
    items: int = 0
    there: int = 0
    differing: tuple[str, ...] = ()
    verdicts: int = 0
    explanations: int = 0
    decisions: int = 0
    known: int = 0
    crossed_out: int = 0
    left_out: int = 0
    reviewers: dict[str, int] = msgspec.field(default_factory=dict)
    idle: dict[str, int] = msgspec.field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()


class Merging:
    """The one way in for what another workspace recorded."""

    def __init__(
        self,
        db: Database,
        taxonomy: Taxonomy,
        items: Items,
        verdicts: Verdicts,
        explanations: Explanations,
        decisions: Decisions,
        models: Models,
    ) -> None:
        self.db = db
        self.taxonomy = taxonomy
        self.items = items
        self.verdicts = verdicts
        self.explanations = explanations
        self.decisions = decisions
        self.models = models

    def merge(self, incoming: Incoming, *, cancelled: Callable[[], bool] | None = None) -> Merged:
        """Take in everything, or, on any error, nothing.

        Raises `InputError` where a decision is not what its hashes say, belongs to another's act, or crosses out what
        the item does not have; `CancelledError` where `cancelled` says so; `StorageError`.
        """
        with self.db.transaction():
            run = _Merge(self, incoming, cancelled)
            run.take_items()
            crowned = run.take_models()
            run.take_verdicts()
            run.take_explanations()
            run.take_decisions()
            merged = run.result()
        while crowned and board.refresh_some(self.db, self.taxonomy):
            pass
        return merged


class _Merge:
    """One merge under way, inside its transaction."""

    def __init__(self, into: Merging, incoming: Incoming, cancelled: Callable[[], bool] | None) -> None:
        self.into = into
        self.db = into.db
        self.incoming = incoming
        self.cancelled = cancelled
        self.added = self.there = self.verdicts = self.explanations = self.crossed = self.known = self.left_out = 0
        self.brought_back = 0
        self.differing: dict[str, None] = {}
        self.models: set[str] = set()
        self.notes: list[str] = []
        self.reviewers: Counter[str] = Counter()
        self.idle: Counter[str] = Counter()
        self.numbers: set[int] = set()
        self.touched: set[int] = set()
        self.last: Decision | None = None

    def result(self) -> Merged:
        return Merged(
            pack=self.incoming.pack,
            items=self.added,
            there=self.there,
            differing=tuple(self.differing),
            verdicts=self.verdicts,
            explanations=self.explanations,
            decisions=sum(self.reviewers.values()),
            known=self.known,
            crossed_out=self.crossed,
            left_out=self.left_out,
            reviewers=dict(sorted(self.reviewers.items())),
            idle=dict(sorted(self.idle.items())),
            conflicts=tuple(conflicts_of(self.db, self.into.taxonomy, sorted(self.touched), self.numbers)),
            notes=(*self.notes, *self._brought_back()),
        )

    def take_items(self) -> None:
        for batch in self._batches(self.incoming.items):
            there = self.into.items.exists(item.id for item in batch)
            self.added += self.into.items.add((item, None) for item in batch if item.id not in there)
            for item in batch:
                if item.id in there and not self._same(item, self.into.items.get(item.id)):
                    self.differing[item.id] = None
                elif item.id in there:
                    self.there += 1
                    self.brought_back += item.capture in self.incoming.brought_back

    def _brought_back(self) -> Iterator[str]:
        count = self.brought_back
        if count:
            yield (
                f"{counted(count, 'screenshot')} {fit(count, 'was', 'were')} missing or damaged here and"
                f" {fit(count, 'was', 'were')} brought back; verdicts that were made meanwhile did not see"
                f" {fit(count, 'it', 'them')}: secondlook score --again makes them anew."
            )

    def _same(self, item: Item, own: Item) -> bool:
        """Whether both are one item: splits are each workspace's own, and truths may have stayed at home."""
        own = msgspec.structs.replace(own, split=item.split)
        return item == (own if self.incoming.truths else msgspec.structs.replace(own, truths=item.truths))

    def take_models(self) -> bool:
        for card in self.incoming.cards:
            try:
                self.into.models.note(
                    msgspec.structs.replace(card, id=check_name(card.id, "model")),
                    f"{FROM_A_PACK} {self.incoming.pack[:12]}; its weights did not.",
                )
                self.models.add(card.id)
            except WorkspaceError:
                self.notes.append(f"The verdicts of '{card.id}' were left out: another model has that id here.")
        champion = self.incoming.champion
        if champion not in self.models or self.into.models.champion() is not None:
            return False
        self.into.models.crown(
            champion, f"{FROM_A_PACK} {self.incoming.pack[:12]} and are shown until a model is made here."
        )
        return True

    def take_verdicts(self) -> None:
        """Keep the verdicts that this workspace does not have."""
        for batch in self._batches(self.incoming.verdicts):
            wanted = [one for one in batch if one.model in self.models and one.item not in self.differing]
            rows = self._rows({one.item for one in wanted})
            known = self._judged({one.model for one in wanted}, rows)
            fresh = [
                one
                for one in wanted
                if (one.model, rows[one.item][0], one.task) not in known and self._fits(one, rows[one.item][1])
            ]
            self.into.verdicts.put(fresh)
            self.verdicts += len(fresh)

    def _judged(self, models: Iterable[str], rows: Rows) -> set[tuple[str, int, str]]:
        found: set[tuple[str, int, str]] = set()
        for model in models:
            number = board.model_number(self.db, model)
            judged = self.db.all(
                "SELECT row, task FROM json_each(?) AS wanted"
                " CROSS JOIN verdicts ON verdicts.model = ? AND verdicts.row = wanted.value",
                (rows_parameter(row for row, _ in rows.values()), number),
            )
            found |= {(model, row, task) for row, task in judged}
        return found

    def _fits(self, verdict: Verdict, kind: str) -> bool:
        """Whether this workspace asks the question and knows the labels; any other verdict cannot be shown."""
        task = next((task for task in self.into.taxonomy.tasks_for(kind) if task.name == verdict.task), None)
        return task is not None and {verdict.label, *verdict.labels, *verdict.probabilities} <= set(task.label_names)

    def take_explanations(self) -> None:
        for batch in self._batches(self.incoming.explanations):
            wanted = [one for one in batch if one.model in self.models and one.item not in self.differing]
            fresh = [
                one for one in wanted if self.into.explanations.get(one.item, one.task, one.label, one.model) is None
            ]
            self.into.explanations.put_many(fresh)
            self.explanations += len(fresh)

    def take_decisions(self) -> None:
        changed: set[int] = set()
        for batch in self._batches(self.incoming.decisions):
            self._follow(batch)
            mine = [one for one in batch if one.decision.item not in self.differing]
            self.left_out += len(batch) - len(mine)
            rows = self._rows({one.decision.item for one in mine})
            changed |= self._record(mine, rows)
        for some in _slices(sorted(changed), board.BATCH):
            board.refresh(self.db, self.into.taxonomy, some)

    def _follow(self, batch: Sequence[Carried]) -> None:
        """Refuse rows that are not what their hashes say or do not come one behind the other."""
        for one in batch:
            decision, last = one.decision, self.last
            reason = origins.fault(one)
            if last is not None and decision.number <= last.number:
                reason = f"decision {decision.number} comes after decision {last.number}"
            elif last is not None and decision.number == last.number + 1 and decision.previous != last.hash:
                reason = f"decision {decision.number} does not continue decision {last.number}"
            if reason:
                raise InputError(f"The decisions cannot be merged: {reason}.", "Ask for the pack again.")
            self.last = decision

    def _record(self, batch: Sequence[Carried], rows: Rows) -> set[int]:
        """Append those that are not here yet, and return the item rows that they are about."""
        here = self._here(row for row, _ in rows.values())
        new: list[Carried] = []
        for one in batch:
            self.touched.add(rows[one.decision.item][0])
            number = here.get(one.identity) or here.get(_mark(one.decision))
            if number is None:
                new.append(one)
            else:
                self.known += 1
                self.numbers.add(number)
        if not new:
            return set()
        sealed = self._sealed(new)
        numbered = {item: row for item, (row, _) in rows.items()}
        write(self.db, sealed, numbered)
        self._note_acts(sealed, rows)
        self._note_origins(new, sealed, numbered)
        self._cross_out(new, sealed, numbered)
        return {numbered[one.item] for one in sealed}

    def _here(self, rows: Iterable[int]) -> dict[object, int]:
        """Return the decisions on these items by the hash that each had first, and by what each says.

        The latter finds those that came in with another kind of file, which holds no hashes.
        """
        wanted = list(rows)
        came = origins.of_rows(self.db, wanted)
        found: dict[object, int] = {}
        for decisions in board.decisions_of_rows(self.db, wanted).values():
            for decision in decisions:
                origin = came.get(decision.number)
                found[decision.hash if origin is None else origin.hash] = decision.number
                found[_mark(decision)] = decision.number
        return found

    def _sealed(self, new: Sequence[Carried]) -> list[Decision]:
        number, previous = self.into.decisions.head()
        sealed = []
        for one in new:
            number += 1
            row = chain.seal(msgspec.structs.replace(one.decision, number=number, previous=previous))
            previous = row.hash
            sealed.append(row)
            self.numbers.add(number)
            self.reviewers[row.reviewer] += 1
            if row.action in {Action.CONFIRM, Action.CORRECT} and not self._counts(row):
                self.idle[row.task] += 1
        return sealed

    def _counts(self, row: Decision) -> bool:
        task = next((task for task in self.into.taxonomy.tasks if task.name == row.task), None)
        return task is not None and set(row.labels) <= set(task.label_names)

    def _note_acts(self, sealed: Sequence[Decision], rows: Rows) -> None:
        """Note which acts stand. An act belongs to one reviewer and one item, and only that reviewer takes it back."""
        for row in sealed:
            act = row.undoes if row.action is Action.UNDO else row.act
            known = self.db.one("SELECT row, reviewer, undone_by FROM acts WHERE act = ?", (act,))
            if known is None and row.action is Action.UNDO:
                self._refuse(row, "takes back an act that is neither in the pack nor here")
            if known is not None and known[:2] != (rows[row.item][0], row.reviewer):
                self._refuse(row, "belongs to an act of another reviewer or item")
            if row.action is not Action.UNDO:
                acts.note(self.db, [row], rows)
            elif known is not None and known[2] is None:
                acts.close(self.db, act, row.number)

    def _refuse(self, row: Decision, why: str) -> None:
        raise InputError(
            f"The decisions cannot be merged: one of '{row.reviewer}' on '{row.item}' {why}.", "Ask for the pack again."
        )

    def _note_origins(self, new: Sequence[Carried], sealed: Sequence[Decision], rows: Mapping[str, int]) -> None:
        found = []
        for one, row in zip(new, sealed, strict=True):
            old = one.decision
            first = Origin(pack=self.incoming.pack, number=old.number, previous=old.previous, hash=old.hash)
            found.append((row.number, rows[row.item], one.origin or first))
        origins.note(self.db, found)

    def _cross_out(self, new: Sequence[Carried], sealed: Sequence[Decision], rows: dict[str, int]) -> None:
        crossed = [marks.checked_from_elsewhere(self.db, one.decision.item, _plain(one)) for one in new]
        attach(self.db, sealed, crossed, rows)
        self.crossed += sum(map(len, crossed))

    def _rows(self, items: Iterable[str]) -> Rows:
        """Return (row, kind) of each item; raises `InputError` for one that is neither in the pack nor here."""
        wanted = sorted(items)
        numbers = board.row_numbers(self.db, wanted)
        return {item.id: (numbers[item.id], item.kind) for item in self.into.items.get_many(wanted)}

    def _batches(self, stream: Iterable[_T]) -> Iterator[list[_T]]:
        for batch in _slices(stream, BATCH):
            if self.cancelled is not None and self.cancelled():
                raise CancelledError("The merge was cancelled; nothing was merged.")
            yield batch


def _mark(row: Decision) -> tuple[object, ...]:
    return (row.act, row.task, row.action, row.labels, row.reviewer, row.at, row.undoes)


def _plain(carried: Carried) -> tuple[CrossedOut, ...]:
    return tuple(marks.plain(one, label=one.label) for one in carried.crossed_out)


def _slices(stream: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(stream)
    while batch := list(itertools.islice(rest, size)):
        yield batch
