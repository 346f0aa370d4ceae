"""What reviewers crossed out, hidden and planted, and the penalty on it, beside answers worked out another way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from engine.errors import CancelledError, InputError
from engine.models.images import prepare_capture
from engine.models.network import TextBatch
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec
from engine.models.tokenizer import TextTokenizer, tokenizer_for
from engine.service.protocol import EpochEnded
from engine.training.crossed_out import CrossedOutParts, cells_of, without, words_of
from engine.training.data import Examples, Inputs
from engine.training.penalty import Penalty
from engine.training.recipe import CrossedOutRecipe, Recipe, dump_recipe, load_recipe
from engine.training.run import train
from engine.types import Box, CrossedOut, ItemContent, Mark, TrainingItem

SIZE = 32
SPEC = NetworkSpec(
    heads=(HeadSpec(task="mood", labels=("warm", "cold")),),
    text=TextSpec(vocabulary=300, width=8, filters=8, windows=(1, 2)),
    image=ImageSpec(size=SIZE),
)
BADGE: Box = (8.0, 8.0, 8.0, 8.0)
LARGE: Box = (0.0, 0.0, 40.0, 24.0)


def region(*boxes: Box) -> CrossedOut:
    return CrossedOut(kind=Mark.REGION, boxes=boxes)


def word(field: str, start: int, end: int) -> CrossedOut:
    return CrossedOut(kind=Mark.WORD, field=field, start=start, end=end)


def picture(path: Path, value: int) -> str:
    Image.new("RGB", (64, 64), (value, value, value)).save(path)
    return str(path)


@pytest.fixture
def items(tmp_path: Path) -> list[TrainingItem]:
    """Two warm items (grey 50, 60) and two cold ones (200, 210); a badge and "offer" are crossed out of the first."""
    made = []
    for number, value in enumerate((50, 60, 200, 210)):
        label = "warm" if number < 2 else "cold"
        content = ItemContent(
            id=f"i{number}", kind="tweet", text=f"an offer {number}", capture=picture(tmp_path / f"{number}.png", value)
        )
        crossed = (region(BADGE), word("text", 3, 8)) if number == 0 else ()
        made.append(TrainingItem(content=content, labels={"mood": (label,)}, group=f"g{number}", crossed_out=crossed))
    return made


def parts_of(items: list[TrainingItem], hide: float, plant: float) -> tuple[CrossedOutParts, Examples, TextTokenizer]:
    tokenizer = tokenizer_for(SPEC, (item.content.text for item in items))
    assert tokenizer is not None
    examples = Examples(items, SPEC, tokenizer, cache_bytes=1 << 20, check=lambda: None)
    settings = CrossedOutRecipe(hide=hide, plant=plant)
    return CrossedOutParts(items, examples, SPEC, tokenizer, settings), examples, tokenizer


def words_in(inputs: Inputs) -> list[list[int]]:
    assert inputs.text is not None
    return [row[mask].tolist() for row, mask in zip(inputs.text.ids, inputs.text.mask, strict=True)]


def greys(inputs: Inputs, place: int) -> tuple[set[int], set[int]]:
    """The grey values inside the badge's place in the square, and outside of it."""
    square = (255 * inputs.pixels[place, 0]).round().int()
    inside = square[3:9, 3:9]
    outside = square.clone()
    outside[3:9, 3:9] = -1
    return set(inside.flatten().tolist()), set(outside.flatten().tolist()) - {-1}


# --- where ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "top"), [(64, 64, 0), (97, 51, 0), (600, 340, 37), (33, 32, 5), (20, 150, 0)]
)
def test_the_square_differs_only_inside_of_what_is_crossed_out(
    tmp_path: Path, width: int, height: int, top: int
) -> None:
    draw = np.random.default_rng(width)
    spec = ImageSpec(size=SIZE, crop_top=top)
    boxes: tuple[Box, ...] = ((width * 0.3, height * 0.4, width * 0.21, height * 0.3), (0.0, top + 1.0, 5.0, 6.0))
    pixels = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    seen = []
    for number in range(2):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        content = ItemContent(id="i", kind="tweet", capture=str(tmp_path / f"{number}.png"))
        square = prepare_capture(content, spec)
        assert square is not None
        seen.append(square.astype(int))
        for x, y, wide, high in boxes:
            place = slice(int(y), int(np.ceil(y + high))), slice(int(x), int(np.ceil(x + wide)))
            pixels[place] = 255 - pixels[place]
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    item = TrainingItem(content=content, labels={}, group="g", crossed_out=(region(*boxes),))
    cells = cells_of(item, spec)
    for left, upper, right, lower in cells:
        mask[upper:lower, left:right] = True
    different = np.abs(seen[0] - seen[1]).max(axis=2) > 0
    assert different.any()
    assert not (different & ~mask).any()
    assert mask.sum() < 3 * different.sum() + 60, "and not much more than that"


def test_words_are_found_in_what_the_model_reads() -> None:
    content = ItemContent(id="i", kind="product", title="Big sale", text="sale of tea")
    marks = (word("text", 8, 11), word("title", 4, 8), region(BADGE))
    item = TrainingItem(content=content, labels={}, group="g", crossed_out=marks)
    spans = words_of(item)
    assert [("Big sale\nsale of tea")[start:end] for start, end in spans] == ["sale", "tea"]
    assert without("Big sale\nsale of tea", spans) == "Big \nsale of "
    blank = TrainingItem(
        content=ItemContent(id="i", kind="tweet", title=" ", text="tea"),
        labels={},
        group="g",
        crossed_out=(word("text", 0, 3),),
    )
    assert words_of(blank) == ((0, 3),)


def test_a_screenshot_that_is_gone_has_no_cells(tmp_path: Path) -> None:
    content = ItemContent(id="i", kind="tweet", capture=str(tmp_path / "gone.png"))
    item = TrainingItem(content=content, labels={}, group="g", crossed_out=(region(BADGE),))
    assert cells_of(item, ImageSpec(size=SIZE)) == ()


# --- hidden and planted -----------------------------------------------------------------------------------------


def test_what_is_hidden_is_filled_with_an_item_of_another_label(items: list[TrainingItem]) -> None:
    parts, examples, tokenizer = parts_of(items, 1.0, 0.0)
    inputs = parts.inputs([0, 1, 2], seed=1, step=1)
    assert greys(inputs, 0) == ({200}, {50})
    assert [greys(inputs, place) for place in (1, 2)] == [({60}, {60}), ({200}, {200})]
    assert words_in(inputs) == tokenizer.encode(["an  0", "an offer 1", "an offer 2"])
    plain = examples.inputs([0, 1, 2])
    assert greys(plain, 0) == ({50}, {50}), "the kept squares are as they were"


def test_without_another_label_in_the_batch_a_region_is_filled_with_the_mean_colour(items: list[TrainingItem]) -> None:
    parts, _, _ = parts_of(items, 1.0, 0.0)
    assert greys(parts.inputs([0, 1], seed=1, step=1), 0) == ({round(255 * 0.485)}, {50})


def test_what_is_planted_goes_to_other_labels_only(items: list[TrainingItem]) -> None:
    parts, _, tokenizer = parts_of(items, 0.0, 1.0)
    inputs = parts.inputs([0, 1, 2, 3], seed=1, step=1)
    assert [greys(inputs, place) for place in range(4)] == [
        ({50}, {50}),
        ({60}, {60}),
        ({50}, {200}),
        ({50}, {210}),
    ]
    ids = words_in(inputs)
    assert ids[:2] == tokenizer.encode(["an offer 0", "an offer 1"])
    for place in (2, 3):
        assert ids[place] in tokenizer.encode([f"offer an offer {place}", f"an offer {place} offer"])


def test_a_region_that_covers_much_of_the_page_is_hidden_but_never_planted(items: list[TrainingItem]) -> None:
    items[0] = msgspec.structs.replace(items[0], crossed_out=(region(LARGE),))
    parts, _, _ = parts_of(items, 1.0, 1.0)
    inputs = parts.inputs([0, 2], seed=1, step=1)
    assert greys(inputs, 1) == ({200}, {200})
    assert greys(inputs, 0)[0] == {200}


def test_shares_are_kept_and_the_same_step_gives_the_same(items: list[TrainingItem]) -> None:
    parts, _, _ = parts_of(items, 0.25, 0.0)
    drawn = [greys(parts.inputs([0, 2], seed=3, step=step), 0)[0] == {200} for step in range(400)]
    assert 0.18 < sum(drawn) / 400 < 0.32
    again = [greys(parts.inputs([0, 2], seed=3, step=step), 0)[0] == {200} for step in range(20)]
    assert again == drawn[:20]


# --- the penalty ------------------------------------------------------------------------------------------------


class Straight(nn.Module):
    """Logits that are linear in the pixels and in the mean embedding, so that the penalty has a closed form."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.by_pixels = nn.Parameter(torch.randn(2, 3, SIZE, SIZE, generator=generator) / 50)
        self.by_words = nn.Parameter(torch.randn(2, 8, generator=generator))
        self.text = nn.Module()
        self.text.embedding = nn.Embedding(300, 8)
        self.spec = SPEC

    def forward(self, inputs: Inputs) -> dict[str, Tensor]:
        assert inputs.text is not None
        embedded = self.text.get_submodule("embedding")(inputs.text.ids)
        words = torch.einsum("btd,kd->bk", embedded, self.by_words)
        return {"mood": torch.einsum("bchw,kchw->bk", inputs.pixels, self.by_pixels) + words}


def test_the_penalty_is_the_squared_gradient_inside_of_what_is_crossed_out(items: list[TrainingItem]) -> None:
    parts, examples, tokenizer = parts_of(items, 0.0, 0.0)
    network: Any = Straight(torch.Generator().manual_seed(4))
    penalty = Penalty(items, parts, network, tokenizer, 3.0)
    rows = [2, 0]
    inputs = examples.inputs(rows)
    with penalty.watching(inputs) as watched:
        logits = network(inputs)
    found = penalty.of(rows, watched, logits)
    assert isinstance(found, Tensor)
    shares = logits["mood"][1].softmax(dim=0).detach()
    lean = 1 - 2 * shares  # the gradient of the summed log-probabilities by the logits: 1 - K p
    mask = torch.zeros(SIZE, SIZE)
    ((left, top, right, bottom),) = parts.cells[0]
    mask[top:bottom, left:right] = 1
    by_pixels = torch.einsum("k,kchw->chw", lean, network.by_pixels.detach()) * mask
    located = tokenizer.locate("an offer 0")
    tokens = sum(start < 8 and end > 3 for start, end in located.spans)
    by_words = tokens * (lean @ network.by_words.detach()).square().sum()
    assert tokens > 0
    assert found.item() == pytest.approx(3.0 * float(by_pixels.square().sum() + by_words), rel=1e-4)
    found.backward()  # type: ignore[no-untyped-call]
    assert network.by_pixels.grad is not None
    assert float(network.by_pixels.grad.abs().sum()) > 0


def test_items_without_marks_have_no_penalty(items: list[TrainingItem]) -> None:
    parts, examples, tokenizer = parts_of(items, 0.0, 0.0)
    network: Any = Straight(torch.Generator().manual_seed(4))
    penalty = Penalty(items, parts, network, tokenizer, 3.0)
    inputs = examples.inputs([1, 2, 3])
    with penalty.watching(inputs) as watched:
        logits = network(inputs)
    assert penalty.of([1, 2, 3], watched, logits) == 0.0


def test_a_text_that_was_changed_is_not_penalised(items: list[TrainingItem]) -> None:
    items[0] = msgspec.structs.replace(items[0], crossed_out=(word("text", 3, 8),))
    parts, _, tokenizer = parts_of(items, 1.0, 0.0)
    network: Any = Straight(torch.Generator().manual_seed(4))
    penalty = Penalty(items, parts, network, tokenizer, 3.0)
    inputs = parts.inputs([0], seed=0, step=0)
    with penalty.watching(inputs) as watched:
        logits = network(inputs)
    assert penalty.of([0], watched, logits) == 0.0
    assert isinstance(inputs.text, TextBatch)


# --- recipes and runs -------------------------------------------------------------------------------------------


def test_the_recipe_says_all_that_is_wrong_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load_recipe("[crossed_out]\nhide = 1.5\nplant = -0.1\npenalti = 3.0\n[crossedout]\n")
    for words in ("crossed_out.hide is 1.5", "crossed_out.plant is -0.1", "did you mean 'penalty'", "'crossed_out'"):
        assert words in caught.value.message
    recipe = Recipe(crossed_out=CrossedOutRecipe(hide=0.2, plant=0.1, penalty=10.0))
    assert load_recipe(dump_recipe(recipe)) == recipe


def crossed(items: list[TrainingItem]) -> list[TrainingItem]:
    """Cross the first word and a corner of every third item out."""
    found = []
    for number, item in enumerate(items):
        marks: tuple[CrossedOut, ...] = ()
        if number % 3 == 0:
            marks = (word("text", 0, item.content.text.index(" ")),)
            marks += (region((0.0, 0.0, 10.0, 10.0)),) if item.content.capture else ()
        found.append(msgspec.structs.replace(item, crossed_out=marks))
    return found


@pytest.mark.parametrize("penalty", [0.0, 5.0])
def test_a_cancelled_run_with_crossed_out_parts_resumes_to_the_very_same_weights(
    make_run: Any, listener: Any, same_weights: Callable[[Path, Path], bool], image_recipe: str, penalty: float
) -> None:
    items = crossed(make_run.items(24, captures=True))
    recipe = f"{image_recipe.replace('epochs = 4', 'epochs = 2')}\n[crossed_out]\npenalty = {penalty}\n"
    whole, broken, untold = (
        make_run(items, recipe),
        make_run(items, recipe),
        make_run(items, image_recipe.replace("epochs = 4", "epochs = 2") + "[crossed_out]\nhide = 0.0\nplant = 0.0\n"),
    )
    train(whole, emit=listener(), cancelled=lambda: False)
    heard = listener(until=lambda event: isinstance(event, EpochEnded))
    with pytest.raises(CancelledError):
        train(broken, emit=heard, cancelled=heard.cancelled)
    train(broken, emit=listener(), cancelled=lambda: False)
    assert same_weights(whole / "candidate", broken / "candidate")
    train(untold, emit=listener(), cancelled=lambda: False)
    assert not same_weights(whole / "candidate", untold / "candidate")


@pytest.mark.parametrize("backbone", ["bert-tiny", "bilstm", "cross-stitch"])
def test_every_text_backbone_can_be_penalised(make_run: Any, recipe: str, backbone: str) -> None:
    settings = recipe.replace("[text]", f'[text]\nbackbone = "{backbone}"\nhidden = 8').replace(
        "epochs = 4", "epochs = 1"
    )
    weights = []
    for penalty in (0.0, 50.0):
        folder = make_run(crossed(make_run.items(24)), f"{settings}[crossed_out]\npenalty = {penalty}\n")
        card, _ = train(folder, emit=lambda _: None, cancelled=lambda: False)
        weights.append(card.weights)
    assert weights[0] != weights[1]


def test_an_old_snapshot_without_crossed_out_parts_is_read(make_run: Any, recipe: str) -> None:
    folder = make_run(make_run.items(24), recipe.replace("epochs = 4", "epochs = 1"))
    lines = [msgspec.json.decode(line) for line in (folder / "snapshot.jsonl").read_bytes().splitlines()]
    for line in lines:
        del line["crossed_out"]
    (folder / "snapshot.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    card, _ = train(folder, emit=lambda _: None, cancelled=lambda: False)
    assert sum(card.counts[split] for split in ("train", "val", "test")) == 24
