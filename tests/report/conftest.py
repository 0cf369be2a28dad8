"""A study and its results in memory."""

from width_study import results_of, rng, study  # noqa: F401  fixtures
