"""Packs that somebody else made: each is refused in one sentence, and nothing of it is used."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import InputError
from engine.intake.pack import PackError, manifest, merge_pack, open_pack, reading
from engine.types import Action, Decision
from engine.workspace import Workspace, chain

Entries = dict[str, bytes]
Rewrite = Callable[..., Path]


@pytest.fixture
def refused(home: Workspace) -> Callable[[Path], str]:
    """Merge a pack that must be refused, and return the sentence; nothing may have changed."""

    def merge(path: Path, kind: type[InputError] = PackError) -> str:
        before = (home.decisions.head(), home.items.count(), home.origins.count())
        with pytest.raises(kind) as caught:
            merge_pack(home, path)
        assert (home.decisions.head(), home.items.count(), home.origins.count()) == before
        assert caught.value.way_out
        return caught.value.message

    return merge


def archive(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as target:
        for name, body in entries:
            target.writestr(name, body)
    return path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.png", "leads out of the pack"),
        ("captures/../../evil.png", "leads out of the pack"),
        ("..\\evil.png", "leads out of the pack"),
        ("/etc/evil", "absolute path"),
        ("C:\\evil", "absolute path"),
        ("captures/ab/nested.zip", "nothing that a review pack holds"),
        ("captures/ab/" + "b" * 64 + ".png", "nothing that a review pack holds"),
        ("items.jsonl\n", "nothing that a review pack holds"),
        ("captures/", "no plain file"),
    ],
)
def test_names(tmp_path: Path, refused: Callable[[Path], str], name: str, words: str) -> None:
    message = refused(archive(tmp_path / "x.zip", ("manifest.json", b"{}"), (name, b"x")))
    assert words in message


def test_links_duplicates_and_passwords(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    link = zipfile.ZipInfo("items.jsonl")
    link.external_attr = 0o120777 << 16
    assert "is a link" in refused(archive(tmp_path / "link.zip", (link, b"/etc/passwd")))
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = archive(tmp_path / "twice.zip", ("items.jsonl", b""), ("items.jsonl", b"{}"))
    assert "'items.jsonl' is there twice" in refused(twice)
    body = bytearray(archive(tmp_path / "locked.zip", ("items.jsonl", b"secret")).read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.find(signature) + place] |= 1
    (tmp_path / "locked.zip").write_bytes(body)
    assert "is encrypted" in refused(tmp_path / "locked.zip")
    assert "unknown method" in refused(archive(tmp_path / "bz.zip", ("items.jsonl", b""), method=zipfile.ZIP_BZIP2))


def test_bombs(tmp_path: Path, refused: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive(tmp_path / "bomb.zip", ("items.jsonl", bytes(20 << 20)))
    assert "as in a zip bomb" in refused(bomb)
    huge = archive(tmp_path / "png.zip", (manifest.capture_name("ab" * 32), bytes(33 << 20)), method=zipfile.ZIP_STORED)
    assert "33 MB; 32 is the most" in refused(huge)
    monkeypatch.setattr(manifest, "MOST_BYTES", 1 << 20)
    large = archive(tmp_path / "large.zip", ("items.jsonl", bytes(2 << 20)), method=zipfile.ZIP_STORED)
    assert "unpacked it takes" in refused(large)
    monkeypatch.setattr(manifest, "MOST_ENTRIES", 2)
    many = archive(tmp_path / "many.zip", *((manifest.capture_name(f"{n:064x}"), b"") for n in range(3)))
    assert "3 entries; 2 is the most" in refused(many)
    monkeypatch.setattr(manifest, "MOST_DIRECTORY_BYTES", 100)
    assert "list of entries" in refused(many)


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR, stat.S_IFSOCK])
def test_only_plain_files(tmp_path: Path, refused: Callable[[Path], str], kind: int) -> None:
    odd = zipfile.ZipInfo("items.jsonl")
    odd.external_attr = (kind | 0o644) << 16
    assert "is no plain file" in refused(archive(tmp_path / "odd.zip", (odd, b"")))


@pytest.mark.parametrize(
    ("field", "place", "value", "words"),
    [
        ("uncompressed size", 24, 0xFFFFFFF0, "as in a zip bomb"),
        ("uncompressed size", 24, 10, "is damaged"),
        ("compressed size", 20, 0, "is damaged"),
        ("place", 42, 0x7FFFFFFF, "is damaged"),
        ("checksum", 16, 1, "is damaged"),
    ],
)
def test_lies_in_the_list_of_entries(
    packed: Path, refused: Callable[[Path], str], field: str, place: int, value: int, words: str
) -> None:
    body = bytearray(packed.read_bytes())
    start = body.rindex(b"PK\x01\x02", 0, body.rindex(b"items.jsonl"))
    struct.pack_into("<L", body, start + place, value)
    packed.write_bytes(body)
    assert words in refused(packed), field


def test_more_items_than_a_pack_holds(
    rewrite: Rewrite, refused: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(entries: Entries) -> None:
        entries["items.jsonl"] *= 3

    def understate(entries: Entries) -> None:
        entries["manifest.json"] = json.dumps(json.loads(entries["manifest.json"]) | {"items": 2}).encode()

    assert "holds more than the 2 of the manifest" in refused(rewrite(understate))
    assert "comes twice" in refused(rewrite(repeat, fitting=True))
    monkeypatch.setattr(reading, "MOST_ITEMS", 5)
    assert "speaks of 6 items; 5 is the most" in refused(rewrite(lambda _: None))


def test_models_and_verdicts_are_looked_at_before_anything_is_written(
    home: Workspace, rewrite: Rewrite, refused: Callable[[Path], str]
) -> None:
    def rename(entries: Entries) -> None:
        for name in ("models.jsonl", "verdicts.jsonl", "explanations.jsonl"):
            entries[name] = entries[name].replace(b'"model-1"', b'"../../evil"')

    def exaggerate(entries: Entries) -> None:
        rows = [json.loads(line) | {"probability": 7.0} for line in entries["verdicts.jsonl"].splitlines()]
        entries["verdicts.jsonl"] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    kept = sorted((home.path / "captures").rglob("*"))
    assert "cannot be the name of a model" in refused(rewrite(rename, fitting=True))
    assert "a probability outside 0 to 1" in refused(rewrite(exaggerate, fitting=True))
    assert sorted((home.path / "captures").rglob("*")) == kept
    assert not list(home.path.parent.rglob("evil"))


def test_overlapping_entries(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    """Two entries that share their bytes: the second's place is set to the first's."""
    path = archive(tmp_path / "x.zip", ("items.jsonl", b"a" * 900), ("models.jsonl", b"b"), method=zipfile.ZIP_STORED)
    body = bytearray(path.read_bytes())
    second = body.rfind(b"PK\x01\x02")
    struct.pack_into("<LL", body, second + 20, 900, 900)
    path.write_bytes(body)
    assert "overlap" in refused(path)


def test_no_zip_and_no_pack(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    (tmp_path / "text.zip").write_bytes(b"PK but not really")
    assert "no zip file" in refused(tmp_path / "text.zip")
    assert "no review pack" in refused(archive(tmp_path / "other.zip", ("items.jsonl", b"")))
    assert "no review pack" in refused(archive(tmp_path / "photos.zip", ("photo.png", b"")))
    assert "cannot be read" in refused(tmp_path / "missing.zip")


def test_hashes_sizes_and_versions(rewrite: Rewrite, refused: Callable[[Path], str]) -> None:
    def change(name: str, body: bytes) -> Callable[[Entries], None]:
        return lambda entries: entries.update({name: body})

    def state(**more: object) -> Callable[[Entries], None]:
        def alter(entries: Entries) -> None:
            entries["manifest.json"] = json.dumps(json.loads(entries["manifest.json"]) | more).encode()

        return alter

    def lengthen(entries: Entries) -> None:
        entries["items.jsonl"] += b"\n"

    assert "'items.jsonl' has" in refused(rewrite(lengthen))
    assert "SHA-256 is another" in refused(rewrite(lambda one: one.update({"items.jsonl": one["items.jsonl"][::-1]})))
    assert "'decisions.jsonl' is missing" in refused(rewrite(lambda entries: entries.pop("decisions.jsonl") and None))
    assert "version 2; this Second Look knows version 1" in refused(rewrite(state(version=2)))
    assert "'manifest.json' is of 'x'" in refused(rewrite(state(format="x")))
    assert "'manifest.json' cannot be read" in refused(rewrite(state(files=3)))
    assert "'manifest.json' cannot be read" in refused(rewrite(change("manifest.json", b"[" * 100_000)))
    assert "holds 6 items, but the manifest says 7" in refused(rewrite(state(items=7)))
    assert "'taxonomy.toml' cannot be used" in refused(rewrite(change("taxonomy.toml", b"name ="), fitting=True))


def test_a_capture_that_is_not_in_the_manifest_or_belongs_to_no_item(
    rewrite: Rewrite, refused: Callable[[Path], str]
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    name = manifest.capture_name(hashlib.sha256(picture.getvalue()).hexdigest())
    assert "is not in the manifest" in refused(rewrite(lambda entries: entries.update({name: picture.getvalue()})))
    more = rewrite(lambda entries: entries.update({name: picture.getvalue()}), fitting=True)
    assert "the screenshot of no item" in refused(more)


def swap(entries: Entries, picture: bytes) -> None:
    """Put another picture in the place of the first item's, with all that names it."""
    old = json.loads(entries["items.jsonl"].splitlines()[0])["capture"]
    new = hashlib.sha256(picture).hexdigest()
    del entries[manifest.capture_name(old)]
    entries[manifest.capture_name(new)] = picture
    entries["items.jsonl"] = entries["items.jsonl"].replace(old.encode(), new.encode())


def test_pictures_are_checked_as_an_import_checks_them(rewrite: Rewrite, refused: Callable[[Path], str]) -> None:
    jpeg, other_size = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (40, 30)).save(jpeg, "JPEG")
    Image.new("RGB", (41, 30)).save(other_size, "PNG")
    cut = other_size.getvalue()[:-20]
    for picture, words in (
        (b"no picture", "it is no PNG"),
        (jpeg.getvalue(), "is no 8-bit PNG"),
        (cut, "damaged or cut short"),
        (other_size.getvalue(), "another size"),
    ):
        assert words in refused(rewrite(lambda entries, new=picture: swap(entries, new), fitting=True))


def decisions(entries: Entries) -> list[dict[str, object]]:
    return [json.loads(line) for line in entries["decisions.jsonl"].splitlines()]


def with_decisions(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Entries], None]:
    def alter(entries: Entries) -> None:
        rows = decisions(entries)
        change(rows)
        entries["decisions.jsonl"] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    return alter


def sealed(**fields: object) -> dict[str, object]:
    """A row with a hash of its own, as somebody who knows how could make it."""
    base = {"number": 9, "act": "z", "item": "t2", "task": "toxicity", "action": Action.CORRECT, "labels": ("toxic",)}
    row = Decision(**{**base, "reviewer": "eve", "at": "2026-01-01T00:00:00.000Z", **fields})  # type: ignore[arg-type]
    return {"decision": json.loads(msgspec.json.encode(chain.seal(row)))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[0]["decision"].update(labels=["non-toxic"]), "was changed after it was written"),
        (lambda rows: rows[0]["crossed_out"][0].update(text="words"), "crossed out with decision 1 was changed"),
        (lambda rows: rows[0]["decision"].update(item="nobody"), "which is not in the pack"),
        (lambda rows: rows[0]["decision"].update(action="burn"), "cannot be read in line 1"),
        (lambda rows: rows.append(sealed(reviewer=" ")), "no reviewer"),
        (lambda rows: rows.append(sealed(at="noon")), "at no time"),
        (lambda rows: rows.append(sealed(seconds=-1.0)), "impossible number or duration"),
        (lambda rows: rows.append(sealed(number=2**63)), "impossible number or duration"),
        (lambda rows: rows.append(sealed(number=10**18)), "impossible number or duration"),
        (lambda rows: rows.append(sealed(task="toxi\x00city")), "that is no name"),
        (lambda rows: rows.append(sealed(labels=("x" * 300,))), "that is no name"),
        (lambda rows: rows.append(sealed(labels=tuple(f"l{n}" for n in range(2_000)))), "gives 2,000 labels"),
        (lambda rows: rows.append(sealed(number=2, item="t3")), "comes after decision"),
        (lambda rows: rows.append(sealed(number=5, previous="0" * 64)), "does not continue decision 4"),
        (
            lambda rows: rows.append({**sealed(), "origin": {"pack": "p", "number": 1, "previous": "", "hash": "x"}}),
            "its origin",
        ),
    ],
)
def test_records_of_decisions(
    rewrite: Rewrite, refused: Callable[[Path], str], change: Callable[[list[dict[str, object]]], object], words: str
) -> None:
    assert words in refused(rewrite(with_decisions(change), fitting=True))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (sealed(action=Action.UNDO, labels=(), undoes="unheard-of"), "neither in the pack nor here"),
    ],
)
def test_decisions_that_do_not_fit_together(
    rewrite: Rewrite, refused: Callable[..., str], row: dict[str, object], words: str
) -> None:
    assert words in refused(rewrite(with_decisions(lambda rows: rows.append(row)), fitting=True), InputError)


def _append(row: dict[str, object], rows: list[dict[str, object]]) -> None:
    rows.append(row)


def test_nobody_takes_back_or_adds_to_what_another_reviewer_said(
    home: Workspace, rewrite: Rewrite, refused: Callable[..., str]
) -> None:
    act = home.decisions.of("t0")[0].act
    for row in (
        sealed(item="t0", action=Action.UNDO, labels=(), undoes=act),
        sealed(item="t0", act=act),
        sealed(item="t2", act=act, reviewer="ann"),
    ):
        pack = rewrite(with_decisions(partial(_append, row)), fitting=True)
        assert "act of another reviewer or item" in refused(pack, InputError)


def test_items_pass_the_checks_of_an_import(rewrite: Rewrite, refused: Callable[[Path], str]) -> None:
    def change(**more: object) -> Callable[[Entries], None]:
        def alter(entries: Entries) -> None:
            first, *rest = entries["items.jsonl"].splitlines()
            entries["items.jsonl"] = b"\n".join([json.dumps(json.loads(first) | more).encode(), *rest])

        return alter

    for more, words in (
        ({"kind": "song"}, "no kind 'song'"),
        ({"id": "a\nb"}, "without control characters"),
        ({"text": "a\x00b"}, "control characters"),
        ({"regions": {"text": [[0, 0, -1, 2]]}}, "in pixels"),
        ({"id": "t1"}, "comes twice"),
        ({"width": 3}, "another size"),
        ({"width": 10**30}, "cannot be read in line 1"),
        ({"height": 2**63}, "larger than any"),
        ({"width": -5, "capture": None}, "larger than any"),
        ({"capture": "../x"}, "screenshot is missing"),
        ({"captured_at": "noon"}, "no time"),
    ):
        assert words in refused(rewrite(change(**more), fitting=True))


def test_an_explanation_with_a_number_that_nothing_can_hold(rewrite: Rewrite, refused: Callable[[Path], str]) -> None:
    def change(entries: Entries) -> None:
        one = json.loads(entries["explanations.jsonl"])
        one["tokens"][0]["end"] = 10**30
        entries["explanations.jsonl"] = json.dumps(one).encode()

    assert "cannot be read in line 1" in refused(rewrite(change, fitting=True))


def test_an_explanation_with_a_bomb_for_a_map(rewrite: Rewrite, refused: Callable[[Path], str]) -> None:
    for width, cells, words in (
        (2, zlib.compress(bytes(10_000_000)), "not of the size that it says"),
        (2, b"nothing", "is damaged"),
        (10_000_000, b"", "10000000 × 2"),
    ):
        parts = {"width": width, "height": 2, "cells": base64.b64encode(cells).decode()}

        def change(entries: Entries, parts: object = parts) -> None:
            one = json.loads(entries["explanations.jsonl"]) | {"segment_map": parts}
            entries["explanations.jsonl"] = json.dumps(one).encode()

        assert words in refused(rewrite(change, fitting=True))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6), st.floats(0.3, 1))
def test_a_damaged_pack_is_refused_or_is_still_the_same(
    packed: Path, tmp_path: Path, changes: list[tuple[float, int]], keep: float
) -> None:
    """Bytes anywhere are changed and the end is cut off: a clean error, or a pack whose hashes still hold."""
    body = bytearray(packed.read_bytes())
    for place, value in changes:
        body[int(place * (len(body) - 1))] = value
    if keep < 0.5:
        del body[int(keep * len(body)) :]
    path = tmp_path / "damaged.zip"
    path.write_bytes(body)
    with contextlib.suppress(PackError), open_pack(path) as pack:
        assert len(list(pack.items())) == 6
