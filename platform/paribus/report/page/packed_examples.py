"""What each evaluation example was taken for, packed so small that a page can carry it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.metrics.examples import Examples

if TYPE_CHECKING:
    from paribus.metrics.metric import Metric

# Characters of all columns together; a page has at most 1 MB.
MOST = 400_000


def pack(examples: Mapping[int, Examples], metric: Metric, most: int = MOST) -> dict[str, Any]:
    """The columns that `metric` is computed from, of trials by number; of `keys` alone where that takes over `most`.

    `{"trials": [0, 1], "keys": ["digest"], "key": [0, 0], "num": 397, "columns": {"correct": ["|b1", "base64"]}}`: a
    column is (trials, examples), bools one bit each, by zlib.
    """
    trials = list(examples)
    digests = list(dict.fromkeys(examples[trial].keys_digest for trial in trials))
    keys = {"keys": digests, "key": [digests.index(examples[trial].keys_digest) for trial in trials]}
    known = {"trials": trials, **keys}
    sizes = {examples[trial].n for trial in trials}
    if len(sizes) != 1 or not all(metric.has_needs(examples[trial]) for trial in trials):
        return {**known, "num": 0, "columns": {}}
    columns = {name: _packed([examples[trial].column(name) for trial in trials]) for name in metric.needs}
    if sum(len(text) for _, text in columns.values()) > most:
        return {**known, "num": 0, "columns": {}}
    return {**known, "num": sizes.pop(), "columns": columns}


def unpack(packed: Mapping[str, Any]) -> dict[int, Examples]:
    """The examples of each trial, with the columns that were kept. Raises ValueError for what `pack` did not write."""
    num, trials = packed["num"], packed["trials"]
    columns = {name: _unpacked(kind, text, len(trials), num) for name, (kind, text) in packed["columns"].items()}
    found = {}
    for place, trial in enumerate(trials):
        own: dict[str, Any] = {name: table[place] for name, table in columns.items()}
        found[trial] = Examples(**own, keys_digest=packed["keys"][packed["key"][place]])
    return found


def _packed(rows: Sequence[Any]) -> tuple[str, str]:
    table = np.stack(rows)
    table = table.astype(table.dtype.newbyteorder("<"))
    raw = np.packbits(table) if table.dtype == np.bool_ else table
    return table.dtype.str, base64.b64encode(zlib.compress(raw.tobytes(), 9)).decode("ascii")


def _unpacked(kind: str, text: str, num_trials: int, num: int) -> Any:
    try:
        raw, dtype = zlib.decompress(base64.b64decode(text, validate=True)), np.dtype(kind)
    except (zlib.error, TypeError) as error:
        raise ValueError(f"the examples in the page cannot be unpacked ({error})") from None
    if dtype != np.bool_:
        return np.frombuffer(raw, dtype).reshape(num_trials, num)
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=num_trials * num)
    return bits.astype(bool).reshape(num_trials, num)
