"""Words and superpixels hidden together, against one regression over all pairs and against all versions there are."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from engine.explain import explain, joint
from engine.explain.designs import Design, coin_flips, folded, listed
from engine.explain.joint import CONTEXTS, Answers, _half, as_it_is, contexts_of
from engine.explain.model import Question
from engine.explain.sampling import Answer, Sampler, in_batches
from engine.explain.surrogate import Masks, Values, distances, kernel
from engine.explain.versions import every_version
from engine.models.checkpoint import Checkpoint
from engine.models.network import build
from engine.models.predictor import Predictor
from engine.models.spec import FusionSpec, HeadSpec, ImageSpec, NetworkSpec, TextSpec
from engine.models.tokenizer import tokenizer_for
from engine.types import ItemContent, ModelCard

WIDTH = 0.25
WORDS, SUPERPIXELS = 7, 9


class Part:
    """A row's vector is the row itself."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.asked = 0

    def design(self, samples: int, seed: int) -> Design:
        return folded(samples, self.features, np.random.RandomState(seed))

    def batches(self, masks: Masks) -> Iterator[npt.NDArray[np.intp]]:
        return iter(np.array_split(np.arange(len(masks)), 3))

    def answers(self, masks: Masks, stops: Sequence[int]) -> Generator[Answer, None, None]:
        return in_batches(self, masks[: stops[0]])

    def vectors(self, masks: Masks) -> torch.Tensor:
        self.asked += len(masks)
        return torch.from_numpy(masks.astype(np.float64))


def answer(words: Values, superpixels: Values) -> Values:
    """Words and superpixels matter, and some only together."""
    logit = 1.5 * words[:, 0] - words[:, 1] + 2 * superpixels[:, 0] + superpixels[:, 1] * words[:, 2] - 1.5
    found: Values = 1 / (1 + np.exp(-logit - words[:, 3] * superpixels[:, 2] * superpixels[:, 3]))
    return found


@pytest.fixture
def question() -> Question:
    class Model:
        card = ModelCard(id="m", created="", recipe="", tasks={"t": ("yes", "no")})

        def probabilities(self, _task: str, text: torch.Tensor, image: torch.Tensor) -> Values:
            yes = answer(text.numpy(), image.numpy())
            return np.stack([yes, 1 - yes], axis=1)

        def crossed(self, task: str, text: torch.Tensor, image: torch.Tensor) -> Values:
            pairs = text.repeat_interleave(len(image), 0), image.repeat(len(text), 1)
            return self.probabilities(task, *pairs).reshape(len(text), len(image), -1)

    model: Any = Model()
    return Question.ask(model, ItemContent(id="i", kind="tweet"), "t", "yes")


def samplers(samples: int, seed: int = 0) -> tuple[Sampler, Sampler]:
    made = tuple(Sampler(part, part.design(samples, seed + n)) for n, part in enumerate(parts()))
    for sampler in made:
        list(sampler.extend(samples))
    return made[0], made[1]


def parts() -> tuple[Part, Part]:
    return Part(WORDS), Part(SUPERPIXELS)


def evidence(question: Question, words: Sampler, superpixels: Sampler, *, text: bool) -> Any:
    own, other = (words, superpixels) if text else (superpixels, words)
    answers = Answers(question, own, WIDTH, text=text)
    list(answers.extend(contexts_of(other, WIDTH)))
    return answers.evidence()


def counts_of(masks: Masks) -> Values:
    kernels = kernel(distances(masks), WIDTH)
    return np.repeat((kernels[::2] + kernels[1::2]) / 2, 2)


def test_weights_are_those_of_one_regression_over_all_pairs(question: Question) -> None:
    """Penalties as strong for each kind of weight as `lime`'s own among that kind's samples; of the superpixels.

    What they leave of all weights on average is made up for.
    """
    words, superpixels = samplers(CONTEXTS)
    masks = words.design.masks, superpixels.design.masks
    counts = counts_of(masks[0]), counts_of(masks[1])
    pairs = np.array(list(itertools.product(range(CONTEXTS), range(CONTEXTS))))
    table = np.column_stack([np.ones(len(pairs)), masks[0][pairs[:, 0]], masks[1][pairs[:, 1]]])
    weight = counts[0][pairs[:, 0]] * counts[1][pairs[:, 1]]
    penalty = np.diag([0.0, *[counts[1].sum()] * WORDS, *[counts[0].sum()] * SUPERPIXELS])
    target = answer(table[:, 1 : 1 + WORDS], table[:, 1 + WORDS :])
    expected = np.linalg.solve(table.T @ (table * weight[:, None]) + penalty, table.T @ (weight * target))
    found = evidence(question, words, superpixels, text=False).surrogate.weights
    centred = masks[1] - counts[1] @ masks[1] / counts[1].sum()
    gram = centred.T @ (centred * counts[1][:, None])
    left = np.trace(np.linalg.solve(gram + np.eye(SUPERPIXELS), gram)) / SUPERPIXELS
    assert 0.5 < left < 0.95
    np.testing.assert_allclose(found, expected[1 + WORDS :] / left, atol=1e-8)


def test_words_weigh_what_they_do_in_limes_limit_beside_the_superpixels_versions(question: Question) -> None:
    words, superpixels = samplers(128)
    every, contexts = listed(WORDS).masks, contexts_of(superpixels, WIDTH)
    other = contexts.vectors.numpy()
    pairs = np.indices((len(other), len(every))).reshape(2, -1)
    means = contexts.shares @ answer(every[pairs[1]].astype(float), other[pairs[0]]).reshape(len(other), -1)
    table, counts = np.column_stack([np.ones(len(every)), every]), every_version(every)
    expected = np.linalg.solve(table.T @ (table * counts[:, None]), table.T @ (counts * means))[1:]
    found = evidence(question, words, superpixels, text=True).surrogate
    assert np.all(np.abs(np.array(found.weights) - expected) <= 3 * np.array(found.errors))
    np.testing.assert_allclose(found.weights, expected, atol=0.02)


def test_words_of_which_every_version_is_asked_weigh_exactly_that(question: Question) -> None:
    words = Sampler(Part(WORDS), listed(WORDS))
    list(words.extend(2**WORDS))
    answers = Answers(question, words, WIDTH, text=True)
    list(answers.extend(as_it_is(torch.ones((1, SUPERPIXELS), dtype=torch.float64))))
    every = listed(WORDS).masks
    expected = answer(every.astype(float), np.ones((len(every), SUPERPIXELS)))
    table, counts = np.column_stack([np.ones(len(every)), every]), every_version(every)
    weights = np.linalg.solve(table.T @ (table * counts[:, None]), table.T @ (counts * expected))[1:]
    found = answers.evidence()
    assert found.surrogate is not None
    np.testing.assert_allclose(found.surrogate.weights, weights, atol=1e-9)
    assert (set(found.surrogate.errors), found.reliability) == ({0.0}, 1.0)


def test_two_errors_hold_the_weight_that_all_versions_together_give(question: Question) -> None:
    every = [listed(features).masks for features in (WORDS, SUPERPIXELS)]
    kernels = [kernel(distances(masks), WIDTH) for masks in every]
    shares = [(one + one[::-1]) / (one + one[::-1]).sum() for one in kernels]
    pairs = np.indices((2**WORDS, 2**SUPERPIXELS)).reshape(2, -1)
    answers = answer(every[0][pairs[0]].astype(float), every[1][pairs[1]].astype(float))
    means = shares[0] @ answers.reshape(2**WORDS, -1)
    table = np.column_stack([np.ones(len(every[1])), every[1]])
    true = np.linalg.solve(table.T @ (table * shares[1][:, None]), table.T @ (shares[1] * means))[1:]
    found = [evidence(question, *samplers(128, 7 * seed), text=False).surrogate for seed in range(60)]
    apart = np.array([one.weights for one in found]) - true
    errors = np.array([one.errors for one in found])
    assert np.mean(np.abs(apart) <= 2 * errors) > 0.92
    assert np.abs(apart).max() < 0.02 * np.abs(true).max()
    assert np.sqrt((errors**2).mean()) < 0.1 * np.sqrt((true**2).mean())


def test_halves_agree_where_there_is_evidence(question: Question) -> None:
    found = evidence(question, *samplers(128), text=False)
    assert 0.9 < found.reliability <= 1


@pytest.mark.parametrize(("whole", "shared"), [(False, 0), (True, 12)])
def test_rows_that_were_drawn_together_stay_in_one_half(whole: bool, shared: int) -> None:
    """A row and its complement, one of three (a design cut in the midst of a pair), groups that do not begin with 0."""
    groups = np.array([4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 8, 9])
    one, other = (_half(groups, half, whole=whole) for half in (0, 1))
    assert (one | other).all()
    assert (one & other).sum() == shared
    if not whole:
        assert not set(groups[one]) & set(groups[other])
        assert len(set(groups[one])) == len(set(groups[other])) == 3


def test_halves_are_made_of_pairs_of_rows_and_pairs_of_contexts(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Masks] = []
    part = joint._Estimate.part

    def noted(self: joint._Estimate, rows: npt.NDArray[np.bool_]) -> joint._Estimate:
        seen.append(self.design.masks[rows])
        return part(self, rows)

    monkeypatch.setattr(joint._Estimate, "part", noted)
    evidence(question, *samplers(128), text=False)
    assert [len(masks) for masks in seen] == [64, 64]
    for masks in seen:
        np.testing.assert_array_equal(masks[::2], ~masks[1::2])


def test_vectors_are_asked_once_and_pairs_only_for_new_rows(question: Question) -> None:
    words, superpixels = (Sampler(part, part.design(64, 0)) for part in parts())
    list(words.extend(64))
    contexts = contexts_of(words, WIDTH)
    answers = Answers(question, superpixels, WIDTH, text=False)
    for samples in (32, 64):
        list(superpixels.extend(samples))
        list(answers.extend(contexts))
    whole = Answers(question, superpixels, WIDTH, text=False)
    list(whole.extend(contexts))
    assert answers.evidence() == whole.evidence()
    part: Any = superpixels.part
    assert part.asked == 64


def test_a_part_alone_is_explained_beside_the_other_as_it_is(question: Question) -> None:
    superpixels = samplers(128)[1]
    answers = Answers(question, superpixels, WIDTH, text=False)
    list(answers.extend(as_it_is(torch.ones((1, WORDS), dtype=torch.float64))))
    found = answers.evidence().surrogate
    assert found is not None
    assert int(np.argmax(found.weights)) == 0
    assert max(found.errors) < 0.05


def test_a_part_without_influence_has_no_surrogate(question: Question) -> None:
    same = Sampler(Part(SUPERPIXELS), coin_flips(np.ones((4, SUPERPIXELS), dtype=bool)))
    list(same.extend(4))
    answers = Answers(question, same, WIDTH, text=False)
    list(answers.extend(as_it_is(torch.ones((1, WORDS), dtype=torch.float64))))
    assert answers.evidence().surrogate is None


def test_late_fusion_is_explained_too(make_item: Any) -> None:
    """There, a text of which every word is hidden is a missing part: the vector that marks it comes from the model."""
    torch.manual_seed(0)
    spec = NetworkSpec(
        heads=(HeadSpec(task="toxicity", labels=("toxic", "non-toxic")),),
        text=TextSpec(vocabulary=300, width=8, filters=4, max_tokens=16),
        image=ImageSpec(size=32),
        fusion=FusionSpec(kind="late", hidden=(4,)),
    )
    content = make_item("four words are few")
    tokenizer = tokenizer_for(spec, [content.text])
    network = build(spec, tokenizer)
    card = ModelCard(id="late", created="", recipe="", tasks={"toxicity": ("toxic", "non-toxic")})
    predictor = Predictor(Checkpoint(network=network, card=card, tokenizer=tokenizer), torch.device("cpu"))
    found = explain(predictor, content, "toxicity", "toxic", samples=64)
    assert np.isfinite([token.weight for token in found.tokens]).all()
    assert np.isfinite([segment.weight for segment in found.segments]).all()
    assert any(token.weight for token in found.tokens)
    assert sum(found.modality_share.values()) == pytest.approx(1)
