"""Random numbers from counters: a pure function of (who asks, sample key), vectorised over samples.

The mixer is the finaliser of splitmix64 (Steele, Lea and Flood 2014, figure 16), keyed before and between two rounds.
No generator object exists, so nothing depends on how many numbers were drawn before, in which order or by whom.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from paribus.recipe.seeds import key

Ids = NDArray[np.uint64]


def sample_ids(keys: Sequence[str]) -> Ids:
    """(N,) uint64: the first eight bytes of each key's SHA-256."""
    return np.array([int.from_bytes(sha256(name.encode()).digest()[:8], "little") for name in keys], np.uint64)


def keyed_hash(ids: Ids, *purpose: int | str) -> Ids:
    """(N,) uint64: independent uniform words for every (id, purpose)."""
    first, second = _round_keys(purpose)
    return _mix(_mix(ids ^ first) + second)


def uniforms(ids: Ids, *purpose: int | str) -> NDArray[np.float64]:
    """(N,) float64 in [0, 1), 53 bits each."""
    return (keyed_hash(ids, *purpose) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(ids: Ids, bound: int, *purpose: int | str) -> NDArray[np.int64]:
    """(N,) int64, uniform over 0 to `bound` - 1."""
    return (uniforms(ids, *purpose) * bound).astype(np.int64)


def hash_keys(previous: str, keys: Sequence[str]) -> str:
    """The running hash of a stream: SHA-256, 64 hex digits, of `previous` and the next keys (none has a newline)."""
    return sha256("\n".join([previous, *keys]).encode()).hexdigest()


@lru_cache(maxsize=256)
def _round_keys(purpose: tuple[int | str, ...]) -> tuple[Ids, Ids]:
    # Two 63-bit keys; arrays of one element, because NumPy warns when a uint64 scalar wraps and an array may.
    return (np.array([key("first", *purpose)], np.uint64), np.array([key("second", *purpose)], np.uint64))


def _mix(words: Ids) -> Ids:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Ids = words ^ (words >> np.uint64(31))
    return mixed
