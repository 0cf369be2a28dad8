"""The data room: shard sets and the deterministic feed. Import what you need from its modules.

`feed` (`open_feed`, `Feed`, `Batch`) brings torch; `catalog`, `manifest` and `shards` do not.
"""
