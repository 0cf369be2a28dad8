"""The words that tables use for splits."""

SPLITS = ("train", "val", "test")
_ALSO = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}


def split_of(word: str) -> str | None:
    """The split that a table means by `word`: train, val or test; None where it is none of their names."""
    lower = word.lower()
    return lower if lower in SPLITS else _ALSO.get(lower)
