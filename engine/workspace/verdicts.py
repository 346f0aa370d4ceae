"""Models' verdicts, many models per item side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.errors import InputError
from engine.taxonomy import Taxonomy
from engine.types import Verdict
from engine.workspace import board
from engine.workspace.database import Database, Row
from engine.workspace.encoding import dump, read_labels, read_probabilities, rows_parameter

_COLUMNS = (
    "items.id, verdicts.task, models.id, verdicts.label, verdicts.probability, verdicts.labels, verdicts.probabilities"
)


class Verdicts:
    """What models say. The shown verdict is the champion's, or a former champion's until the new one has judged."""

    def __init__(self, db: Database, taxonomy: Taxonomy) -> None:
        self._db = db
        self._taxonomy = taxonomy

    def put(self, verdicts: Sequence[Verdict]) -> list[str]:
        """Keep verdicts, in place of the same model's earlier ones, and return the items whose shown verdict changed.

        One transaction. Raises `NotFoundError` (unknown item or model), `InputError` (no probability in [0, 1]).
        """
        if not verdicts:
            return []
        for verdict in verdicts:
            _check(verdict)
        with self._db.transaction():
            models = {model: board.model_number(self._db, model) for model in {one.model for one in verdicts}}
            rows = board.row_numbers(self._db, {one.item for one in verdicts})
            for model, number in models.items():
                self._put_of_model(number, [one for one in verdicts if one.model == model], rows)
            shown = board.lineage(self._db)
            changed = {one.item for one in verdicts if models[one.model] in shown}
            board.refresh(self._db, self._taxonomy, sorted(rows[item] for item in changed))
        return sorted(changed)

    def of(self, item: str) -> dict[str, Verdict]:
        """Return the shown verdicts of an item by task; empty where no champion has judged it yet."""
        return self.of_many([item])[item]

    def of_many(self, items: Sequence[str]) -> dict[str, dict[str, Verdict]]:
        """Return the shown verdicts of several items, by item and task."""
        numbers = board.row_numbers(self._db, items)
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM json_each(?) AS wanted CROSS JOIN queue ON queue.row = wanted.value"
            " CROSS JOIN verdicts ON verdicts.model = queue.model AND verdicts.row = queue.row"
            " CROSS JOIN models ON models.number = verdicts.model CROSS JOIN items ON items.row = queue.row",
            (rows_parameter(numbers.values()),),
        )
        return _by_item(items, rows)

    def of_model(self, item: str, model: str) -> dict[str, Verdict]:
        """Return one model's verdicts of an item by task; raises `NotFoundError`."""
        number = board.model_number(self._db, model)
        row = board.row_numbers(self._db, [item])[item]
        rows = self._db.all(
            f"SELECT {_COLUMNS} FROM verdicts JOIN models ON models.number = verdicts.model"
            " JOIN items ON items.row = verdicts.row WHERE verdicts.model = ? AND verdicts.row = ?",
            (number, row),
        )
        return _by_item([item], rows)[item]

    def _put_of_model(self, model: int, verdicts: Sequence[Verdict], rows: dict[str, int]) -> None:
        judged = {rows[one.item] for one in verdicts}
        known = self._db.value(
            "SELECT COUNT(*) FROM json_each(?) AS wanted"
            " WHERE EXISTS (SELECT 1 FROM verdicts WHERE verdicts.model = ? AND verdicts.row = wanted.value)",
            (rows_parameter(judged), model),
        )
        self._db.many(
            "INSERT OR REPLACE INTO verdicts (model, row, task, label, probability, labels, probabilities)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    model,
                    rows[one.item],
                    one.task,
                    one.label,
                    one.probability,
                    dump(one.labels),
                    dump(one.probabilities),
                )
                for one in verdicts
            ],
        )
        self._db.execute("UPDATE models SET scored = scored + ? WHERE number = ?", (len(judged) - int(known), model))


def _check(verdict: Verdict) -> None:
    values = (verdict.probability, *verdict.probabilities.values())
    if not all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in values):
        raise InputError(
            f"The verdict of '{verdict.model}' on '{verdict.item}' has a probability outside 0 to 1: {values}.",
            "Use another model, or train a new one with: secondlook retrain.",
        )


def _by_item(items: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[str, Verdict]]:
    found: dict[str, dict[str, Verdict]] = {item: {} for item in items}
    for item, task, model, label, probability, labels, probabilities in rows:
        found[item][task] = Verdict(
            item=item,
            task=task,
            model=model,
            label=label,
            probability=probability,
            labels=read_labels(labels),
            probabilities=read_probabilities(probabilities),
        )
    return found
