"""What every method does with odd items, odd models and odd questions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from PIL import Image

from engine.errors import CancelledError, InputError, NotFoundError
from engine.explain.methods import METHODS, explain_by
from engine.types import Explanation

OURS = [method for method in METHODS if method != "lime"]
BOTH = ["ig", "gradient", "occlusion"]


def weights(found: Explanation) -> list[float]:
    return [token.weight for token in found.tokens] + [segment.weight for segment in found.segments]


def explained(method: str, predictor: Any, content: Any) -> Explanation:
    samples = 16 if method in {"ig", "gradient"} else None
    found = explain_by(method, predictor, content, "toxicity", "toxic", samples=samples)
    assert found.final
    assert found.method == method
    assert all(math.isfinite(value) for value in (*weights(found), found.probability, *found.modality_share.values()))
    return found


@pytest.mark.parametrize("method", [*OURS, "lime"])
def test_all_methods_weigh_the_same_words_and_superpixels(make_predictor: Any, item: Any, method: str) -> None:
    predictor = make_predictor("bert-tiny")
    reference = explain_by("occlusion", predictor, item, "toxicity", "toxic")
    found = explained(method, predictor, item)
    if found.tokens:
        assert [(one.field, one.start, one.end) for one in found.tokens] == [
            (one.field, one.start, one.end) for one in reference.tokens
        ]
    if found.segments:
        assert [one.box for one in found.segments] == [one.box for one in reference.segments]
        assert found.segment_map == reference.segment_map
    assert found.tokens or found.segments
    assert any(weights(found))
    assert set(found.modality_share) == ({"image", "text"} if method in {*BOTH, "lime"} else set())


@pytest.mark.parametrize("fusion", ["early", "late"])
@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("missing", [{"text": ""}, {"capture": None}, {"text": "Ναι", "capture": None}])
def test_items_with_one_part(make_predictor: Any, item: Any, fusion: str, method: str, missing: dict[str, Any]) -> None:
    found = explained(method, make_predictor("bilstm", fusion), msgspec.structs.replace(item, **missing))
    assert any(weights(found))
    assert bool(found.tokens) == ("capture" in missing)
    assert found.modality_share == {}
    assert "Nothing to explain" not in found.note


@pytest.mark.parametrize("method", OURS)
def test_items_with_neither_words_nor_screenshot(make_predictor: Any, item: Any, method: str) -> None:
    empty = msgspec.structs.replace(item, text="!?", capture=None)
    found = explained(method, make_predictor("bert-tiny"), empty)
    assert weights(found) == []
    assert found.note == "Nothing to explain: this item has neither words nor a screenshot that could be hidden."


@pytest.mark.parametrize("method", OURS)
def test_one_plain_colour(make_predictor: Any, item: Any, tmp_path: Path, method: str) -> None:
    Image.new("RGB", (64, 64), (250, 250, 250)).save(tmp_path / "plain.png")
    plain = msgspec.structs.replace(item, capture=str(tmp_path / "plain.png"))
    found = explained(method, make_predictor("bert-tiny"), plain)
    assert not any(one.weight for one in found.segments)
    if method in BOTH:
        assert found.note == "The screenshot is one plain colour, so only the words are explained."
        assert found.modality_share == {"image": 0.0, "text": 1.0}
    wordless = explained(method, make_predictor("bert-tiny"), msgspec.structs.replace(plain, text=""))
    assert not any(weights(wordless))
    assert wordless.note == "Nothing to explain: the screenshot is one plain colour and there are no words."


@pytest.mark.parametrize("method", [*OURS, "lime"])
def test_a_screenshot_that_cannot_be_read_is_refused_unless_nobody_looks_at_it(
    make_predictor: Any, item: Any, method: str
) -> None:
    Path(item.capture).write_bytes(Path(item.capture).read_bytes()[:100])
    with pytest.raises(InputError, match=rf"The screenshot of item '{item.id}' cannot be read: "):
        explained(method, make_predictor("bert-tiny"), item)
    if method != "gradcam":
        assert explained(method, make_predictor("bert-tiny", image="none"), item).tokens


@pytest.mark.parametrize(("method", "gone"), [("attention", {"text": ""}), ("gradcam", {"capture": None})])
def test_methods_for_one_part_have_nothing_to_say_of_the_other(
    make_predictor: Any, item: Any, method: str, gone: dict[str, Any]
) -> None:
    found = explained(method, make_predictor("bert-tiny"), msgspec.structs.replace(item, **gone))
    assert found.note.startswith("Nothing to explain: there is nothing in this item that this method looks at.")


@pytest.mark.parametrize("method", OURS)
def test_a_model_that_answers_a_constant(make_predictor: Any, item: Any, method: str) -> None:
    found = explained(method, make_predictor("bert-tiny", sharp=0.0), item)
    assert not any(weights(found))
    assert found.note.startswith("Nothing to explain: the verdict does not depend on ")
    assert found.modality_share == {}


@pytest.mark.parametrize("method", ["ig", "gradient", "gradcam"])
def test_gradients_that_vanish_are_not_called_independence(
    make_predictor: Any, masked: Any, item: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is sure beyond what floats can tell, one way or the other."""
    predictor = make_predictor()
    whole = masked(predictor, item)
    middle = whole(torch.tensor([[0.0], [1.0]]).expand(-1, whole.features)).mean().item()
    original: Any = type(predictor.differentiable()).probabilities

    def sure(self: Any, task: str, text: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = original(self, task, text, image)
        sure_answers: torch.Tensor = (answers > middle).to(answers) + 0 * answers
        return sure_answers

    monkeypatch.setattr(type(predictor.differentiable()), "probabilities", sure)
    found = explained(method, predictor, item)
    assert not any(weights(found))
    assert found.note.startswith("The verdict depends on this item, but its gradients are too small")


@pytest.mark.parametrize("method", OURS)
def test_a_text_of_two_thousand_words(make_predictor: Any, item: Any, method: str) -> None:
    long = msgspec.structs.replace(item, text=" ".join(f"cheap{number}" for number in range(2000)), capture=None)
    found = explained(method, make_predictor("bert-tiny"), long)
    if method == "gradcam":
        return
    assert len(found.tokens) == 2000
    assert "words are weighed in groups of 32" in found.note
    assert not any(one.weight for one in found.tokens[-1000:])
    if method in {"ig", "gradient"}:
        assert "The model reads 24 tokens" in found.note


@pytest.mark.parametrize("method", OURS)
def test_labels_that_the_model_does_not_have(make_predictor: Any, item: Any, method: str) -> None:
    predictor = make_predictor("bert-tiny")
    with pytest.raises(NotFoundError, match="Did you mean 'toxic'"):
        explain_by(method, predictor, item, "toxicity", "toxik")
    with pytest.raises(NotFoundError, match="does not answer a task 'mood'"):
        explain_by(method, predictor, item, "mood", "toxic")


@pytest.mark.parametrize("method", OURS)
def test_cancelling(make_predictor: Any, item: Any, method: str) -> None:
    with pytest.raises(CancelledError):
        explain_by(method, make_predictor("bert-tiny"), item, "toxicity", "toxic", cancelled=lambda: True)


@pytest.mark.parametrize("method", OURS)
def test_cancelling_before_anything_is_done(
    make_predictor: Any, item: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, done = make_predictor("bert-tiny"), []
    for name in ("pixels", "text_vectors", "image_vectors", "differentiable"):
        monkeypatch.setattr(predictor, name, lambda *_, name=name: done.append(name))
    with pytest.raises(CancelledError):
        explain_by(method, predictor, item, "toxicity", "toxic", cancelled=lambda: True)
    assert set(done) <= {"pixels"}  # which ends by itself


@pytest.mark.parametrize(
    ("method", "samples", "sentence"),
    [
        ("gradcan", None, "There is no method 'gradcan'. Did you mean 'gradcam'?"),
        ("occlusion", 8, "The method 'occlusion' takes no samples"),
        ("gradcam", 8, "takes no samples"),
        ("attention", 8, "takes no samples"),
        ("ig", 2, "at least 3 samples"),
        ("gradient", 0, "cannot be made of 0 samples"),
    ],
)
def test_mistakes_are_named(make_predictor: Any, item: Any, method: str, samples: int | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace("?", r"\?")):
        explain_by(method, make_predictor(), item, "toxicity", "toxic", samples=samples)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_seed_is_refused(make_predictor: Any, item: Any, method: str) -> None:
    with pytest.raises(InputError, match="-1 is no seed"):
        explain_by(method, make_predictor(), item, "toxicity", "toxic", seed=-1)


@pytest.mark.parametrize(("method", "samples", "count"), [("ig", 9, 9), ("gradient", 9, 10), ("gradient", 1, 1)])
def test_samples_are_taken_as_asked(make_predictor: Any, item: Any, method: str, samples: int, count: int) -> None:
    """Pairs are whole."""
    found = explain_by(method, make_predictor(), item, "toxicity", "toxic", samples=samples, seed=7)
    assert (found.samples, found.seed, found.final) == (count, 7, True)
    assert (found.tokens[0].error is not None) == (method == "gradient" and samples > 1)


def test_where_on_the_page_is_said(make_predictor: Any, item: Any) -> None:
    framed = msgspec.structs.replace(item, regions={"media": ((30.0, 36.0, 30.0, 22.0),), "handle": ((0, 0, 2, 2),)})
    for method in (*BOTH, "gradcam"):
        shares = explained(method, make_predictor(), framed).region_share
        assert set(shares) == {"media", "handle", "elsewhere"}
        assert sum(shares.values()) == pytest.approx(1)
        assert shares["media"] > 0.1
