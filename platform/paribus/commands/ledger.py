"""`paribus ledger`: what lies on disk and not in the ledger, of all studies; and an earlier release's ledger."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.host.say import say, warn
from paribus.recipe.errors import RecipeError

if TYPE_CHECKING:
    from paribus.tracking import ReplaySummary

_EXAMPLES = """examples:
  paribus ledger list                 what waits, of which study, and why
  paribus ledger send                 send it again, what MLflow refused too
  paribus ledger send width           of one study alone, at all its settings
  paribus ledger upgrade              bring an earlier release's ledger along; says what it does, keeps what it replaces
  paribus ledger upgrade --restore F  put back what the backup F tells of

`run` and `retry` send what waits of their own study before they train anything."""


def register(subparsers: Any) -> None:
    """Add `ledger` to the command line's subparsers."""
    ledger = subparsers.add_parser(
        "ledger",
        help="results and files that wait on disk for MLflow: list them, send them again; upgrade an older ledger",
        description="List results and files that wait on disk because MLflow was away or refused them, or send them; "
        "or bring the ledger of an earlier release along.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = ledger.add_argument
    add("action", choices=("list", "send", "upgrade"), help="list what waits, send it, or upgrade")
    add("studies", metavar="STUDY", nargs="*", help="names of studies (default: all)")
    add("--ledger", metavar="URL", help="the MLflow server (else MLFLOW_TRACKING_URI, else the local stack's)")
    add("--restore", metavar="FILE", type=Path, help="with upgrade: put back what this backup of an upgrade tells of")
    ledger.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from paribus.host.home import home
    from paribus.host.storage import storage
    from paribus.tracking import replay
    from paribus.tracking.address import ledger_at

    if args.action == "upgrade":
        from paribus.commands.ledger_upgrade import run_upgrade

        return run_upgrade(home(), args.ledger, args.studies, args.restore)
    if args.restore is not None:
        raise RecipeError(f"--restore goes with `paribus ledger upgrade`, and this is `paribus ledger {args.action}`")
    outboxes = _outboxes(storage() / "spool", args.studies)
    for outbox in outboxes:
        say("\n".join(waiting_lines(outbox)))
    if not outboxes:
        say("nothing waits on disk")
    if args.action == "list" or not outboxes:
        return 0
    code = 0
    with ledger_at(home(), args.ledger, start=True) as uri:
        assert uri is not None
        for outbox in outboxes:
            summary = replay(outbox, uri, budget_s=5.0, refused_too=True)
            say(f"{outbox.name}: {_sent_text(summary)}")
            problems = [*summary.rejected, *summary.lost, *([summary.trouble] if summary.trouble else [])]
            for problem in problems:
                warn(f"  {problem}")
            code = 1 if problems or summary.num_left else code
    return code


def _outboxes(folder: Path, studies: list[str]) -> list[Path]:
    """The outboxes that hold something, of `studies` at all their settings, or of all."""
    from paribus.execution.workers.trial_spec import study_of
    from paribus.tracking.outbox.outbox import outboxes

    places = [place for place in sorted(folder.glob("*")) if not studies or study_of(place) in studies]
    return [place for place in places if place.is_dir() and outboxes(place, refused=True)]


def waiting_lines(outbox: Path) -> list[str]:
    """What of a study waits on disk and is not, or not wholly, in the ledger; [] where nothing does."""
    from paribus.tracking.outbox.delivery import waiting, why_refused

    found = waiting(outbox)
    if not found.num_unsent and not found.rejected:
        return []
    lines = [f"{outbox.name}: {found.num_unsent} attempts wait ({found.num_bytes / 2**20:.1f} MiB)"]
    return lines + [f"  refused: {folder}: {why_refused(folder)}" for folder in found.rejected]


def unsent_lines(outbox: Path) -> list[str]:
    """A sentence where results of trials that have ended wait on disk, or were refused; [] where none do."""
    from paribus.tracking.outbox.delivery import results_in, waiting, why_refused
    from paribus.tracking.outbox.outbox import outboxes

    num_results = len(results_in(outboxes(outbox, refused=True)))
    if not num_results:
        return []
    lines = [f"{num_results} results are on disk and not in the ledger: `run` or `paribus ledger send` sends them"]
    return lines + [f"  refused: {folder}: {why_refused(folder)}" for folder in waiting(outbox).rejected]


def _sent_text(summary: ReplaySummary) -> str:
    parts = {
        "sent": summary.num_sent,
        "refused": len(summary.rejected),
        "files not taken": len(summary.lost),
        "left for later": summary.num_left,
        "still being written": summary.num_busy,
    }
    return ", ".join(f"{count} {what}" for what, count in parts.items() if count or what == "sent")
