"""Texts as sets of character shingles, without what copies of a text differ in."""

from __future__ import annotations

import unicodedata

import numpy as np
import regex
from numpy.typing import NDArray

SHINGLE = 3
"""Characters of a shingle. Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.2.2, take 5 for
e-mails; tweets are shorter, and with 3 a changed letter leaves a text of 30 characters a near-duplicate of itself."""
SHORTEST = 20
"""Normalised texts with fewer characters are near-duplicates only if they are equal: a letter may make another word."""

Shingles = NDArray[np.uint64]

_LINKS = regex.compile(r"(?:https?://|\bwww\.)\S+", regex.IGNORECASE)
_HANDLES = regex.compile(r"(?<!\w)@\w+")
_INSIDE_WORDS = regex.compile(r"\p{M}|(?<=\w)['’](?=\w)")
_NOISE = regex.compile(r"[\p{P}\p{Sm}\p{Sc}\p{Sk}\p{C}\s]+")
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def normalised(text: str) -> str:
    """Return the text without links, handles, accents, punctuation and case, its words one space apart.

    Letters, digits and emoji stay. A text of nothing but handles and links comes out empty.
    """
    bare = _HANDLES.sub(" ", _LINKS.sub(" ", text))
    plain = unicodedata.normalize("NFKD", bare).casefold()
    words: str = _NOISE.sub(" ", _INSIDE_WORDS.sub("", plain))
    return words.strip()


def shingles(text: str) -> Shingles:
    """Return the sorted 64-bit hashes of a normalised text's shingles, each once; empty for a text below `SHINGLE`."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < SHINGLE:
        return np.empty(0, dtype=np.uint64)
    hashes = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for place in range(SHINGLE):
        hashes = hashes * _FACTOR + codes[place : place + len(hashes)]
    for shift, factor in _MIXERS:  # the finaliser of SplitMix64 (Steele, Lea and Flood 2014, figure 17)
        hashes = (hashes ^ (hashes >> shift)) * factor
    return np.unique(hashes ^ (hashes >> np.uint64(31)))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return the share of shingles in [0, 1] that two sets have in common; 0 for two empty ones."""
    both = len(one) + len(other)
    shared = both - len(np.union1d(one, other))
    return shared / (both - shared) if both > shared else 0.0
