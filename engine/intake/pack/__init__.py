"""Review packs: a zip of chosen items for a reviewer who is offline, and the way back with every decision kept.

`write_pack` makes one, `open_pack` checks one that came from anywhere, `rehearse_merge` tells what merging one would
do, `merge_pack` and `workspace_from_pack` take one in. Light; pillow is imported only while captures are checked.
"""

from __future__ import annotations

from engine.intake.pack.choosing import Choice
from engine.intake.pack.manifest import SUFFIX, Manifest, PackError
from engine.intake.pack.reading import Pack, is_pack, open_pack
from engine.intake.pack.rehearsing import rehearse_merge
from engine.intake.pack.taking import merge_pack, workspace_from_pack
from engine.intake.pack.writing import PackReport, write_pack

__all__ = [
    "SUFFIX",
    "Choice",
    "Manifest",
    "Pack",
    "PackError",
    "PackReport",
    "is_pack",
    "merge_pack",
    "open_pack",
    "rehearse_merge",
    "workspace_from_pack",
    "write_pack",
]
