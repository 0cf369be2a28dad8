"""Whole sets behind addresses: every batch is the folder's, whatever the line does; what is wrong there is named."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from data_servers import Fault, FaultyLine, Nginx, upload

from paribus.data import Batch, DataError, data_digest, open_feed
from paribus.recipe import preset
from paribus.shards.making.verify import verify
from paribus.shards.manifest import read_manifest
from paribus.shards.storage.locations import ShardLocation

STRIPES = preset("synthetic").replace({"augment.crop": "pad", "augment.pad": 2, "data.cache": "never"})
PHOTOS = STRIPES.replace(
    {"data.name": "photos", "data.size": 32, "data.batch_size": 4, "augment.crop": "random_resized"}
)
NUM_SHARDS = 13
FAULTS = [Fault("busy"), Fault("cut", 900), Fault("reset"), Fault("cut", 300), Fault("cut", 1_500), Fault("busy")]


def read(shards: str, home: Path, **changes: object) -> tuple[list[Batch], list[Batch]]:
    """Two epochs and an evaluation."""
    feed = open_feed(STRIPES.replace({"data.shards": shards, **changes}), home)
    return [*feed.batches(1, 2, 0), *feed.batches(1, 2, 1)], list(feed.evaluation())


def same(left: tuple[list[Batch], list[Batch]], right: tuple[list[Batch], list[Batch]]) -> bool:
    return all(
        len(some) == len(others)
        and all(a.keys == b.keys and torch.equal(a.images, b.images) for a, b in zip(some, others, strict=True))
        for some, others in zip(left, right, strict=True)
    )


@pytest.fixture(scope="module")
def truth(stripes: Path, data_home: Path) -> tuple[list[Batch], list[Batch]]:
    return read(str(stripes), data_home)


@pytest.fixture(scope="module")
def bucket(objects: int, stripes: Path) -> str:
    upload(stripes, objects, "stripes", "v1/set")
    return "stripes/v1/set"


@pytest.fixture
def copy(stripes: Path, tmp_path: Path) -> Path:
    """The set in a folder of a test's own, to damage."""
    return Path(shutil.copytree(stripes, tmp_path / "set"))


Epochs = tuple[list[Batch], list[Batch]]


@pytest.mark.parametrize("resident", ["always", "never"])
def test_an_epoch_from_nginx_is_the_folders(
    web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path, resident: str
) -> None:
    assert same(read(web.address + web.path(stripes), tmp_path, **{"data.cache": resident}), truth)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.usefixtures("keys")
def test_an_epoch_from_an_object_store_is_the_folders(
    objects: int, bucket: str, truth: Epochs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with FaultyLine(objects, *FAULTS, suffering=b".tar") as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        monkeypatch.setenv("GOOGLE_BASE_URL", line.address)
        assert same(read(f"{scheme}://{bucket}", tmp_path), truth)
        assert len(line.requests) > NUM_SHARDS + len(FAULTS)


def test_an_epoch_over_a_line_that_breaks_is_the_folders(
    web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path
) -> None:
    with FaultyLine(web.port, *FAULTS, suffering=b".tar") as line:
        assert same(read(line.address + web.path(stripes), tmp_path), truth)


def test_photographs_from_nginx_are_the_folders(web: Nginx, photos: Path, tmp_path: Path) -> None:
    batches = [
        list(open_feed(PHOTOS.replace({"data.shards": shards}), tmp_path).batches(1, 2, 0))
        for shards in (str(photos), web.address + web.path(photos))
    ]
    assert same((batches[0], []), (batches[1], []))


def test_an_address_has_the_digest_of_its_folder_and_file_names_it_too(
    web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path
) -> None:
    roots = [str(stripes), stripes.as_uri(), web.address + web.path(stripes)]
    assert len({data_digest(STRIPES.replace({"data.shards": root}), tmp_path) for root in roots}) == 1
    assert same(read(stripes.as_uri(), tmp_path), truth)
    assert not (tmp_path / "cache" / "shards").exists()


def test_trials_of_a_node_download_each_shard_once(web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path) -> None:
    before = web.asked(".tar")
    address = web.address + web.path(stripes)
    with ThreadPoolExecutor(3) as pool:
        trials = list(pool.map(lambda _: read(address, tmp_path), range(3)))
    assert all(same(trial, truth) for trial in trials)
    asked = web.asked(".tar")[len(before) :]
    assert len(asked) == len(set(asked)) == NUM_SHARDS + 7


@pytest.mark.filterwarnings("default:the node cache .* less than is being read at one time")
def test_an_epoch_is_right_in_a_cache_smaller_than_the_set(
    web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = max(file.stat().st_size for file in stripes.glob("*.tar"))
    monkeypatch.setenv("PARIBUS_CACHE_GIB", f"{3.5 * largest / 2**30:.9f}")
    before = len(web.asked(".tar"))
    assert same(read(web.address + web.path(stripes), tmp_path), truth)
    kept = sum(file.stat().st_size for file in (tmp_path / "cache" / "shards").iterdir())
    assert 0 < kept <= 3.5 * largest
    assert len(web.asked(".tar")) >= before + NUM_SHARDS + 7


def test_a_copy_that_rots_is_fetched_once_more(web: Nginx, stripes: Path, truth: Epochs, tmp_path: Path) -> None:
    address = web.address + web.path(stripes)
    assert same(read(address, tmp_path), truth)
    before = len(web.asked(".tar"))
    shard = read_manifest(ShardLocation(str(stripes))).splits["train"].shards[4]
    copy = tmp_path / "cache" / "shards" / shard.sha256
    data = bytearray(copy.read_bytes())
    data[600:900] = b"\0" * 300
    copy.write_bytes(data)
    assert same(read(address, tmp_path), truth)
    assert len(web.asked(".tar")) == before + 1
    assert copy.read_bytes() == (stripes / shard.file).read_bytes()


@contextmanager
def refused(*words: str) -> Iterator[None]:
    with pytest.raises(DataError) as error:
        yield
    text = str(error.value)
    assert all(word in text for word in words), text


SHARD = "train-000003.tar"


def test_a_shard_that_is_missing_there_is_named(web: Nginx, copy: Path, tmp_path: Path) -> None:
    (copy / SHARD).unlink()
    address = web.address + web.path(copy)
    with refused(f"{address}/{SHARD} is missing: HTTP 404; restore it or make the shards again"):
        read(address, tmp_path)


def test_a_shard_that_was_replaced_there_is_named(web: Nginx, copy: Path, tmp_path: Path) -> None:
    data = (copy / SHARD).read_bytes()
    (copy / SHARD).write_bytes(data[::-1])
    address = web.address + web.path(copy)
    with refused(f"{address}/{SHARD} is not the manifest's file", "its SHA-256 there is", "restore it"):
        read(address, tmp_path)
    (copy / SHARD).write_bytes(data + b"more")
    with refused(f"{address}/{SHARD} is not the manifest's file", f"not {len(data):,}"):
        read(address, tmp_path)
    (copy / SHARD).write_bytes(b"")
    with refused(f"{address}/{SHARD}", "it has 0 bytes there"):
        read(address, tmp_path)


@pytest.mark.parametrize("path", ["/403", "/404", "/elsewhere"])
def test_an_address_without_a_set_is_named(web: Nginx, tmp_path: Path, path: str) -> None:
    with refused(f"{web.address}{path}/manifest.json", "HTTP 40"):
        read(web.address + path, tmp_path)


def test_verify_reads_an_address_and_names_its_faults(web: Nginx, copy: Path) -> None:
    place = ShardLocation(web.address + web.path(copy))
    assert verify(place).faults == []
    (copy / SHARD).unlink()
    faults = verify(place).faults
    assert len(faults) == 1
    assert f"{SHARD} is missing: HTTP 404" in faults[0]
