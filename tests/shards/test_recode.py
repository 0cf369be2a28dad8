"""Photographs made smaller on their way into shards: right in size, near in pixels, always the same bytes."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.errors import DataError
from paribus.images.decode import Pixels, decode
from paribus.shards.index import read_index
from paribus.shards.making.recode import Recoding
from paribus.shards.making.shards import make_shards
from paribus.shards.manifest import read_manifest
from paribus.shards.reading import ShardReader
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.source import File
from paribus.shards.storage.locations import ShardLocation

PHOTO = load_sample_images().images[0]
SMALL = Recoding(short_side=64, quality=90)


def stored(pixels: Pixels, kind: str = "JPEG", **options: object) -> File:
    buffer = BytesIO()
    image = Image.fromarray(pixels)
    image.save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}), **options)
    return File(suffix=kind.lower(), data=buffer.getvalue())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", [False, True])
def test_the_short_side_is_as_asked_and_the_pixels_are_those_of_an_antialiased_resize(kind: str, turn: bool) -> None:
    pixels = np.ascontiguousarray(PHOTO[:300, :427].transpose(1, 0, 2) if turn else PHOTO[:300, :427])
    small = SMALL(stored(pixels, kind))
    assert small.suffix == "jpg"
    found = decode(small.data, 3)
    assert found.shape == ((91, 64, 3) if turn else (64, 91, 3))
    width, height = found.shape[1], found.shape[0]
    expected = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    assert np.abs(found.astype(int) - expected).mean() < 5
    with Image.open(BytesIO(small.data)) as image:
        assert image.format == "JPEG"
        # 2x2 samples of luma for one of colour.
        assert [component[1:3] for component in image.layer] == [(2, 2), (1, 1), (1, 1)]  # type: ignore[attr-defined]


def test_images_that_are_not_larger_keep_their_bytes() -> None:
    for side in (10, 64):
        for kind in ("JPEG", "PNG"):
            file = stored(PHOTO[:side, :200], kind)
            kept = SMALL(file)
            assert (kept.suffix, kept.data) == (file.suffix, file.data)
    broken = File(suffix="jpg", data=b"no image")
    assert SMALL(broken) is broken


def test_a_grey_photograph_stays_grey() -> None:
    small = SMALL(stored(PHOTO[:, :, 1]))
    with Image.open(BytesIO(small.data)) as image:
        assert image.mode == "L"


def test_a_turned_photograph_is_stored_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to display
    small = SMALL(stored(PHOTO[:200, :400], exif=exif))
    assert decode(small.data, 3).shape == (128, 64, 3)
    with Image.open(BytesIO(small.data)) as image:
        assert not image.getexif()


def test_quality_costs_bytes_and_buys_likeness() -> None:
    file = stored(PHOTO)
    expected = decode(SMALL(file).data, 3)
    sizes, errors = [], []
    for quality in (30, 60, 90, 100):
        data = Recoding(short_side=64, quality=quality)(file).data
        assert data == Recoding(short_side=64, quality=quality)(file).data
        sizes.append(len(data))
        errors.append(np.abs(decode(data, 3).astype(int) - expected).mean())
    assert sizes == sorted(sizes)
    assert errors[0] > errors[1] > errors[2] == 0


@pytest.mark.parametrize(("short_side", "quality"), [(0, 90), (9, 0), (9, 101)])
def test_sides_and_qualities_that_are_none_are_refused(short_side: int, quality: int) -> None:
    with pytest.raises(DataError, match="at least 1, the quality 1 to 100"):
        Recoding(short_side=short_side, quality=quality)


def test_a_recoded_set_says_how_it_was_made_and_what_it_holds(photo_folder: Path, tmp_path: Path) -> None:
    manifests = [
        make_shards(image_folder(photo_folder), tmp_path / str(workers), recoding=SMALL, workers=workers, shard_size=9)
        for workers in (1, 2)
    ]
    assert manifests[0].digest == manifests[1].digest
    manifest, place = manifests[0], ShardLocation(str(tmp_path / "1"))
    assert manifest.made == {
        "source": "image folder", "shard_size": 9, "shard_mib": 64, "short_side": 64, "quality": 90
    }  # fmt: skip
    assert read_manifest(place) == manifest
    index = read_index(place, manifest, "train")
    reader = ShardReader(place, manifest, "train", index)
    images = [decode(reader.read(row), 3) for row in range(len(index))]
    shapes = [(image.shape[0], image.shape[1]) for image in images]
    assert shapes == list(zip(index.rows["height"].tolist(), index.rows["width"].tolist(), strict=True))
    assert max(min(shape) for shape in shapes) == 64
    assert min(min(shape) for shape in shapes) < 64
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    np.testing.assert_allclose(manifest.mean, pixels.mean(0), rtol=1e-9)
    np.testing.assert_allclose(manifest.sd, pixels.std(0), rtol=1e-9)
    assert manifest.digest != make_shards(image_folder(photo_folder), tmp_path / "whole", shard_size=9).digest
