"""Parts of the loop that a whole run does not show: the rate, the optimizer's groups, too little GPU memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.errors import StorageError, TrainingError
from engine.models.network import FusionNetwork, build
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.training.callbacks import BestWeights, EarlyStop
from engine.training.data import Examples
from engine.training.device import choose_device, derived_seed
from engine.training.loop import Callback, Loop, Scores, make_optimizer, rate_factor
from engine.training.losses import TaskLosses
from engine.training.recipe import TrainingRecipe
from engine.training.state import Position, State, load_state, save_state
from engine.types import ItemContent, TrainingItem

HEADS = (HeadSpec(task="mood", labels=("warm", "cold")),)
SPEC = NetworkSpec(
    heads=HEADS,
    text=TextSpec(vocabulary=300, width=8, filters=8, windows=(1, 2)),
    image=ImageSpec(backbone="none"),
)


def material(count: int = 16) -> tuple[FusionNetwork, Examples]:
    items = [
        TrainingItem(
            content=ItemContent(id=f"i{n}", kind="tweet", text=f"{'sun' if n % 2 else 'ice'} {n}"),
            labels={"mood": ("warm" if n % 2 else "cold",)},
            group=str(n),
        )
        for n in range(count)
    ]
    tokenizer: TextTokenizer | None = tokenizer_for(SPEC, (item.content.text for item in items))
    torch.manual_seed(1)
    examples = Examples(items, SPEC, tokenizer, cache_bytes=0, check=lambda: None)
    return build(SPEC, tokenizer), examples


def make_loop(settings: TrainingRecipe, *callbacks: Callback, losses: Iterator[float] | None = None) -> Loop:
    network, examples = material()

    def validate() -> Scores:
        return Scores(next(losses) if losses is not None else 1.0, {})

    device = choose_device(threads=1)
    return Loop(
        network.to(device.torch),
        examples,
        TaskLosses(HEADS),
        settings,
        device,
        validate=validate,
        callbacks=callbacks,
    )


def test_the_rate_rises_and_falls_in_lines() -> None:
    factors = [rate_factor(step, 10, 0.2) for step in range(10)]
    assert factors[:3] == [0.5, 1.0, 1.0]
    assert factors[-1] == pytest.approx(1 / 8)
    assert all(rate_factor(step, 3, 1.0) <= 1 for step in range(3))
    assert rate_factor(0, 1, 0.0) == 1.0


def test_only_matrices_decay() -> None:
    network, _ = material()
    groups = make_optimizer(network, TrainingRecipe(weight_decay=0.5)).param_groups
    rates = {id(weight): (group["weight_decay"], group["base"]) for group in groups for weight in group["params"]}
    assert rates[id(network.heads["mood"].weight)] == (0.5, 1e-3)
    assert rates[id(network.heads["mood"].bias)] == (0.0, 1e-3)
    assert len(rates) == len(list(network.parameters()))


class OutOfMemory(Callback):
    """Runs out of GPU memory in the first forward passes."""

    def __init__(self, times: int) -> None:
        self.times = times

    def working(self) -> None:
        if self.times:
            self.times -= 1
            raise torch.OutOfMemoryError("out of memory")


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    loop = make_loop(TrainingRecipe(epochs=1, batch_size=8), OutOfMemory(1))
    loop.run()
    assert loop.position.parts == 2
    assert loop.position.epoch == 1


def test_parts_of_a_batch_train_as_the_whole_does() -> None:
    settings = TrainingRecipe(epochs=2, batch_size=8, optimizer="adam", shift=0, brightness=0)
    whole, parts = make_loop(settings), make_loop(settings)
    for loop in (whole, parts):
        for module in loop.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    parts.position.parts = 2
    whole.run()
    parts.run()
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_memory_for_not_even_two_items_ends_the_run() -> None:
    with pytest.raises(TrainingError, match="two items at a time"):
        make_loop(TrainingRecipe(epochs=1, batch_size=8), OutOfMemory(99)).run()


def test_the_best_epoch_is_kept_and_patience_ends_the_run() -> None:
    losses = iter([3.0, 1.0, 2.0, 2.0, 0.5])
    loop = make_loop(TrainingRecipe(epochs=5), BestWeights("val-loss"), EarlyStop(2), losses=losses)
    loop.run()
    assert loop.position.best_epoch == 2
    assert loop.position.epoch == 4
    assert loop.position.stopped
    assert loop.best.keys() == loop.network.state_dict().keys()
    assert any(not torch.equal(loop.best[name], now) for name, now in loop.network.state_dict().items())


def test_seeds_depend_on_their_names_only() -> None:
    assert derived_seed(0, "step", 3) == derived_seed(0, "step", 3)
    assert len({derived_seed(0, "step", 3), derived_seed(1, "step", 3), derived_seed(0, "order", 3)}) == 3
    assert 0 <= derived_seed(0, "step", 3) < 2**63


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep/state.safetensors"
    state = State(Position(epoch=2, step=1, best=(0.5, -1.0)), {"network/w": torch.eye(2), "best/w": torch.zeros(0)})
    assert load_state(path) is None
    save_state(path, state)
    back = load_state(path)
    assert back is not None
    assert back.position == state.position
    assert torch.equal(back.part("network")["w"], torch.eye(2))
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="state cannot be written"):
        save_state(tmp_path / "file/state.safetensors", State())
