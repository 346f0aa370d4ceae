"""What a model looks at: the evidence of many explanations by part of the page, and the warning of a shortcut. Light.

A shortcut is evidence that cannot be a reason: who posted an item (the handle), or the frame around what was posted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from engine.evidence import ELSEWHERE
from engine.types import Struct

WORDS, SCREENSHOT, HANDLE = "words", "screenshot", "handle"
BETWEEN = ", "
"""What separates the parts of a line of shares."""
SHORTCUT = 0.2
"""A model relies on a part that is no reason where a fifth of its evidence lies there, on average over items."""
ENOUGH_ITEMS = 20
"""Nobody is warned on fewer items than this: a mean over fewer may be chance."""

_NO_REASONS = {HANDLE: "Who posted an item does not make it what it is", ELSEWHERE: "A frame says nothing of an item"}
_TITLES = {ELSEWHERE: "page frame", "text": "text in the picture"}


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored explanation (`engine.types.Explanation`) says of where one model looks on one item."""

    item: str
    modality_share: dict[str, float] = {}
    region_share: dict[str, float] = {}


class Shortcut(Struct, frozen=True, kw_only=True):
    """A region that is no reason, with its share in [0, 1] of all evidence, the mean over `items`."""

    region: str
    share: float
    items: int

    @property
    def sentence(self) -> str:
        """The warning in plain words."""
        return (
            f"This model relies on the {title(self.region)}: {percent(self.share)} of its evidence lies there, on"
            f" average over {self.items:,} items. {_NO_REASONS[self.region]}."
        )


class Looks(Struct, frozen=True, kw_only=True):
    """Where a model looks: shares in [0, 1] of all evidence, largest first, their mean over `items` that count alike.

    The parts are `WORDS` (of title and text), the regions of the page and `ELSEWHERE` in the screenshot, and
    `SCREENSHOT` where a page's regions are not known. `shortcut` is the worst one; None where there is none, or where
    fewer than `ENOUGH_ITEMS` items have known regions.
    """

    items: int
    shares: dict[str, float]
    shortcut: Shortcut | None = None


def looks(found: Iterable[Look]) -> Looks:
    """Put the explanations of one model together; those of one item share its one voice."""
    items: dict[str, list[dict[str, float]]] = {}
    placed: dict[str, list[dict[str, float]]] = {}
    for look in found:
        parts = evidence(look.modality_share, look.region_share)
        if parts:
            items.setdefault(look.item, []).append(parts)
            if _placed(look):
                placed.setdefault(look.item, []).append(parts)
    return Looks(items=len(items), shares=_mean_of_items(items), shortcut=_shortcut(placed))


def evidence(modality_share: Mapping[str, float], region_share: Mapping[str, float]) -> dict[str, float]:
    """Shares of one explanation's whole evidence, largest first; empty where nothing is known or there is none.

    A method that says nothing of modalities looks at the screenshot alone.
    """
    known = sum(modality_share.values())
    picture = modality_share.get("image", 0.0) / known if known else float(bool(region_share))
    parts = defaultdict(float, {WORDS: modality_share.get("text", 0.0) / known if known else 0.0})
    for name, share in region_share.items():
        parts[name] += picture * share
    parts[SCREENSHOT] += 0.0 if region_share else picture
    return _largest_first({name: share for name, share in parts.items() if share > 0})


def title(part: str) -> str:
    """What a part of the evidence is called."""
    return _TITLES.get(part, part.replace("-", " ").replace("_", " "))


def percent(share: float) -> str:
    """A share in [0, 1] as "62 %"."""
    return f"{100 * share:.0f} %"


def line(shares: Mapping[str, float], most: int = 3) -> str:
    """Name the largest shares: "words 62 %, handle 21 %"; what is below half a percent is left out."""
    largest = list(_largest_first(shares).items())[:most]
    return BETWEEN.join(f"{title(part)} {percent(share)}" for part, share in largest if share >= 0.005)


def _placed(look: Look) -> bool:
    """Whether it is known where the screenshot's evidence lies, also where it has none, so that regions have no shares:
    left out, such items would make much of a region that matters in a few.
    """
    return bool(look.region_share) or look.modality_share.get("image") == 0


def _shortcut(placed: Mapping[str, list[dict[str, float]]]) -> Shortcut | None:
    if len(placed) < ENOUGH_ITEMS:
        return None
    shares = _mean_of_items(placed)
    region = max(_NO_REASONS, key=lambda name: shares.get(name, 0.0))
    share = shares.get(region, 0.0)
    return Shortcut(region=region, share=share, items=len(placed)) if share >= SHORTCUT else None


def _mean_of_items(items: Mapping[str, list[dict[str, float]]]) -> dict[str, float]:
    whole: defaultdict[str, float] = defaultdict(float)
    for own in items.values():
        for parts in own:
            for name, share in parts.items():
                whole[name] += share / len(own) / len(items)
    return _largest_first(whole)


def _largest_first(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda part: -part[1]))
