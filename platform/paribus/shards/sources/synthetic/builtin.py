"""The two sets that need nothing but what is installed: scikit-learn's digits, and images made from a formula."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.shards.counters import integers, keyed_hash, sample_ids
from paribus.shards.sources.source import Arrays, Source, array_source

NUM_TEST_DIGITS = 397
DIGITS_FILE = "datasets/data/digits.csv.gz"  # in scikit-learn
SYNTHETIC_CLASSES, SYNTHETIC_SIZE = 4, 8
SYNTHETIC_COUNTS = {"train": 64, "test": 32}


def digits() -> Source:
    """1,797 scans of handwritten digits, 8x8 pixels in 17 grey levels (Alpaydin and Kaynak 1998, UCI optdigits).

    The 397 scans whose numbers have the smallest keyed hashes are the test split, so that both splits mix all writers.
    """
    scans = _scans()
    # 0..16 onto 0..255: the white of the scans is the white of the file.
    images = np.rint(scans[:, :-1].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = scans[:, -1].astype(np.int64)
    keys = np.array([f"digits-{number:04d}" for number in range(len(images))])
    order = np.argsort(keyed_hash(sample_ids(keys.tolist()), "digits", "test"), kind="stable")
    rows = {"train": np.sort(order[NUM_TEST_DIGITS:]), "test": np.sort(order[:NUM_TEST_DIGITS])}
    splits: dict[str, Arrays] = {
        split: (images[chosen], labels[chosen], tuple(keys[chosen].tolist())) for split, chosen in rows.items()
    }
    made = {"source": "scikit-learn load_digits", "test": f"{NUM_TEST_DIGITS} smallest keyed hashes"}
    return array_source("digits", tuple(str(digit) for digit in range(10)), splits, made)


def _scans() -> NDArray[np.float64]:
    """(1797, 65): what `load_digits` gives, 64 pixels of 0..16 and the digit.

    Its file is read without it: importing scikit-learn takes 1.5 CPU seconds, half of a machine's first plan.
    """
    spec = find_spec("sklearn")
    for folder in spec.submodule_search_locations or () if spec else ():
        if (file := Path(folder, DIGITS_FILE)).is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    return np.column_stack([pixels, digits])


def synthetic() -> Source:
    """Four kinds of stripes, 8x8x3, with noise: for tests of the machinery, not for findings."""
    classes = ("columns", "rows", "rising", "falling")
    splits = {split: _stripes(split, count) for split, count in SYNTHETIC_COUNTS.items()}
    return array_source("synthetic", classes, splits, {"source": "formula"})


def _stripes(split: str, count: int) -> Arrays:
    keys = tuple(f"{split}-{number:04d}" for number in range(count))
    labels = np.arange(count) % SYNTHETIC_CLASSES
    slopes = np.array([(0, 1), (1, 0), (1, 1), (1, -1)])[labels]
    y, x = np.mgrid[:SYNTHETIC_SIZE, :SYNTHETIC_SIZE]
    # Integers from our own counters, so that every machine and every NumPy makes the same bytes.
    ids = sample_ids(keys)
    phases = np.stack([integers(ids, 4, "phase", channel) for channel in range(3)], axis=1)[:, None, None]
    wave = (slopes[:, :1, None] * y + slopes[:, 1:, None] * x)[..., None] + phases
    draws = [integers(ids, 96, "noise", place) for place in range(SYNTHETIC_SIZE**2 * 3)]
    noise = np.stack(draws, axis=1).reshape(wave.shape)
    images = (120 * (wave // 2 % 2) + noise + 20).astype(np.uint8)
    return images, labels.astype(np.int64), keys
