"""The explanations that the review page has at hand, and honest words for those it has not."""

from __future__ import annotations

import enum

from PySide6.QtCore import QObject, Signal, Slot

from desktop.desk import Desk
from desktop.review.bounded import Bounded
from desktop.review.heatmap import leaning
from desktop.review.sight import Focus, Sight
from engine.service.protocol import Priority
from engine.trust import LOW_FIT, apart, fit_words, looks_at, made
from engine.types import Explanation, Struct, Verdict

_LIMIT = 64

Key = tuple[str, str, str, str]
"""Item, task, label, model."""


class Stage(enum.StrEnum):
    """How far an explanation is. `SILENT` means that there will be none as things are."""

    SILENT = "silent"
    COMPUTING = "computing"
    PREVIEW = "preview"
    CAREFUL = "careful"
    READY = "ready"


class Progress(Struct, frozen=True, kw_only=True):
    """The stage and one short sentence for the reviewer; `detail` is for who wants to know more.

    As far as `text` does not, `made` says how the explanation was made, and `looks` what it rests on.
    """

    stage: Stage
    text: str
    detail: str = ""
    made: str = ""
    looks: str = ""


class Explanations(QObject):
    """Finds explanations of what is *shown*: those of the shown verdict's model, never of another.

    `changed(item, task, label)` says that there is a newer one, or that one failed.
    """

    changed = Signal(str, str, str)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._stored = desk.workspace.explanations
        self._known: Bounded[Key, Explanation] = Bounded(_LIMIT)
        self._failed: Bounded[Key, str] = Bounded(_LIMIT)
        self._looking: Key | None = None
        desk.explanationArrived.connect(self._arrived)
        desk.explanationFailed.connect(self._on_failed)

    def get(self, sight: Sight, focus: Focus | None) -> Explanation | None:
        """Return the best explanation of `focus` so far, final or preview; None where there is none yet."""
        key = _key(sight, focus)
        if key is None:
            return None
        known = self._known.get(key)
        if known is None:
            known = self._stored.get(*key)
            if known is not None:
                self._known[key] = known
        return known

    def want(self, sight: Sight, focus: Focus | None, priority: Priority) -> None:
        """Ask for an explanation unless a final one is at hand. Only the champion's verdicts can be explained."""
        key = _key(sight, focus)
        known = self.get(sight, focus)
        if key is None or (known is not None and known.final) or key in self._failed:
            return
        if priority is Priority.LOOKING:
            self._look_away_from(key)
        if key[3] == self._desk.champion:
            self._desk.explain(key[0], key[1], key[2], priority)

    def _look_away_from(self, key: Key) -> None:
        """Whoever asks why another label gets its probability no longer waits for the one before."""
        before, self._looking = self._looking, key
        if before is not None and before != key and before[0] == key[0]:
            self._desk.cancel_explain(*before[:3])

    def only(self, items: list[str]) -> None:
        """Stop asking for the explanations of all other items."""
        self._desk.cancel_explains(keep=items)

    def retry(self) -> None:
        """Forget failures, so that they are asked for once more (the engine came back)."""
        self._failed.clear()

    def look_again(self, item: str) -> None:
        """Forget the failures of one item, which may have been mended since it was on screen."""
        for key in [key for key in self._failed if key[0] == item]:
            del self._failed[key]

    def progress(self, sight: Sight, focus: Focus | None) -> Progress:
        """Return how far the explanation of `focus` is, in words."""
        key = _key(sight, focus)
        if key is None:
            return Progress(stage=Stage.SILENT, text="Nothing to explain: no verdict yet")
        known = self.get(sight, focus)
        if known is not None:
            return _of(known, sight.verdicts.get(known.task))
        if key in self._failed:
            return Progress(stage=Stage.SILENT, text=f"No explanation: {self._failed[key]}")
        return self._missing(key[3])

    def _missing(self, model: str) -> Progress:
        if model != self._desk.champion:
            return Progress(stage=Stage.SILENT, text="No explanation was stored for this older verdict")
        state = self._desk.engine_state
        if not state.ok:
            return Progress(stage=Stage.SILENT, text="No explanation while the engine is down")
        if not (state.ready or state.busy):
            return Progress(stage=Stage.SILENT, text="No explanation yet: the engine is not running")
        if not state.ready:
            return Progress(stage=Stage.COMPUTING, text="Explanation comes once the engine is ready")
        return Progress(stage=Stage.COMPUTING, text="Explanation is being computed…")

    @Slot(object)
    def _arrived(self, explanation: Explanation) -> None:
        key = (explanation.item, explanation.task, explanation.label, explanation.model)
        known = self._known.get(key)
        if known is not None and known.final and not explanation.final:
            return
        self._known[key] = explanation
        self._failed.pop(key, None)
        self.changed.emit(*key[:3])

    @Slot(str, str, str, str)
    def _on_failed(self, item: str, task: str, label: str, sentence: str) -> None:
        self._failed[item, task, label, self._desk.champion] = sentence
        self.changed.emit(item, task, label)


def _key(sight: Sight, focus: Focus | None) -> Key | None:
    verdict = sight.verdicts.get(focus[0]) if focus is not None else None
    return (sight.item.id, focus[0], focus[1], verdict.model) if focus is not None and verdict is not None else None


def _of(explanation: Explanation, verdict: Verdict | None) -> Progress:
    warning, how, looks = fit_words(explanation, below=LOW_FIT), made(explanation), looks_at(explanation)
    if not explanation.final:  # a part that is not clear yet would seem to count for nothing: no shares
        return Progress(stage=Stage.PREVIEW, text="Preview: a better explanation is on its way…", made=how)
    if said := " ".join(filter(None, (apart(explanation, verdict), explanation.note))):
        said = " ".join(filter(None, (said, warning)))
        return Progress(stage=Stage.CAREFUL, text=said, made=how, looks=looks)
    if warning:
        return Progress(stage=Stage.CAREFUL, text="Low fit: read with care", detail=warning, made=how, looks=looks)
    if looks:
        return Progress(stage=Stage.READY, text=looks, made=how)
    return Progress(stage=Stage.READY, text=" · ".join(filter(None, (how, leaning(explanation)))))
