"""BiLSTM backbones for several tasks: no padding in any answer, and a slice of the text vector for each task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
import torch

from engine.errors import InputError
from engine.models import checkpoint
from engine.models.batches import text_batch
from engine.models.multitask import BiLstm, CrossStitch, HardSharing, turned_round
from engine.models.network import FusionNetwork, build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec, check
from engine.models.tokenizer import TextTokenizer
from engine.types import ItemContent

BACKBONES = ["bilstm", "cross-stitch"]
TEXTS = ([5, 6, 7, 8, 9, 10, 11], [12, 13], [14], [15, 16, 17, 18])

MakeModel = Callable[..., Path]


def multi(spec: NetworkSpec, backbone: str, *, image: str = "none") -> NetworkSpec:
    text = TextSpec(backbone=backbone, max_tokens=16, vocabulary=400, width=6, hidden=4, layers=2, dropout=0.0)
    return msgspec.structs.replace(
        spec, text=text, image=ImageSpec(backbone=image, size=32), fusion=FusionSpec(hidden=(5,), dropout=0.0)
    )


def make(spec: NetworkSpec, tokenizer: TextTokenizer) -> FusionNetwork:
    torch.manual_seed(3)
    return build(spec, tokenizer).eval()


def vectors(network: FusionNetwork, ids: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    with torch.inference_mode():
        return network.encode_text(text_batch(ids, [True] * len(ids), pad))


def test_layers_are_those_of_torch_on_packed_sequences() -> None:
    torch.manual_seed(0)
    ours, theirs = BiLstm(3, 4, 2, 0.0).eval(), torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    for layer in range(2):
        for direction, suffix in ((ours.ahead, ""), (ours.behind, "_reverse")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                weight = direction[layer].get_parameter(f"{name}_l0")
                theirs.get_parameter(f"{name}_l{layer}{suffix}").data.copy_(weight)
    lengths = torch.tensor([5, 1, 3])
    values, mask = torch.randn(3, 5, 3), torch.arange(5) < lengths.unsqueeze(1)
    packed = torch.nn.utils.rnn.pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(values, turned_round(mask))[mask], expected[mask])


def test_turning_round_leaves_padding_in_place_and_undoes_itself() -> None:
    places = turned_round(torch.tensor([[True, True, True, False], [True, False, False, False]]))
    assert places.tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]
    assert torch.equal(places.gather(1, places), torch.arange(4).expand(2, 4))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_padding_never_changes_an_answer(spec: NetworkSpec, tokenizer: TextTokenizer, backbone: str) -> None:
    network = make(multi(spec, backbone), tokenizer)
    together = vectors(network, TEXTS, tokenizer.pad)
    for row, ids in enumerate(TEXTS):
        torch.testing.assert_close(together[row], vectors(network, [ids], tokenizer.pad)[0])
    wider = vectors(network, [*TEXTS, [20] * 15], tokenizer.pad)
    torch.testing.assert_close(wider[: len(TEXTS)], together)
    assert together.var(dim=0).min() > 0


def test_what_stands_at_padding_does_not_matter(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    network = make(multi(spec, "cross-stitch"), tokenizer)
    batch = text_batch(TEXTS, [True] * len(TEXTS), tokenizer.pad)
    scribbled = batch.ids.masked_fill(~batch.mask, 33)
    assert network.text is not None
    torch.testing.assert_close(network.text(scribbled, batch.mask), network.text(batch.ids, batch.mask))


def test_hard_sharing_gives_one_vector_for_all_tasks(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    network = make(multi(spec, "bilstm"), tokenizer)
    assert isinstance(network.text, HardSharing)
    assert network.text_features == 8


def test_a_cross_stitched_vector_is_the_mixture_that_the_paper_describes(
    spec: NetworkSpec, tokenizer: TextTokenizer
) -> None:
    network = make(multi(spec, "cross-stitch"), tokenizer)
    text = network.text
    assert isinstance(text, CrossStitch)
    with torch.no_grad():
        text.gates.copy_(torch.tensor([-1.0, 2.0]))
    ids = torch.tensor([TEXTS[0]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    turned, embedded = turned_round(mask), text.embedding(ids)
    for place, private in enumerate([1 / (1 + 2.718281828459045), 1 / (1 + 2.718281828459045**-2)]):
        assert text.private_shares[place].item() == pytest.approx(private)
        mixed = private * text.private[place](embedded, turned) + (1 - private) * text.shared(embedded, turned)
        expected = text.decoders[place](mixed, turned).amax(dim=1)
        torch.testing.assert_close(text(ids, mask)[:, place * 8 : place * 8 + 8], expected)


@pytest.mark.parametrize("image", ["none", "resnet18"])
def test_each_head_reads_its_own_slice_only(spec: NetworkSpec, tokenizer: TextTokenizer, image: str) -> None:
    network = make(multi(spec, "cross-stitch", image=image), tokenizer)
    torch.manual_seed(1)
    text = torch.randn(3, network.text_features, requires_grad=True)
    picture = torch.randn(3, network.image_features, requires_grad=True)
    logits = network.fuse(text, picture)
    assert {task: tuple(one.shape) for task, one in logits.items()} == {"toxicity": (3, 2), "reason": (3, 3)}
    for place, head in enumerate(spec.heads):
        (touched,) = torch.autograd.grad(logits[head.task].square().sum(), text, retain_graph=True)
        seen = touched.abs().sum(dim=0).reshape(2, 8).sum(dim=1) > 0
        assert seen.tolist() == [place == 0, place == 1]
        if image != "none":
            (moved,) = torch.autograd.grad(logits[head.task].square().sum(), picture, retain_graph=True)
            assert moved.abs().sum() > 0


def test_slices_are_normalised_apart(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    network = make(multi(spec, "cross-stitch"), tokenizer)
    text = torch.randn(2, 16)
    slices = network.features(text, torch.zeros(2, 0)).reshape(2, 2, 8)
    expected = torch.nn.functional.layer_norm(text.reshape(2, 2, 8), (8,))
    torch.testing.assert_close(slices, expected)


def test_only_wanted_tasks_are_computed_and_only_they_learn(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    network = make(multi(spec, "cross-stitch"), tokenizer)
    batch = text_batch(TEXTS, [True] * len(TEXTS), tokenizer.pad)
    partly, whole = network.encode_text(batch, {"reason"}), network.encode_text(batch)
    torch.testing.assert_close(partly[:, 8:], whole[:, 8:])
    assert partly[:, :8].abs().sum() == 0
    partly.sum().backward()  # type: ignore[no-untyped-call]
    assert isinstance(network.text, CrossStitch)
    assert all(weight.grad is None for weight in network.text.private[0].parameters())
    assert all(weight.grad is not None for weight in network.text.private[1].parameters())
    assert all(weight.grad is not None for weight in network.text.shared.parameters())
    gates = network.text.gates.grad
    assert gates is not None
    assert (gates != 0).tolist() == [False, True]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_weight_takes_part(spec: NetworkSpec, tokenizer: TextTokenizer, backbone: str) -> None:
    network = make(multi(spec, backbone), tokenizer)
    batch = text_batch(TEXTS, [True, True, True, False], tokenizer.pad)
    logits = network.fuse(network.encode_text(batch), torch.zeros(4, 0))
    torch.stack([one.square().sum() for one in logits.values()]).sum().backward()  # type: ignore[no-untyped-call]
    still = {name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert still <= {"missing_image"}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_saved_model_gives_the_same_verdicts(make_model: MakeModel, spec: NetworkSpec, backbone: str) -> None:
    folder = make_model(multi(spec, backbone, image="resnet18"))
    loaded = checkpoint.load(folder)
    assert loaded.network.spec.text.backbone == backbone
    contents = [
        ItemContent(id=f"i{row}", kind="product", text="a stone bridge " * (row + 1) if row else "") for row in range(5)
    ]
    predictor = Predictor.load(folder, "cpu")
    verdicts = predictor.predict(contents)
    assert {one.task for one in verdicts} == {"toxicity", "reason"}
    text = predictor.text_vectors([predictor.text_of(one) for one in contents])
    assert text.shape == (5, loaded.network.text_features)
    picture = predictor.missing_image.expand(5, -1)
    table = predictor.probabilities("toxicity", text, picture)
    told = [one.probabilities["toxic"] for one in verdicts if one.task == "toxicity"]
    assert told == pytest.approx(table[:, 0].tolist(), abs=1e-6)
    assert torch.equal(text[0], predictor.missing_text)


def test_weights_have_names_that_stay(spec: NetworkSpec, tokenizer: TextTokenizer) -> None:
    names = set(make(multi(spec, "cross-stitch"), tokenizer).state_dict())
    assert {
        "text.gates",
        "text.embedding.weight",
        "text.shared.ahead.0.weight_ih_l0",
        "text.private.1.behind.1.weight_hh_l0",
        "text.decoders.0.ahead.0.bias_ih_l0",
        "text_norm.weight",
        "fusion.parts.1.0.weight",
        "heads.toxicity.weight",
    } <= names


def test_late_fusion_would_mix_the_slices_and_is_refused(spec: NetworkSpec) -> None:
    late = msgspec.structs.replace(multi(spec, "cross-stitch"), fusion=FusionSpec(kind="late"))
    with pytest.raises(InputError, match="cross-stitch"):
        check(late)


def test_odd_sizes_are_named() -> None:
    head = HeadSpec(task="t", labels=("a", "b"))
    with pytest.raises(InputError, match=r"text\.hidden is 0.*"):
        check(NetworkSpec(heads=(head,), text=TextSpec(backbone="bilstm", hidden=0)))
