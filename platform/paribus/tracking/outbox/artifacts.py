"""Dense results as compact files, in Parquet: curves a row a step, results a row an example."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.metrics.examples import COLUMNS, Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURVES = "curves.parquet"
EXAMPLES = "examples.parquet"
# What earlier releases called it; `decode_examples` reads both.
PACKED_EXAMPLES = "examples.npz"
WEIGHTS = "weights.pt"
# Of a trial that failed, and of one whose process printed something meanwhile.
TRACEBACK, PRINTED = "traceback.txt", "printed.txt"


def crash_file(attempt: int) -> str:
    """The file that tells how the process of an attempt died."""
    return f"crash-{attempt}.txt"


_DIGEST = "paribus.keys_digest"
_TYPES = {"correct": "bool", "among5": "bool"}


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


def encode_examples(examples: Examples) -> bytes:
    """Per-example results as Parquet: a row an example, its key and every column that there is; about 14 bytes a row.

    The digest of the keys stands in the file's metadata, so that pairing is checked without reading them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = {"key": pa.array(examples.keys, pa.string())} if len(examples.keys) else {}
    table = pa.table({**keys, **{name: pa.array(array) for name, array in examples.columns.items()}})
    digest = examples.keys_digest or (keys_digest(examples.keys) if keys else "")
    sink = io.BytesIO()
    # Neighbours' keys share their beginnings; probabilities share nothing, and a dictionary of them would only add.
    pq.write_table(
        table.replace_schema_metadata({_DIGEST: digest}),
        sink,
        compression="zstd",
        use_dictionary=["label", "predicted"],
        column_encoding={"key": "DELTA_BYTE_ARRAY"} if keys else None,
    )
    return sink.getvalue()


def decode_examples(data: bytes, *, with_keys: bool = False) -> Examples:
    """What `encode_examples` was given, or the packed arrays of an earlier release; keys are read where asked for.

    Raises:
        ValueError: anything else.
    """
    if not data.startswith(b"PAR1"):
        return _unpacked(data)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data))
        there = [name for name in COLUMNS if name in file.schema_arrow.names]
        keys = ["key"] if with_keys and "key" in file.schema_arrow.names else []
        table = file.read([*there, *keys])
        digest = (file.schema_arrow.metadata or {}).get(_DIGEST.encode(), b"").decode()
        columns = {name: table.column(name).to_numpy() for name in there}
        return Examples(
            keys=table.column("key").to_pylist() if keys else (),
            keys_digest=digest,
            **{name: column.astype(_TYPES.get(name, column.dtype)) for name, column in columns.items()},
        )
    except (pa.ArrowException, OSError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _unpacked(data: bytes) -> Examples:
    """Packed arrays, which trials kept until there was Parquet: the bits of `correct`, and `log_likelihood`."""
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
    return Examples(correct=correct[: log_likelihood.size], log_likelihood=log_likelihood, keys_digest=digest)
