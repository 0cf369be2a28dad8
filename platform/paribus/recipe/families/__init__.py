"""The conv-net families of a recipe, one file each. Imports no torch."""
