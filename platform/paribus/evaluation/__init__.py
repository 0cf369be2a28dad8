"""Finished trials, asked again about their evaluation split."""
