"""What strangers' data did: each fault in words, and the way that works."""

import argparse
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from data_sources import files
from PIL import Image
from pyarrow import parquet

from paribus.commands.shards import register
from paribus.data import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.manifest import read_manifest
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.table import table
from paribus.shards.storage.locations import ShardLocation

ROWS = [
    ("train/china/crop.00.jpg", "China", "train"),
    ("train/flower/crop.01.jpg", "a flower, red", "train"),
    ("train/china/crop.02.jpg", "China", "val"),
    ("test/flower/crop.00.jpg", "a flower, red", "test"),
]


def shards(*arguments: object) -> int:
    parser = argparse.ArgumentParser("paribus")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["shards", *map(str, arguments)])
    code: int = args.run(args)
    return code


def csv_of(path: Path, rows: Sequence[tuple[str, ...]], header: str = "path,label,split") -> Path:
    path.write_text("\n".join([header, *(",".join(f'"{cell}"' for cell in row) for row in rows)]) + "\n")
    return path


def picture(kind: str, number: int = 0) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (12, 9), (40 * number % 256, 20, 30)).save(buffer, kind)
    return buffer.getvalue()


def hugging_face(path: Path, labels: list[int | None], names: list[str] | None = None) -> Path:
    """A file as `datasets` writes it, in groups of three rows."""
    images = [{"bytes": picture("JPEG", row), "path": f"{row}.jpg"} for row in range(len(labels))]
    columns = pa.table({"image": images, "label": labels})
    if names:
        notes = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        columns = columns.replace_schema_metadata({"huggingface": json.dumps(notes)})
    parquet.write_table(columns, path, row_group_size=3)
    return path


def test_images_within_parquet_are_read_and_never_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = hugging_face(tmp_path / "train.parquet", [n % 2 for n in range(8)], ["cat", "dog"])
    assert shards("make", path, tmp_path / "set", "--hold-out", "test=0.3") == 0
    assert "of 2 classes" in capsys.readouterr().out
    assert read_manifest(ShardLocation(str(tmp_path / "set"))).classes == ("cat", "dog")
    assert not verify(ShardLocation(str(tmp_path / "set"))).faults
    source = table(path)
    stored = files(source, "train")
    assert [file.data for file in stored.values()] == [picture("JPEG", row) for row in range(8)]
    assert table(hugging_face(tmp_path / "plain.parquet", [3, 4, 3])).classes == ("3", "4")
    with pytest.raises(DataError, match="row 2: the label is empty"):
        table(hugging_face(tmp_path / "holes.parquet", [1, None]))
    with pytest.raises(DataError) as refused:
        table(path, columns={"path": "label", "label": "image"})
    assert "JFIF" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_a_folder_says_what_it_leaves_out_and_takes_all_that_the_decoder_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"a.avif": "AVIF", "b.jp2": "JPEG2000", "c.jfif": "JPEG", "d.jpg": "JPEG"}
    for name, kind in kinds.items():
        (tmp_path / "set/train/x").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set/train/x" / name).write_bytes(picture(kind))
    for name in ("e.svg", "f.svg", "notes.txt", ".hidden"):
        (tmp_path / "set/train/x" / name).write_text("<svg/>")
    assert shards("make", tmp_path / "set", tmp_path / "out") == 0
    assert "3 files are not called as images that are read here and were left out (2 .svg, 1 .txt)" in (
        capsys.readouterr().err
    )
    assert set(files(image_folder(tmp_path / "set"), "train")) == {"x/a", "x/b", "x/c", "x/d"}
    assert not verify(ShardLocation(str(tmp_path / "out"))).faults


@pytest.mark.parametrize("word", ["validation", "Validation", "valid", "dev"])
def test_validation_means_val(photo_folder: Path, tmp_path: Path, word: str) -> None:
    rows = [(path, label, word if split == "val" else split) for path, label, split in ROWS]
    made = make_shards(table(csv_of(tmp_path / "t.csv", rows), photo_folder), tmp_path / "a")
    usual = make_shards(table(csv_of(tmp_path / "t.csv", ROWS), photo_folder), tmp_path / "b")
    assert made.digest == usual.digest


@pytest.mark.parametrize(
    ("name", "separator", "header", "columns"),
    [
        ("t.csv", ",", None, {"path": "1", "label": "2", "split": "3"}),
        ("t.txt", " ", None, {"path": "1", "label": "2", "split": "3"}),
        ("t.lst", "  ", None, {"path": "1", "label": "2", "split": "3"}),
        ("t.csv", ";", "path;label;split", {}),
        ("t.csv", " ", "path label split", {}),
        ("t.csv", ",", "file name,the label,split", {"path": "file name", "label": "the label"}),
    ],
)
def test_a_table_without_header_or_with_spaces_is_the_same_set(
    photo_folder: Path, tmp_path: Path, name: str, separator: str, header: str | None, columns: dict[str, str]
) -> None:
    rows = [(path, label.replace("a flower, red", "flower"), split) for path, label, split in ROWS]
    lines = [separator.join(row) for row in rows]
    (tmp_path / name).write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    source = table(tmp_path / name, photo_folder, columns)
    assert {split: list(listing.keys) for split, listing in source.splits.items()} == {
        "train": ["train/china/crop_00", "train/flower/crop_01"],
        "val": ["train/china/crop_02"],
        "test": ["test/flower/crop_00"],
    }
    assert source.classes == ("China", "flower")


def test_a_table_whose_first_line_is_an_image_says_how_to_count_columns(photo_folder: Path, tmp_path: Path) -> None:
    path = csv_of(tmp_path / "t.csv", ROWS[1:], "train/china/crop.00.jpg,China,train")
    with pytest.raises(DataError, match="by numbers: --columns path=1,label=2"):
        table(path, photo_folder)
    with pytest.raises(DataError, match="columns are numbered from 1 on"):
        table(path, photo_folder, {"path": "0", "label": "1"})


@pytest.mark.parametrize("label", ["0.3333333333333333", "1e-05", "nan", "-.5"])
def test_a_measurement_is_no_class(photo_folder: Path, tmp_path: Path, label: str) -> None:
    rows = [(ROWS[0][0], label), (ROWS[1][0], "0.5")]
    with pytest.raises(DataError, match=r"the class '.*' in split 'train' is a number with a fraction"):
        table(csv_of(tmp_path / "t.csv", rows, "path,label"), photo_folder)


@pytest.mark.parametrize("label", ["v0.5", "1.0", "3", "n01440764"])
def test_names_with_numbers_in_them_stay_names(photo_folder: Path, tmp_path: Path, label: str) -> None:
    rows = [(ROWS[0][0], label), (ROWS[1][0], label)]
    assert table(csv_of(tmp_path / "t.csv", rows, "path,label"), photo_folder).classes == (label,)


def test_class_numbers_that_change_are_said_and_can_be_kept(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"train/china/crop.{n:02d}.jpg", str((3, 17, 999)[n % 3])) for n in range(6)]
    path = csv_of(tmp_path / "t.csv", rows, "path,label")
    assert shards("make", path, tmp_path / "mapped", "--root", photo_folder) == 0
    said = capsys.readouterr().err
    assert "the class numbers of the source are numbered anew, from 0 (3 is 0, 17 is 1, 999 is 2)" in said
    assert read_manifest(ShardLocation(str(tmp_path / "mapped"))).classes == ("3", "17", "999")
    assert shards("make", path, tmp_path / "kept", "--root", photo_folder, "--class-numbers", "keep") == 0
    assert "997 of these 1000 classes have no training sample" in capsys.readouterr().err
    kept = table(path, photo_folder, how="keep")
    assert kept.splits["train"].labels.tolist() == [3, 17, 999] * 2
    assert len(read_manifest(ShardLocation(str(tmp_path / "kept"))).classes) == 1000
    for name in ("2", "10"):
        (tmp_path / "folder/train" / name).mkdir(parents=True)
        (tmp_path / "folder/train" / name / "a.png").write_bytes(picture("PNG"))
    assert image_folder(tmp_path / "folder").notes == (
        "the class numbers, sorted as text, of the source are numbered anew, from 0 (10 is 0, 2 is 1); what they were "
        "stays as the classes' names",
    )
    assert (
        table(
            csv_of(tmp_path / "t.csv", [(row[0], str(n % 2)) for n, row in enumerate(rows)], "path,label"), photo_folder
        ).notes
        == ()
    )
