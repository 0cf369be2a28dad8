"""Shard sets: made, verified and looked at. Training runs through none of it."""
