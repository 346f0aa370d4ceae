"""Chromium under Selenium for pages that nobody trusts: several tabs, ready pages, nothing left behind.

Heavy (selenium): loaded by `engine.cli.capture` and the capture's child process alone.
"""

from engine.intake.capture.browser.browser import Browser
from engine.intake.capture.browser.failures import BrowserUnavailableError
from engine.intake.capture.browser.guard import Guard
from engine.intake.capture.types import Job

__all__ = ["Browser", "BrowserUnavailableError", "Guard", "Job"]
