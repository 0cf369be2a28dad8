"""Stock WebDataset, and its `wids` of earlier days, read our shards and give what our own reader gives."""

import gc
from pathlib import Path

import numpy as np
import pytest
import webdataset
from webdataset.tariterators import base_plus_ext

from paribus.images.decode import decode
from paribus.shards.in_place.tar_stream import split_name
from paribus.shards.index import read_index
from paribus.shards.manifest import read_manifest
from paribus.shards.reading import ShardReader
from paribus.shards.storage.locations import ShardLocation


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "b/c.d/e.input.jpg",
        "./x.tar.gz",
        "noext",
        ".hidden",
        "d.ir/noext",
        "a..b",
        "x/.y.z",
        "é ü.jpg",
        "a.",
        "a\n.x",
    ],
)
def test_names_are_split_as_webdataset_splits_them(name: str) -> None:
    key, suffix = base_plus_ext(name)
    assert split_name(name) == (key, suffix or "")


# It leaves shards open until they are collected, which is here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_stock_webdataset_reads_our_shards_with_keys_classes_and_pixels(photos: Path) -> None:
    place = ShardLocation(str(photos))
    manifest = read_manifest(place)
    index = read_index(place, manifest, "train")
    reader = ShardReader(place, manifest, "train", index)
    last = len(manifest.splits["train"].shards) - 1
    stock = webdataset.WebDataset(f"{photos}/train-{{000000..{last:06d}}}.tar", shardshuffle=False).decode("rgb8")
    seen = list(stock.to_tuple("__key__", "jpg", "cls"))
    del stock
    gc.collect()
    assert [key for key, _, _ in seen] == list(index.keys)
    assert [label for _, _, label in seen] == index.labels.tolist()
    for row, (_, pixels, _) in enumerate(seen):
        # Pillow's decoder and simplejpeg's are the same libjpeg-turbo.
        assert np.array_equal(pixels, decode(reader.read(row), 3))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::ResourceWarning")
def test_wids_gives_any_sample_of_our_shards_by_its_number(photos: Path, tmp_path: Path) -> None:
    """By hand: the package of today has none; `platform/paribus/data/README.md` says how to have that of 0.2.111."""
    wids = pytest.importorskip("wids", reason="webdataset 1.0 has no wids")
    place = ShardLocation(str(photos))
    manifest = read_manifest(place)
    index = read_index(place, manifest, "train")
    reader = ShardReader(place, manifest, "train", index)
    shards = manifest.splits["train"].shards
    assert len(shards) > 1
    listed = [{"url": str(photos / shard.file), "nsamples": shard.samples} for shard in shards]
    samples = wids.ShardListDataset(listed, cache_dir=str(tmp_path), keep=True)
    assert len(samples) == len(index)
    for row in reversed(range(len(index))):
        sample = samples[row]
        assert (sample["__key__"], sample[".cls"]) == (index.keys[row], index.labels[row])
        assert np.array_equal(np.asarray(sample[".jpg"].convert("RGB")), decode(reader.read(row), 3))
