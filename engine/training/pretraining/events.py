"""What a pretraining run tells on its way, one JSON document a line; the other events are the trainer's."""

from __future__ import annotations

from engine.service.protocol import EpochEnded, Message, RunFailed, RunProgress, RunStarted
from engine.training.pretraining.card import PretrainingCard


class EncoderReady(Message, frozen=True, kw_only=True):
    """The run left an encoder in `folder`."""

    folder: str
    card: PretrainingCard


PretrainingEvent = RunStarted | RunProgress | EpochEnded | RunFailed | EncoderReady
