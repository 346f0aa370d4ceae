"""Components against a brute force, and the two bounds on their size."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.similarity.components import Link, bounded, components, without_templates

links_of_20 = st.lists(
    st.tuples(st.integers(0, 19), st.integers(0, 19), st.integers(0, 3)).map(
        lambda row: Link(min(row[:2]), max(row[:2]), row[2])
    ),
    max_size=40,
)


def reachable(count: int, links: list[Link]) -> list[int]:
    """The smallest place that each place reaches, by walking until nothing changes."""
    name = list(range(count))
    for _ in range(count):
        for one, other, _ in links:
            name[one] = name[other] = min(name[one], name[other])
    return name


@given(links_of_20)
def test_components_are_what_can_be_reached(links: list[Link]) -> None:
    assert components(20, links) == reachable(20, links)


@given(links_of_20, st.lists(st.sampled_from("abcdefgh"), min_size=20, max_size=20), st.integers(0, 20))
def test_bounds_hold_and_given_groups_stay_whole(links: list[Link], groups: list[str], limit: int) -> None:
    found, refused = bounded(groups, links, limit)
    for one, other in ((a, b) for a in range(20) for b in range(20) if groups[a] == groups[b]):
        assert found[one] == found[other]
    for component in set(found):
        counts = Counter(group for group, name in zip(groups, found, strict=True) if name == component)
        assert counts.total() - max(counts.values()) <= limit
    assert all(found[one] == found[other] for one, other, _ in set(links) - set(refused))
    clusters = Counter(components(20, without_templates(20, links, max(limit, 1))))
    assert max(clusters.values()) <= max(limit, 1)


def test_only_the_crowded_cluster_loses_links() -> None:
    template = [Link(0, other, 0) for other in range(1, 8)]
    closer = [Link(1, 2, 2)]
    elsewhere = [Link(10, 11, 0)]
    assert without_templates(20, [*template, *closer, *elsewhere], 5) == [*closer, *elsewhere]


def test_the_closest_links_come_first() -> None:
    found, refused = bounded(list("abc"), [Link(0, 1, 0), Link(1, 2, 3)], 1)
    assert found == [0, 1, 1]
    assert refused == [Link(0, 1, 0)]


def test_copies_of_a_prolific_author_are_not_held_against_the_author() -> None:
    found, refused = bounded(["a"] * 90 + ["b", "c"], [Link(0, 90, 3), Link(1, 91, 3)], 5)
    assert set(found) == {0}
    assert not refused
