"""Getting outboxes to the server: one outbox's delivery, and the replay of what dead processes left."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paribus.tracking.errors import LedgerBarred, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.outbox.opening import OPENING
from paribus.tracking.outbox.outbox import RECORDS, REJECTED, WHY, Outbox, Record, outboxes, parsed, sent_of
from paribus.tracking.outbox.sender import Sender
from paribus.tracking.trials.runs import Studies

# Once one outbox of a replay met a fault of the server, the others are tried, with shorter patience.
_SHORT_BUDGET_S = 0.5
log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ReplaySummary:
    """What a replay did: attempts sent, owned by live processes, put aside as refused, and left for later.

    `num_left` are attempts that a server that is away, or a fault of the line, left for later: the next replay may
    succeed. `lost` names files that MLflow does not take as things are, each with the reason; they stay in the outbox,
    and all else of their attempts has arrived.
    """

    num_sent: int = 0
    num_points: int = 0
    num_busy: int = 0
    num_left: int = 0
    rejected: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is on disk and not in the ledger: unsent attempts (those of live processes too) and refused ones."""

    num_unsent: int
    num_bytes: int
    rejected: tuple[Path, ...]


def waiting(outbox: Path) -> Waiting:
    """What `outbox` holds, for people to be told; needs no server."""
    unsent = outboxes(outbox)
    return Waiting(
        num_unsent=len(unsent),
        num_bytes=sum(map(_size, (file for folder in unsent for file in folder.glob("*")))),
        rejected=tuple(sorted(outbox.glob(f"*/*{REJECTED}"))),
    )


def results_in(folders: Iterable[Path]) -> dict[str, str]:
    """Trial id to outcome, of the attempts in `folders` that ended with a result which the ledger does not have."""
    found = {}
    for folder in folders:
        header, end = _first_and_end(folder)
        if header.get("kind") == OPENING and end.get("outcome") not in (None, "interrupted"):
            found[str(header.get("trial_id"))] = str(end["outcome"])
    return found


def why_refused(folder: Path) -> str:
    """What the server said of the records in `folder`."""
    try:
        return (folder / WHY).read_text(errors="replace").strip()
    except OSError:
        return "the reason was not written down"


def replay(outbox: Path, uri: str, *, budget_s: float = 15.0, refused_too: bool = False) -> ReplaySummary:
    """Send what dead processes left in `outbox`. An attempt that has no end is closed as interrupted.

    Attempts that a live process owns are left to it, and those that the server refused once unless `refused_too`. A
    server that does not answer for `budget_s` seconds ends the replay, which may be repeated at any time; one that
    answers with a fault leaves that attempt for later and goes on with the next.
    """
    summary, away = ReplaySummary(), False
    with MlflowRest(uri, budget_s=budget_s) as rest:
        studies = Studies(rest)
        for folder in outboxes(outbox, refused=refused_too):
            if away:
                summary.num_left += 1
                continue
            try:
                _replay_one(folder, studies, summary)
            except (LedgerUnreachable, LedgerBarred) as error:
                summary.num_left += 1
                summary.trouble = str(error)
                away = not error.status
                rest.budget_s = min(_SHORT_BUDGET_S, budget_s)
    return summary


def _replay_one(folder: Path, studies: Studies, summary: ReplaySummary) -> None:
    """Send one attempt and count what became of it."""
    try:
        outbox = Outbox(folder, create=False)
    except BlockingIOError:
        summary.num_busy += 1
        return
    except FileNotFoundError:
        return  # its owner has just finished with it
    except OSError as error:
        summary.rejected = (*summary.rejected, f"{folder}: {error}")
        return
    sender = Sender(outbox, studies, leftover=True)
    try:
        over = deliver(sender)
    except (LedgerUnreachable, LedgerBarred):
        outbox.close()
        raise
    summary.num_points += sender.num_points
    if sender.rejected:
        summary.rejected = (*summary.rejected, sender.rejected)
    elif not over:
        outbox.close()
        summary.num_left += 1
        summary.trouble = summary.trouble or "; ".join(sender.lost.values())
    elif sender.lost:
        summary.lost = (*summary.lost, *(f"{folder}: {name}: {why}" for name, why in sender.lost.items()))
    else:
        summary.num_sent += 1


def _first_and_end(folder: Path) -> tuple[Record, Record]:
    """The first record of an outbox and its end that the server does not have; {} where there is none."""
    first: Record = {}
    end: Record = {}
    with contextlib.suppress(OSError), (folder / RECORDS).open("rb") as lines:
        sent = sent_of(folder)
        position = 0
        for line in lines:
            position += len(line)
            first = first or parsed(line)
            if b'"kind":"end"' in line and position > sent.offset:
                end = parsed(line)
    return first, end


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def deliver(sender: Sender) -> bool:
    """Send what an outbox has; whether it is done with. What the server refuses is put aside, with the reason.

    A outbox whose files alone were refused stays where it is, closed. Raises LedgerUnreachable if the server does not
    answer or fails, LedgerBarred if what answers is no MLflow for us.
    """
    try:
        if not sender.step():
            return False
    except (LedgerUnreachable, LedgerBarred):
        raise
    except Exception as error:
        # Whatever is wrong with one trial's records must neither end the sending thread, nor hold up the others', nor
        # be lost.
        aside = sender.outbox.reject(f"{type(error).__name__}: {error}")
        sender.rejected = f"{aside}: {error}"
        log.error("The ledger refused a trial's records; they are kept in %s (%s)", aside, error)
        return True
    if sender.lost:
        sender.outbox.close()
    else:
        sender.outbox.discard()
    return True
