"""Shard sets: a manifest, an index and tars; made from sources, verified, looked at, and read."""
