"""Tables of paths and labels: CSV, TSV and Parquet, and what is wrong with a row."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from data_sources import files
from pyarrow import parquet

from paribus.data import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.table import table

ROWS = [
    ("train/china/crop.00.jpg", "China", "train"),
    ("train/flower/crop.01.jpg", "a flower, red", "train"),
    ("train/china/crop.02.jpg", "China", "val"),
    ("test/flower/crop.00.jpg", "a flower, red", "test"),
]


def csv_of(path: Path, rows: list[tuple[str, ...]], header: str = "path,label,split") -> Path:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join([header, *quoted]) + "\n")
    return path


def test_a_table_gives_paths_labels_and_splits(photo_folder: Path, tmp_path: Path) -> None:
    source = table(csv_of(tmp_path / "birds.csv", ROWS), photo_folder)
    assert (source.name, source.classes) == ("birds", ("China", "a flower, red"))
    assert {split: listing.labels.tolist() for split, listing in source.splits.items()} == {
        "train": [0, 1],
        "val": [0],
        "test": [1],
    }
    stored = files(source, "train")
    assert list(stored) == ["train/china/crop_00", "train/flower/crop_01"]
    assert stored["train/china/crop_00"].data == (photo_folder / ROWS[0][0]).read_bytes()
    assert source.splits["test"].sizes.tolist() == [(photo_folder / ROWS[3][0]).stat().st_size]


def test_csv_tsv_and_parquet_are_the_same_set(photo_folder: Path, tmp_path: Path) -> None:
    csv = csv_of(tmp_path / "set.csv", ROWS)
    tsv, columnar = tmp_path / "set.tsv", tmp_path / "set.parquet"
    tsv.write_text("\ufeffpath\tlabel\tsplit\n\n" + "".join("\t".join(row) + "\n" for row in ROWS))
    columns = dict(zip(("path", "label", "split"), zip(*ROWS, strict=True), strict=True))
    encoded = pa.table({name: pa.array(cells).dictionary_encode() for name, cells in columns.items()})
    parquet.write_table(encoded, columnar, row_group_size=3)
    digests = {
        make_shards(table(path, photo_folder), tmp_path / f"shards{place}").digest
        for place, path in enumerate((csv, tsv, columnar))
    }
    assert len(digests) == 1


def test_paths_are_relative_to_the_table_or_absolute_and_all_train_without_a_split(photo_folder: Path) -> None:
    absolute = str(photo_folder / "test/china/crop.01.jpg")
    path = csv_of(photo_folder / "here.csv", [("train/china/crop.03.jpg", "1"), (absolute, "0")], "path,label")
    source = table(path)
    path.unlink()
    assert list(source.splits["train"].keys) == ["train/china/crop_03", "test/china/crop_01"]
    assert source.splits["train"].load(1).data == Path(absolute).read_bytes()


def test_columns_may_have_other_names(photo_folder: Path, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "set.csv", [("9", row[0], row[2], row[1]) for row in ROWS], "id, file ,fold,species")
    source = table(path, photo_folder, {"path": "file", "label": "species", "split": "fold"})
    assert source.classes == ("China", "a flower, red")
    assert len(source.splits["train"]) == 2


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (("10", "9", "10", "-1"), ("-1", "9", "10"), [2, 1, 2, 0]),
        (("10", "09", "10", "9"), ("09", "10", "9"), [1, 0, 1, 2]),
        (("b", "10", "b", "9"), ("10", "9", "b"), [2, 0, 2, 1]),
    ],
)
def test_whole_numbers_are_sorted_as_numbers_and_all_else_as_text(
    photo_folder: Path, tmp_path: Path, labels: tuple[str, ...], classes: tuple[str, ...], numbers: list[int]
) -> None:
    rows = [(f"train/china/crop.{place:02d}.jpg", label) for place, label in enumerate(labels)]
    source = table(csv_of(tmp_path / "set.csv", rows, "path,label"), photo_folder)
    assert source.classes == classes
    np.testing.assert_array_equal(source.splits["train"].labels, numbers)


def test_labels_of_a_parquet_file_may_be_numbers(photo_folder: Path, tmp_path: Path) -> None:
    columns = {"path": [row[0] for row in ROWS], "label": [10, 9, 10, 9]}
    parquet.write_table(pa.table(columns), tmp_path / "set.parquet")
    assert table(tmp_path / "set.parquet", photo_folder).classes == ("9", "10")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("train/china/none.jpg", "China", "train"), "line 6: 'train/china/none.jpg' cannot be read below .*No such"),
        (("train/china", "China", "train"), "line 6: 'train/china' is no file"),
        (("train/china/crop.05.jpg", " ", "train"), "line 6: the label of 'train/china/crop.05.jpg' is empty"),
        (("", "China", "train"), "line 6: the path is empty"),
        (("train/china/crop.05.jpg", "China", "vall"), "line 6: split 'vall' is none of .*did you mean 'val'"),
        (ROWS[1], "line 6: 'train/flower/crop.01.jpg' is listed already, at line 3"),
        ((ROWS[1][0], "China", "test"), "line 6: .* is listed already, at line 3"),
        (("train/china/crop.05.jpg", "a cat", "test"), "class 'a cat' of split 'test' has no training sample"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(photo_folder: Path, tmp_path: Path, row: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        table(csv_of(tmp_path / "set.csv", [*ROWS, row]), photo_folder)


def test_lines_are_counted_through_cells_of_several_lines(photo_folder: Path, tmp_path: Path) -> None:
    rows = [("train/china/crop.00.jpg", "two\nlines"), ("train/china/none.jpg", "x")]
    with pytest.raises(DataError, match=r"line 4: 'train/china/none\.jpg'"):
        table(csv_of(tmp_path / "set.csv", rows, "path,label"), photo_folder)


def test_rows_of_a_parquet_file_are_named_and_many_faults_are_counted(photo_folder: Path, tmp_path: Path) -> None:
    columns = {"path": ["train/china/crop.00.jpg", None, *("nowhere.jpg",) * 7], "label": ["x"] * 9}
    parquet.write_table(pa.table(columns), tmp_path / "set.parquet")
    with pytest.raises(DataError, match=r"row 2: the path is empty; row 3: 'nowhere.jpg'.*; and 3 more$"):
        table(tmp_path / "set.parquet", photo_folder)


@pytest.mark.parametrize(
    ("header", "columns", "words"),
    [
        ("file_path,label", {}, r"no column 'path' \(it has: file_path, label\).*--columns path=file_path"),
        ("path,label", {"split": "fold"}, "no column 'fold'.*each image's split"),
        ("path,label", {"image": "path"}, "no use for a column 'image'"),
        ("", {}, "it has: none"),
    ],
)
def test_a_missing_column_is_named(tmp_path: Path, header: str, columns: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        table(csv_of(tmp_path / "set.csv", [], header), columns=columns)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("set.csv", b'path,label\n"a.jpg,1\n', "line 2: unexpected end of data"),
        ("set.csv", b"path,label\n\xff.jpg,1\n", "cannot be read"),
        ("set.parquet", b"PAR1 and then nothing of the kind", "cannot be read"),
        ("set.csv", b"path,label\n", "lists no training image"),
    ],
)
def test_what_is_no_table_is_an_error(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=words):
        table(tmp_path / name)


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    for name in ("set.csv", "set.parquet"):
        with pytest.raises(DataError, match="cannot be read"):
            table(tmp_path / name)
