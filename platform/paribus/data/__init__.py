"""The data room: shard sets with a digest, and the deterministic feed of batches from them."""

from typing import TYPE_CHECKING, Any

from paribus.errors import DataError
from paribus.shards.catalog import data_digest
from paribus.shards.counters import hash_keys

if TYPE_CHECKING:
    from paribus.data.feed import Batch, Feed, Originals, open_feed, open_originals
    from paribus.data.webdataset_pipeline import pipeline

__all__ = [
    "Batch",
    "DataError",
    "Feed",
    "Originals",
    "data_digest",
    "hash_keys",
    "open_feed",
    "open_originals",
    "pipeline",
]


def __getattr__(name: str) -> Any:
    # A plan asks for digests in well under a second, and these names bring torch.
    if name == "pipeline":
        from paribus.data.webdataset_pipeline import pipeline

        return pipeline
    if name not in ("Batch", "Feed", "Originals", "open_feed", "open_originals"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from paribus.data import feed

    return getattr(feed, name)
