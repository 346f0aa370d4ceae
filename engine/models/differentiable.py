"""A model's network in 32-bit floats through which gradients pass: what gradient methods of explanation ask.

Scoring may run in fewer bits and lets the floats of its backbones go; they are read again from the model's folder here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import ModelUnavailableError
from engine.models import checkpoint
from engine.models.backbones import HuggingFaceEncoder
from engine.models.checkpoint import Checkpoint
from engine.models.located import Located
from engine.models.multitask import CrossStitch
from engine.models.network import FusionNetwork
from engine.models.tokenizer import TextTokenizer


@dataclass(frozen=True)
class Differentiable:
    """A network, its backbones in 32-bit floats, in evaluation mode. Weights are never to be changed through it.

    `text` and `image` are the backbones, None where the network has none.
    """

    network: FusionNetwork
    text: nn.Module | None
    image: nn.Module | None
    tokenizer: TextTokenizer | None
    temperatures: dict[str, float]
    device: torch.device

    @classmethod
    def of(cls, loaded: Checkpoint, device: torch.device) -> Differentiable:
        """The network of a model in memory; backbones that were let go are read again.

        Raises:
            ModelUnavailableError: they were let go and came from no folder, or the folder is damaged.
        """
        network = loaded.network
        text, image = network.text, network.image
        if (text is None and network.text_features) or (image is None and network.image_features):
            whole = _read_again(loaded, device)
            text, image = text or whole.text, image or whole.image
        for part in (text, image):
            if part is not None:
                part.eval()
        return cls(network, text, image, loaded.tokenizer, loaded.card.temperatures, device)

    @property
    def last_block(self) -> nn.Module | None:
        """The last convolutional block of the image backbone, whose channels are maps of the screenshot."""
        return self.image.get_submodule("layer4") if self.image is not None else None

    @property
    def encoder(self) -> HuggingFaceEncoder | None:
        """The text backbone where it is an encoder with attention."""
        return self.text if isinstance(self.text, HuggingFaceEncoder) else None

    def locate(self, text: str) -> Located | None:
        """The tokens of a raw text; None where it is blank or the network reads no text."""
        if self.tokenizer is None or self.text is None or not text.strip():
            return None
        return self.tokenizer.locate(text)

    def embeddings(self, ids: Tensor) -> Tensor:
        """(T,) token numbers to their (T, width) embeddings, without position."""
        with torch.no_grad():
            embedded: Tensor = self._table()(ids.to(self.device))
        return embedded

    def text_vectors(self, ids: Tensor, embedded: Tensor, task: str) -> Tensor:
        """(n, Dt) vectors of n versions of one text: (T,) token numbers, and (n, T, width) embeddings in their place.

        What only other tasks than `task` read may be left out of the vectors.
        """
        assert self.text is not None
        rows = ids.to(self.device).expand(len(embedded), -1)
        wanted = ((task,),) if isinstance(self.text, CrossStitch) else ()
        # cuDNN's recurrent layers have no gradient in evaluation mode, torch's own have.
        with _standing_in(self._table(), embedded), torch.backends.cudnn.flags(enabled=False):
            vectors: Tensor = self.text(rows, torch.ones_like(rows, dtype=torch.bool), *wanted)
        return vectors

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(n, Di) vectors of (n, 3, S, S) float pixels in [0, 1]."""
        if self.image is None:
            return pixels.new_zeros((len(pixels), 0))
        vectors: Tensor = self.image(self.network.normalised(pixels))
        return vectors

    def probabilities(self, task: str, text: Tensor, image: Tensor) -> Tensor:
        """(n, L) calibrated probabilities of a task's labels from (n, Dt) and (n, Di) vectors."""
        head = next(one for one in self.network.spec.heads if one.task == task)
        logits = self.network.fuse(text, image)[task] / self.temperatures.get(task, 1.0)
        return logits.sigmoid() if head.multi else logits.softmax(dim=1)

    @contextmanager
    def watched(self, check: Callable[[], None]) -> Iterator[None]:
        """While this is open, `check` is called at every layer of the backbones, on the way forward and back.

        What it raises ends the calculation there, for a batch through both backbones takes longer than who asks to stop
        should wait.
        """

        def before(_layer: nn.Module, _inputs: object) -> None:
            check()

        def after(_layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(lambda _gradient: check())  # type: ignore[no-untyped-call]

        backbones = [part for part in (self.text, self.image) if part is not None]
        with ExitStack() as hooks:
            for layer in (module for part in backbones for module in part.modules() if not any(module.children())):
                for handle in (layer.register_forward_pre_hook(before), layer.register_forward_hook(after)):
                    hooks.callback(handle.remove)
            yield

    def _table(self) -> nn.Module:
        if isinstance(self.text, HuggingFaceEncoder):
            table: nn.Module = self.text.encoder.get_input_embeddings()
            return table
        assert self.text is not None
        return self.text.get_submodule("embedding")


@contextmanager
def _standing_in(table: nn.Module, embedded: Tensor) -> Iterator[None]:
    """While this is open, the table gives these embeddings whatever it is asked for."""
    handle = table.register_forward_hook(lambda *_: embedded)
    try:
        yield
    finally:
        handle.remove()


def _read_again(loaded: Checkpoint, device: torch.device) -> FusionNetwork:
    if loaded.source is None:
        raise ModelUnavailableError(
            f"Gradients of model {loaded.card.id!r} cannot be had: its weights in floats were let go.",
            "Load the model from its folder.",
        )
    return checkpoint.load(loaded.source, device).network
