"""The verbs of studies and searches."""
