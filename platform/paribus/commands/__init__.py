"""The command line: what a person types, and the same from a study file, a notebook or a script."""
