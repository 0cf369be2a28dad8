"""Shards of the stock TarWriter, indexed where they lie: on disk, behind addresses, interrupted, altered, refused."""

import argparse
import gzip
import json
import os
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from data_servers import Fault, FaultyLine, Nginx, upload
from foreign_shards import RECIPE, index, photo, pixels, words

from paribus.commands.shards import register
from paribus.data import DataError
from paribus.shards.catalog import check_inputs
from paribus.shards.in_place.indexing import Asked, index_shards
from paribus.shards.index import ROW, WIDE_ROW, index_bytes, read_index
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.manifest import read_manifest
from paribus.shards.reading import ShardReader
from paribus.shards.shard_places import places_bytes
from paribus.shards.sources.webdataset_shards import webdataset_shards
from paribus.shards.storage.locations import ShardLocation


def test_an_index_apart_reads_the_bytes_where_they_lie_and_trains_as_repacked_shards_do(
    foreign: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in foreign.iterdir()}
    indexed = index(words(foreign), tmp_path / "index")
    assert {path.name: path.read_bytes() for path in foreign.iterdir()} == before
    assert sum(path.stat().st_size for path in (tmp_path / "index").iterdir()) < 8_000
    assert (indexed.manifest.classes, indexed.manifest.splits["train"].samples) == (("0", "1", "2"), 12)
    assert not verify(ShardLocation(str(tmp_path / "index"))).faults
    check_inputs([RECIPE.replace({"data.shards": str(tmp_path / "index")})])
    repacked = make_shards(webdataset_shards(words(foreign)), tmp_path / "ours")
    mine, theirs = indexed.manifest, repacked
    assert (mine.mean, mine.sd, mine.smallest, mine.largest) == (
        theirs.mean,
        theirs.sd,
        theirs.smallest,
        theirs.largest,
    )
    images = [ShardLocation(str(tmp_path / name)) for name in ("index", "ours")]
    found = []
    for place, manifest in zip(images, (mine, theirs), strict=True):
        rows = read_index(place, manifest, "train")
        reader = ShardReader(place, manifest, "train", rows)
        found.append(
            {rows.keys[row].replace(".", "_"): (reader.read(row), int(rows.labels[row])) for row in range(len(rows))}
        )
    assert found[0] == found[1]
    assert pixels(tmp_path / "index", tmp_path).shape == (16, 3, 16, 16)


def test_the_digest_does_not_know_where_shards_lie_and_a_moved_set_is_told_in_one_file(
    foreign: Path, tmp_path: Path
) -> None:
    apart = index(words(foreign), tmp_path / "a" / "set").manifest
    beside = Path(shutil.copytree(foreign, tmp_path / "b" / "set"))
    assert index(words(beside), beside).manifest.digest == apart.digest
    assert json.loads((beside / "shards.json").read_text()) == {"train": ".", "val": "."}
    moved = beside.rename(tmp_path / "elsewhere")
    assert torch.equal(pixels(moved, tmp_path), pixels(tmp_path / "a" / "set", tmp_path))
    (tmp_path / "a" / "set" / "shards.json").write_text(json.dumps({"train": str(moved), "val": str(moved)}))
    assert torch.equal(pixels(tmp_path / "a" / "set", tmp_path), pixels(moved, tmp_path))
    (moved / "shards.json").write_text('{"train": "."}')
    with pytest.raises(DataError, match="does not say where the shards of 'val' lie"):
        pixels(moved, tmp_path)


@pytest.mark.parametrize("form", ["braces", "glob", "folder", "several"])
def test_shards_are_named_by_braces_a_glob_a_folder_or_one_by_one(foreign: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    for path in foreign.glob("train-*.tar"):
        (folder / path.name).symlink_to(path)
    (folder / "README.md").write_text("not a shard")
    word = {
        "braces": f"{folder}/train-{{0000..0002}}.tar",
        "glob": f"{folder}/t*.tar",
        "folder": str(folder),
        "several": "::".join(f"{folder}/train-000{n}.tar" for n in range(3)),
    }[form]
    manifest = index({"train": word}, tmp_path / "index").manifest
    assert [shard.file for shard in manifest.splits["train"].shards] == [f"train-000{n}.tar" for n in range(3)]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("kind", ["http", "s3", "gs"])
def test_shards_behind_an_address_over_a_line_that_breaks_are_those_of_the_folder(
    web: Nginx, objects: int, foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    here = index(words(foreign), tmp_path / "here" / "set").manifest
    faults = [Fault("busy"), Fault("cut", 9_000), Fault("cut", 2_000), Fault("reset")]
    port = web.port if kind == "http" else objects
    with FaultyLine(port, *faults, suffering=b".tar") as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        monkeypatch.setenv("GOOGLE_BASE_URL", line.address)
        if kind == "http":
            spec = words(line.address + web.path(foreign))
        else:
            upload(foreign, objects, f"foreign{kind}", "v1")
            spec = words(f"{kind}://foreign{kind}/v1")
            if kind == "s3":  # moto lists no Google buckets
                spec["train"] = "s3://foreigns3/v1/train-*.tar"
        there = index(spec, tmp_path / "there" / "set").manifest
        assert there.digest == here.digest
        assert torch.equal(pixels(tmp_path / "there" / "set", tmp_path), pixels(tmp_path / "here" / "set", tmp_path))
        assert not verify(ShardLocation(str(tmp_path / "there" / "set"))).faults


def test_a_web_server_cannot_list_and_that_is_said(web: Nginx, foreign: Path, tmp_path: Path) -> None:
    for end, what in (("/", "a folder"), ("/train-*.tar", "a pattern")):
        with pytest.raises(DataError, match=rf"is {what}, and a web server lists no files: name them with braces"):
            index({"train": web.address + web.path(foreign) + end}, tmp_path / "index")
    with pytest.raises(DataError, match="is missing: HTTP 404"):
        index({"train": f"{web.address}{web.path(foreign)}/none.tar"}, tmp_path / "index")


def test_an_interrupted_pass_goes_on_with_the_shards_that_are_left(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(foreign, tmp_path / "set"))
    whole = (folder / "train-0002.tar").read_bytes()
    (folder / "train-0002.tar").write_bytes(whole[:5_000])
    with pytest.raises(DataError, match=r"train-0002.tar is (no whole tar|damaged after) .*: copy it again"):
        index(words(folder), tmp_path / "index")
    assert not (tmp_path / "index" / "manifest.json").exists()
    notes = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "index/.paribus-index/notes").iterdir()}
    assert len(notes) == 2
    (folder / "train-0002.tar").write_bytes(whole)
    # One that changed meanwhile is read again.
    os.utime(folder / "train-0000.tar", ns=(1, 1))
    said: list[str] = []
    indexed = index_shards(words(folder), tmp_path / "index", Asked(), say=said.append)
    assert "1 shards were read before" in said
    assert indexed.manifest.splits == index(words(foreign), tmp_path / "fresh").manifest.splits
    assert not (tmp_path / "index" / ".paribus-index").exists()


def test_a_half_made_index_of_another_layout_and_a_set_of_our_own_are_left_alone(
    foreign: Path, stripes: Path, tmp_path: Path
) -> None:
    cut = Path(shutil.copytree(foreign, tmp_path / "set")) / "val-0000.tar"
    cut.write_bytes(cut.read_bytes()[:2_000])
    with pytest.raises(DataError, match=r"no whole tar|damaged"):
        index(words(cut.parent), tmp_path / "index")
    with pytest.raises(DataError, match=r"begun in another way .*--restart to drop it"):
        index(words(cut.parent), tmp_path / "index", label="row")
    with pytest.raises(DataError, match="holds a set of its own"):
        index(words(foreign), stripes)
    train = {"train": words(foreign)["train"]}
    index_shards(train, tmp_path / "index", Asked(label="row"), restart=True)
    with pytest.raises(DataError, match=r"holds an index already .*--restart"):
        index(words(foreign), tmp_path / "index")


def test_two_processes_index_as_one_does(foreign: Path, tmp_path: Path) -> None:
    alone = index(words(foreign), tmp_path / "a" / "set").manifest
    assert index_shards(words(foreign), tmp_path / "b" / "set", Asked(), workers=2).manifest == alone


def test_what_is_no_tar_for_this_is_refused_in_words(foreign: Path, tmp_path: Path) -> None:
    data = (foreign / "train-0000.tar").read_bytes()
    files = {
        "a.tar.gz": (gzip.compress(data), "is compressed: a sample in the middle .*gunzip"),
        "b.tar": (gzip.compress(data), "is compressed: a sample in the middle .*gunzip"),
        "c.tar": (b"", "is empty: copy it again"),
        "d.tar": (data + data, "goes on behind its end.*pack them as one"),
    }
    for name, (content, said) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said):
            index({"train": str(tmp_path / name)}, tmp_path / f"index-{name}")
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "a.tgz").write_bytes(gzip.compress(data))
    with pytest.raises(DataError, match=r"a\.tgz is compressed"):
        index({"train": str(packed)}, tmp_path / "index")
    for word, said in {
        str(tmp_path / "none.tar"): "none.tar is no file",
        str(tmp_path / "none-*.tar"): "nothing is called",
        str(tmp_path / "{a.tar"): "braces without their partners",
        "pipe:curl x": "is a command's output",
        "ftp://host/a.tar": "begins with file, http",
        "https://host/a.tar?sig=1": "came with a query",
    }.items():
        with pytest.raises(DataError, match=said):
            index({"train": word}, tmp_path / "index")
    with pytest.raises(DataError, match="no split is called 'train'"):
        index({"val": str(foreign)}, tmp_path / "index")


def test_a_sample_beyond_four_gib_is_found_and_all_other_indexes_stay_narrow(foreign: Path, tmp_path: Path) -> None:
    """The shard begins with a hole of 4 GiB and a bit, which takes no disk; what reading it once gives is known."""
    folder, hole = tmp_path / "index", (4 << 30) + 1024
    manifest = index({"train": f"{foreign}/train-0000.tar"}, folder).manifest
    split, place = manifest.splits["train"], ShardLocation(str(folder))
    narrow = read_index(place, manifest, "train")
    assert (narrow.rows.dtype, ROW.itemsize) == (ROW, 28)
    info, path = tarfile.TarInfo("big.bin"), tmp_path / "train-0000.tar"
    info.size = hole - tarfile.BLOCKSIZE
    with path.open("wb") as handle:
        handle.write(info.tobuf(tarfile.GNU_FORMAT))
        handle.seek(hole)
        handle.write((foreign / "train-0000.tar").read_bytes())
    rows = narrow.rows.astype(WIDE_ROW)
    rows["offset"] += hole
    data = index_bytes(rows)
    (folder / split.index).write_bytes(data)
    (folder / "shards.json").write_bytes(places_bytes({"train": str(tmp_path)}))
    shard = split.shards[0].model_copy(update={"bytes": path.stat().st_size})
    entry = split.model_copy(update={"index_sha256": sha256(data).hexdigest(), "shards": (shard,)})
    manifest = manifest.model_copy(update={"splits": {"train": entry}})
    wide = read_index(place, manifest, "train")
    assert wide.rows.dtype == WIDE_ROW
    assert ShardReader(place, manifest, "train", wide).read(2) == photo(2)
    with tarfile.open(path) as tar:
        assert tar.getmember("v1.0/00002.jpg").offset_data == int(wide.rows["offset"][2]) > 4 << 30


def test_an_altered_shard_is_named_by_training_and_by_verify(foreign: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(foreign, tmp_path / "set"))
    manifest = index(words(folder), tmp_path / "index").manifest
    place = ShardLocation(str(tmp_path / "index"))
    at = int(read_index(place, manifest, "train").rows["offset"][1]) + 9
    data = bytearray((folder / "train-0000.tar").read_bytes())
    data[at] ^= 1
    (folder / "train-0000.tar").write_bytes(data)
    assert verify(place).faults == [
        "shard train-0000.tar of 'index' was altered: sample 'v1.0/00001' fails its checksum: restore it or make the "
        "shards again"
    ]
    with pytest.raises(DataError, match=r"was altered: sample 'v1.0/00001'"):
        pixels(tmp_path / "index", tmp_path)
    (folder / "val-0000.tar").unlink()
    with pytest.raises(DataError, match=r"shard val-0000\.tar of 'index' is missing in"):
        check_inputs([RECIPE.replace({"data.shards": str(tmp_path / "index")})])
    assert read_manifest(place).digest == manifest.digest


def command(*arguments: object) -> int:
    parser = argparse.ArgumentParser("paribus")
    register(parser.add_subparsers(required=True))
    args = parser.parse_args(["shards", "index", *map(str, arguments)])
    code: int = args.run(args)
    return code


def test_the_command_pairs_words_with_splits_and_says_what_it_found(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, val = words(foreign).values()
    assert command(train, "--split", "train", val, "--split", "val", tmp_path / "index", "--workers", 1) == 0
    shown = capsys.readouterr()
    assert "12 train, 4 val samples of 3 classes" in shown.out
    assert "images from each sample's one image, classes from .cls" in shown.err
    assert "MiB" in shown.err
    beside = Path(shutil.copytree(foreign, tmp_path / "beside"))
    assert command(f"{beside}/train-*.tar", "--hold-out", "test=0.3", "--workers", 1, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["samples"].keys() == {"train", "test"}
    assert (json.loads(shown.out)["folder"], shown.err) == (str(beside), "")
    for arguments, said in {
        (train, val, val): "3 words for 1 splits (train): after the SHARDS of each split comes its --split NAME",
        ("s3://bucket/a.tar",): "say last in which FOLDER",
        ("s3://bucket/a.tar", "s3://bucket/index"): "is an address, and nothing is written to one",
        (train, tmp_path / "i", "--split", "a", "--split", "a"): "--split a is given twice",
        (train, tmp_path / "i", "--hold-out", "test"): "--hold-out test: it takes NAME=FRACTION",
        (train, tmp_path / "i", "--max-left-out", "2"): "--max-left-out 2: it is a share",
        (train, tmp_path / "i", "--classes", tmp_path / "none"): "the list of classes",
    }.items():
        with pytest.raises(DataError) as refused:
            command(*arguments)
        assert said in str(refused.value)
