"""`secondlook models WORKSPACE rebuild ID`: train a model again from its card, and say whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import Progress, answer, progress, turn
from engine.cli.signals import cancelled_by_signals
from engine.counting import counted, fit
from engine.service.protocol import RunProgress, TrainerEvent
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.training.rebuild import Rebuilt


def rebuild_model(workspace: Path, model: str, *, as_json: bool) -> None:
    """Train the model again and write how its weights compare; interrupted, the same command goes on."""
    with Workspace.open(workspace, read_only=True) as ws:
        row = ws.models.get(model)
        cards = {one.card.id: one.card for one in ws.models.list()}
        path = ws.path
    from engine.training.rebuild import Workshop, rebuild
    from engine.training.worker import be_modest

    be_modest()
    shop = Workshop(runs=path / "runs", models=path / "models", captures=path / "captures", cards=cards)
    with turn(path, "secondlook models"), progress("Rebuilding") as show, cancelled_by_signals() as cancelled:
        found = rebuild(row.card.id, shop, emit=lambda event: _follow(event, show), cancelled=cancelled)
    answer(found, lambda: _text(found), as_json=as_json)


def _follow(event: TrainerEvent, show: Progress) -> None:
    if isinstance(event, RunProgress):
        show(event.done, event.total)


def _text(found: Rebuilt) -> str:
    tensors = counted(found.tensors, "tensor")
    if found.identical:
        verdict = f"The model {found.model} was rebuilt bit for bit ({tensors})."
    elif found.largest_difference is None:
        verdict = f"The model {found.model} was rebuilt, and its weights are not the ones that were recorded."
    else:
        verdict = (
            f"The model {found.model} was rebuilt, but not bit for bit: {found.differing} of {tensors} "
            f"{fit(found.differing or 0, 'differs', 'differ')}, by {found.largest_difference:.3g} at most."
        )
    return "\n".join([f"{verdict} Training took {found.seconds:.0f} s.", *found.reasons])
