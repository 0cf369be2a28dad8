"""`verify` names every fault of a set: the shard, the sample and what to do."""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.errors import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.manifest import read_manifest
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.shards.storage.locations import ShardLocation

SHARD = "train-000004.tar"


@pytest.fixture
def folder(stripes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stripes, tmp_path / "set"))


def faults(folder: Path) -> list[str]:
    return verify(ShardLocation(str(folder)), workers=2).faults


def reseal(folder: Path, name: str = "") -> None:
    """Let the manifest say what the files are now, as a forger would; `name`: of the set."""
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    for split in document["splits"].values():
        split["index_sha256"] = sha256((folder / split["index"]).read_bytes()).hexdigest()
        for shard in split["shards"]:
            data = (folder / shard["file"]).read_bytes()
            shard["bytes"], shard["sha256"] = len(data), sha256(data).hexdigest()
    document["name"] = name or document["name"]
    (folder / "manifest.json").write_text(json.dumps(document))


def rewrite(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
    """Write a shard anew with its members changed, or left out."""
    with tarfile.open(path) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar.getmembers()]
        changed = [change(name, handle.read()) for name, handle in members if handle is not None]
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in (entry for entry in changed if entry is not None):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def edit_index(folder: Path, **columns: int) -> None:
    rows = np.load(folder / "train.index.npy")
    for name, value in columns.items():
        rows[name][20] = value
    np.save(folder / "train.index.npy", rows)


def test_a_sound_set_has_no_fault_and_is_counted(folder: Path) -> None:
    report = verify(ShardLocation(str(folder)), workers=2)
    assert report.faults == report.warnings == []
    assert (report.samples, report.shards) == (96, 20)
    assert report.bytes == sum(path.stat().st_size for path in folder.glob("*.tar"))


def test_a_flipped_byte_is_laid_to_its_sample(folder: Path) -> None:
    data = bytearray((folder / SHARD).read_bytes())
    with tarfile.open(folder / SHARD) as tar:
        member = tar.getmember("train-0022.png")
    data[member.offset_data + 100] ^= 1
    (folder / SHARD).write_bytes(data)
    (fault,) = faults(folder)
    assert fault == (
        f"shard {SHARD} of 'synthetic' was altered: sample 'train-0022' fails its checksum: "
        "restore it or make the shards again"
    )
    data[member.offset_data + 100] ^= 1
    data[member.offset - 512] ^= 1
    (folder / SHARD).write_bytes(data)
    (fault,) = faults(folder)
    assert "SHA-256 is not the manifest's, though no image was" in fault


def test_a_truncated_shard_says_how_many_samples_are_lost(folder: Path) -> None:
    data = (folder / SHARD).read_bytes()
    (folder / SHARD).write_bytes(data[:4700])
    (fault,) = faults(folder)
    assert f"shard {SHARD}" in fault
    assert "is truncated: 4,700 bytes where the manifest says 20,480" in fault
    assert "(3 of its 5 samples are lost, the first 'train-0022')" in fault


def test_every_fault_is_named_at_once(folder: Path) -> None:
    (folder / SHARD).unlink()
    (folder / "train-000001.tar").rename(folder / "train-1.tar")
    shutil.copy(folder / "train-000012.tar", folder / "train-000002.tar")
    (folder / "test-000003.tar").write_bytes(b"")
    report = verify(ShardLocation(str(folder)))
    assert len(report.faults) == 4
    for fault, words in zip(
        report.faults,
        [
            "train-000001.tar is missing",
            "train-000002.tar of 'synthetic' is truncated",
            f"{SHARD} is missing",
            "is empty",
        ],
        strict=True,
    ):
        assert words in fault
    assert report.warnings == [f"{folder / 'train-1.tar'} is no file of the set: nothing reads it, so move it away"]


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_shards_are_checked_though_their_index_is_faulty(folder: Path, damage: str) -> None:
    index = folder / "train.index.npy"
    index.write_bytes(index.read_bytes()[:-1])
    if damage == "missing":
        index.unlink()
    data = bytearray((folder / SHARD).read_bytes())
    data[700] ^= 1
    (folder / SHARD).write_bytes(data)
    found = faults(folder)
    assert len(found) == 2
    assert damage in found[0]
    assert "train.index.npy" in found[0]
    assert f"{SHARD} of 'synthetic' was altered" in found[1]


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (b"3", ["sample 'train-0022' in shard train-000004.tar says class b'3', the index 2"]),
        (b"4", ["says class b'4', the index 2", "has class b'4', and there are 4, numbered from 0"]),
        (b"one", ["says class b'one', the index 2", "has class b'one', and there are 4, numbered from 0"]),
    ],
)
def test_a_class_that_is_not_the_indexs_or_none_is_named(folder: Path, label: bytes, words: list[str]) -> None:
    rewrite(folder / SHARD, lambda name, data: (name, label if name == "train-0022.cls" else data))
    reseal(folder)
    found = faults(folder)
    assert len(found) == len(words)
    assert all(part in fault for part, fault in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, data: (name.replace("0022", "9999"), data), "'train-9999' where 'train-0022' should be"),
        (lambda name, data: None if "0024" in name else (name, data), "None where 'train-0024' should be"),
        (lambda name, data: None if name.endswith("22.png") else (name, data), "has 0 files beside its class"),
        (lambda name, data: (name, data[:100] if name.endswith("22.png") else data), "'train-0022' .*does not decode"),
        (lambda name, data: (name, data[::-1] if name.endswith("22.png") else data), "not where, or not what"),
    ],
    ids=["foreign", "lost", "no image", "broken image", "another image"],
)
def test_samples_that_are_not_the_indexs_are_named(folder: Path, change: Any, words: str) -> None:
    rewrite(folder / SHARD, change)
    reseal(folder)
    assert re.search(words, "\n".join(faults(folder)))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": 9}, "sample 'train-0020' has class 9, outside the 4 classes"),
        ({"height": 9}, "'train-0020' in shard train-000004.tar measures 8x8 pixels, and the index says 9x8"),
        ({"offset": 0}, "'train-0020' in shard train-000004.tar is not where, or not what, the index says"),
        ({"crc": 0}, "'train-0020' in shard train-000004.tar is not where, or not what, the index says"),
    ],
)
def test_an_index_that_says_something_else_is_named(folder: Path, columns: dict[str, int], words: str) -> None:
    edit_index(folder, **columns)
    (fault,) = faults(folder)
    assert "train.index.npy was altered" in fault
    reseal(folder)
    (fault,) = faults(folder)
    assert words in fault


def test_what_is_no_tar_is_named(folder: Path) -> None:
    (folder / SHARD).write_bytes(b"PK" * 10240)
    reseal(folder)
    (fault,) = faults(folder)
    assert f"shard {SHARD} of 'synthetic'" in fault


def test_the_manifest_of_another_set_makes_every_index_and_shard_a_fault(folder: Path, tmp_path: Path) -> None:
    make_shards(synthetic(), tmp_path / "other", shard_size=4)
    shutil.copy(tmp_path / "other" / "manifest.json", folder)
    found = faults(folder)
    manifest = read_manifest(ShardLocation(str(tmp_path / "other")))
    named = {shard.file for split in manifest.splits.values() for shard in split.shards}
    assert all(any(name in fault for fault in found) for name in named)
    assert sum("index.npy was altered" in fault for fault in found) == 2


def test_a_missing_or_older_manifest_says_what_to_do(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**document, "format": 1}))
    with pytest.raises(DataError, match=r"manifest.json has format 1 and this Paribus reads 2: make the shards again"):
        verify(ShardLocation(str(folder)))
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"manifest.json is missing: restore it or make the shards again"):
        verify(ShardLocation(str(folder)))
