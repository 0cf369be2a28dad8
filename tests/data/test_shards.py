"""Shard sets: the same bytes every time, whole or not at all."""

import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from paribus.data.atomic import require_disk
from paribus.data.catalog import data_digest, locate
from paribus.data.decode import decode
from paribus.data.errors import DataError
from paribus.data.index import read_index
from paribus.data.manifest import read_manifest
from paribus.data.places import Place
from paribus.data.shards import make_shards
from paribus.data.sources.builtin import digits, synthetic
from paribus.data.sources.image_folder import image_folder
from paribus.data.sources.source import Item, Source
from paribus.recipe import preset


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
    assert read_manifest(Place(str(stripes))) == manifest
    assert read_manifest(Place(str(stripes))).digest == manifest.digest


def test_shards_end_at_their_limits(tmp_path: Path, photo_folder: Path) -> None:
    manifest = make_shards(image_folder(photo_folder), tmp_path / "set", shard_size=5)
    assert [shard.samples for shard in manifest.split("train").shards] == [5, 5, 5, 5, 4]
    heavy = replace(synthetic(), items=_heavy_items)
    small = make_shards(heavy, tmp_path / "heavy", shard_mib=1, keep_undecodable=True)
    assert [shard.samples for shard in small.split("train").shards][:3] == [2, 2, 2]


def _heavy_items(split: str) -> Iterator[Item]:
    for item in synthetic().items(split):
        yield replace(item, data=item.data + bytes(400 << 10))


def test_digits_are_scikit_learns_scans(data_home: Path) -> None:
    place = locate(preset("digits").data, data_home)
    manifest = read_manifest(place)
    assert {name: split.samples for name, split in manifest.splits.items()} == {"train": 1400, "test": 397}
    assert (manifest.channels, manifest.smallest, manifest.largest) == (1, (8, 8), (8, 8))
    bunch = load_digits()
    seen = {}
    for item in [*digits().items("train"), *digits().items("test")]:
        number = int(item.key.removeprefix("digits-"))
        seen[number] = item.label
        np.testing.assert_array_equal(decode(item.data, 1)[:, :, 0], np.rint(bunch.images[number] * 255 / 16))
    assert [seen[number] for number in range(1797)] == bunch.target.tolist()
    index = read_index(place, manifest, "test")
    # Every class has its share of the test split, about 40 of 397.
    assert np.bincount(index.labels).min() >= 28


def test_mean_and_sd_are_those_of_the_training_pixels(stripes: Path) -> None:
    images = np.stack([item.pixels for item in synthetic().items("train") if item.pixels is not None]) / 255
    manifest = read_manifest(Place(str(stripes)))
    np.testing.assert_allclose(manifest.mean, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(manifest.sd, images.std((0, 1, 2)), rtol=1e-12)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing(split: str) -> Iterator[Item]:
        yield from list(synthetic().items(split))[:10]
        raise OSError("the disk was pulled out")

    with pytest.raises(DataError, match="set was not written: the disk was pulled out"):
        make_shards(replace(synthetic(), items=failing), tmp_path / "set", shard_size=3)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_killed_maker_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    code = f"""
import itertools, time
from dataclasses import replace
from pathlib import Path
from paribus.data.shards import make_shards
from paribus.data.sources.builtin import synthetic
def slow(split):
    for number, item in enumerate(synthetic().items(split)):
        yield item
        if number == 20:
            print("ready", flush=True)
            time.sleep(60)
make_shards(replace(synthetic(), items=slow), Path({str(tmp_path / "set")!r}), shard_size=3)
"""
    maker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert maker.stdout is not None
    assert maker.stdout.readline() == b"ready\n"
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    maker.stdout.close()
    assert not (tmp_path / "set").exists()
    make_shards(synthetic(), tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".set.lock", "set"]


def test_an_existing_folder_is_not_overwritten(stripes: Path) -> None:
    before = files_of(stripes)
    with pytest.raises(DataError, match="exists: remove it, or name another"):
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
        make_shards(replace(synthetic(), num_bytes=1 << 60), tmp_path / "set")
    assert not (tmp_path / "set").exists()
    require_disk(tmp_path / "deep" / "down", 1)


@pytest.mark.parametrize("options", [{"shard_size": 0}, {"shard_mib": 0}])
def test_empty_shards_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(DataError, match="at least 1"):
        make_shards(synthetic(), tmp_path / "set", **options)


def test_a_source_without_training_samples_is_refused(tmp_path: Path) -> None:
    source: Source = replace(synthetic(), counts={"test": 32})
    with pytest.raises(DataError, match="no split 'train'"):
        make_shards(source, tmp_path / "set")


def test_two_samples_of_one_name_are_refused(tmp_path: Path) -> None:
    def twins(split: str) -> Iterator[Item]:
        for item in synthetic().items(split):
            yield replace(item, key="twin")

    with pytest.raises(DataError, match="two samples have the key 'twin'"):
        make_shards(replace(synthetic(), items=twins), tmp_path / "set")


def test_shards_are_plain_tars_that_any_tool_reads(stripes: Path) -> None:
    with tarfile.open(stripes / "train-000000.tar") as tar:
        assert tar.getnames()[:2] == ["train-0000.png", "train-0000.cls"]
        assert {member.mtime for member in tar.getmembers()} == {0}


@pytest.mark.parametrize("what", ["shards", "cache"])
def test_a_disk_that_fills_while_writing_is_an_error_and_leaves_nothing(
    what: str, stripes: Path, tmp_path: Path
) -> None:
    """The kernel refuses to let a file grow past 4 KiB, as it would on a full disk."""
    code = f"""
import resource, sys
from pathlib import Path
from paribus.data import DataError, open_feed
from paribus.data.shards import make_shards
from paribus.data.sources.builtin import synthetic
from paribus.recipe import preset
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
home = Path({str(tmp_path / "home")!r})
try:
    if {what!r} == "shards":
        make_shards(synthetic(), home / "set")
    else:
        open_feed(preset("synthetic").replace({{"data.shards": {str(stripes)!r}}}), home)
except DataError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "was not written" in done.stdout
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file() and path.stat().st_size] == []
