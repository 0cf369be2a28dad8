"""What shards are made from: each source lists the samples of its splits and can load any of them."""

from paribus.shards.sources.source import File, Listing, Source

__all__ = ["File", "Listing", "Source"]
