"""A table of paths and labels: CSV, TSV, a list of lines or Parquet. The files' bytes are stored as they are."""

import csv
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import numpy as np

from paribus.errors import DataError
from paribus.host.shown import shown
from paribus.shards.sources.class_names import ClassNumbers, class_numbers
from paribus.shards.sources.names import Names
from paribus.shards.sources.parquet_images import image_column, parquet_images
from paribus.shards.sources.path_files import PathFiles
from paribus.shards.sources.source import Listing, Source, tidy_key
from paribus.shards.sources.splits import SPLITS, split_of

SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".parquet")
_COLUMNS = ("path", "label", "split")
# What may stand between cells, the likeliest first; a list of lines, as many sets bring one, has spaces.
_SEPARATORS = {".csv": ",;\t ", ".tsv": "\t,; ", ".txt": "\t,; ", ".lst": "\t,; "}
_SHOWN = 5
# The words for a row's place, and the rows: place, then what stands in the columns path, label and split.
_Row = tuple[str, str, str, str]


def table(
    path: Path, root: Path | None = None, columns: Mapping[str, str] | None = None, how: ClassNumbers = "map"
) -> Source:
    """The images that the table `path` lists, a row an image: its path, its label, and its split, `train` without.

    Paths are relative to `root`, by default the table's own folder. `columns` gives the names of the columns path,
    label and split where they have others, or, where the first line is an image already, their numbers from 1 on.
    Labels are names or whole numbers, splits are train, val or test. What stands between cells is told from the first
    line. A Parquet file may hold the images themselves.

    Raises:
        DataError: no such table or column; every row with a missing file, an empty or repeated cell, or an unknown
            split is named by its line.
    """
    if path.suffix.lower() == ".parquet" and (column := image_column(path, columns or {})) is not None:
        return parquet_images(path, column, columns or {}, how)
    root = path.parent if root is None else root
    rows = _Rows(root)
    for row in _parquet(path, columns or {}) if path.suffix.lower() == ".parquet" else _text(path, columns or {}):
        rows.add(*row)
    if rows.faults:
        more = f"; and {rows.num_faults - _SHOWN} more" if rows.num_faults > _SHOWN else ""
        raise DataError(f"{path}: {'; '.join(rows.faults)}{more}")
    if "train" not in rows.paths:
        raise DataError(f"{path} lists no training image: its column split must say train for some")
    numbered = class_numbers(rows.labels, how)
    splits = {}
    for split in SPLITS:
        if split in rows.paths:
            files = PathFiles(root, Names(rows.paths[split]))
            sizes = np.array(rows.sizes[split], np.int64)
            keys = Names(_key(file, root) for file in files.paths)
            splits[split] = Listing(keys=keys, labels=numbered.numbers[split], sizes=sizes, load=files)
    made = {"source": "table"} | ({"class_numbers": "keep"} if how == "keep" else {})
    return Source(name=path.stem, classes=numbered.classes, splits=splits, made=made, notes=numbered.notes)


@dataclass
class _Rows:
    """The rows so far, by split, and what is wrong with them."""

    root: Path
    paths: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    num_faults: int = 0
    places: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, path: str, label: str, split: str) -> None:
        fault, size = self._check(place, path, label, split)
        split = split_of(split) or split
        if fault:
            self.num_faults += 1
            if self.num_faults <= _SHOWN:
                self.faults.append(f"{place}: {fault}")
            return
        self.paths.setdefault(split, []).append(path)
        self.labels.setdefault(split, []).append(label)
        self.sizes.setdefault(split, []).append(size)

    def _check(self, place: str, path: str, label: str, split: str) -> tuple[str, int]:
        if not path or not label:
            return f"the {'label of ' + repr(shown(path)) if path else 'path'} is empty", 0
        if split_of(split) is None:
            close = get_close_matches(split, SPLITS, n=1, cutoff=0.4)
            guess = f"; did you mean {close[0]!r}?" if close else ""
            return f"split {shown(split)!r} is none of {', '.join(SPLITS)}{guess}", 0
        # Two paths of one key would be one sample, in one split or, worse, in two.
        earlier = self.places.setdefault(_key(path, self.root), place)
        if earlier != place:
            return f"{shown(path)!r} is listed already, at {earlier}, or differs from it in its suffix alone", 0
        try:
            status = (self.root / path).stat()
        except (OSError, ValueError) as error:
            return f"{shown(path)!r} cannot be read below {self.root} (--root): {getattr(error, 'strerror', error)}", 0
        return ("", status.st_size) if stat.S_ISREG(status.st_mode) else (f"{shown(path)!r} is no file", 0)


def _key(path: str, root: Path) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute():
        pure = pure.relative_to(root if pure.is_relative_to(root) else "/")
    return tidy_key(str(pure.with_suffix("")))


def _text(path: Path, columns: Mapping[str, str]) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            separator = _separator(path, handle.readline())
            handle.seek(0)
            reader = csv.reader(handle, delimiter=separator, strict=True, skipinitialspace=separator == " ")
            if _are_numbers(columns):
                wanted = _counted(path, columns)
            else:
                wanted = _wanted(path, next(reader, []), columns)
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    # A row that is too short lacks what its last columns would say.
                    texts = [cells[number].strip() if number < len(cells) else "" for number in wanted]
                    yield f"line {line}", texts[0], texts[1], texts[2] if len(texts) > 2 else "train"
                line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the table {path} cannot be read: {error}") from None


def _separator(path: Path, first: str) -> str:
    """What stands between the cells of the first line."""
    separators = _SEPARATORS[path.suffix.lower()]
    return next((each for each in separators if each in first.strip()), separators[0])


def _are_numbers(columns: Mapping[str, str]) -> bool:
    return {"path", "label"} <= columns.keys() and all(number.isdecimal() for number in columns.values())


def _counted(path: Path, columns: Mapping[str, str]) -> list[int]:
    """The columns path, label and split of a table without names, told by their numbers from 1 on."""
    odd = [number for number in columns.values() if int(number) < 1]
    if odd or set(columns) - set(_COLUMNS):
        raise DataError(
            f"{path}: columns are numbered from 1 on, as in --columns path=1,label=2 (split=3, if there is one)"
        )
    return [int(columns[role]) - 1 for role in _COLUMNS if role in columns]


def _parquet(path: Path, columns: Mapping[str, str]) -> Iterator[_Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            header = file.schema_arrow.names
            names = [header[number] for number in _wanted(path, header, columns)]
            row = 0
            for batch in file.iter_batches(columns=names):
                for cells in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                    row += 1
                    texts = ["" if cell is None else _text_of(path, cell) for cell in cells]
                    yield f"row {row}", texts[0], texts[1], texts[2] if len(texts) > 2 else "train"
    except (OSError, ArrowException) as error:
        raise DataError(f"the table {path} cannot be read: {error}") from None


def _text_of(path: Path, cell: object) -> str:
    if isinstance(cell, dict | list | bytes):
        raise DataError(f"{path}: a cell holds {shown(cell)}, where a path, a class or a split should stand")
    return str(cell).strip()


def _wanted(path: Path, header: list[str], columns: Mapping[str, str]) -> list[int]:
    """The numbers of the columns path, label and, if there is one, split."""
    odd = sorted(set(columns) - set(_COLUMNS))
    if odd:
        raise DataError(f"a table of images has no use for a column {odd[0]!r}: it needs path, label and perhaps split")
    header = [name.strip() for name in header]
    wanted = []
    for role in _COLUMNS:
        name = columns.get(role, role)
        if name in header:
            wanted.append(header.index(name))
        elif role in columns or role != "split":
            close = get_close_matches(name, header, n=1, cutoff=0.4)
            guess = close[0] if close else "NAME"
            raise DataError(
                f"{path} has no column {name!r} (it has: {shown(', '.join(header)) or 'none'}): say which holds each "
                f"image's {role} with --columns {role}={guess}, or, if its first line is an image already, by numbers: "
                "--columns path=1,label=2"
            )
    return wanted
