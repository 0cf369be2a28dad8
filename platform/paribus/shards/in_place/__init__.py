"""Shards that others wrote, indexed where they lie."""
