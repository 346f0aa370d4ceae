"""From a model's folder to a scorer without torch, where a proof beside the model says that it may be so."""

from __future__ import annotations

from pathlib import Path

from engine.models import folders, processor, proof
from engine.models.bases import HEADS, REFITTED
from engine.models.bulk import bert, resnet, runtime
from engine.models.bulk.fusing import Fusion, Tensors
from engine.models.bulk.scorer import BulkScorer
from engine.models.bulk.tokens import EncoderTokens
from engine.models.bulk.work import Backbones
from engine.models.memory import give_back
from engine.models.proof import Ranges
from engine.models.registry import text_backbone
from engine.models.spec import NONE, NetworkSpec
from engine.models.vector_store import VectorStore, digest_of
from engine.models.weights import Arrays

_ENCODER = "text"
_BACKBONES = ("text.", "image.")


def load(folder: Path, features: Path | None = None) -> BulkScorer | None:
    """The model in `folder`; None where nothing proves that it may be scored so here and now.

    Args:
        folder: the model's, in which the proof is.
        features: where the vectors of its backbones are kept; nowhere if it is left out.

    Raises:
        ModelUnavailableError: the folder holds no sound model.
    """
    found = proof.read(folder, folders.read_card(folder), proof.BULK) if runtime.usable() else None
    made = make(folder, found.ranges) if found is not None else None
    if made is not None and features is not None:
        source = folders.source_of(folder)
        made.store = VectorStore.kept(made.widths, digest_of(made.spec, source), features)
    return made


def text_encoder(folder: Path) -> bert.Encoder | None:
    """The text encoder alone of the model in `folder`, in brief calls; None where it has none that can be run so.

    Raises:
        ModelUnavailableError: the folder holds no sound model.
    """
    _, spec, source = folders.checked(folder, None)
    found = _text(spec, source, processor.cores(), brief=True) if spec.text.backbone != NONE else None
    return found[1] if found is not None else None


def resnet_of(tensors: resnet.Tensors, ranges: Ranges, spec: NetworkSpec) -> resnet.Resnet:
    """The image backbone alone, from its tensors and what calibration found of them."""
    return resnet.Resnet(tensors, ranges, size=spec.image.size, threads=processor.cores())


def make(folder: Path, ranges: Ranges) -> BulkScorer | None:
    """The model in `folder`, proven or not; None where this way of calculating does not know its network.

    `ranges` are those that calibration found of the image backbone (`engine.models.int8.Int8ResNet`).

    Raises:
        ModelUnavailableError: the folder holds no sound model.
    """
    card, spec, source = folders.checked(folder, None)
    if source != folder:
        folders.check_digests(source, folders.WEIGHTS)
    tensors = _without_backbones(folder, source)
    threads = processor.cores()
    backbones = _backbones(spec, source, ranges, threads) if Fusion.knows(spec, tensors) else None
    if backbones is None:
        return None
    give_back()
    return BulkScorer(card, spec, backbones, Fusion(spec, tensors, card.temperatures), threads)


def _without_backbones(folder: Path, source: Path) -> Tensors:
    """Fusion, heads and the vectors of missing parts; of a refit, its own fusion and heads."""
    own = source == folder
    weights = Arrays(source / folders.WEIGHTS)
    left_out = _BACKBONES if own else (*_BACKBONES, *REFITTED)
    found = {name: weights[name] for name in weights if not name.startswith(left_out)}
    return found if own else {**found, **Arrays(folder / HEADS)}


def _backbones(spec: NetworkSpec, source: Path, ranges: Ranges, threads: int) -> Backbones | None:
    tokens = text = image = None
    if spec.text.backbone != NONE:
        found = _text(spec, source, threads)
        if found is None:
            return None
        tokens, text = found
    if spec.image.backbone != NONE:
        image = resnet_of(Arrays(source / folders.WEIGHTS, "image."), ranges, spec)
    return Backbones(tokens, text, image)


def _text(
    spec: NetworkSpec, source: Path, threads: int, *, brief: bool = False
) -> tuple[EncoderTokens, bert.Encoder] | None:
    if not text_backbone(spec.text.backbone).encoder:
        return None
    shape = bert.read_shape(source / _ENCODER / "config.json")
    tokens = EncoderTokens.load(source / _ENCODER, spec.text, shape.pad_token_id) if shape is not None else None
    if shape is None or tokens is None:
        return None
    tensors, mean = Arrays(source / folders.WEIGHTS, "text.encoder."), spec.text.pooling == "mean"
    return tokens, bert.Encoder(shape, tensors, limit=tokens.limit, mean=mean, threads=threads, brief=brief)
