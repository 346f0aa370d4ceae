"""Models and the history of champions."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from engine.errors import ModelUnavailableError, NotFoundError, StorageError, WorkspaceError
from engine.taxonomy import Taxonomy
from engine.types import ModelCard, Struct
from engine.workspace import board, meta
from engine.workspace.captures import sync_folder
from engine.workspace.database import Database
from engine.workspace.encoding import dump, now
from engine.workspace.names import check_name

_card = msgspec.json.Decoder(ModelCard)


class ModelRow(Struct, frozen=True, kw_only=True):
    """A model as the workspace knows it.

    `status` is "champion", "former champion" or "kept" (never promoted); `reason` says why. `promoted_at` is the
    moment of its latest promotion, "" where there is none.
    """

    card: ModelCard
    champion: bool
    status: str
    reason: str
    promoted_at: str


class Models:
    """Registered models, their folders, and who is champion."""

    def __init__(self, db: Database, taxonomy: Taxonomy, folder: Path) -> None:
        self._db = db
        self._taxonomy = taxonomy
        self._folder = folder

    def register(self, card: ModelCard, folder: Path, *, reason: str = "") -> ModelRow:
        """Make a model known; a folder elsewhere is copied to models/ID first, complete or not at all.

        Registering the same card again changes nothing. Raises `WorkspaceError` where another model has this id.
        """
        check_name(card.id, "model")
        target = self._folder / card.id
        if folder.absolute() != target.absolute() and not target.exists():
            _copy(folder, target)
        with self._db.transaction():
            self.note(card, reason)
        return self.get(card.id)

    def note(self, card: ModelCard, reason: str) -> None:
        """Write the card's row, inside the caller's transaction."""
        body = dump(card)
        known = self._db.value("SELECT card FROM models WHERE id = ?", (card.id,))
        if known is not None and _card.decode(known) != card:
            raise WorkspaceError(f"There is already another model '{card.id}'.", "Give the new one an id of its own.")
        if known is None:
            self._db.execute(
                "INSERT INTO models (id, card, reason, registered_at) VALUES (?, ?, ?, ?)",
                (card.id, body, reason, now()),
            )

    def list(self) -> list[ModelRow]:
        """Return all models, the newest first."""
        rows = self._db.all("SELECT id FROM models ORDER BY number DESC")
        return [self.get(row[0]) for row in rows]

    def get(self, model: str) -> ModelRow:
        """Return a model; raises `NotFoundError` with the nearest id."""
        number = board.model_number(self._db, model)
        card, reason = self._db.all("SELECT card, reason FROM models WHERE number = ?", (number,))[0]
        latest = self._db.one(
            "SELECT reason, at FROM promotions WHERE model = ? ORDER BY promotions.number DESC LIMIT 1", (number,)
        )
        champion = meta.get(self._db, meta.CHAMPION) == str(number)
        status = "champion" if champion else "kept" if latest is None else "former champion"
        return ModelRow(
            card=_card.decode(card),
            champion=champion,
            status=status,
            reason=reason if latest is None else latest[0],
            promoted_at="" if latest is None else latest[1],
        )

    def champion(self) -> ModelRow | None:
        """Return the champion, or None before the first promotion."""
        number = meta.get(self._db, meta.CHAMPION)
        if number is None:
            return None
        return self.get(self._db.value("SELECT id FROM models WHERE number = ?", (int(number),)))

    def folder(self, model: str) -> Path:
        """Return a registered model's folder; raises `NotFoundError`, `ModelUnavailableError` where it is gone."""
        board.model_number(self._db, model)
        folder = self._folder / model
        if not folder.is_dir():
            raise ModelUnavailableError(
                f"The folder of the model '{model}' is missing: '{folder}'.",
                "Put it back from a copy of the workspace, promote another model, or retrain.",
            )
        return folder

    def promote(self, model: str, reason: str, *, refresh: bool = True) -> ModelRow:
        """Make a model the champion; promoting the champion changes nothing.

        Until the new champion has judged an item, the item shows the verdict of the one before. Where it has judged
        many items already, bringing their queue rows up to date takes a while: with `refresh=False` that is left to
        `queues.refresh`, a little at a time.
        """
        self.folder(model)
        with self._db.transaction():
            self.crown(model, reason)
        if refresh:
            self._refresh()
        return self.get(model)

    def crown(self, model: str, reason: str, *, kind: str = "promote") -> None:
        """Write the change of champion, inside the caller's transaction; the queue's rows wait for a refresh."""
        number = board.model_number(self._db, model)
        if meta.get(self._db, meta.CHAMPION) == str(number):
            return
        self._db.execute(
            "INSERT INTO promotions (model, kind, reason, at) VALUES (?, ?, ?, ?)", (number, kind, reason, now())
        )
        meta.put(self._db, meta.CHAMPION, str(number))
        board.restart(self._db, number)

    def rollback(self, *, refresh: bool = True) -> ModelRow:
        """Make the champion before this one champion again; raises `NotFoundError` where there was none.

        `refresh` as in `promote`.
        """
        with self._db.transaction():
            before = self._before()
            if before is None:
                raise NotFoundError(
                    "There is no earlier champion to go back to.", "Promote a model by name instead, or retrain."
                )
            self.folder(before)
            self.crown(before, "Rolled back to the champion before.", kind="rollback")
        if refresh:
            self._refresh()
        return self.get(before)

    def _before(self) -> str | None:
        """Return the champion before the present one: promotions stack up, a rollback takes the top one off."""
        stack: list[int] = []
        for model, kind in self._db.all("SELECT model, kind FROM promotions ORDER BY number"):
            if kind == "rollback":
                stack.pop()
            else:
                stack.append(model)
        if len(stack) < 2:
            return None
        name: str = self._db.value("SELECT id FROM models WHERE number = ?", (stack[-2],))
        return name

    def _refresh(self) -> None:
        while board.refresh_some(self._db, self._taxonomy):
            pass


def _copy(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise ModelUnavailableError(f"There is no model folder '{source}'.", "Check the path.")
    temporary = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary)
        temporary.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StorageError(
            f"The model could not be copied to '{target}' ({error.strerror or error}).",
            "Nothing was half-written; free some space and try again.",
        ) from error
