"""What goes wrong with the local stack."""


class StackError(RuntimeError):
    """The stack could not be started, found or ended as asked; the text says why and what to do."""
