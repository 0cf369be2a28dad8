"""Pictures from a formula: always the same, as photographs are in their spectrum and bytes, and told apart by class."""

import pickle
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from data_sources import files
from sklearn.datasets import load_sample_images
from sklearn.linear_model import RidgeClassifier

from paribus.data import DataError
from paribus.images.decode import Pixels, decode
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.textured_set import textured_set
from paribus.shards.sources.synthetic.textures import MAX_CLASSES, jpeg, look, picture

LARGE = (500, 375)


def spectral_slope(pixels: Pixels) -> float:
    """The slope of log power against log frequency, averaged over directions, from 4 cycles an image to 2/3 Nyquist."""
    grey = pixels.mean(axis=2)
    side = min(grey.shape)
    window = np.hanning(side)
    power = np.abs(np.fft.fft2((grey[:side, :side] - grey.mean()) * window * window[:, None])) ** 2
    cycles = np.fft.fftfreq(side) * side
    radius = np.rint(np.hypot(cycles, cycles[:, None])).astype(int).ravel()
    mean_power = np.bincount(radius, power.ravel()) / np.bincount(radius)
    band = np.arange(4, side // 3)
    return float(np.polyfit(np.log(band), np.log(mean_power[band]), 1)[0])


def test_a_picture_is_a_function_of_seed_key_and_size() -> None:
    first = picture(0, "a", 3, (64, 48))
    np.testing.assert_array_equal(first, picture(0, "a", 3, (64, 48)))
    for other in (picture(1, "a", 3, (64, 48)), picture(0, "b", 3, (64, 48))):
        assert np.mean(first != other) > 0.9
    assert picture(0, "a", 3, (33, 90)).shape == (90, 33, 3)


def test_the_pictures_of_today() -> None:
    """Whoever changes this changes the digest of every set made so far."""
    digest = sha256(picture(0, "look-0007/train-00000", 7, (120, 90)).tobytes()).hexdigest()
    assert digest == "db46899d0ec26231e8246b4447ab3adca75754f9ecf4a6d30e3b0a22734402df"


def test_power_falls_with_frequency_as_in_photographs() -> None:
    slopes = [spectral_slope(picture(0, f"{label}", label, LARGE)) for label in range(10)]
    assert -2.45 < np.mean(slopes) < -1.9
    assert min(slopes) > -2.8
    # The ruler itself: two photographs, and white noise.
    photographs = [spectral_slope(photo[:375, :500]) for photo in load_sample_images().images]
    assert -2.9 < min(photographs) <= max(photographs) < -1.5
    noise = np.random.Generator(np.random.Philox(1)).integers(0, 256, (375, 500, 3)).astype(np.uint8)
    assert abs(spectral_slope(noise)) < 0.1


def test_contrast_is_that_of_photographs() -> None:
    pixels = np.stack([picture(0, f"{label}", label, LARGE) for label in range(6)])
    assert 90 < pixels.mean() < 150
    assert 45 < pixels.std() < 85
    # Steep edges are rare and far from the mean: kurtosis of differences is 3 for noise, and more for the world.
    steps = np.diff(pixels.mean(axis=3), axis=2).ravel()
    assert np.mean((steps - steps.mean()) ** 4) / steps.var() ** 2 > 6


def test_bytes_are_imagenets() -> None:
    source = textured_set(classes=10, sizes=(LARGE,), images=1)
    stored = files(source, "train").values()
    lengths = np.array([len(file.data) for file in stored])
    assert 80_000 < lengths.min() <= lengths.max() < 140_000
    np.testing.assert_allclose(lengths.mean(), source.splits["train"].sizes.mean(), rtol=0.2)
    assert all(file.data.startswith(b"\xff\xd8") for file in stored)


def test_all_looks_differ() -> None:
    assert len({look(label) for label in range(MAX_CLASSES)}) == MAX_CLASSES
    assert len({look(label).hue for label in range(10)}) > 7


@pytest.mark.parametrize("colour", [True, False])
def test_a_linear_model_tells_classes_apart(colour: bool) -> None:
    """Far above chance (1 in 8), and without colour too: by the directions of edges."""
    source = textured_set(classes=8, sizes=((96, 72),), images=16, test_images=8)
    features, labels = {}, {}
    for split, listing in source.splits.items():
        pixels = [decode(listing.load(row).data, 3) for row in range(len(listing))]
        features[split] = np.array([_colours(image) if colour else _directions(image) for image in pixels])
        labels[split] = listing.labels
    model = RidgeClassifier().fit(features["train"], labels["train"])
    assert model.score(features["test"], labels["test"]) > (0.6 if colour else 0.35)


def _colours(pixels: Pixels) -> np.ndarray:
    return pixels.mean(axis=(0, 1)) / 255


def _directions(pixels: Pixels) -> np.ndarray:
    grey = pixels.mean(axis=2)
    down, across = np.gradient(grey)
    strength, angle = np.hypot(down, across).ravel(), np.arctan2(down, across).ravel() % np.pi
    histogram = np.histogram(angle, 8, (0, np.pi), weights=strength)[0]
    return np.log(histogram / histogram.sum())


def test_sizes_are_mixed_and_keys_are_unique() -> None:
    source = textured_set(classes=2, sizes=((40, 30), (30, 40)), images=20, test_images=2)
    shapes = [decode(file.data, 3).shape[:2] for file in files(source, "train").values()]
    assert 8 < shapes.count((30, 40)) < 32
    assert set(shapes) == {(30, 40), (40, 30)}
    keys = [*source.splits["train"].keys, *source.splits["test"].keys]
    assert len(set(keys)) == len(keys) == 44


def test_shards_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    source = textured_set(classes=3, sizes=((48, 32),), images=4)
    assert len(pickle.dumps(source.splits["train"].load)) < 500
    digests = {make_shards(source, tmp_path / str(workers), shard_size=5, workers=workers).digest for workers in (1, 2)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 1}, "1 classes: there are 2 to 1,024"),
        ({"classes": 1025}, "1025 classes"),
        ({"images": 0}, "0 training and 1 test images"),
        ({"test_images": 0}, "50 training and 0 test images"),
        ({"sizes": ((15, 20),)}, "size 15x20: sides measure 16 to 8,192"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_what_cannot_be_made_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        textured_set(**{"classes": 4, "sizes": (LARGE,), **change})  # type: ignore[arg-type]


def test_quality_is_90() -> None:
    from io import BytesIO

    from PIL import Image

    pixels = picture(0, "a", 0, (64, 48))
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    tables = [Image.open(BytesIO(data)).quantization for data in (jpeg(pixels), buffer.getvalue())]  # type: ignore[attr-defined]
    assert tables[0] == tables[1]
