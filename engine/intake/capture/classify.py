"""How a capture ended: whether it brought the item, and if not, what stood there instead and whether to try again."""

from __future__ import annotations

from typing import Any

from engine.intake.capture.classify_pixels import SAME_SHARE, one_coloured
from engine.intake.capture.extract_page import Page, text_of, tidy
from engine.intake.capture.extract_regions import clipped, covered, size_of
from engine.intake.capture.profile import SIGN, SKELETON, VISIBLE, Profile, Sign, fits
from engine.intake.capture.types import Outcome, Snapshot
from engine.intake.captures import CaptureError

SHORT = 1_500
"""Characters up to which a page is so short that a phrase of failure in it is about the page."""

PLACEHOLDERS = 0.1
"""Share of the capture that placeholders cover, in [0, 1], from which a page is still loading."""

_REFUSED = "Refused: "
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "\u00a0": " "})


def outcome_of(snapshot: Snapshot, profile: Profile, fields: dict[str, Any] | None = None) -> Outcome:
    """Return how a capture ended, with its reason in a sentence.

    `fields` are what `fields_of` found, if at hand: with them, a page whose item is there is not taken for a failed one
    because of a phrase in it. Order: refused, no picture, what the profile's and the shared signs say, blank, still
    loading, captured.
    """
    if snapshot.problem.startswith(_REFUSED):
        return Outcome(kind="refused", reason=snapshot.problem.removeprefix(_REFUSED))
    try:
        share = one_coloured(snapshot.png) if snapshot.png else None
    except CaptureError as error:
        return Outcome(kind="failed", reason=f"The picture of the page cannot be used: {error}.", retry=True)
    if share is None:
        return Outcome(kind="failed", reason=snapshot.problem or "No picture of the page could be taken.", retry=True)
    visible = visible_text(snapshot)
    shown = item_is_there(snapshot, profile, fields or {})
    for number, sign in enumerate(profile.signs):
        if _matches(number, sign, snapshot, visible, item_there=shown):
            return Outcome(kind=sign.kind, reason=sign.reason, retry=sign.retry)
    if share >= SAME_SHARE and not visible:
        return Outcome(kind="blank", reason="The page shows one colour and no text.", retry=True)
    return _loading(snapshot, profile, item_there=shown)


def visible_text(snapshot: Snapshot) -> str:
    """Return the text that can be seen on the page: what the browser says, else what its HTML does not hide."""
    if VISIBLE in snapshot.texts:
        return tidy(snapshot.texts[VISIBLE])
    root = Page(snapshot.html).root
    return "" if root is None else text_of(root)


def item_is_there(snapshot: Snapshot, profile: Profile, fields: dict[str, Any]) -> bool:
    """Return whether one of the parts that prove the item's presence was found."""
    said = {**fields, **fields.get("meta", {})}
    return any(snapshot.regions.get(name) or snapshot.texts.get(name) or said.get(name) for name in profile.proof)


def _matches(number: int, sign: Sign, snapshot: Snapshot, visible: str, *, item_there: bool) -> bool:
    if snapshot.status in sign.status:
        return True
    boxes = snapshot.regions.get(f"{SIGN}{number}", ())
    if boxes and covered(boxes, *size_of(snapshot.png)) >= max(sign.covers, 1e-6):
        return True
    if _sent_on(sign, snapshot):
        return True
    return not item_there and _says(sign, snapshot.title, visible)


def _sent_on(sign: Sign, snapshot: Snapshot) -> bool:
    """Return whether the page led to one of the sign's addresses without having been asked for there."""
    end = snapshot.final_url or snapshot.url
    return any(fits(end, pattern) and not fits(snapshot.url, pattern) for pattern in sign.addresses)


def _says(sign: Sign, title: str, visible: str) -> bool:
    texts = [_plain(title)] + ([_plain(visible)] if len(visible) <= SHORT else [])
    return any(phrase in text for phrase in map(_plain, sign.phrases) for text in texts)


def _plain(text: str) -> str:
    """Return a text in lower case on one line with plain quotation marks, as phrases are compared."""
    return " ".join(text.translate(_TYPOGRAPHIC).lower().split())


def _loading(snapshot: Snapshot, profile: Profile, *, item_there: bool) -> Outcome:
    """Return what a page is that shows something: still loading where its time ran out before its parts were there."""
    if snapshot.ready:
        return Outcome(kind="captured", reason=snapshot.problem)
    width, height = size_of(snapshot.png)
    waiting = clipped(snapshot.regions.get(SKELETON, ()), width, height)
    if sum(w * h for _, _, w, h in waiting) >= PLACEHOLDERS * width * height:
        reason = "Placeholders still stood where the content belongs when the page's time was up."
        return Outcome(kind="still loading", reason=reason, retry=True)
    if profile.ready.present and not item_there:
        reason = f"Nothing on the page fits what the profile '{profile.name}' waits for ({profile.ready.present[0]})."
        return Outcome(kind="still loading", reason=reason, retry=True)
    if profile.proof and not item_there:
        reason = "The page was still at work when its time was up, and its item was not there."
        return Outcome(kind="still loading", reason=reason, retry=True)
    return Outcome(kind="captured", reason="The page was still at work when its time was up; its parts were there.")
