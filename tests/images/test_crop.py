"""Crops straight from bytes: exact ones to the bit, whatever the file; what is not needed is not read."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.errors import UndecodableError
from paribus.images.crop import Box, crop, crop_original, crop_pixels, may_scale, original
from paribus.images.decode import decode
from paribus.images.header import jpeg_header

SIZE = (40, 48)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    # Odd sides, so that the last blocks are partial.
    pixels: NDArray[np.uint8] = load_sample_images().images[0][60:247, 200:431]
    return pixels


def boxes(height: int, width: int) -> list[Box]:
    generator = np.random.Generator(np.random.Philox(key=11))
    found: list[Box] = [
        (0, 0, height, width),
        (height - 1, width - 1, 1, 1),
        (0, 0, 1, 1),
        (15, 3, 17, 40),
        (0, 5, 16, 9),
    ]
    for _ in range(20):
        box_height, box_width = int(generator.integers(1, height)), int(generator.integers(1, width))
        top, left = generator.integers(0, height - box_height + 1), generator.integers(0, width - box_width + 1)
        found.append((int(top), int(left), box_height, box_width))
    return found


def cropped(data: bytes, box: Box, channels: int = 3, exact: bool = True, flip: bool = False) -> NDArray[np.uint8]:
    out = np.full((*SIZE, channels), 7, np.uint8)
    crop(data, channels, box, out, exact=exact, flip=flip)
    return out


def assert_exact(data: bytes, channels: int = 3) -> None:
    pixels = decode(data, channels)
    height, width = pixels.shape[:2]
    # At these sides no crop is decoded at a smaller scale: fast ones, too, are cut from one image.
    assert not may_scale(np.array([height]), np.array([width]), 96).any()
    fast = original(data, channels, exact=False)
    for number, box in enumerate(boxes(height, width)):
        flip = bool(number % 2)
        expected = np.empty((*SIZE, channels), np.uint8)
        crop_pixels(pixels, box, expected, flip=flip)
        np.testing.assert_array_equal(cropped(data, box, channels, flip=flip), expected, str(box))
        found, expected = (np.empty((96, 96, channels), np.uint8) for _ in range(2))
        crop(data, channels, box, found, exact=False, flip=flip)
        crop_original(fast, box, expected, flip=flip)
        np.testing.assert_array_equal(found, expected, str(box))


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411", "Gray"])
@pytest.mark.parametrize("channels", [1, 3])
def test_exact_crops_are_cut_from_the_image_decoded_in_full(
    photo: NDArray[np.uint8], subsampling: str, channels: int
) -> None:
    space = "GRAY" if subsampling == "Gray" else "RGB"
    pixels = np.ascontiguousarray(photo[:, :, :1] if subsampling == "Gray" else photo)
    assert_exact(simplejpeg.encode_jpeg(pixels, 85, space, subsampling), channels)


@pytest.mark.parametrize(
    "options",
    [
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3, "subsampling": 2},
        {"restart_marker_blocks": 5, "subsampling": 1},
        {"progressive": True},
        {"optimize": True},
        {"mode": "CMYK"},
    ],
    ids=str,
)
def test_exact_crops_of_every_kind_of_jpeg(photo: NDArray[np.uint8], options: dict[str, object]) -> None:
    buffer = BytesIO()
    mode = str(options.pop("mode", "RGB")) if "mode" in options else "RGB"
    Image.fromarray(photo).convert(mode).save(buffer, "JPEG", quality=85, **options)
    assert_exact(buffer.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_crops_of_other_formats(photo: NDArray[np.uint8], kind: str) -> None:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, kind)
    assert_exact(buffer.getvalue())


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_crops_of_turned_jpegs_are_boxes_of_what_is_displayed(
    photo: NDArray[np.uint8], orientation: int, subsampling: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=85, subsampling=subsampling, exif=exif)
    assert_exact(buffer.getvalue())


@pytest.mark.parametrize("exact", [True, False])
def test_rows_below_the_crop_are_not_decoded(photo: NDArray[np.uint8], exact: bool) -> None:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=85)
    data = buffer.getvalue()
    broken = data[: len(data) * 2 // 3] + bytes(len(data) // 3) + b"\xff\xd9"
    upper, whole = (0, 10, 90, 150), (0, 0, *photo.shape[:2])
    np.testing.assert_array_equal(cropped(broken, upper, exact=exact), cropped(data, upper, exact=exact))
    assert (cropped(broken, whole, exact=exact) != cropped(data, whole, exact=exact)).any()


@pytest.mark.parametrize("exact", [True, False])
def test_a_jpeg_cut_short_does_not_decode_wherever_the_crop_lies(photo: NDArray[np.uint8], exact: bool) -> None:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=85)
    for length in (0, 1, 2, 100, len(buffer.getvalue()) // 2, len(buffer.getvalue()) - 200):
        with pytest.raises(UndecodableError):
            cropped(buffer.getvalue()[:length], (0, 0, 8, 8), exact=exact)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_box_outside_the_image_is_refused(photo: NDArray[np.uint8], kind: str) -> None:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, kind)
    with pytest.raises(ValueError, match="does not lie in an image of 187x231"):
        cropped(buffer.getvalue(), (100, 0, 88, 5))


def test_broken_bytes_either_decode_or_are_named_undecodable(photo: NDArray[np.uint8]) -> None:
    buffer = BytesIO()
    Image.fromarray(photo[:32, :32]).save(buffer, "JPEG")
    generator = np.random.Generator(np.random.Philox(key=3))
    undecodable = 0
    for _ in range(300):
        broken = bytearray(buffer.getvalue())
        for place in generator.integers(0, len(broken), 3):
            broken[place] = int(generator.integers(0, 256))
        try:
            height, width = jpeg_header(bytes(broken)).upright
            cropped(bytes(broken), (height // 3, width // 3, max(1, height // 3), max(1, width // 3)), exact=False)
        except UndecodableError:
            undecodable += 1
    assert 0 < undecodable < 300


def test_threads_crop_what_one_crops(photo: NDArray[np.uint8]) -> None:
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=85)
    places = boxes(*photo.shape[:2]) * 4

    def run(box: Box) -> NDArray[np.uint8]:
        return cropped(buffer.getvalue(), box, exact=False)

    with ThreadPoolExecutor(4, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        together = list(pool.map(run, places))
    np.testing.assert_array_equal(together, [run(box) for box in places])
