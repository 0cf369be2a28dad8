"""`paribus logs`: what is kept of one trial that went wrong, or printed something."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json, add_ledger
from paribus.host.home import home
from paribus.host.say import say

if TYPE_CHECKING:
    from paribus.tracking.ledger import Ledger
    from paribus.tracking.trials.record import TrialRecord

_EXAMPLES = """examples:
  paribus logs 3f9a                 a trial by the beginning of its id, as `status --json` and `export` have it
  paribus logs "width:k=4 · r2"     by its study, arm and replicate
  paribus logs 3f9a --json          for a script

What is shown: how it ended and why, its traceback, the logs of processes that it killed, its warnings, and what its
process printed. Of a trial that runs, the last of them is kept when it ends.
"""


def register(verbs: Any) -> None:
    """Add the command."""
    parser = verbs.add_parser(
        "logs",
        help="what is kept of one trial: why it failed, its traceback, what its process printed",
        description="What is kept of one trial: how it ended and why, its traceback, what its process printed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("trial", metavar="TRIAL", help="the beginning of its id, an MLflow run's id, STUDY:RUN or STUDY:best")
    add_ledger(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from paribus.evaluation.trial_names import describe, find_trial
    from paribus.report.doubts.chance import judged_when_read
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    with ledger_at(home(), args.ledger, start=True) as uri:
        assert uri is not None
        with Ledger(uri, judge=judged_when_read(home())) as ledger:
            trial = find_trial(ledger, args.trial)
            files = _files(ledger, trial)
    if args.json:
        facts = {"trial": trial.trial_id, "study": trial.study, "arm": trial.arm_name, "replicate": trial.replicate}
        facts |= {"outcome": trial.outcome, "reason": trial.reason, "node": trial.node, "run": trial.url}
        say(json.dumps({**facts, "attempt": trial.attempt, "warnings": trial.warnings, "files": files}, indent=2))
        return 0
    say("\n".join([describe(trial), *(f"  {line}" for line in _facts(trial))]))
    for name, text in files.items():
        say(f"\n{name}:\n{text.rstrip()}")
    if not files:
        say("\nno traceback and nothing printed is kept of it")
    return 0


def _facts(trial: TrialRecord) -> list[str]:
    how = trial.outcome or ("running" if trial.running else "interrupted")
    lines = [f"{how}, attempt {trial.attempt}" + (f", on {trial.node}" if trial.node else "")]
    lines += [trial.reason] if trial.reason else []
    lines += [f"warning: {line}" for line in trial.warnings.splitlines()]
    return [*lines, trial.url]


def _files(ledger: Ledger, trial: TrialRecord) -> dict[str, str]:
    """By name, in the order in which they are read."""
    from paribus.tracking.errors import LedgerError
    from paribus.tracking.outbox.artifacts import PRINTED, TRACEBACK, crash_file

    found = {}
    for name in (TRACEBACK, *map(crash_file, range(1, trial.attempt + 1)), PRINTED):
        try:
            found[name] = ledger.artifact(trial.run_id, name).decode(errors="replace")
        except LedgerError as error:
            if error.status != 404:
                raise
    return found
