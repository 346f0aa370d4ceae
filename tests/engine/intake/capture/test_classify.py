from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from engine.intake.capture.classify import outcome_of
from engine.intake.capture.classify_pixels import one_coloured
from engine.intake.capture.extract import fields_of
from engine.intake.capture.extract_regions import regions_of
from engine.intake.capture.profile import SIGN, SKELETON, VISIBLE, Profile
from engine.intake.capture.types import Outcome, Snapshot
from engine.types import Box

WIDTH, HEIGHT = 120, 100
Look = Callable[..., Outcome]


def png(*dark: tuple[int, int, int, int]) -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    for box in dark:
        ImageDraw.Draw(image).rectangle(box, fill="black")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


PAGE = png((10, 10, 80, 60))


@pytest.fixture
def look() -> Look:
    """Classify a page that shows `text`: `look("text", "tweet", status=404)`."""

    def outcome(text: str = "", name: str = "page", **given: object) -> Outcome:
        values = {"url": "https://a.example/1", "status": 200, "png": PAGE, "ready": True, "texts": {VISIBLE: text}}
        return outcome_of(Snapshot(**{**values, **given}), Profile.load(name))  # type: ignore[arg-type]

    return outcome


@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (200, "captured", False),
        (0, "captured", False),
        (404, "deleted", False),
        (410, "deleted", False),
        (451, "suspended", False),
        (401, "login wall", False),
        (403, "error page", True),
        (429, "error page", True),
        (503, "error page", True),
        (400, "error page", False),
    ],
)
def test_what_the_server_answers(look: Look, status: int, kind: str, retry: bool) -> None:
    found = look("Words", status=status)
    assert (found.kind, found.retry) == (kind, retry)
    assert bool(found.reason) is (kind != "captured")


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("404 Not Found", "page", "deleted"),
        ("Hoppla! Seite nicht gefunden.", "page", "deleted"),
        ("Η σελίδα δεν βρέθηκε", "product", "deleted"),
        ("Hmm...this page doesn’t exist. Try searching for something else.", "tweet", "deleted"),
        ("This Post is from a suspended account. Learn more", "tweet", "suspended"),
        ("Cette page n’existe pas", "page", "deleted"),
        ("Something went\n wrong. Try reloading.", "tweet", "error page"),
        ("Before you continue to Search", "page", "consent wall"),
        ("Please log in to view this page", "page", "login wall"),
        ("JavaScript is not available.", "tweet", "still loading"),
        ("Verify you are human", "page", "error page"),
        ("A lamp of brass", "page", "captured"),
    ],
)
def test_what_short_pages_say(look: Look, text: str, name: str, kind: str) -> None:
    assert look(text, name).kind == kind


def test_a_phrase_in_a_long_page_is_only_a_phrase(look: Look) -> None:
    story = "The old sign read: page not found. " + "They walked on. " * 200
    assert look(story).kind == "captured"
    assert look(story, title="Page not found").kind == "deleted"


def test_a_phrase_does_not_count_where_the_item_is(look: Look) -> None:
    words = "My favourite song is called this post was deleted"
    assert look(words, "tweet").kind == "deleted"
    assert look(words, "tweet", regions={"text": ((10.0, 10.0, 50.0, 20.0),)}).kind == "captured"


def test_fields_prove_the_item_too() -> None:
    html = '<meta itemprop="price" content="5"><p>Print: page not found</p>'
    snapshot = Snapshot(url="https://a.example/1", status=200, png=PAGE, html=html, ready=True)
    profile = Profile.load("product")
    assert outcome_of(snapshot, profile).kind == "deleted"
    assert outcome_of(snapshot, profile, fields_of(snapshot, profile)).kind == "captured"


def test_a_banner_is_a_wall_only_where_it_covers_the_page(look: Look) -> None:
    signs = Profile.load("page").signs
    number = next(number for number, sign in enumerate(signs) if sign.kind == "consent wall")
    strip: Box = (0.0, 90.0, 120.0, 10.0)
    whole: Box = (10.0, 0.0, 100.0, 100.0)
    assert look("Words", regions={f"{SIGN}{number}": (strip,)}).kind == "captured"
    assert look("Words", regions={f"{SIGN}{number}": (strip, whole)}).kind == "consent wall"


def test_a_login_counts_only_where_it_was_not_asked_for(look: Look) -> None:
    login = "https://a.example/login?next=1"
    assert look("Words", final_url=login).kind == "login wall"
    assert look("Words", url=login, final_url=login).kind == "captured"


def test_blank_is_one_colour_and_no_text(look: Look) -> None:
    assert one_coloured(png()) == 1.0
    assert one_coloured(png((0, 0, WIDTH, HEIGHT // 2 - 1))) == 0.5
    assert look("", png=png()).kind == "blank"
    assert look("", png=png((5, 5, 6, 6))).kind == "blank"
    assert look("Words", png=png()).kind == "captured"
    assert look("").kind == "captured"


def test_still_loading(look: Look) -> None:
    large: Box = (0.0, 0.0, 120.0, 50.0)
    small: Box = (0.0, 0.0, 10.0, 10.0)
    assert look("Words", ready=False).kind == "captured"
    assert look("Words", ready=False, regions={SKELETON: (small,)}).kind == "captured"
    assert look("Words", ready=False, regions={SKELETON: (large,)}).kind == "still loading"
    waiting = look("Words", "tweet", ready=False)
    assert (waiting.kind, waiting.retry) == ("still loading", True)
    assert "article[data-testid='tweet']" in waiting.reason
    assert look("Words", "tweet", ready=False, regions={"text": (small,)}).kind == "captured"


def test_refused_and_failed(look: Look) -> None:
    refused = look(problem="Refused: 'a.example' is not public.", png=b"")
    assert (refused.kind, refused.reason, refused.retry) == ("refused", "'a.example' is not public.", False)
    failed = look(problem="The tab crashed.", png=b"")
    assert (failed.kind, failed.reason, failed.retry) == ("failed", "The tab crashed.", True)
    assert look(png=b"no picture").kind == "failed"
    assert look(png=PAGE[:60]).kind == "failed"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([(10.2, 10.7, 20.0, 10.0)], [(10, 10, 21, 11)]),
        ([(-10.0, -5.0, 30.0, 20.0)], [(0, 0, 20, 15)]),
        ([(110.0, 90.0, 50.0, 50.0)], [(110, 90, 10, 10)]),
        ([(10.0, 10.0, 3.0, 50.0), (200.0, 10.0, 50.0, 50.0), (0.0, 0.0, float("nan"), 5.0)], []),
        ([(10.0, 10.0, 40.0, 40.0), (20.0, 20.0, 10.0, 10.0), (11.0, 10.0, 40.0, 40.0)], [(11, 10, 40, 40)]),
        ([(0.0, 50.0, 20.0, 20.0), (50.0, 0.0, 20.0, 20.0)], [(50, 0, 20, 20), (0, 50, 20, 20)]),
    ],
)
def test_regions_lie_in_the_capture_without_slivers_and_repeats(given: list[Box], kept: list[Box]) -> None:
    snapshot = Snapshot(url="", png=PAGE, regions={"text": tuple(given), SKELETON: ((0.0, 0.0, 50.0, 50.0),)})
    assert regions_of(snapshot) == ({"text": tuple(kept)} if kept else {})
