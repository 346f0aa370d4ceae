from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine.explain.methods import explain_by
from engine.explain.notes import CUT


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_a_words_weight_is_what_deleting_it_changes(make_predictor: Any, item: Any) -> None:
    predictor = make_predictor("bilstm", "late")
    found = explain_by("occlusion", predictor, item, "toxicity", "toxic")
    for token in found.tokens:
        without = msgspec.structs.replace(item, text=item.text[: token.start] + item.text[token.end :])
        probability = predictor.predict([without])[0].probabilities["toxic"]
        assert token.weight == pytest.approx(found.probability - probability, abs=1e-5)
        assert token.error is None
    assert found.samples == 1 + len(found.tokens) + sum(segment.weight != 0 for segment in found.segments)


def test_a_text_that_is_read_in_part_is_said_to_be(make_predictor: Any, item: Any) -> None:
    predictor = make_predictor("cnn")
    short = explain_by("occlusion", predictor, item, "toxicity", "toxic")
    long = msgspec.structs.replace(item, text=" ".join(f"word{number}" for number in range(2000)))
    assert CUT not in short.note
    assert CUT in explain_by("occlusion", predictor, long, "toxicity", "toxic").note


def test_the_model_whose_evidence_is_known(make_fake: Any, make_item: Any) -> None:
    """All "glorp" are hidden together; without the badge, the corner is as white as the rest."""
    item = make_item("glorp went home glorp")
    found = explain_by("occlusion", make_fake(text=0.5, image=2.0), item, "toxicity", "toxic")
    with Image.open(item.capture) as page:
        square = np.asarray(page.convert("RGB").resize((96, 96), Image.Resampling.BILINEAR, reducing_gap=1.0)) / 255
    corner = square[:48, :48].mean(axis=(0, 1))
    red = float(corner[0] - corner[1])
    assert found.probability == pytest.approx(sigmoid(2 * red), abs=1e-4)
    words = {token.text: token.weight for token in found.tokens}
    assert words["glorp"] == pytest.approx(found.probability - sigmoid(2 * red - 1), abs=1e-4)
    assert words["went"] == words["home"] == 0
    badge = sum(segment.weight for segment in found.segments)
    assert badge == pytest.approx(found.probability - sigmoid(0), rel=0.1)
    assert found.modality_share["text"] == pytest.approx(words["glorp"] / (words["glorp"] + badge), abs=0.02)
