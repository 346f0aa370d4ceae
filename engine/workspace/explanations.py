"""Stored explanations, so that a second look costs nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.looks import Look
from engine.types import Explanation
from engine.workspace import board
from engine.workspace.database import Database

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Explanation)
_look = msgspec.msgpack.Decoder(Look)

MOST_LOOKS = 2000
"""A mean over more items than this would not be another one: its standard error is a percent at most."""


class Explanations:
    """One explanation per item, task, label and model; a final one replaces a preview, never the other way round."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, explanation: Explanation) -> None:
        """Keep an explanation; raises `NotFoundError` for an unknown item or model."""
        self.put_many([explanation])

    def put_many(self, explanations: Iterable[Explanation]) -> None:
        """Keep several explanations in one transaction."""
        with self._db.transaction():
            for one in explanations:
                model = board.model_number(self._db, one.model)
                row = board.row_numbers(self._db, [one.item])[one.item]
                self._db.execute(
                    "INSERT INTO explanations (model, row, task, label, final, body) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (model, row, task, label) DO UPDATE SET final = excluded.final, body = excluded.body"
                    " WHERE excluded.final >= explanations.final",
                    (model, row, one.task, one.label, one.final, _encoder.encode(one)),
                )

    def get(self, item: str, task: str, label: str, model: str) -> Explanation | None:
        """Return the stored explanation, or None. An unknown item or model has none."""
        body = self._db.value(
            "SELECT body FROM explanations WHERE model = (SELECT number FROM models WHERE id = ?)"
            " AND row = (SELECT row FROM items WHERE id = ?) AND task = ? AND label = ?",
            (model, item, task, label),
        )
        return None if body is None else _decoder.decode(body)

    def has_many(self, wanted: Iterable[tuple[str, str, str]], model: str) -> set[tuple[str, str, str]]:
        """Return those of the (item, task, label) that have a final explanation of this model."""
        keys = list(wanted)
        rows = self._db.all(
            "SELECT items.id, task, label FROM json_each(?) AS wanted CROSS JOIN items ON items.id = wanted.value"
            " CROSS JOIN explanations ON explanations.row = items.row"
            " AND explanations.model = (SELECT number FROM models WHERE id = ?) WHERE final",
            (msgspec.json.encode(sorted({item for item, _, _ in keys})).decode(), model),
        )
        return set(keys) & {(item, task, label) for item, task, label in rows}

    def looks(self, model: str, most: int = MOST_LOOKS) -> list[Look]:
        """Where this model looked, one for each final explanation; evenly drawn ones where there are more than `most`.

        An unknown model has none.
        """
        number = self._db.value("SELECT number FROM models WHERE id = ?", (model,))
        count = self._db.value("SELECT COUNT(*) FROM explanations WHERE model = ? AND final", (number,))
        bodies = self._db.all(
            "SELECT body FROM explanations WHERE model = ? AND final AND row % ? = 0",
            (number, max(1, -(-count // most))),
        )
        return [_look.decode(body) for (body,) in bodies]
