"""How many attempts of a trial have begun on a storage, counted in a file beside its checkpoints."""

from __future__ import annotations

from pathlib import Path

_ATTEMPT = "attempt"
_MOST_ATTEMPTS = 1_000_000


def next_attempt(folder: Path, planned: int) -> int:
    """The number of this attempt: the planned one, or one more than the last that began on this storage."""
    file = folder / _ATTEMPT
    try:
        attempt = max(planned, _begun(file) + 1)
        folder.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(".new")
        aside.write_text(str(attempt))
        aside.replace(file)
    except OSError:  # a full disk costs the checkpoints, not the trial
        return planned
    return attempt


def _begun(file: Path) -> int:
    """The last attempt that began; 0 where none did or the file is damaged (the ledger tells equal numbers apart)."""
    try:
        begun = int(file.read_bytes()[:20] or 0) if file.is_file() else 0
    except ValueError:
        return 0
    return begun if 0 <= begun < _MOST_ATTEMPTS else 0


def forget_attempts(folder: Path) -> None:
    """The trial has its result."""
    (folder / _ATTEMPT).unlink(missing_ok=True)
