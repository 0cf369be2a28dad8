"""Searches as they go: what is known of each trial, and which comes next."""
