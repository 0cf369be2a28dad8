"""A trial's state on disk: written whole or not at all, checked, and taken up again."""
