"""Near-duplicates of texts and of screenshots, and the groups that must stay on one side of a split.

Light (numpy and Pillow, no torch). The trainer, the experiments and the `splits` command import it; it imports the
shared types only.
"""

from engine.similarity.grouping import Grouping, author_key, examined, grouped

__all__ = ["Grouping", "author_key", "examined", "grouped"]
