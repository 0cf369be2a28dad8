"""Ties the rooms together: the Ray Tune executor, the local stack and the doctor."""
