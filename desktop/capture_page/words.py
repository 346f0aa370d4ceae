"""What the capture page says of a list and of its pages, in plain words. No widget here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desktop.children.capture_states import FAILED, Page
from engine.counting import counted

if TYPE_CHECKING:
    from engine.intake.capture.addresses import AddressList

STATE_WORDS = {
    "waiting": "Waiting",
    "open": "Opening…",
    "again": "Trying again",
    "taking": "Captured",
    "captured": "Captured",
    "there": "There already",
    "gone": "Gone",
    FAILED: "Failed",
}
STATE_ICONS = {
    "waiting": ("clock", "quiet"),
    "open": ("play", "busy"),
    "again": ("retrain", "warning"),
    "taking": ("check", "good"),
    "captured": ("check", "good"),
    "there": ("check", "quiet"),
    "gone": ("eye-off", "quiet"),
    FAILED: ("alert", "danger"),
}
TITLES = {
    "prepare": "Starting",
    "start": "Starting",
    "run": "Capturing",
    "hold": "Pausing",
    "rest": "Paused",
    "stop": "Stopping",
    "stopped": "Stopped",
    "broken": "Stopped by a fault",
    "done": "Finished",
}


def count_words(found: AddressList, there: int) -> str:
    """Return how many addresses a list has: "12 addresses, 1 repeated, 3 in the workspace already"."""
    number = len(found.addresses)
    parts = [counted(number, "address", "addresses") if number else "No address that can be captured"]
    parts += [f"{found.repeated:,} repeated"] if found.repeated else []
    parts += [f"{there:,} in the workspace already"] if there else []
    return ", ".join(parts)


def bad_lines(found: AddressList, most: int) -> str:
    """Return the lines that cannot be used, each with its reason, at most so many of them; "" where there are none."""
    problems = found.problems
    if not problems:
        return ""
    head = f"{counted(len(problems), 'line')} cannot be used:"
    named = [f"line {one.line:,}: {_short(one.reason)}" for one in problems[:most]]
    rest = [f"… and {len(problems) - most:,} more"] if len(problems) > most else []
    return "\n".join([head, *named, *rest])


def spoken(page: Page) -> str:
    """Return what a screen reader says of a page."""
    return ", ".join(filter(None, (page.title, page.key, STATE_WORDS[page.state], page.reason)))


def _short(reason: str) -> str:
    return reason if len(reason) <= 160 else f"{reason[:157]}…"
