"""What is handed to Ray Tune, and is nothing to be kept."""

from typing import Any


class Unrestored:
    """Pickled as nothing, and first among the bases: Tune pickles callbacks, schedulers and searchers for a restore,
    which is never asked of it here. The same command goes on from the ledger."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
