from __future__ import annotations

import pytest
import torch

from engine.models import devices


@pytest.mark.parametrize(("threads", "words"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_the_words_agree_with_the_number(threads: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert devices.name_of(torch.device("cpu")) == words


def test_a_card_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Test Card 100")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.name_of(devices.best()) == "CUDA, Test Card 100"
