"""Dense results as compact files: curves as Parquet, per-example results as packed arrays."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CURVES = "curves.parquet"
EXAMPLES = "examples.npz"
WEIGHTS = "weights.pt"


class Examples(NamedTuple):
    """Per-example results in the order of the dataset's evaluation keys, whose digest is `keys_digest`."""

    correct: NDArray[np.bool_]  # (n_eval,)
    log_likelihood: NDArray[np.float32]  # (n_eval,), nats
    keys_digest: str


def encode_curves(curves: Mapping[str, NDArray[Any]]) -> bytes:
    """Equally long one-dimensional arrays, one value per step, as Parquet. Raises ValueError if lengths differ."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = {key: len(values) for key, values in curves.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Curves must be equally long, and these are not: {lengths}")
    sink = io.BytesIO()
    pq.write_table(pa.table({key: pa.array(values) for key, values in curves.items()}), sink, compression="zstd")
    return sink.getvalue()


def decode_curves(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `encode_curves` was given."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(data))
    return {name: table.column(name).to_numpy() for name in table.column_names}


def keys_digest(keys: Sequence[str]) -> str:
    """A digest of the evaluation keys and their order: arrays that share it may be paired."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def encode_examples(correct: NDArray[np.bool_], log_likelihood: NDArray[np.float32], digest: str = "") -> bytes:
    """Per-example results in about 4 bytes each. Raises ValueError if the two arrays differ in shape."""
    import numpy as np

    if correct.ndim != 1 or correct.shape != log_likelihood.shape:
        raise ValueError(
            f"correct {correct.shape} and log_likelihood {log_likelihood.shape} must be two vectors of one length"
        )
    sink = io.BytesIO()
    np.savez_compressed(
        sink,
        correct=np.packbits(correct.astype(bool)),
        log_likelihood=log_likelihood.astype(np.float32),
        keys_digest=np.frombuffer(digest.encode(), dtype=np.uint8),
    )
    return sink.getvalue()


def decode_examples(data: bytes) -> Examples:
    """What `encode_examples` was given. Raises ValueError for anything else."""
    import zlib
    from zipfile import BadZipFile

    import numpy as np

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            log_likelihood = np.asarray(arrays["log_likelihood"], dtype=np.float32)
            correct = np.unpackbits(arrays["correct"]).astype(bool)
            digest = arrays["keys_digest"].tobytes().decode()
    except (KeyError, TypeError, EOFError, OSError, NotImplementedError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if log_likelihood.ndim != 1 or not 0 <= correct.size - log_likelihood.size < 8:
        raise ValueError(f"{correct.size} answers for log-likelihoods of shape {log_likelihood.shape}")
    return Examples(correct[: log_likelihood.size], log_likelihood, digest)
