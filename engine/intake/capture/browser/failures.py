"""What can go wrong between us and the browser, told apart by what helps: again, a new tab, a new browser, nothing."""

from __future__ import annotations

from engine.errors import EngineError


class BrowserUnavailableError(EngineError):
    """Chromium cannot be started here: not installed, no unprivileged user, no sandbox."""


class CommandError(Exception):
    """The browser refused one command; `message` is its reason."""

    def __init__(self, method: str, message: str) -> None:
        super().__init__(f"{method}: {message}")
        self.message = message


class ScriptError(Exception):
    """One of our scripts failed in the page: a selector is none."""


class OverLimitError(Exception):
    """The page passed a limit; the message is one sentence that says which."""


class LateError(Exception):
    """The answer to a command did not come in time."""


class TabGoneError(Exception):
    """The tab crashed or was closed: a new one is needed."""


class UnreadableError(TabGoneError):
    """The tab did not let its page be looked at; the message is one sentence."""


class BrowserGoneError(Exception):
    """The connection to the browser ended: a new browser is needed."""


class StoppedError(Exception):
    """We were asked to stop."""
