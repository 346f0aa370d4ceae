"""Files that ship with Second Look: icons, styles, taxonomy presets, recipes, the demo's pages and captures.

Imported by anyone; imports nothing but the standard library.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path


def path(*parts: str) -> Path:
    """Return the path of a shipped file or folder, such as `path("taxonomies", "tweets.toml")`.

    Raises:
        FileNotFoundError: there is no such file in this installation.
    """
    with as_file(files(__name__).joinpath(*parts)) as found:
        if not found.exists():
            raise FileNotFoundError(f"Second Look's own file {'/'.join(parts)} is missing from this installation.")
        return found
