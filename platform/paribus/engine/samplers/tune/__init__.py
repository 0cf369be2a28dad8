"""Searchers of Ray Tune, and subclasses of its Searcher."""
