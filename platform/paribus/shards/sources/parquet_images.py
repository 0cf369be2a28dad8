"""A Parquet file that holds images themselves, as Hugging Face's datasets write it: `image: {bytes, path}`."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.host.shown import shown
from paribus.shards.sources.class_names import ClassNumbers, Numbered, class_numbers, named_numbers
from paribus.shards.sources.file_type import suffix_of
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File, Listing, Source, tidy_key
from paribus.shards.sources.splits import split_of

# Groups of rows that were read last, by file and number: rows come in the order of the shards, not of the file.
_HELD_BYTES = 256 << 20
_held: OrderedDict[tuple[Path, int], list[bytes]] = OrderedDict()


def image_column(path: Path, columns: Mapping[str, str]) -> str | None:
    """The column that holds images' bytes: the one said to be the path, else the only one of its kind; None: no such.

    Raises:
        DataError: several that may be meant, or no Parquet file.
    """
    schema = _file(path).schema_arrow
    holding = [column.name for column in schema if _holds_bytes(column.type)]
    if "path" in columns:
        return columns["path"] if columns["path"] in holding else None
    if "path" in schema.names and "path" not in holding:
        return None
    if len(holding) > 1:
        raise DataError(f"{path} has several columns of images ({', '.join(holding)}): say --columns path={holding[0]}")
    return holding[0] if holding else None


def parquet_images(path: Path, column: str, columns: Mapping[str, str], how: ClassNumbers = "map") -> Source:
    """The images in `column`, a row an image, with the class in the column label and, if there is one, split.

    Where Hugging Face's notes in the file name the classes, those are the names. Images' bytes are stored as they are.

    Raises:
        DataError: no such column, a row without class or split, or what `class_numbers` raises.
    """
    rows: dict[str, list[int]] = {}
    labels: dict[str, list[str]] = {}
    for row, (label, split) in enumerate(_classes(path, columns), start=1):
        known = split_of(split)
        if known is None or not label:
            what = f"split {shown(split)!r} is none of train, val, test" if label else "the label is empty"
            raise DataError(f"{path}, row {row}: {what}: mend the table, or name other columns with --columns")
        rows.setdefault(known, []).append(row - 1)
        labels.setdefault(known, []).append(label)
    if "train" not in rows:
        raise DataError(f"{path} has no training image: its column split must say train for some")
    numbered = _numbered(path, columns.get("label", "label"), labels, how)
    starts = _starts(path)
    splits = {split: _listing(path, column, np.array(found), starts) for split, found in rows.items()}
    return Source(
        name=path.stem,
        classes=numbered.classes,
        splits={
            split: Listing(keys=keys, labels=numbered.numbers[split], sizes=np.zeros(len(keys), np.int64), load=load)
            for split, (keys, load) in splits.items()
        },
        made={"source": "parquet"} | ({"class_numbers": "keep"} if how == "keep" else {}),
        notes=numbered.notes,
    )


@dataclass(frozen=True)
class _Rows:
    """Loads the image of a row out of its group of rows; `starts` says where those begin."""

    path: Path
    column: str
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __call__(self, row: int) -> File:
        at = int(self.rows[row])
        group = int(np.searchsorted(self.starts, at, side="right")) - 1
        data = _group(self.path, self.column, group)[at - int(self.starts[group])]
        return File(suffix=suffix_of(data, ""), data=data)


def _listing(
    path: Path, column: str, rows: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[Sequence[str], _Rows]:
    return Names(f"{tidy_key(path.stem)}/{row:08d}" for row in rows.tolist()), _Rows(path, column, rows, starts)


def _group(path: Path, column: str, number: int) -> list[bytes]:
    if (path, number) not in _held:
        with _file(path) as file:
            cells = file.read_row_group(number, columns=[column]).column(0).to_pylist()
        _held[path, number] = [_bytes(path, cell) for cell in cells]
        while len(_held) > 1 and sum(len(data) for group in _held.values() for data in group) > _HELD_BYTES:
            _held.popitem(last=False)
    _held.move_to_end((path, number))
    return _held[path, number]


def _bytes(path: Path, cell: Any) -> bytes:
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    if data is None:
        where = cell.get("path") if isinstance(cell, dict) else None
        raise DataError(
            f"{path} has a row without an image's bytes"
            + (f", only the path {shown(where)!r}: make a table of such paths" if where else "")
        )
    return bytes(data)


def _classes(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    label, split = columns.get("label", "label"), columns.get("split", "split")
    with _file(path) as file:
        names = file.schema_arrow.names
        for role, name in (("label", label), ("split", split)):
            if name not in names and (role == "label" or role in columns):
                raise DataError(f"{path} has no column {name!r} ({', '.join(names)}): say --columns {role}=NAME")
        for batch in file.iter_batches(columns=[name for name in (label, split) if name in names]):
            splits = batch.column(split).to_pylist() if split in names else ["train"] * len(batch)
            for cell, where in zip(batch.column(label).to_pylist(), splits, strict=True):
                yield _label(path, label, cell), str(where).strip()


def _label(path: Path, column: str, cell: Any) -> str:
    if isinstance(cell, dict | list | bytes):
        raise DataError(f"{path}: column {column!r} holds {shown(cell)}, and a class is a name or a whole number")
    return "" if cell is None else str(cell).strip()


def _numbered(path: Path, column: str, labels: Mapping[str, list[str]], how: ClassNumbers) -> Numbered:
    try:
        notes = json.loads((_file(path).schema_arrow.metadata or {})[b"huggingface"])
        names = [str(name) for name in notes["info"]["features"][column]["names"]]
    except (KeyError, TypeError, ValueError):
        return class_numbers(labels, how)
    return named_numbers(labels, names)


def _starts(path: Path) -> NDArray[np.int64]:
    with _file(path) as file:
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return np.cumsum([0, *counts])[:-1]


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _file(path: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(path)
    except (OSError, ArrowException) as error:
        raise DataError(f"the table {path} cannot be read: {error}") from None
