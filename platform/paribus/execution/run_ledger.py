"""The driver's dealings with the ledger: it may be away at any time, and nothing is lost or waited for."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from paribus.engine.variables import TURN_S, seconds
from paribus.execution.turns.turn import Turn
from paribus.execution.workers.failures import BEYOND_ATTEMPTS
from paribus.execution.workers.trial_spec import record_of
from paribus.host.say import warn
from paribus.report.doubts.chance import judged_when_read
from paribus.study.plan import Step
from paribus.tracking import (
    LeaseHeld,
    LedgerBarred,
    LedgerError,
    LedgerUnreachable,
    MlflowRest,
    Recorder,
    ReplaySummary,
    StudyHeader,
    StudyRun,
    open_study,
    replay,
    waiting,
)
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.view import RunsView
from paribus.tracking.outbox.delivery import results_in, why_refused
from paribus.tracking.outbox.outbox import outboxes
from paribus.tracking.studies.lease import BEAT_S

if TYPE_CHECKING:
    from paribus.study.searches.search import Search
    from paribus.study.settings import Settings
    from paribus.study.study import Study
    from paribus.tracking.studies.record import StudyRecord
    from paribus.tracking.trials.record import TrialRecord


# For how long a request is tried again; and the one file that is written and read back before training.
BUDGET_S, FILES_S = 5.0, 15.0


def view_of(study: Study | Search, paths: Iterable[str], *, by_arm: bool = True) -> RunsView:
    """How MLflow's page of its trials opens: what is varied, what it is judged on, and curves before single numbers."""
    first = [study.metric, *(name for name, metric in study.metrics.items() if metric.headline)]
    return RunsView(
        metric=study.metric,
        largest_first=study.primary.sign > 0,
        curves=(*(name for name in first if study.metrics[name].every_epoch), "train_loss"),
        metrics=first,
        params=tuple(paths),
        by_arm=by_arm,
    )


class RunLedger(ABC):
    """The parent run, lease and leftovers of a study or a search, tolerant of an MLflow that is away.

    A subclass says what is kept with the run: `_header`, `_describe`, `_own_ids`. `share` is its weight beside others
    on its cluster.
    """

    def __init__(
        self, name: str, uri: str, outbox: Path, home: Path, settings: Settings | None = None, share: int = 1
    ) -> None:
        self.name, self.uri, self.outbox, self.home, self.settings = name, uri, outbox, home, settings
        self._rest = MlflowRest(uri, budget_s=BUDGET_S)
        self._run: StudyRun | None = None
        self._is_open = self._claimed = self._described = False
        self._done: Counter[str] = Counter()
        self._ended: Mapping[str, str] = {}
        self._speaking, self._closed = threading.RLock(), threading.Event()
        self._beating: threading.Thread | None = None
        self._taken: LeaseHeld | None = None
        self._trouble = ""
        self._aside: dict[str, str] = {}
        self.turn = Turn(settings.title(name) if settings else name, share, seconds(*TURN_S))

    @abstractmethod
    def _header(self) -> StudyHeader:
        """What the run says of itself."""

    @abstractmethod
    def _describe(self, run: StudyRun) -> None:
        """Store with the run what it is, once."""

    @abstractmethod
    def _own_ids(self) -> Collection[str]:
        """The trials that are its own."""

    def _take(self, *, trains: bool) -> None:
        """Take the lease, close orphans, and write down what is about to run.

        Raises:
            LeaseHeld: another live driver runs it.
        """
        self._is_open = True
        # Once trials run, it would close ours: hence here alone.
        self._try(lambda run: run.close_orphans(self._own_ids()))
        if self._run is not None and trains:
            self._check_files(self._run)
        self._try(self._describe)
        self._beating = threading.Thread(target=self._beat, name="paribus-lease", daemon=True)
        self._beating.start()

    def known(self) -> list[TrialRecord] | None:
        """The experiment's trials, after leftovers of dead processes were sent; None if MLflow does not answer.

        Raises:
            LedgerError: it still refuses results of trials that have ended; or what answers is no MLflow for us.
        """
        ledger = Ledger(self.uri, judge=judged_when_read(self.home))
        try:
            summary = replay(self.outbox, self.uri, budget_s=BUDGET_S, refused_too=True)
            check_refused(self.outbox)
            records = ledger.trials(self.name)
            if summary.num_left and (num := len(results_in(outboxes(self.outbox)))):
                raise LedgerError(
                    f"The results of {num} trials wait in {self.outbox}, and the ledger does not take them: "
                    f"{summary.trouble} The same command tries again; training them again would lose them again."
                )
            return records
        except LedgerUnreachable:
            return None
        finally:
            ledger.close()

    def beat(self, ended: Mapping[str, str]) -> None:
        """Tell how each trial ended so far: the lease's own thread passes it on, so a slow server holds up nobody.

        Raises:
            LeaseHeld: another driver took the study over.
        """
        self._ended = dict(ended)
        if self._taken:
            raise self._taken

    def _beat(self) -> None:
        """Say that the driver lives, also while a Ray is being started or the last records are sent."""
        while not self._closed.wait(BEAT_S):
            with self._speaking:
                if self._closed.is_set():  # after the end it would take the lease again
                    return
                try:
                    self._try(self._heartbeat)
                except LeaseHeld as error:
                    self._taken = error
                    return

    def agree(self) -> None:
        """Hear now who shares the cluster, and whether the study is paused; with MLflow away, what was heard last.

        Raises:
            LeaseHeld: another driver took the study over.
        """
        self._try(self._heartbeat)

    def gave_way(self) -> None:
        """What was under way gave up its places: it is cut off, and looks as if it ran no more."""
        replay(self.outbox, self.uri, budget_s=BUDGET_S)
        self._try(lambda run: run.close_orphans(self._own_ids()))

    def cut_off(self) -> None:
        """The cluster is lost: end the driver's work as far as it came, from whatever thread."""
        self.finish("KILLED", self._ended)

    def _heartbeat(self, run: StudyRun) -> None:
        if self.turn.places is not None:
            self.turn.hear(run.run_id, self._others_on(run, self.turn.places.cluster))
        self.turn.paused = run.heartbeat(self._counts(self._ended), self.turn.places)
        self._describe(run)  # where MLflow was away at the start

    def _others_on(self, run: StudyRun, cluster: str) -> list[StudyRecord]:
        """Who else is at work there; nobody where a ledger does not say: the heartbeat hangs on none of it."""
        try:
            return run.at_work_on(cluster)
        except LedgerUnreachable:
            raise
        except LedgerError:
            return []

    def _check_files(self, run: StudyRun) -> None:
        """Write one small file and read it back, before hours of training rest on it; the lease is given up if not."""
        self._rest.budget_s = FILES_S
        try:
            run.check_files()
        except LedgerError as error:
            if isinstance(error, LedgerUnreachable) and not error.status:
                return  # away just now: files wait on disk, as all records do
            with contextlib.suppress(LedgerError):
                run.finish("FAILED")
            raise
        finally:
            self._rest.budget_s = BUDGET_S

    def _opened(self) -> StudyRun:
        """The study's run, with our lease on it; opened late where MLflow was away at the start."""
        if self._run is None:
            self._run = open_study(self._rest, replace(self._header(), nodes_aside=self._aside))
        if not self._claimed:
            self._run.claim_lease()
            self._run.heartbeat(self._done)
            self._claimed = True
        return self._run

    def put_aside(self, node: str, fault: str) -> None:
        """Let `status` and the study's page name a node that gets no more trials, and why."""
        self._aside[node] = fault
        self._try(lambda run: run.note_aside(self._aside))

    def record_lost(self, step: Step, reason: str) -> None:
        """Write down a trial whose workers died too often to say so themselves."""
        with Recorder(self.outbox, self.uri) as recorder:
            log = recorder.trial(
                # After every attempt that a worker has begun.
                record_of(step, self.name).begun(step.attempt + BEYOND_ATTEMPTS),
                settings=self.settings,
            )
            log.finish("failed", {}, replace(log.record, reason=reason, failure="node"))

    def drain(self, patience_s: float) -> list[str]:
        """Send what is left on disk, for at most `patience_s`; in sentences, what the ledger lacks after it."""
        deadline, told = time.monotonic() + patience_s, False
        while True:
            summary = replay(self.outbox, self.uri, budget_s=5.0)
            if summary.num_left == 0 and summary.num_busy == 0:
                return self._lacking(summary)
            if time.monotonic() > deadline:
                return self._lacking(summary)
            if not told:
                warn(f"waiting up to {patience_s:.0f} s for the ledger to take the last records ...")
                told = True
            time.sleep(0.5)

    def _lacking(self, summary: ReplaySummary) -> list[str]:
        found = [f"a file was not taken: {text}" for text in summary.lost]
        for folder in waiting(self.outbox).rejected:
            found.append(f"the records in {folder} were refused: {why_refused(folder)}")
        if summary.num_left:
            found.append(f"{summary.num_left} attempts wait in {self.outbox}: {summary.trouble}")
        if summary.num_busy:
            found.append(f"{summary.num_busy} attempts in {self.outbox} are still being written by live processes")
        return found

    def missing(self, ended: Mapping[str, str]) -> list[str] | None:
        """The trials of `ended` whose outcome the ledger does not have; None if it does not answer."""
        with Ledger(self.uri) as ledger:
            try:
                there = {record.trial_id for record in ledger.trials(self.name) if record.outcome}
            except (LedgerUnreachable, LedgerBarred):
                return None
        return [trial_id for trial_id in ended if trial_id not in there]

    def finish(self, status: Literal["FINISHED", "KILLED", "FAILED"], ended: Mapping[str, str]) -> None:
        """End the driver's work; what was cut off is closed and marked, so that nothing looks as if it still ran."""
        self._closed.set()

        def end(run: StudyRun) -> None:
            if status == "KILLED":
                replay(self.outbox, self.uri, budget_s=1.0)
                run.close_orphans(self._own_ids())
            run.finish(status, self._counts(ended))

        self._try(end)

    def to_its_end(self, work: Callable[[], int | None], ended: Mapping[str, str], where: Callable[[], str]) -> int:
        """The exit code of `work`; whatever happens in it, the ledger does not go on saying that it runs.

        `ended` has the outcomes so far; `where` says how far it is where `work` was stopped, which it says by None.

        Raises:
            KeyboardInterrupt: it was stopped; the text says where, and how to go on.
        """
        try:
            code = work()
        except (KeyboardInterrupt, BrokenPipeError):  # who reads what is printed gets the signal too
            code = None
        except LeaseHeld:
            raise
        except BaseException:
            self.finish("FAILED", ended)
            raise
        if code is not None:
            return code
        self.finish("KILLED", ended)
        raise KeyboardInterrupt(f"interrupted {where()}; the same command goes on from here")

    def close(self) -> None:
        """Close the connections; a lease that MLflow could not be told of is given up too."""
        self._closed.set()
        with self._speaking:
            if self._run is not None:
                self._run.lease.abandon()
            self._rest.close()

    def _counts(self, ended: Mapping[str, str]) -> dict[str, int]:
        """Trials by outcome; those whose result still waits on disk, or was refused, are not in the ledger yet."""
        unsent = results_in(outboxes(self.outbox, refused=True))
        return dict(self._done + Counter(outcome for trial, outcome in ended.items() if trial not in unsent))

    def _try(self, action: Callable[[StudyRun], object]) -> None:
        """Do it if MLflow answers; say so once where it does not, and once when it is back."""
        if not self._is_open:
            return
        try:
            with self._speaking:
                action(self._opened())
            if self._trouble:
                warn("note: MLflow answers again")
            self._trouble = ""
        except LeaseHeld:
            raise
        except LedgerError as error:
            if not self._trouble:
                warn(f"note: {error} Training goes on; its records wait on disk.")
            self._trouble = str(error)


def check_refused(outbox: Path) -> None:
    """Raise LedgerError where results lie aside that MLflow refuses: trained again, they would be lost again."""
    folders = waiting(outbox).rejected
    results = results_in(folders)
    if not results:
        return
    reasons = "\n".join(f"  {folder}: {why_refused(folder)}" for folder in folders)
    noun = "trial has" if len(results) == 1 else "trials have"
    raise LedgerError(
        f"{len(results)} {noun} ended, and MLflow refuses the records:\n{reasons}\n"
        "Mend what it says, and the same command sends them again (as does `paribus ledger send`); or delete a folder "
        "to give its result up and train that trial again."
    )
