"""Which models are scored without torch, and that it is really not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.errors import ModelUnavailableError
from engine.models import folders, lean, proof
from engine.models.bulk import loading, runtime
from engine.models.bulk.loading import load, make
from engine.models.predictor import Predictor
from engine.models.proof import Ranges
from engine.models.spec import FusionSpec, NetworkSpec
from engine.models.vector_store import VectorStore
from engine.types import ItemContent

MakeModel = Callable[..., Path]
MakeItems = Callable[[int], list[ItemContent]]
Prove = Callable[[Path], None]

WITHOUT_TORCH = """
import sys
from pathlib import Path
from engine.models.bulk.loading import load
from engine.types import ItemContent
scorer = load(Path(sys.argv[1]), Path(sys.argv[2]))
(part,) = scorer.predict_stream([ItemContent(id="i", kind="tweet", text="a calm river", capture=sys.argv[3])])
scorer.keep_vectors()
print(len(part), sorted({"torch", "transformers", "torchvision", "openvino_telemetry"} & set(sys.modules)))
"""


@pytest.fixture
def folder(with_encoder: NetworkSpec, make_model: MakeModel) -> Path:
    return make_model(with_encoder)


@pytest.mark.usefixtures("any_cpu")
def test_only_a_proven_model_is_loaded(folder: Path, prove: Prove) -> None:
    assert load(folder) is None
    prove(folder)
    assert load(folder) is not None


@pytest.mark.usefixtures("any_cpu")
@pytest.mark.parametrize("what", ["version", "weights", "processor"])
def test_a_proof_of_something_else_is_none(
    folder: Path, prove: Prove, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    prove(folder)
    if what == "version":
        monkeypatch.setattr(proof, "version_of", lambda _: "9.9")
    elif what == "weights":
        digests = msgspec.json.decode((folder / folders.DIGESTS).read_bytes(), type=dict[str, str])
        (folder / folders.DIGESTS).write_bytes(msgspec.json.encode(digests | {folders.WEIGHTS: "0" * 64}))
    else:
        monkeypatch.setattr("engine.models.processor.cpu_features", lambda: frozenset({"sse2"}))
    assert load(folder) is None


def test_without_the_package_there_is_nothing_to_ask(
    folder: Path, prove: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(folder)
    monkeypatch.setattr(runtime, "version_of", lambda _: "")
    monkeypatch.setattr(loading, "make", None)  # calling it would fail
    assert load(folder) is None


@pytest.mark.usefixtures("any_cpu")
def test_damage_is_told(folder: Path, prove: Prove) -> None:
    prove(folder)
    (folder / folders.WEIGHTS).write_bytes(b"no")
    with pytest.raises(ModelUnavailableError, match="damaged"):
        load(folder)


def test_networks_that_it_does_not_know_are_left_alone(
    spec: NetworkSpec, with_encoder: NetworkSpec, make_model: MakeModel, ranges: Ranges
) -> None:
    late = msgspec.structs.replace(with_encoder, fusion=FusionSpec(kind="late"))
    assert make(make_model(spec, "cnn"), ranges) is None
    assert make(make_model(late, "late"), ranges) is None
    slow = make_model(with_encoder, "slow")
    (slow / "text" / "config.json").write_text('{"model_type": "longformer"}')
    with pytest.raises(ModelUnavailableError):
        make(slow, ranges)


@pytest.mark.usefixtures("quick_check")
def test_the_predictors_check_proves_it(folder: Path, make_items: MakeItems, tmp_path: Path) -> None:
    predictor = Predictor.load(folder, "cpu")
    items = make_items(64)
    predictor.predict(items)
    assert load(folder) is None
    predictor.predict(items)
    kept = proof.read(folder, predictor.card, proof.BULK)
    assert kept is not None
    assert kept.items == 64
    assert proof.read(folder, predictor.card) is not None
    scorer = load(folder, tmp_path / "features")
    assert scorer is not None
    expected = {one.item: one.probability for one in predictor.predict(items) if one.task == "toxicity"}
    found = {one.item: one.probability for part in scorer.predict_stream(items) for one in part if one.task != "reason"}
    assert np.mean([abs(found[item] - expected[item]) for item in found]) < 0.03
    scorer.keep_vectors()
    assert len(VectorStore.of(predictor.loaded, tmp_path / "features")) >= 60  # of the same backbones


@pytest.mark.usefixtures("quick_check")
def test_what_differs_is_not_used(folder: Path, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.models.bulk.fusing import Fusion

    tables = Fusion.tables
    monkeypatch.setattr(
        Fusion, "tables", lambda self, *of: {task: 1 - found for task, found in tables(self, *of).items()}
    )
    predictor = Predictor.load(folder, "cpu")
    for _ in range(2):
        predictor.predict(make_items(64))
    assert proof.read(folder, predictor.card) is not None
    assert load(folder) is None


@pytest.mark.usefixtures("quick_check")
def test_a_tokenizer_that_differs_without_transformers_is_not_used(
    folder: Path, make_items: MakeItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.bulk.tokens.input_text", lambda text, spec: text[:5])
    predictor = Predictor.load(folder, "cpu")
    for _ in range(2):
        predictor.predict(make_items(64))
    assert proof.read(folder, predictor.card) is not None
    assert load(folder) is None


def test_the_process_has_neither_torch_nor_what_reports_home(
    folder: Path, prove: Prove, tmp_path: Path, make_capture: Callable[..., str]
) -> None:
    if not runtime.usable():
        pytest.skip("this CPU does not multiply 8-bit integers fast, so that bulk scoring is not used")
    prove(folder)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folder), str(tmp_path / "features"), make_capture()]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ended.stdout.split(maxsplit=1) == ["1", "[]\n"]


@pytest.mark.usefixtures("quick_check")
def test_explanations_read_texts_as_bulk_scoring_does_where_it_is_proven(folder: Path, make_items: MakeItems) -> None:
    checked = Predictor.load(folder, "cpu")
    for _ in range(2):
        checked.predict(make_items(64))
    texts = [item.text for item in make_items(6)]
    packed = lean.load(folder)
    assert packed is not None
    assert packed[1].packed is not None
    found = Predictor.load(folder, "cpu").text_vectors(texts)
    (folder / proof.BULK.file).unlink()
    alone = lean.load(folder)
    assert alone is not None
    assert alone[1].packed is None
    np.testing.assert_allclose(found.numpy(), Predictor.load(folder, "cpu").text_vectors(texts).numpy(), atol=0.1)
