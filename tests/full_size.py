"""A set of ImageNet's size that takes no disk: its shards are links to one sparse file that holds a few photographs."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from photographs import HEIGHT, WIDTH, jpeg, photographs

from paribus.shards.counters import sample_ids
from paribus.shards.index import ROW, index_bytes, index_files, keys_bytes
from paribus.shards.manifest import MANIFEST, Manifest, Shard, Split

NUM_TRAIN, NUM_SHARDS, NUM_VAL, NUM_CLASSES = 1_281_167, 1_024, 50_000, 1_000
# ILSVRC2012's training images are 110 KB on average.
SAMPLE_BYTES = 110_000


def imagenet_sized(folder: Path, *, num_train: int = NUM_TRAIN, num_shards: int = NUM_SHARDS) -> None:
    """Lay a set out in `folder`: true index, keys and manifest; its files' bytes are those of 8 photographs.

    One file of the length of an ImageNet shard holds the photographs and is sparse behind them; every shard is a link
    to it, and every sample one of the photographs, with the offset, length and crc that it has there.
    """
    folder.mkdir(parents=True)
    images = [jpeg(pixels) for pixels in photographs(8)]
    starts = np.cumsum([0, *map(len, images)])
    length = SAMPLE_BYTES * -(-num_train // num_shards)
    first = folder / "train-000000.tar"
    first.write_bytes(b"".join(images))
    os.truncate(first, length)
    with first.open("rb") as file:
        digest = sha256(file.read()).hexdigest()
    splits = {}
    for split, num, shards in (("train", num_train, num_shards), ("val", NUM_VAL, 40)):
        files = [f"{split}-{number:06d}.tar" for number in range(shards)]
        for name in files:
            if name != first.name:
                os.link(first, folder / name)
        entries = tuple(
            Shard(file=name, samples=len(part), bytes=length, sha256=digest)
            for name, part in zip(files, np.array_split(np.arange(num), shards), strict=True)
        )
        splits[split] = _split(folder, split, num, images, starts, entries)
    manifest = Manifest(
        name="imagenet",
        classes=tuple(f"n{number:08d}" for number in range(NUM_CLASSES)),
        channels=3,
        smallest=(HEIGHT, WIDTH),
        largest=(HEIGHT, WIDTH + 1),  # as with the real one, of several sizes
        mean=(0.485, 0.456, 0.406),
        sd=(0.229, 0.224, 0.225),
        splits=splits,
        made={"by": "tests"},
    )
    (folder / MANIFEST).write_text(manifest.write())


def _split(
    folder: Path, split: str, num: int, images: list[bytes], starts: NDArray[np.int64], entries: tuple[Shard, ...]
) -> Split:
    keys = [f"n{number % NUM_CLASSES:08d}_{split}_{number:08d}" for number in range(num)]
    rows = np.zeros(num, ROW)
    which = np.arange(num) % len(images)
    rows["id"] = sample_ids(keys)
    rows["label"] = np.arange(num) % NUM_CLASSES
    rows["offset"], rows["length"] = starts[which], np.diff(starts)[which]
    rows["crc"] = np.array([crc32(data) for data in images])[which]
    rows["height"], rows["width"] = HEIGHT, WIDTH
    digests = []
    for name, data in zip(index_files(split), (index_bytes(rows), keys_bytes(keys)), strict=True):
        (folder / name).write_bytes(data)
        digests.append(sha256(data).hexdigest())
    index, names = index_files(split)
    return Split(samples=num, index=index, index_sha256=digests[0], keys=names, keys_sha256=digests[1], shards=entries)
