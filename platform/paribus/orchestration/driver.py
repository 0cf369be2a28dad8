"""The driver: from a plan to a judged study, whatever crashes on the way. Stateless: the ledger remembers."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from paribus.orchestration.code_digest import code_digest
from paribus.orchestration.job import Context
from paribus.orchestration.options import Options
from paribus.orchestration.planning import Outlook, look_out
from paribus.orchestration.study_ledger import StudyLedger
from paribus.orchestration.texts import plan_text, stale_text
from paribus.recipe.home import home
from paribus.study.plan import Action
from paribus.study.study import Study

# How long the end of a study waits for an MLflow that is away, before it leaves the rest to the next command.
_DRAIN_S = 90.0


@dataclass
class _Interruption:
    """Whether somebody asked this process to stop."""

    asked: bool = False


def drive(study: Study, options: Options, uri: str, only: frozenset[Action] | None = None) -> int:
    """Plan, train what is left, and judge.

    Returns the exit code: 0 if every trial has a result, 1 if some failed or the ledger could not be reached to the
    end, 3 if results of other code are in the way, 130 if interrupted.

    Raises:
        LeaseHeld: another live driver runs the study.
        ClusterError: there is no cluster, or a trial asks for more than it has.
    """
    folder = home()
    ledger = StudyLedger(study, uri, folder / "spool" / study.name)
    try:
        records = ledger.known()
        note = "" if records is not None else f"MLflow at {uri} does not answer: results wait on disk until it does"
        outlook = look_out(study, folder, records, options, only=only, note=note)
        print(plan_text(outlook), flush=True)
        if outlook.plan.counts().get("stale"):
            print(f"\n{stale_text(outlook)}", file=sys.stderr)
            return 3
        ledger.open(outlook)
        with _stoppable() as interruption:
            try:
                ended = _train(outlook, options, folder, ledger)
            except KeyboardInterrupt:
                interruption.asked, ended = True, {}
        return _conclude(outlook, ledger, folder, ended, interruption.asked)
    finally:
        ledger.close()


def _train(outlook: Outlook, options: Options, folder: Path, ledger: StudyLedger) -> dict[str, str]:
    """Run the trials that are left; returns each one's outcome by trial id, those that ended."""
    if not outlook.plan.todo:
        return {}
    from paribus.orchestration.executor import cluster, execute
    from paribus.orchestration.progress import Progress

    study = outlook.plan.study
    context = Context(study=study.name, home=str(folder), uri=ledger.uri, code=code_digest())
    with cluster(options.cpus) as where:
        print(f"\ntraining {len(outlook.plan.todo)} trials on {where}; MLflow: {ledger.uri}", flush=True)
        progress = Progress(outlook.plan, beat=lambda: ledger.beat(progress.ended), lost=ledger.record_lost)
        execute(outlook.plan, context, [progress])
    return progress.ended


def _conclude(outlook: Outlook, ledger: StudyLedger, folder: Path, ended: dict[str, str], asked: bool) -> int:
    """Send what is left, close what was cut off, and print the verdicts where there are any."""
    interrupted = asked or len(ended) < len(outlook.plan.todo)
    if interrupted:
        ledger.finish("KILLED", ended)
        left = len(outlook.plan.todo) - len(ended)
        print(f"\ninterrupted with {left} trials to go; the same command goes on from here", file=sys.stderr)
        return 130
    if not ledger.drain(_DRAIN_S):
        print(
            f"\nall trials have ended, but MLflow at {ledger.uri} does not answer: their records wait in "
            f"{folder / 'spool'}. The same command sends them and prints the verdicts",
            file=sys.stderr,
        )
        return 1
    from paribus.orchestration.reporting import judge, show

    judged = judge(outlook.plan.study, ledger.uri, folder)
    print()
    show(judged)
    ledger.publish(judged)
    failures = Counter(ended.values())["failed"]
    ledger.finish("FAILED" if failures else "FINISHED", ended)
    if failures:
        print(f"\n{failures} trials failed: `status` says why, `retry` runs them again", file=sys.stderr)
    return 1 if failures else 0


@contextmanager
def _stoppable() -> Iterator[_Interruption]:
    """Treat SIGTERM, which is what `ray job stop` sends, as Ctrl-C: Ray Tune then ends in order."""
    interruption = _Interruption()

    def stop(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            return
        interruption.asked = True
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGTERM, before)
