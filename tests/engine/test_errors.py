"""Every failure at a user's door says what to do next: all places that raise one are read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import did_you_mean

ROOT = Path(__file__).parents[2]
ENDED_ON_DEMAND = {"CancelledError"}
MODULES = [path for room in ("engine", "desktop") for path in sorted((ROOT / room).rglob("*.py"))]


def calls_without_way_out(tree: ast.AST, errors: set[str]) -> Iterator[ast.Call]:
    """Errors whose only argument is a whole sentence; what says why a row is bad is none and has no full stop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
            match node.args:
                case [ast.Constant(value=str(end))] | [ast.JoinedStr(values=[*_, ast.Constant(value=str(end))])]:
                    if end.endswith((".", "!")) and not node.keywords:
                        yield node


def errors_of(trees: list[ast.Module]) -> set[str]:
    """The names of all classes that descend from `EngineError`."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"EngineError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found - ENDED_ON_DEMAND


def test_every_sentence_has_a_way_out() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}
    errors = errors_of(list(trees.values()))
    assert {"InputError", "PackError", "DivergedError"} < errors
    bare = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, tree in trees.items()
        for call in calls_without_way_out(tree, errors)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("source", "bare"),
    [
        ("InputError('It is bad.')", True),
        ("InputError(f'{x} is bad.')", True),
        ("InputError('It is bad.', 'Mend it.')", False),
        ("InputError('it is bad')", False),
        ("ValueError('It is bad.')", False),
    ],
)
def test_the_reading_itself(source: str, *, bare: bool) -> None:
    assert bool(list(calls_without_way_out(ast.parse(source), {"InputError"}))) is bare


def test_the_nearest_name_or_the_known_ones_are_said() -> None:
    assert did_you_mean("twet", ["product", "tweet"]) == "Did you mean 'tweet'?"
    assert did_you_mean("x", ["product", "tweet"]) == "Known: 'product', 'tweet'."
    assert did_you_mean("x", []) == ""
