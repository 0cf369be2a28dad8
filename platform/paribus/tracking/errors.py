"""What can go wrong between us and the ledger."""


class LedgerError(RuntimeError):
    """The ledger answered with an error; the message is the server's own, with what was asked."""

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class LedgerUnreachable(LedgerError):  # noqa: N818 (reads as the state that it reports)
    """Nothing answers at the address, or a server that fails (`status` is then its 5xx, 408, 425 or 429)."""


class LedgerBarred(LedgerError):  # noqa: N818 (as above)
    """What answers is no MLflow server, or does not let us in: a login page, a redirect, a password that ran out.

    It says nothing of what was asked, which may be asked again once a person has mended the line.
    """


class LedgerDamaged(LedgerError):  # noqa: N818 (as above)
    """A file that the ledger holds is not what was written there."""


class LeaseHeld(LedgerError):  # noqa: N818 (as above)
    """Another live driver owns the study."""
