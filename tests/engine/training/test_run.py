"""A run from its folder to a candidate: what it leaves, says, repeats and refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from engine.errors import CancelledError, TrainingError
from engine.models.predictor import Predictor
from engine.service.protocol import EpochEnded, RunEnded, RunFailed, RunProgress, RunStarted
from engine.training.losses import TaskLosses
from engine.training.run import train
from engine.types import Outcome, TrainingItem

if TYPE_CHECKING:
    from engine.service.protocol import TrainerEvent
    from tests.engine.training.conftest import Listener, RunMaker

Same = Callable[[Path, Path], bool]


def test_a_run_learns_and_leaves_a_candidate(make_run: RunMaker, listener: type[Listener]) -> None:
    folder, heard = make_run(), listener()
    card, outcome = train(folder, emit=heard, cancelled=heard.cancelled)
    assert outcome.better
    assert "first model" in outcome.reason
    assert card.metrics["test"]["mood"].macro_f1 > 0.9 > card.metrics["test"]["mood"].majority_macro_f1
    assert card.fingerprint == hashlib.sha256((folder / "snapshot.jsonl").read_bytes()).hexdigest()
    assert card.counts["train"] + card.counts["val"] + card.counts["test"] == 48
    assert card.counts["train/mood/warm"] > 0
    assert len(card.decisions) == card.counts["train"]
    assert card.versions["torch"]
    assert set(card.temperatures) == {"mood", "why"}
    splits = msgspec.json.decode((folder / "candidate/splits.json").read_bytes(), type=dict[str, str])
    assert set(splits.values()) == {"train", "val", "test"}
    assert msgspec.json.decode((folder / "candidate/outcome.json").read_bytes(), type=Outcome) == outcome
    assert Predictor.load(folder / "candidate").card == card
    assert not (folder / "checkpoint").exists()


def test_events_tell_the_whole_story(make_run: RunMaker, listener: type[Listener]) -> None:
    folder, heard = make_run(), listener()
    train(folder, emit=heard, cancelled=heard.cancelled)
    started, *_, ended = heard.events
    assert isinstance(started, RunStarted)
    assert (started.epoch, started.epochs, sum(started.items.values())) == (0, 4, 48)
    assert "CPU" in started.device or "CUDA" in started.device
    assert isinstance(ended, RunEnded)
    assert [event.epoch for event in heard.events if isinstance(event, EpochEnded)] == [1, 2, 3, 4]
    progress = [event for event in heard.events if isinstance(event, RunProgress)]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert [event.stage for event in progress][-3:] == ["evaluate", "evaluate", "save"]
    assert progress[-1].done == progress[-1].total


def test_the_same_seed_gives_the_same_weights(
    make_run: RunMaker, listener: type[Listener], same_weights: Same, recipe: str
) -> None:
    folders = [make_run(), make_run(), make_run(recipe=recipe + "seed = 7\n")]
    for folder in folders:
        train(folder, emit=listener(), cancelled=lambda: False)
    first, again, other = (folder / "candidate" for folder in folders)
    assert same_weights(first, again)
    assert not same_weights(first, other)


def test_a_finished_run_only_repeats_its_result(make_run: RunMaker, listener: type[Listener]) -> None:
    folder, heard = make_run(), listener()
    first = train(folder, emit=listener(), cancelled=lambda: False)
    assert train(folder, emit=heard, cancelled=lambda: False) == first
    assert [type(event) for event in heard.events] == [RunEnded]


def test_a_cancelled_run_resumes_to_the_very_same_weights(
    make_run: RunMaker, listener: type[Listener], same_weights: Same, image_recipe: str
) -> None:
    items = make_run.items(captures=True)
    whole, broken = make_run(items, image_recipe), make_run(items, image_recipe)
    train(whole, emit=listener(), cancelled=lambda: False)

    def second_epoch(event: TrainerEvent) -> bool:
        return isinstance(event, EpochEnded) and event.epoch == 1

    heard = listener(until=second_epoch)
    with pytest.raises(CancelledError):
        train(broken, emit=heard, cancelled=heard.cancelled)
    failed = heard.events[-1]
    assert isinstance(failed, RunFailed)
    assert failed.cancelled
    second = listener()
    train(broken, emit=second, cancelled=lambda: False)
    started = second.events[0]
    assert isinstance(started, RunStarted)
    assert started.epoch == 1
    assert same_weights(whole / "candidate", broken / "candidate")


def test_cancelling_between_two_layers_changes_nothing(
    make_run: RunMaker, listener: type[Listener], same_weights: Same, image_recipe: str
) -> None:
    items = make_run.items(captures=True)
    whole, broken = make_run(items, image_recipe), make_run(items, image_recipe)
    train(whole, emit=listener(), cancelled=lambda: False)
    for layers in (10, 25, 61, 140):
        with pytest.raises(CancelledError):
            train(broken, emit=listener(), cancelled=after(layers))
    train(broken, emit=listener(), cancelled=lambda: False)
    assert same_weights(whole / "candidate", broken / "candidate")


def after(questions: int) -> Callable[[], bool]:
    """A `cancelled` that says so when it was asked this often."""
    asked = iter(range(questions))
    return lambda: next(asked, None) is None


def test_a_damaged_checkpoint_starts_the_run_over(
    make_run: RunMaker, listener: type[Listener], caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_run()
    heard = listener(until=lambda event: isinstance(event, EpochEnded))
    with pytest.raises(CancelledError):
        train(folder, emit=heard, cancelled=heard.cancelled)
    state = folder / "checkpoint/state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    second = listener()
    train(folder, emit=second, cancelled=lambda: False)
    assert second.events[0].epoch == 0  # type: ignore[union-attr]
    assert "starts over" in caplog.text


def test_a_diverging_run_says_what_to_do(
    make_run: RunMaker, listener: type[Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = TaskLosses.forward
    monkeypatch.setattr(TaskLosses, "forward", lambda *inputs: forward(*inputs) * float("nan"))
    folder, heard = make_run(), listener()
    with pytest.raises(TrainingError, match=r"no longer a number in epoch 1.*learning_rate"):
        train(folder, emit=heard, cancelled=lambda: False)
    failed = heard.events[-1]
    assert isinstance(failed, RunFailed)
    assert "learning_rate" in failed.message
    assert not failed.bug
    assert not failed.cancelled
    assert not (folder / "candidate").exists()


def test_one_label_only_is_refused_in_plain_words(make_run: RunMaker, listener: type[Listener]) -> None:
    items = [item for item in make_run.items() if item.labels["mood"] == ("cold",)]
    with pytest.raises(TrainingError, match=r"'mood'.*all of its training items \(\d+\) are 'cold'"):
        train(make_run(items), emit=listener(), cancelled=lambda: False)


def test_a_task_without_answers_is_left_out_and_named(make_run: RunMaker, listener: type[Listener]) -> None:
    items = [msgspec.structs.replace(item, labels={"mood": item.labels["mood"]}) for item in make_run.items()]
    card, outcome = train(make_run(items), emit=listener(), cancelled=lambda: False)
    assert set(card.tasks) == {"mood"}
    assert "Task 'why' is left out: no training item has an answer to it." in outcome.reason


def test_items_that_were_seen_without_their_screenshots_are_told(
    make_run: RunMaker, listener: type[Listener], image_recipe: str
) -> None:
    items = make_run.items(captures=True)
    _, whole = train(make_run(items, image_recipe), emit=listener(), cancelled=lambda: False)
    assert "without" not in whole.reason
    for item in items[1::5]:
        Path(f"{item.content.capture}").unlink()
    lost = len(items[1::5])
    _, outcome = train(make_run(items, image_recipe), emit=listener(), cancelled=lambda: False)
    told = f"{lost} items, such as 'i1', were learned from or tested without their screenshots, which cannot be read"
    assert told in outcome.reason


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, listener: type[Listener]) -> None:
    heard = listener()
    with pytest.raises(TrainingError, match=r"no run folder"):
        train(tmp_path / "nothing", emit=heard, cancelled=lambda: False)
    assert isinstance(heard.events[-1], RunFailed)


def champion_and_candidate(
    make_run: RunMaker, items: list[TrainingItem], recipe: str, second: str | None = None
) -> tuple[Path, Path]:
    first = make_run(items, recipe)
    train(first, emit=lambda _: None, cancelled=lambda: False)
    make_run.adopt(first)
    folder = make_run(items, second or recipe, parent=first.name)
    return first, folder


def test_a_candidate_as_good_as_the_champion_does_not_replace_it(make_run: RunMaker, recipe: str) -> None:
    _, folder = champion_and_candidate(make_run, make_run.items(), recipe)
    card, outcome = train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert not outcome.better
    assert "as good as the champion" in outcome.reason
    assert "held-out test items" in outcome.reason
    assert card.champion_metrics["test"]["mood"].macro_f1 == pytest.approx(1.0)


def test_training_goes_on_from_the_champion_where_the_network_is_the_same(make_run: RunMaker, recipe: str) -> None:
    _, folder = champion_and_candidate(make_run, make_run.items(), recipe, recipe.replace("epochs = 4", "epochs = 1"))
    heard: list[TrainerEvent] = []
    train(folder, emit=heard.append, cancelled=lambda: False)
    warm = next(event for event in heard if isinstance(event, EpochEnded))
    cold_folder = make_run(make_run.items(), recipe.replace("epochs = 4", "epochs = 1"))
    cold: list[TrainerEvent] = []
    train(cold_folder, emit=cold.append, cancelled=lambda: False)
    fresh = next(event for event in cold if isinstance(event, EpochEnded))
    assert warm.loss < fresh.loss / 3


def test_another_network_starts_from_scratch(make_run: RunMaker, recipe: str) -> None:
    _, folder = champion_and_candidate(
        make_run, make_run.items(), recipe, recipe.replace("filters = 16", "filters = 12")
    )
    card, _ = train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert card.network["text"]["filters"] == 12


def test_a_champion_that_is_gone_does_not_stop_training(make_run: RunMaker) -> None:
    card, outcome = train(make_run(parent="gone"), emit=lambda _: None, cancelled=lambda: False)
    assert outcome.better
    assert "the files of the champion gone are not in this workspace; macro-F1" in outcome.reason
    assert card.champion_metrics == {}


def test_a_damaged_champion_does_not_stop_training_either(make_run: RunMaker) -> None:
    folder = make_run(parent="torn")
    (make_run.models / "torn").mkdir(parents=True)
    (make_run.models / "torn" / "card.json").write_text("{")
    card, outcome = train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert outcome.better
    assert "The champion torn cannot be used (The card" in outcome.reason
    assert card.champion_metrics == {}


def test_items_the_champion_was_trained_on_are_not_compared(make_run: RunMaker, recipe: str) -> None:
    first, folder = champion_and_candidate(make_run, make_run.items(), recipe)
    splits_file = make_run.models / first.name / "splits.json"
    splits = msgspec.json.decode(splits_file.read_bytes(), type=dict[str, str])
    held_out = sorted(name for name, split in splits.items() if split == "test")
    splits_file.write_bytes(msgspec.json.encode(splits | dict.fromkeys(held_out[:2], "train")))
    _, outcome = train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert "2 more held-out items are left out because the champion was trained on them." in outcome.reason
    assert f"the same {len(held_out) - 2} held-out" in outcome.reason
