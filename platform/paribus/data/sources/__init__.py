"""What shards are made from: each source lists its splits and yields their samples."""

from paribus.data.sources.source import Item, Source

__all__ = ["Item", "Source"]
