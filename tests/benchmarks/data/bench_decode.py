"""From the bytes of photographs to crops in a batch, on one core: beside the decoder alone and beside PIL.

    python -m pytest tests/benchmarks/data/bench_decode.py -s

CPU time of the process, in turns, the best of seven rounds. The photographs are 500x375, or have a short side of 256,
quality 90, 4:2:0. What a feed adds is in `bench_feed.py`.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
import torch
from interleaved import Row, rates, table
from photographs import jpeg, photographs
from PIL import Image
from torchvision.transforms import v2

from paribus.data.augment import Draw, crop_boxes, mirrored
from paribus.images.crop import crop
from paribus.images.header import jpeg_header
from paribus.shards.counters import sample_ids

NUM = 64
Way = Callable[[], int]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ours(files: list[bytes], shard: Path, size: int, exact: bool) -> Way:
    """Read from one file, check, decode, crop, mirror, into one buffer."""
    shard.write_bytes(b"".join(files))
    lengths, sums = [len(data) for data in files], [zlib.crc32(data) for data in files]
    offsets = np.cumsum([0, *lengths]).tolist()
    draw = Draw(sample_ids([f"photo-{number}" for number in range(NUM)]), 1, 1)
    heights, widths = np.array([jpeg_header(data).upright for data in files]).T
    boxes = np.stack(crop_boxes(heights, widths, 0.08, draw), axis=1).tolist()
    flips = mirrored(draw).tolist()
    out = np.empty((NUM, size, size, 3), np.uint8)

    def run() -> int:
        file = os.open(shard, os.O_RDONLY)
        for row, box in enumerate(boxes):
            data = os.pread(file, lengths[row], offsets[row])
            assert zlib.crc32(data) == sums[row]
            crop(data, 3, tuple(box), out[row], exact=exact, flip=flips[row])
        os.close(file)
        return NUM

    return run


def decoder(files: list[bytes]) -> Way:
    """libjpeg-turbo at its defaults, the bytes in memory, the pixels thrown away."""
    return lambda: sum(len(simplejpeg.decode_jpeg(data)) > 0 for data in files)


def pil(files: list[bytes], folder: Path, size: int) -> Way:
    """As torchvision's ImageFolder reads, to uint8."""
    paths = [folder / f"{number}.jpg" for number in range(NUM)]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    transform = v2.Compose([v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), v2.PILToTensor()])

    def run() -> int:
        for path in paths:
            with path.open("rb") as file:
                transform(Image.open(file).convert("RGB"))
        return NUM

    return run


@pytest.mark.parametrize(
    ("short_side", "size", "goals"),
    [
        (None, 224, {"of the decoder alone": 0.85, "against PIL": 2, "fast against exact": 1}),
        (None, 112, {"against PIL": 2, "fast against exact": 1.05}),
        (None, 64, {"against PIL": 2, "fast against exact": 1.2}),
        (256, 224, {"against PIL": 2.5}),
    ],
)
def test_crops_cost_little_more_than_decoding(
    tmp_path: Path, short_side: int | None, size: int, goals: dict[str, float]
) -> None:
    files = [jpeg(photo, short_side) for photo in photographs(NUM)]
    best = rates(
        {
            "decoder": decoder(files),
            "fast": ours(files, tmp_path / "fast", size, exact=False),
            "exact": ours(files, tmp_path / "exact", size, exact=True),
            "PIL": pil(files, tmp_path, size),
        }
    )
    title = f"{'500x375' if short_side is None else f'short side {short_side}'} to {size}"
    print(f"\n{title}, {sum(map(len, files)) / NUM / 1000:.0f} KB an image, img/s of one core:")
    print(", ".join(f"{name} {rate:,.0f}" for name, rate in best.items()))
    gains = {"of the decoder alone": "decoder", "against PIL": "PIL", "fast against exact": "exact"}
    assert table([Row(f"{title}, {name}", best["fast"] / best[gains[name]], goal) for name, goal in goals.items()])
