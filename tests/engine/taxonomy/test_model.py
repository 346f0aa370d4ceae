from __future__ import annotations

import pytest

from engine.errors import NotFoundError
from engine.taxonomy import Label, Task, Taxonomy, preset


def task(name: str, **when: tuple[str, ...]) -> Task:
    labels = tuple(Label(name=label, title=label) for label in ("yes", "no"))
    return Task(name=name, title=name, applies_to=("tweet",), when=when, labels=labels)


def test_names_are_looked_up_with_help() -> None:
    both = preset("both")
    with pytest.raises(NotFoundError, match="Did you mean 'toxicity'"):
        both.task("toxic")
    with pytest.raises(NotFoundError, match="Did you mean 'prohibited'"):
        both.task("verdict").label("prohibitted")


def test_tasks_of_a_kind_put_unconditional_ones_first() -> None:
    taxonomy = Taxonomy(name="t", tasks=(task("b", a=("yes",)), task("a")))
    assert [each.name for each in taxonomy.tasks_for("tweet")] == ["a", "b"]
    primary = taxonomy.primary("tweet")
    assert primary is not None
    assert primary.name == "a"
    assert taxonomy.primary("product") is None


def test_a_conditional_task_is_due_only_while_its_whole_branch_holds() -> None:
    taxonomy = Taxonomy(name="t", tasks=(task("a"), task("b", a=("yes",)), task("c", b=("yes",))))

    def due(**answers: tuple[str, ...]) -> list[str]:
        return [each.name for each in taxonomy.due("tweet", answers)]

    assert due() == ["a"]
    assert due(a=("yes",)) == ["a", "b"]
    assert due(a=("yes",), b=("yes",)) == ["a", "b", "c"]
    assert due(a=("no",), b=("yes",)) == ["a"]
    assert due(a=()) == ["a"]


def test_prohibited_opens_its_reasons() -> None:
    both = preset("both")
    assert [each.name for each in both.due("product", {"verdict": ("prohibited",)})] == ["verdict", "reason"]
    assert [each.name for each in both.due("product", {"verdict": ("ok",)})] == ["verdict"]
    assert [each.name for each in both.due("tweet", {"verdict": ("prohibited",)})] == ["toxicity"]
