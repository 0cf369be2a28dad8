"""Torch has one thread here."""

from one_thread import one_thread  # noqa: F401  a fixture
