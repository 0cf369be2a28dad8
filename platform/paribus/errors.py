"""What a dataset that cannot be used raises."""


class DataError(RuntimeError):
    """A dataset that is missing, damaged or too small; the text names the file or number and says what to do."""


class UndecodableError(ValueError):
    """One image that does not decode; counted and skipped by training, never by evaluation."""
