"""Shard sets: the same bytes every time, whole or not at all."""

import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from data_sources import changed, files
from PIL import Image
from sklearn.datasets import load_digits

from paribus.errors import DataError
from paribus.host.atomic import require_disk
from paribus.images.decode import decode
from paribus.recipe import preset
from paribus.shards.catalog import data_digest, find, locate
from paribus.shards.index import read_index
from paribus.shards.making.shards import make_shards
from paribus.shards.manifest import read_manifest
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.source import File, Source
from paribus.shards.sources.synthetic import builtin
from paribus.shards.sources.synthetic.builtin import digits, synthetic
from paribus.shards.storage.locations import ShardLocation


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_source_gives_the_same_bytes_and_digest(tmp_path: Path, photo_folder: Path) -> None:
    for name, source in (("synthetic", synthetic), ("photos", lambda: image_folder(photo_folder))):
        first = make_shards(source(), tmp_path / f"{name}-1", shard_size=7)
        time.sleep(1.1)  # a second later, because tar headers hold times in seconds
        second = make_shards(source(), tmp_path / f"{name}-2", shard_size=7)
        assert first.digest == second.digest
        assert files_of(tmp_path / f"{name}-1") == files_of(tmp_path / f"{name}-2")


def test_another_shard_size_is_another_digest(tmp_path: Path) -> None:
    digests = {make_shards(synthetic(), tmp_path / str(size), shard_size=size).digest for size in (5, 6)}
    assert len(digests) == 2


def test_the_manifest_survives_its_file(stripes: Path, tmp_path: Path) -> None:
    manifest = make_shards(synthetic(), tmp_path / "again", shard_size=5)
    assert read_manifest(ShardLocation(str(stripes))) == manifest
    assert read_manifest(ShardLocation(str(stripes))).digest == manifest.digest


def test_shards_end_at_their_limits(tmp_path: Path, photo_folder: Path) -> None:
    manifest = make_shards(image_folder(photo_folder), tmp_path / "set", shard_size=5)
    assert [shard.samples for shard in manifest.split("train").shards] == [5, 5, 5, 5, 4]
    train = synthetic().splits["train"]
    heavy = replace(synthetic(), splits={"train": replace(train, sizes=np.full(64, 400 << 10))})
    small = make_shards(heavy, tmp_path / "heavy", shard_mib=1)
    assert [shard.samples for shard in small.split("train").shards] == [2] * 32
    unknown = replace(synthetic(), splits={"train": replace(train, sizes=np.zeros(64, np.int64))})
    assert len(make_shards(unknown, tmp_path / "unknown", shard_mib=1).split("train").shards) == 1


def test_digits_are_scikit_learns_scans(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = locate(preset("digits").data, data_home)
    manifest = read_manifest(place)
    assert {name: split.samples for name, split in manifest.splits.items()} == {"train": 1400, "test": 397}
    assert (manifest.channels, manifest.smallest, manifest.largest) == (1, (8, 8), (8, 8))
    bunch = load_digits()
    seen = {}
    for split in ("train", "test"):
        labels = digits().splits[split].labels.tolist()
        for (key, file), label in zip(files(digits(), split).items(), labels, strict=True):
            number = int(key.removeprefix("digits-"))
            seen[number] = label
            np.testing.assert_array_equal(decode(file.data, 1)[:, :, 0], np.rint(bunch.images[number] * 255 / 16))
    assert [seen[number] for number in range(1797)] == bunch.target.tolist()
    read = builtin._scans()
    monkeypatch.setattr(builtin, "DIGITS_FILE", "moved.csv.gz")
    np.testing.assert_array_equal(builtin._scans(), read, err_msg="a release that keeps the file elsewhere")
    index = read_index(place, manifest, "test")
    # Every class has its share of the test split, about 40 of 397.
    assert np.bincount(index.labels).min() >= 28


def test_mean_and_sd_are_those_of_the_training_pixels(stripes: Path) -> None:
    images = np.stack([decode(file.data, 3) for file in files(synthetic(), "train").values()]) / 255
    manifest = read_manifest(ShardLocation(str(stripes)))
    np.testing.assert_allclose(manifest.mean, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(manifest.sd, images.std((0, 1, 2)), rtol=1e-12)


def test_an_existing_folder_is_not_overwritten(stripes: Path) -> None:
    before = files_of(stripes)
    with pytest.raises(DataError, match="exists and holds another set: remove it"):
        make_shards(synthetic(), stripes)
    assert files_of(stripes) == before


def test_processes_that_race_for_a_built_in_set_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from paribus.data import data_digest; from paribus.recipe import preset; "
        "print(data_digest(preset('synthetic'), Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    digests = {racer.communicate()[0].strip() for racer in racers}
    assert [racer.returncode for racer in racers] == [0] * 4
    assert digests == {data_digest(preset("synthetic"), tmp_path)}
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [".synthetic.lock", "synthetic"]


def test_a_full_disk_is_noticed_before_writing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"needs about .* MiB and .* free"):
        make_shards(_with_train(sizes=np.full(64, 1 << 54)), tmp_path / "set")
    assert not (tmp_path / "set").exists()
    require_disk(tmp_path / "deep" / "down", 1)


@pytest.mark.parametrize("options", [{"shard_size": 0}, {"shard_mib": 0}, {"shard_mib": 4000}, {"workers": 0}])
def test_empty_shards_and_such_as_no_index_can_hold_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(DataError, match="at least 1"):
        make_shards(synthetic(), tmp_path / "set", **options)


def test_a_source_without_training_samples_is_refused(tmp_path: Path) -> None:
    source = replace(synthetic(), splits={"test": synthetic().splits["test"]})
    with pytest.raises(DataError, match="no split 'train'"):
        make_shards(source, tmp_path / "set")


def test_the_index_holds_sizes_as_displayed_and_the_shards_bytes_as_they_were(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to display
    turned, wide = BytesIO(), BytesIO()
    Image.new("RGB", (40, 30)).save(turned, "JPEG", exif=exif)
    Image.new("L", (70_000, 1)).save(wide, "PNG")

    def change(split: str, row: int, file: File) -> File:
        data = {0: turned, 1: wide}.get(row)
        return file if data is None else File(suffix="jpg", data=data.getvalue())

    with pytest.raises(DataError, match=r"train-0001.jpg \(1x70000 pixels: a side has 65,535 at most\)"):
        make_shards(changed(_with_train(), change), tmp_path / "set")
    make_shards(changed(_with_train(), change), tmp_path / "set", keep_undecodable=True)
    rows = np.load(tmp_path / "set" / "train.index.npy")
    assert rows[["height", "width"]][:3].tolist() == [(40, 30), (0, 0), (8, 8)]
    data = (tmp_path / "set" / "train-000000.tar").read_bytes()
    assert data[rows["offset"][0] :][: rows["length"][0]] == turned.getvalue()


def test_a_split_that_cannot_name_files_is_refused(tmp_path: Path) -> None:
    source = replace(synthetic(), splits={**synthetic().splits, "../val": synthetic().splits["test"]})
    with pytest.raises(DataError, match=r"split '../val' would name files"):
        make_shards(source, tmp_path / "set")


def test_two_samples_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two samples have the key 'twin'"):
        make_shards(_with_train(keys=["twin"] * 64), tmp_path / "set")


@pytest.mark.parametrize("key", ["a.b", "a/", "", "/a", "a\tb", "a\nb", "__meta__/a", "a\udcff"])
def test_what_webdataset_would_not_read_back_is_no_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(DataError, match=r"no key|not UTF-8"):
        make_shards(_with_train(keys=[key, *synthetic().splits["train"].keys[1:]]), tmp_path / "set")


def test_a_label_outside_the_classes_is_named_before_anything_is_written(tmp_path: Path) -> None:
    labels = synthetic().splits["train"].labels.copy()
    labels[5] = 4
    with pytest.raises(DataError, match="'train-0005' has class 4, and there are 4 classes"):
        make_shards(_with_train(labels=labels), tmp_path / "set")
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def _with_train(**changes: Any) -> Source:
    return replace(synthetic(), splits={"train": replace(synthetic().splits["train"], **changes)})


def test_an_unordered_source_is_mixed_and_an_ordered_one_is_not(tmp_path: Path) -> None:
    classes = np.sort(synthetic().splits["train"].labels)
    for in_order in (True, False):
        make_shards(replace(_with_train(labels=classes), in_order=in_order), tmp_path / str(in_order), shard_size=16)
        place = ShardLocation(str(tmp_path / str(in_order)))
        index = read_index(place, read_manifest(place), "train")
        assert (index.labels.tolist() == classes.tolist()) == in_order
        assert min(len(set(index.labels[start : start + 16])) for start in index.starts) >= (1 if in_order else 3)


def test_shards_are_plain_tars_that_any_tool_reads(stripes: Path, tmp_path: Path) -> None:
    with tarfile.open(stripes / "train-000000.tar") as tar:
        assert tar.getnames()[:2] == ["train-0000.png", "train-0000.cls"]
        assert {member.mtime for member in tar.getmembers()} == {0}
        with tarfile.open(tmp_path / "again.tar", "w", format=tarfile.PAX_FORMAT) as again:
            for member in tar.getmembers():
                again.addfile(tarfile.TarInfo.frombuf(member.tobuf(), "utf-8", "strict"), tar.extractfile(member))
    assert (tmp_path / "again.tar").read_bytes() == (stripes / "train-000000.tar").read_bytes()


# The stock pipeline leaves its shards open until they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("long", [False, True])
def test_stock_webdataset_reads_the_shards(tmp_path: Path, long: bool) -> None:
    """Long names, and such as are not ASCII, take a header of their own in the tar."""
    import webdataset as wds

    keys = [f"{'höhe/' * 30 if long else ''}{key}" for key in synthetic().splits["train"].keys]
    manifest = make_shards(_with_train(keys=keys), tmp_path / "set", shard_size=32)
    urls = [str(tmp_path / "set" / shard.file) for shard in manifest.split("train").shards]
    seen = list(wds.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("__key__", "png", "cls"))
    assert [key for key, _, _ in seen] == keys
    assert [label for _, _, label in seen] == synthetic().splits["train"].labels.tolist()
    stored = files(synthetic(), "train").values()
    for (_, image, _), file in zip(seen, stored, strict=True):
        np.testing.assert_array_equal(image, decode(file.data, 3))
    rows = np.load(tmp_path / "set" / "train.index.npy")
    data = (tmp_path / "set" / "train-000000.tar").read_bytes()
    for row, file in zip(rows[:32], stored, strict=False):
        assert data[row["offset"] : row["offset"] + row["length"]] == file.data
        assert crc32(file.data) == row["crc"]


def test_a_built_in_set_of_an_earlier_format_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "synthetic"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format": 1, "name": "synthetic"}')
    (folder / "train.index.tsv").write_text("of old")
    assert find(preset("synthetic").data, tmp_path).manifest.splits["train"].samples == 64
    assert not (folder / "train.index.tsv").exists()
