"""A real MLflow server, and studies whose trials are recorded into it as a worker does it, without training them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paribus.data.catalog import data_digest
from paribus.orchestration.code_digest import code_digest
from paribus.orchestration.options import Options
from paribus.orchestration.planning import look_out
from paribus.orchestration.study_ledger import StudyLedger
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.tracking import Recorder, TrialHeader
from paribus.tracking.ledger import Ledger

# Top-1 of a trial, or how else it ended; None: it has not run.
Fate = Callable[[Trial], float | str | None]


def drawn_at(trial: Trial) -> float:
    """A top-1 that depends on the trial's id alone: 80 +- 1 points."""
    return 80 + float(np.random.default_rng(int(trial.id[:12], 16)).normal())


@dataclass(frozen=True)
class Shelf:
    """A ledger and a home, where trials are recorded under their real ids."""

    uri: str
    home: Path

    @cached_property
    def spool(self) -> Path:
        return self.home / "worker"

    def trials(self, study: Study) -> tuple[Trial, ...]:
        return trials(study, lambda recipe: data_digest(recipe, self.home))

    def fill(self, study: Study, fate: Fate = drawn_at, **tags: str) -> None:
        """Record the trials of `study` that the ledger lacks."""
        with Ledger(self.uri) as ledger:
            there = {record.trial_id for record in ledger.trials(study.name)}
        with Recorder(self.spool, self.uri, flush_s=0.05) as recorder:
            for trial in self.trials(study):
                if trial.id not in there and (end := fate(trial)) is not None:
                    self.record(recorder, study, trial, end, tags)

    def record(self, recorder: Recorder, study: Study, trial: Trial, end: float | str, tags: dict[str, str]) -> None:
        header: dict[str, Any] = {"tags": {"paribus.code": code_digest(), **tags}, "run_id": ""}
        log = recorder.trial(
            TrialHeader(
                study=study.name,
                trial_id=trial.id,
                arm=trial.arm.levels,
                arm_name=trial.arm.name,
                replicate=trial.replicate,
                **header,
            )
        )
        if end != "running":
            log.finish("finished" if isinstance(end, float) else end, {"top1": end} if isinstance(end, float) else {})

    def opened(self, study: Study, **options: Any) -> StudyLedger:
        """The study's ledger as its driver opens it before the first trial starts."""
        ledger = StudyLedger(study, self.uri, self.home / "spool" / study.name)
        ledger.open(look_out(study, self.home, ledger.known(), Options(**options)))
        return ledger
