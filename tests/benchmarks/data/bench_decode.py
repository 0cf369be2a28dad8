"""Images per second of one core from the bytes of photographs to crops of 224 pixels, beside the decoder alone and PIL.

python -m pytest tests/benchmarks/data/bench_decode.py -s
"""

import os
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
import skimage.data
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2
from turns import rates

from paribus.data.augment import Draw, crop_boxes, mirrored
from paribus.data.counters import sample_ids
from paribus.data.crop import Box, crop
from paribus.data.decode import size_of

NUM = 64
MEAN, SD = [0.5] * 3, [0.25] * 3


@dataclass
class Photographs:
    """JPEGs behind one another in one file, as in a shard, and one by one in class folders."""

    shard: Path
    folder: Path
    files: list[bytes]
    draw: Draw

    def boxes(self) -> list[Box]:
        """The random crops of an epoch."""
        heights, widths = np.array([size_of(data) for data in self.files]).T
        return [tuple(box) for box in np.stack(crop_boxes(heights, widths, 0.08, self.draw), axis=1).tolist()]


@pytest.fixture(params=["500x375", "short side 256"])
def photographs(tmp_path: Path, request: pytest.FixtureRequest) -> Photographs:
    """Crops of 500x375 pixels of six colour photographs, quality 90, 4:2:0; or the same at a short side of 256."""
    small = request.param == "short side 256"
    pixels = list(load_sample_images().images)
    pixels += [getattr(skimage.data, name)() for name in ("coffee", "rocket", "astronaut")]
    pixels.append(skimage.data.stereo_motorcycle()[0])  # type: ignore[no-untyped-call]
    generator = np.random.Generator(np.random.Philox(key=5))
    files = []
    for number in range(NUM):
        photo = pixels[number % len(pixels)]
        top, left = (int(generator.integers(0, free + 1)) for free in (photo.shape[0] - 375, photo.shape[1] - 500))
        image = Image.fromarray(photo[top : top + 375, left : left + 500])
        buffer = BytesIO()
        (image.resize((341, 256), Image.Resampling.BILINEAR) if small else image).save(buffer, "JPEG", quality=90)
        files.append(buffer.getvalue())
        (tmp_path / "folder" / f"{number % 6}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / f"{number % 6}" / f"{number}.jpg").write_bytes(files[-1])
    shard = tmp_path / "shard"
    shard.write_bytes(b"".join(files))
    keys = [f"photo-{number}" for number in range(NUM)]
    print(f"\n{request.param}: {sum(map(len, files)) / NUM / 1000:.0f} KB an image")
    return Photographs(shard, tmp_path / "folder", files, Draw(sample_ids(keys), 1, 1))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ours(photographs: Photographs, size: int, exact: bool) -> Callable[[], int]:
    """Read from the shard, check, decode, crop, flip, into one buffer."""
    lengths = [len(data) for data in photographs.files]
    offsets = np.cumsum([0, *lengths]).tolist()
    sums = [zlib.crc32(data) for data in photographs.files]
    boxes, flips = photographs.boxes(), mirrored(photographs.draw).tolist()
    out = np.empty((NUM, size, size, 3), np.uint8)

    def run() -> int:
        file = os.open(photographs.shard, os.O_RDONLY)
        for row in range(NUM):
            data = os.pread(file, lengths[row], offsets[row])
            assert zlib.crc32(data) == sums[row]
            crop(data, 3, boxes[row], out[row], exact=exact, flip=flips[row])
        os.close(file)
        return NUM

    return run


def alone(photographs: Photographs) -> Callable[[], int]:
    """The decoder at its defaults, from memory, the pixels thrown away."""
    return lambda: sum(len(simplejpeg.decode_jpeg(data)) > 0 for data in photographs.files)


def torchvision(photographs: Photographs, size: int, *last: Callable[..., object]) -> Callable[[], int]:
    transform = v2.Compose([v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), *last])
    folder = ImageFolder(str(photographs.folder), transform)
    return lambda: sum(len(folder[row][0].shape) > 0 for row in range(NUM))


def test_crops_of_224_pixels(photographs: Photographs) -> None:
    best = rates(
        {
            "decoder alone": alone(photographs),
            "ours": ours(photographs, 224, exact=False),
            "ours, exact": ours(photographs, 224, exact=True),
            "torchvision, uint8": torchvision(photographs, 224, v2.PILToTensor()),
            "torchvision, float": torchvision(
                photographs, 224, v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, SD)
            ),
        }
    )
    for name, rate in best.items():
        print(f"{name:20} {rate:7,.0f} img/s, ours is {best['ours'] / rate:.2f} of it")
    assert best["ours"] > 0.85 * best["decoder alone"]
    assert best["ours"] > 2 * best["torchvision, uint8"]


@pytest.mark.parametrize("size", [64, 112])
def test_smaller_crops(photographs: Photographs, size: int) -> None:
    best = rates(
        {
            "ours": ours(photographs, size, exact=False),
            "ours, exact": ours(photographs, size, exact=True),
            "torchvision, uint8": torchvision(photographs, size, v2.PILToTensor()),
        }
    )
    for name, rate in best.items():
        print(f"{size} px, {name:20} {rate:7,.0f} img/s, ours is {best['ours'] / rate:.2f} of it")
    assert best["ours"] > best["ours, exact"]


def test_two_threads(photographs: Photographs) -> None:
    runs = {"ours": ours(photographs, 224, exact=False), "decoder alone": alone(photographs)}
    best = {name: max(seconds(run, 1) / seconds(run, 2) for _ in range(7)) for name, run in runs.items()}
    for name, gain in best.items():
        print(f"{name:20} two threads against one: {gain:.2f}")
    assert best["ours"] > 1.85


def seconds(run: Callable[[], int], threads: int) -> float:
    """Wall-clock seconds for eight runs, by so many threads."""
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: run(), range(8)))
        return time.perf_counter() - start
