"""`python -m desktop [WORKSPACE]`: the window without the command line's other commands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.errors import EngineError


def run(arguments: list[str]) -> int:
    """Open the window as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m desktop", description="Open the review desk.")
    parser.add_argument("workspace", nargs="?", type=Path, help="the workspace's folder; the last one if left out")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="render the window into a PNG file and exit")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="instead of the one in the settings")
    parser.add_argument("--page", metavar="PAGE", help="start, review, models, settings, palette or cheat-sheet")
    parser.add_argument("--size", type=_size, metavar="WIDTHxHEIGHT", help="of the window, such as 1360x860")
    chosen = parser.parse_args(arguments)
    from desktop.app import main

    try:
        return main(chosen.workspace, chosen.screenshot, theme=chosen.theme, page=chosen.page, size=chosen.size)
    except EngineError as error:
        sys.stderr.write(f"secondlook: {error}\n")
        return 2


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
