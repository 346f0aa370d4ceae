"""Parquet as the library `datasets` reads and writes it: a column `image` of {bytes, path}, and columns as in `flat`.

Needs pyarrow, the optional extra `secondlook[parquet]`. The file's key-value metadata "huggingface" names the columns'
features, so that `datasets` shows pictures as pictures. Written and read a row group at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import InputError
from engine.intake.captures import MOST_BYTES
from engine.intake.formats import flat
from engine.intake.formats.base import Format, Reading, Writing, written_whole
from engine.intake.formats.known import known_items
from engine.intake.report import ExportReport
from engine.intake.screenshots import Screenshots
from engine.intake.sources import Record
from engine.types import Item
from engine.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE = "image"
_MAGIC = b"PAR1"
_GROUP = 64
_MOST_GROUP_BYTES = 4 << 30


def sniff(path: Path) -> float:
    """Return how sure it is that a file is Parquet: by its first four bytes."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return 1.0 if file.read(4) == _MAGIC else 0.0
    return 0.0


def count(path: Path) -> int:
    """Return how many rows there are; 0 where the file cannot be read, which `read` will say."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    with contextlib.suppress(OSError, ValueError, pa.ArrowException), pq.ParquetFile(path) as file:
        return int(file.metadata.num_rows)
    return 0


def read(path: Path, how: Reading) -> Iterator[Record]:
    """Give the record of each row; `line` is its number from 1.

    A file of other origin gives its image and its other columns; a row without an id is named by file and number.
    """
    del how
    pa = _pyarrow()
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            _refuse_bombs(path, file)
            for batch in file.iter_batches(batch_size=_GROUP):
                for row in batch.to_pylist():
                    number += 1
                    yield _record(number, row, path.stem)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        yield Record(line=number + 1, problem=f"the file cannot be read from here on ({_first_line(error)})")


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise InputError(
            "Parquet needs the library pyarrow, which is not installed.",
            "Install it with: pip install secondlook[parquet]",
        ) from error
    return pa


def _refuse_bombs(path: Path, file: Any) -> None:
    for number in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(number).total_byte_size
        if size > _MOST_GROUP_BYTES:
            raise InputError(
                f"'{path}' holds a row group of {size >> 30} GB; {_MOST_GROUP_BYTES >> 30} is the most.",
                "Write it again with smaller row groups.",
            )


def _record(number: int, row: dict[str, Any], stem: str) -> Record:
    picture, name = _picture(row)
    if picture is not None and len(picture) > MOST_BYTES:
        return Record(line=number, problem=f"its image is larger than {MOST_BYTES >> 20} MB")
    if flat.is_ours(row):
        return flat.record_of(number, row, picture)
    fields = {key: value for key, value in ((key, _plain(value)) for key, value in row.items()) if value is not None}
    if name and picture is None:
        fields.setdefault("screenshot", name)
    fields.setdefault("id", f"{stem}-{number}")
    return Record(line=number, fields=fields, picture=picture)


def _picture(row: dict[str, Any]) -> tuple[bytes | None, str]:
    """Take the first column that is an image out of a row; return its bytes, and its path as the file gives it."""
    for key, value in row.items():
        if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
            del row[key]
            raw, name = value["bytes"], value["path"]
            return raw if isinstance(raw, bytes) and raw else None, name if isinstance(name, str) else ""
    row.pop(IMAGE, None)
    return None, ""


def _plain(value: Any) -> Any:
    """Return a value as JSON could hold it; dates and numbers of other kinds as text, bytes not at all."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def write(ws: Workspace, path: Path, how: Writing) -> ExportReport:
    """Write one row per item."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    schema = _schema(pa, flat.multi_columns(ws.taxonomy))
    items = 0
    screenshots = Screenshots(ws)
    stream = known_items(ws, how)
    with written_whole(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(stream, _GROUP)):
            rows = [{IMAGE: _image(known.item, screenshots.of(known.item))} | flat.row_of(known, ws) for known in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            items += len(batch)
    return ExportReport(file=str(path), format=FORMAT.name, items=items, rows=items, notes=screenshots.notes)


def _image(item: Item, png: bytes | None) -> dict[str, Any] | None:
    return None if png is None else {"bytes": png, "path": f"{item.capture}.png"}


def _schema(pa: Any, tasks: Mapping[str, bool]) -> pa.Schema:
    texts = pa.list_(pa.string())
    fields = [(IMAGE, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    fields += [(name, pa.string()) for name in (*flat.TEXTS, *flat.JSON)]
    fields += [("subsets", texts), ("exposure", pa.float64())]
    fields += [(name, texts if multi else pa.string()) for name, multi in tasks.items()]
    features = {name: _feature(pa, kind) for name, kind in fields}
    stated = msgspec.json.encode({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": stated})


def _feature(pa: Any, kind: Any) -> dict[str, Any]:
    """Return what `datasets` calls a column of this type. "Sequence" is read by its old and its new versions."""
    if pa.types.is_struct(kind):
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}
    return {"dtype": "float64" if pa.types.is_floating(kind) else "string", "_type": "Value"}


FORMAT = Format(
    name="parquet",
    title="Parquet",
    describes="one row an item with its screenshot, as the library datasets reads it",
    suffixes=(".parquet",),
    sniff=sniff,
    count=count,
    read=read,
    write=write,
)
