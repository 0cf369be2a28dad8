"""Real photographs, as files of the size that ILSVRC2012's have."""

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

HEIGHT, WIDTH, QUALITY = 375, 500, 90
Pixels = NDArray[np.uint8]


@cache
def _originals() -> list[Pixels]:
    found = list(load_sample_images().images)
    found += [getattr(skimage.data, name)() for name in ("coffee", "rocket", "astronaut")]
    found.append(skimage.data.stereo_motorcycle()[0])  # type: ignore[no-untyped-call]
    return found


def photographs(num: int) -> list[Pixels]:
    """`num` crops, (375, 500, 3) uint8, of six photographs in turn: a temple, a flower, coffee, a rocket, a portrait,
    and a motorcycle."""
    generator = np.random.Generator(np.random.Philox(key=5))
    crops = []
    for number in range(num):
        photo = _originals()[number % len(_originals())]
        free = photo.shape[0] - HEIGHT, photo.shape[1] - WIDTH
        top, left = (int(generator.integers(0, most + 1)) for most in free)
        crops.append(photo[top : top + HEIGHT, left : left + WIDTH])
    return crops


def jpeg(pixels: Pixels, short_side: int | None = None) -> bytes:
    """The photograph as a JPEG of quality 90, 4:2:0; resized first where `short_side` is given."""
    image = Image.fromarray(pixels)
    if short_side is not None:
        scale = short_side / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def lay_out(folder: Path, num: int, short_side: int | None = None, splits: tuple[str, ...] = ("train", "test")) -> Path:
    """`folder` with SPLIT/CLASS/NUMBER.jpg of `num` photographs in ten classes, a tenth of them in the other splits."""
    for split in splits:
        for number, pixels in enumerate(photographs(num if split == "train" else num // 10)):
            (folder / split / f"{number % 10}").mkdir(parents=True, exist_ok=True)
            (folder / split / f"{number % 10}" / f"{number:04d}.jpg").write_bytes(jpeg(pixels, short_side))
    return folder
