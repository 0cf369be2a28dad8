"""The driver: from a plan to a judged study, whatever crashes on the way. Stateless: the ledger remembers."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from paribus.orchestration.code_digest import code_digest
from paribus.orchestration.job import Context, spool_of
from paribus.orchestration.options import Options
from paribus.orchestration.planning import Outlook, look_out
from paribus.orchestration.study_ledger import StudyLedger
from paribus.orchestration.texts import plan_text, stale_text
from paribus.recipe.home import home
from paribus.study import StudyError
from paribus.study.plan import Action
from paribus.study.settings import settings_of
from paribus.study.study import Study
from paribus.tracking.errors import LeaseHeld

# Seconds between a trial's checkpoints; and how long the end of a study waits for an MLflow that is away, before it
# leaves the rest to the next command.
_CHECKPOINT_S = ("PARIBUS_CHECKPOINT_S", 30.0)
_DRAIN_S = ("PARIBUS_DRAIN_S", 90.0)


def drive(study: Study, options: Options, uri: str, only: frozenset[Action] | None = None) -> int:
    """Plan, train what is left, and judge.

    Returns the exit code: 0 if every trial has a result, 1 if some failed or the ledger could not be reached to the
    end, 3 if results of other code are in the way, 130 if interrupted.

    Raises:
        LeaseHeld: another live driver runs the study.
        ClusterError: there is no cluster, or a trial asks for more than it has.
        AnalysisError: no result could be judged: the margin is below what the evaluation split can show.
    """
    folder = home()
    settings = settings_of(study, options.declared)
    ledger = StudyLedger(study, uri, spool_of(folder, study.name, settings), folder)
    try:
        records = ledger.known()
        note = "" if records is not None else f"MLflow at {uri} does not answer: results wait on disk until it does"
        outlook = look_out(study, folder, records, options, only=only, note=note)
        print(plan_text(outlook), flush=True)
        _check_judgeable(study, folder)
        if outlook.plan.counts().get("stale"):
            print(f"\n{stale_text(outlook)}", file=sys.stderr)
            return 3
        with _stoppable():
            return _drive(outlook, options, folder, ledger)
    finally:
        ledger.close()


def _drive(outlook: Outlook, options: Options, folder: Path, ledger: StudyLedger) -> int:
    """Train and judge; whatever happens, the ledger does not go on saying that the study runs."""
    ended: dict[str, str] = {}
    ledger.open(outlook)
    try:
        _train(outlook, options, folder, ledger, ended)
        if len(ended) == len(outlook.plan.todo):
            return _conclude(outlook, ledger, folder, ended, fresh=options.fresh)
    except KeyboardInterrupt:
        pass
    except LeaseHeld:
        raise
    except BaseException:
        ledger.finish("FAILED", ended)
        raise
    ledger.finish("KILLED", ended)
    left = len(outlook.plan.todo) - len(ended)
    where = f"with {left} trials to go" if left else "before the verdicts"
    print(f"\ninterrupted {where}; the same command goes on from here", file=sys.stderr)
    return 130


def _train(outlook: Outlook, options: Options, folder: Path, ledger: StudyLedger, ended: dict[str, str]) -> None:
    """Run the trials that are left; `ended` receives each one's outcome by trial id as it ends."""
    if not outlook.plan.todo:
        return
    from paribus.orchestration.executor import cluster, execute
    from paribus.orchestration.progress import Progress

    study = outlook.plan.study
    context = Context(
        study=study.name,
        home=str(folder),
        uri=ledger.uri,
        code=code_digest(),
        checkpoint_s=_seconds(*_CHECKPOINT_S),
        settings=outlook.settings,
    )
    with cluster(options.cpus) as where:
        print(f"\ntraining {len(outlook.plan.todo)} trials on {where}; MLflow: {ledger.uri}", flush=True)
        progress = Progress(outlook.plan, ended, beat=lambda: ledger.beat(ended), lost=ledger.record_lost)
        execute(outlook.plan, context, [progress])


def _conclude(outlook: Outlook, ledger: StudyLedger, folder: Path, ended: dict[str, str], *, fresh: bool) -> int:
    """Send what is left, and print the verdicts."""
    if not ledger.drain(_seconds(*_DRAIN_S)):
        print(
            f"\nall trials have ended, but MLflow at {ledger.uri} does not answer: their records wait in "
            f"{ledger.spool}. The same command sends them and prints the verdicts",
            file=sys.stderr,
        )
        return 1
    from paribus.orchestration.reporting import judge, show

    judged = judge(outlook.plan.study, ledger.uri, folder, outlook.settings, fresh=fresh)
    print()
    show(judged)
    ledger.publish(judged)
    failures = Counter(ended.values())["failed"]
    # A retry alone leaves the rest of the study to the next run.
    left = outlook.plan.counts().get("leave", 0)
    ledger.finish("FAILED" if failures else "KILLED" if left else "FINISHED", ended)
    if failures:
        noun = "trial" if failures == 1 else "trials"
        print(f"\n{failures} {noun} failed: `status` says why, `retry` runs them again", file=sys.stderr)
    return 1 if failures else 0


def _check_judgeable(study: Study, folder: Path) -> None:
    """Refuse before training what analysis would refuse after it."""
    from paribus.analysis.metrics import check_margin, metric_called
    from paribus.data.catalog import locate
    from paribus.data.manifest import read_manifest

    for data in {study.recipe_of(arm).data for arm in study.arms}:
        split = read_manifest(locate(data, folder)).split(data.eval_split)
        check_margin(study.margin, metric_called(study.metric), split.samples)


def _seconds(variable: str, default: float) -> float:
    """What an environment variable sets, in seconds."""
    text = os.environ.get(variable, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds > 0:
        raise StudyError(f"{variable}={text!r}: give a number of seconds above 0, or unset it")
    return seconds


@contextmanager
def _stoppable() -> Iterator[None]:
    """Treat SIGTERM, which is what `ray job stop` sends, as Ctrl-C: Ray Tune then ends in order. One is enough."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
