"""What can go wrong between us and the ledger."""


class LedgerError(RuntimeError):
    """The ledger answered with an error; the message is the server's own, with what was asked."""

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class LedgerUnreachable(LedgerError):  # noqa: N818 (reads as the state that it reports)
    """Nothing that speaks MLflow answers at the address."""


class LeaseHeld(LedgerError):  # noqa: N818 (as above)
    """Another live driver owns the study."""
