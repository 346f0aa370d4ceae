"""The layer rules of pyproject.toml bite: a forbidden import planted in a copy of the tree breaks the contract."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTS = [
    ("engine/workspace/__init__.py", "import desktop", "The engine knows no window"),
    ("engine/triage/__init__.py", "import torch", "Light rooms import no heavy library"),
    ("desktop/__init__.py", "import engine.models", "The desktop never imports a heavy room"),
    ("engine/cli/__init__.py", "import sentence_transformers", "A package that brings weights is looked into"),
    ("engine/models/bulk/scorer.py", "import engine.models.encoders", "Bulk scoring needs no torch"),
    ("engine/taxonomy/__init__.py", "import engine.triage", "Data flows one way through the engine"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_tree(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "captures")
    for package in ("desktop", "engine", "resources"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("file", "line", "contract"), PLANTS, ids=[contract for *_, contract in PLANTS])
def test_a_forbidden_import_breaks_its_contract(copy_of_tree: Path, file: str, line: str, contract: str) -> None:
    planted = copy_of_tree / file
    planted.write_text(planted.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    result = lint(copy_of_tree)
    assert result.returncode == 1
    broken = [row for row in result.stdout.splitlines() if contract in row and "BROKEN" in row]
    assert broken, result.stdout
