"""The driver's dealings with the ledger: it may be away at any time, and nothing is lost or waited for."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from paribus.data.catalog import data_digest
from paribus.orchestration.code_digest import code_digest
from paribus.orchestration.failures import MAX_NODE_RETRIES
from paribus.orchestration.job import params_of
from paribus.orchestration.looks import extended, history_of
from paribus.orchestration.planning import Outlook
from paribus.study.document import write_places, write_study
from paribus.study.plan import Step, places
from paribus.study.study import Study
from paribus.tracking import (
    LeaseHeld,
    LedgerError,
    LedgerUnreachable,
    MlflowRest,
    Recorder,
    StudyHeader,
    StudyRun,
    TrialHeader,
    open_study,
    replay,
)
from paribus.tracking import tags as words
from paribus.tracking.environment import environment
from paribus.tracking.ledger import Ledger
from paribus.tracking.study_choice import STUDY_FILE, rename_others
from paribus.tracking.study_runs import TRIALS_FILE

if TYPE_CHECKING:
    from paribus.orchestration.reporting import Judged
    from paribus.tracking.ledger_records import TrialRecord


class StudyLedger:
    """One study's parent run, lease and leftovers, tolerant of an MLflow that is away."""

    def __init__(self, study: Study, uri: str, spool: Path, home: Path) -> None:
        self.study, self.uri, self.spool, self.home = study, uri, spool, home
        self._rest = MlflowRest(uri, budget_s=5.0)
        self._run: StudyRun | None = None
        self._outlook: Outlook | None = None
        self._described = False
        self._done: Counter[str] = Counter()
        self._beating: threading.Thread | None = None
        self._taken: LeaseHeld | None = None
        self._trouble = ""

    def known(self) -> list[TrialRecord] | None:
        """The study's trials, after leftovers of dead processes were sent; None if MLflow does not answer."""
        ledger = Ledger(self.uri)
        try:
            replay(self.spool, self.uri, budget_s=5.0)
            return ledger.trials(self.study.name)
        except LedgerUnreachable:
            return None
        finally:
            ledger.close()

    def open(self, outlook: Outlook) -> None:
        """Take the study's lease, close orphans, and write down what is about to run.

        Raises:
            LeaseHeld: another live driver runs the study.
        """
        untouched = {step.trial.id for step in outlook.plan.steps if step.action in ("skip", "leave")}
        records = [record for record in outlook.records or () if record.trial_id in untouched]
        self._done = Counter(record.outcome for record in records if record.outcome)
        self._outlook = outlook
        # Once trials run, it would close ours: hence here alone.
        self._try(lambda run: run.close_orphans(self._own_ids()))

    def beat(self, ended: Mapping[str, str]) -> None:
        """Say that the driver lives, with the number of trials by outcome; a server that is slow holds up nobody.

        Raises:
            LeaseHeld: another driver took the study over.
        """
        if self._taken:
            raise self._taken
        if self._beating is None or not self._beating.is_alive():
            counts = self._counts(ended)
            self._beating = threading.Thread(target=self._beat, args=(counts,), name="paribus-lease", daemon=True)
            self._beating.start()

    def _beat(self, counts: dict[str, int]) -> None:
        try:
            self._try(lambda run: run.heartbeat(counts), join=False)
        except LeaseHeld as error:
            self._taken = error

    def _opened(self) -> StudyRun:
        """The study's run, with our lease on it; opened late where MLflow was away at the start."""
        if self._run is None:
            assert self._outlook is not None
            self._run = open_study(self._rest, _header(self._outlook))
        if not self._described:
            assert self._outlook is not None
            self._run.claim_lease()
            self._note_looks(self._run)
            self._run.artifact(STUDY_FILE, write_study(self.study).encode())
            own = places(step.trial for step in self._outlook.plan.steps)
            self._run.artifact(TRIALS_FILE, write_places(own).encode())
            self._run.refuse_shared([step.trial.id for step in self._outlook.plan.todo])
            self._run.artifact("environment.json", json.dumps(environment(), indent=2).encode())
            self._run.heartbeat(self._done)
            if self._outlook.settings.declared:
                rename_others(self._rest, self._run.experiment_id, self._run.run_id, self.study)
            self._described = True
        return self._run

    def record_lost(self, step: Step, reason: str) -> None:
        """Write down a trial whose workers died too often to say so themselves."""
        trial = step.trial
        with Recorder(self.spool, self.uri) as recorder:
            log = recorder.trial(
                TrialHeader(
                    study=self.study.name,
                    trial_id=trial.id,
                    arm=trial.arm.levels,
                    arm_name=trial.arm.name,
                    replicate=trial.replicate,
                    attempt=step.attempt + MAX_NODE_RETRIES + 1,  # after every attempt that a worker has begun
                    params=params_of(trial),
                    tags={"paribus.code": code_digest()},
                    run_id=None,
                    settings=self._outlook.settings.digest if self._outlook else "",
                    settings_name=self._outlook.settings.name if self._outlook else "",
                )
            )
            log.finish("failed", {}, {"paribus.reason": reason, "paribus.failure": "node"})

    def drain(self, patience_s: float) -> bool:
        """Send everything that is left on disk; False if MLflow stays away for `patience_s`."""
        deadline, told = time.monotonic() + patience_s, False
        while True:
            try:
                summary = replay(self.spool, self.uri, budget_s=5.0)
                for refused in summary.rejected:
                    print(f"note: the ledger refused a trial's records; they are kept in {refused}", file=sys.stderr)
                if summary.num_left == 0 and summary.num_busy == 0:
                    return True
            except LedgerUnreachable:
                pass
            if time.monotonic() > deadline:
                return False
            if not told:
                print(f"waiting up to {patience_s:.0f} s for the ledger to take the last records ...", file=sys.stderr)
                told = True
            time.sleep(0.5)

    def publish(self, judged: Judged) -> None:
        """Keep the verdicts with the study: as data, and as Markdown that a person reads in MLflow."""

        def store(run: StudyRun) -> None:
            run.artifact("verdicts.json", json.dumps(judged.as_dict(), indent=2).encode())
            run.artifact("report.md", judged.markdown().encode())
            run.set_tags({"mlflow.note.content": judged.markdown()[:7000]})

        self._try(store)

    def finish(self, status: Literal["FINISHED", "KILLED", "FAILED"], ended: Mapping[str, str]) -> None:
        """End the driver's work; what was cut off is closed and marked, so that nothing looks as if it still ran."""

        def end(run: StudyRun) -> None:
            if status == "KILLED":
                replay(self.spool, self.uri, budget_s=1.0)
                run.close_orphans(self._own_ids())
            run.finish(status, self._counts(ended))

        self._try(end)

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def _note_looks(self, run: StudyRun) -> None:
        """Write down what was asked for, and whether verdicts could be had by then; before study.json is replaced."""
        ledger = Ledger(self.uri)
        try:
            record = ledger.study(self.study.name, self._outlook.settings.digest if self._outlook else "")
            history = history_of(ledger, record)
            known = extended(
                history, self.study, ledger.trials(self.study.name), lambda recipe: data_digest(recipe, self.home)
            )
        finally:
            ledger.close()
        run.set_tags({words.REPLICATION: known.as_tag()})

    def _own_ids(self) -> set[str]:
        assert self._outlook is not None
        return {step.trial.id for step in self._outlook.plan.steps}

    def _counts(self, ended: Mapping[str, str]) -> dict[str, int]:
        return dict(self._done + Counter(ended.values()))

    def _try(self, action: Callable[[StudyRun], object], *, join: bool = True) -> None:
        """Do it if MLflow answers; say so once where it does not, and once when it is back."""
        if self._outlook is None:
            return
        if join and self._beating is not None:
            self._beating.join()
        try:
            action(self._opened())
            if self._trouble:
                print("note: MLflow answers again", file=sys.stderr)
            self._trouble = ""
        except LeaseHeld:
            raise
        except LedgerError as error:
            if not self._trouble:
                print(f"note: {error} Training goes on; its records wait on disk.", file=sys.stderr)
            self._trouble = str(error)


def _header(outlook: Outlook) -> StudyHeader:
    study = outlook.plan.study
    return StudyHeader(
        name=study.name,
        question=study.question,
        claim=asdict(study.claim) if study.claim else None,
        caveats=tuple(f"{path} = {value}" for path, value in study.caveats().items())[:60],
        design=study.design,
        num_planned=len(outlook.plan.steps),
        code=code_digest(),
        note=f"**{study.question}**\n\n{len(study.arms)} arms x {study.replicates} replicates; not judged yet",
        source=sys.argv[0],
        commit=str((environment().get("git") or {}).get("commit", "")),
        settings=outlook.settings,
    )
