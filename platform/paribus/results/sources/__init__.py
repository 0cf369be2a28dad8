"""Where results lie that were made elsewhere, each read into one row a run."""

from paribus.results.sources.places import read_runs

__all__ = ["read_runs"]
