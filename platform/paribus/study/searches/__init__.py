"""Searches as data: spaces, bounds, populations, tuning, past results, and their documents."""
