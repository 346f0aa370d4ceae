"""A fusion model whose evidence is known: the word "glorp", and how red the screenshot's top left quarter is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw

from engine.models.images import prepare_capture
from engine.models.spec import ImageSpec
from engine.models.text import model_text
from engine.types import Box, ItemContent, ModelCard

SIZE = 96


class FakeModel:
    """P(toxic) = sigmoid(text · "glorp" count + image · red excess of the top left quarter); counts its own work."""

    def __init__(self, text: float = 2.0, image: float = 4.0) -> None:
        self.card = ModelCard(id="fake", created="", recipe="", tasks={"toxicity": ("toxic", "non-toxic")})
        self.missing_text = torch.zeros(1)
        self.missing_image = torch.zeros(1)
        self.device_name = "CPU, 1 thread"
        self.packs_images = False
        self.packs_texts = False
        self._text, self._image = text, image
        self.most_words = 10_000
        self.spare = 0
        self.texts: list[str] = []
        self.images = 0
        self.remembered: list[tuple[str, bool, tuple[int, ...], tuple[int, ...]]] = []

    def text_of(self, content: ItemContent) -> str:
        return model_text(content)

    def reads_all(self, text: str) -> bool:
        return len(text.split()) <= self.most_words

    def pixels(self, content: ItemContent) -> npt.NDArray[np.float32] | None:
        square = prepare_capture(content, ImageSpec(size=SIZE))
        return None if square is None else np.ascontiguousarray(square.transpose(2, 0, 1) / np.float32(255))

    def text_vectors(self, texts: Sequence[str]) -> torch.Tensor:
        self.texts += texts
        return torch.tensor([[float(text.count("glorp"))] for text in texts])

    def text_vectors_in_turn(
        self, texts: Iterable[str], stops: Sequence[int]
    ) -> Generator[torch.Tensor | None, None, None]:
        """A part has room for `spare` more texts than it must have."""
        rest, done = iter(texts), 0
        for stop in stops:
            part = list(islice(rest, stop + self.spare - done))
            done += len(part)
            yield None
            yield self.text_vectors(part)

    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        self.images += len(pixels)
        corner = pixels[:, :, : SIZE // 2, : SIZE // 2].mean(dim=(2, 3))
        return (corner[:, :1] - corner[:, 1:2]).float()

    def square_vectors_in_turn(
        self, parts: Iterable[Callable[[], Sequence[npt.NDArray[np.uint8]]]]
    ) -> Generator[torch.Tensor | None, None, None]:
        for part in parts:
            yield self.image_vectors(torch.from_numpy(np.stack(part())).permute(0, 3, 1, 2) / 255)

    def probabilities(self, task: str, text: torch.Tensor, image: torch.Tensor) -> npt.NDArray[np.float64]:
        toxic = torch.sigmoid(self._text * text + self._image * image - 1).double()
        return torch.cat([toxic, 1 - toxic], dim=1).numpy()

    def crossed(self, task: str, text: torch.Tensor, image: torch.Tensor) -> npt.NDArray[np.float64]:
        pairs = text.repeat_interleave(len(image), 0), image.repeat(len(text), 1)
        return self.probabilities(task, *pairs).reshape(len(text), len(image), -1)

    def remember(
        self,
        content: ItemContent,
        pixels: npt.NDArray[np.float32] | None,
        text: torch.Tensor,
        image: torch.Tensor,
    ) -> None:
        self.remembered.append((content.id, pixels is not None, tuple(text.shape), tuple(image.shape)))


MakeItem = Callable[..., ItemContent]


@pytest.fixture(autouse=True, scope="session")
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def fake() -> FakeModel:
    return FakeModel()


@pytest.fixture
def make_fake() -> Callable[..., FakeModel]:
    return FakeModel


@pytest.fixture
def page(tmp_path: Path) -> str:
    """A white page with a red badge at the top left, a blue picture at the bottom right, and lines like text."""
    image = Image.new("RGB", (300, 240), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 79, 59), fill=(220, 30, 30))
    draw.rectangle((180, 130, 279, 219), fill=(40, 80, 200))
    draw.ellipse((200, 150, 240, 190), fill=(240, 220, 60))
    for y in (90, 110):
        for x in range(20, 140, 6):
            draw.line((x, y, x + 3, y + 8), fill=(30, 30, 30), width=2)
    path = tmp_path / "page.png"
    image.save(path)
    return str(path)


@pytest.fixture
def make_item(page: str) -> MakeItem:
    """The page with a text; every field can be given."""

    def make(
        text: str = "the glorp went home",
        title: str = "",
        capture: str | None = page,
        regions: dict[str, tuple[Box, ...]] | None = None,
    ) -> ItemContent:
        return ItemContent(id="one", kind="tweet", title=title, text=text, capture=capture, regions=regions or {})

    return make
