"""Getting spools to the server: one spool's delivery, and the replay of what dead processes left."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from .errors import LedgerUnreachable
from .rest import MlflowRest
from .sender import Sender
from .spool import REJECTED, Spool, spools
from .trial_runs import Studies

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySummary:
    """What a replay did: attempts sent, owned by live processes, put aside as refused, and left for later."""

    num_sent: int = 0
    num_points: int = 0
    num_busy: int = 0
    num_left: int = 0
    rejected: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is on disk and not in the ledger: unsent attempts (those of live processes too) and refused ones."""

    num_unsent: int
    num_bytes: int
    rejected: tuple[Path, ...]


def waiting(spool: Path) -> Waiting:
    """What `spool` holds, for people to be told; needs no server."""
    unsent = spools(spool)
    files = (file for folder in unsent for file in folder.glob("*"))
    return Waiting(
        num_unsent=len(unsent),
        num_bytes=sum(file.stat().st_size for file in files if file.exists()),
        rejected=tuple(sorted(spool.glob(f"*/*{REJECTED}"))),
    )


def replay(spool: Path, uri: str, *, budget_s: float = 15.0) -> ReplaySummary:
    """Send what dead processes left in `spool`. An attempt that has no end is closed as interrupted.

    Attempts that a live process owns are left to it. A server that does not answer for `budget_s` seconds ends the
    replay, which may be repeated at any time.
    """
    rest = MlflowRest(uri, budget_s=budget_s)
    studies = Studies(rest)
    num_sent = num_points = num_busy = num_left = 0
    rejected: list[str] = []
    trouble = ""
    try:
        for folder in spools(spool):
            if trouble:
                num_left += 1
                continue
            try:
                sender = Sender(Spool(folder, create=False), studies, leftover=True)
            except BlockingIOError:
                num_busy += 1
                continue
            except FileNotFoundError:
                continue  # its owner has just finished with it
            try:
                deliver(sender)
            except LedgerUnreachable as error:
                sender.spool.close()
                trouble, num_left = str(error), num_left + 1
                continue
            num_points += sender.num_points
            if sender.rejected:
                rejected.append(sender.rejected)
            else:
                num_sent += 1
    finally:
        rest.close()
    return ReplaySummary(
        num_sent=num_sent,
        num_points=num_points,
        num_busy=num_busy,
        num_left=num_left,
        rejected=tuple(rejected),
        trouble=trouble,
    )


def deliver(sender: Sender) -> bool:
    """Send what a spool has; whether it is done with. What the server refuses for good is put aside, with the reason.

    Raises LedgerUnreachable if the server does not answer.
    """
    try:
        if not sender.step():
            return False
    except LedgerUnreachable:
        raise
    except Exception as error:
        # Whatever is wrong with one trial's records must neither end the sending thread, nor hold up the others', nor
        # be lost.
        aside = sender.spool.reject(f"{type(error).__name__}: {error}")
        sender.rejected = f"{aside}: {error}"
        log.error("The ledger refused a trial's records; they are kept in %s (%s)", aside, error)
        return True
    sender.spool.discard()
    return True
