"""`paribus ledger`: its options; what lies on disk and not in the ledger, of all studies, listed and sent."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.commands.ledger.whole import STORED, run_stored
from paribus.commands.shared_options import add_ledger
from paribus.host.option_types import whole
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
  paribus ledger backup ledger.tar.gz the whole local ledger, artifacts too, in one file, while it is used
  paribus ledger restore ledger.tar.gz  into an empty PARIBUS_HOME
  paribus ledger move postgresql://USER@HOST/DB  from SQLite to PostgreSQL, with the same ids
  paribus ledger metrics --port 9464  studies, verdicts and lost hours for Prometheus; without --port, printed once

`run` and `retry` send what waits of their own study before they train anything."""


def register(subparsers: Any) -> None:
    """Add `ledger` to the command line's subparsers."""
    ledger = subparsers.add_parser(
        "ledger",
        help="results and files that wait on disk for MLflow: list them, send them again; back a ledger up, move it",
        description="List results and files that wait on disk because MLflow was away or refused them, or send them; "
        "bring the ledger of an earlier release along; back up, restore or move the local ledger.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = ledger.add_argument
    add(
        "action", choices=("list", "send", "upgrade", "metrics", *STORED), help="list what waits, send it, upgrade, ..."
    )
    add("studies", metavar="STUDY", nargs="*", help="names of studies (default: all); a FILE or a database's address")
    add_ledger(ledger)
    add("--restore", metavar="FILE", type=Path, help="with upgrade: put back what this backup of an upgrade tells of")
    add("--port", metavar="PORT", type=whole(1), help="with metrics: serve them there (else they are printed once)")
    add("--host", metavar="ADDRESS", default="127.0.0.1", help="with metrics and --port: of which address (loopback)")
    ledger.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from paribus.host.home import home
    from paribus.host.storage import storage
    from paribus.tracking import replay
    from paribus.tracking.address import ledger_at

    if args.action == "upgrade":
        from paribus.commands.ledger.upgrade import run_upgrade

        return run_upgrade(home(), args.ledger, args.studies, args.restore)
    if args.restore is not None:
        raise RecipeError(f"--restore goes with `paribus ledger upgrade`, and this is `paribus ledger {args.action}`")
    if args.action == "metrics":
        from paribus.commands.ledger.metrics import run_metrics

        return run_metrics(args.ledger, args.port, args.host)
    if args.port is not None:
        raise RecipeError(f"--port goes with `paribus ledger metrics`, and this is `paribus ledger {args.action}`")
    if args.action in STORED:
        return run_stored(home(), args.action, args.studies, args.ledger)
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
