"""A real MLflow server, and studies whose trials are recorded into it as a worker does it, without training them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import make_preview
from paribus.execution.study_ledger import StudyLedger
from paribus.execution.workers.trial_spec import outbox_of, record_of
from paribus.shards.catalog import data_digest
from paribus.study import Study
from paribus.study.plan import Step, Trial, trials
from paribus.study.settings import Settings, settings_of
from paribus.tracking import Recorder
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
    settings: dict[str, Settings] = field(default_factory=dict)
    open: list[StudyLedger] = field(default_factory=list)

    @cached_property
    def outbox(self) -> Path:
        return self.home / "worker"

    def trials(self, study: Study) -> tuple[Trial, ...]:
        return trials(study, lambda recipe: data_digest(recipe, self.home))

    def fill(
        self,
        study: Study,
        fate: Fate = drawn_at,
        declared: Study | None = None,
        metrics: Callable[[Trial], dict[str, float]] = lambda trial: {},
        **facts: Any,
    ) -> None:
        """Record the trials of `study`, a variation of `declared`, that the ledger lacks."""
        self.settings[study.name] = settings_of(study, declared)
        with Ledger(self.uri) as ledger:
            there = {trial.trial_id for trial in ledger.trials(study.name)}
        with Recorder(self.outbox, self.uri, flush_s=0.05) as recorder:
            for trial in self.trials(study):
                if trial.id not in there and (end := fate(trial)) is not None:
                    self.record(recorder, study, trial, end, metrics=metrics(trial), **facts)

    def record(
        self,
        recorder: Recorder,
        study: Study,
        trial: Trial,
        end: float | str,
        attempt: int = 1,
        metrics: dict[str, float] | None = None,
        **facts: Any,
    ) -> None:
        """Record one trial, which no run has yet unless it is a later attempt; `facts` are what is to be otherwise."""
        step = Step(trial=trial, action="start", attempt=attempt, run_id="", code=trial_code(trial.recipe))
        begun = replace(record_of(step, study.name), **facts).begun(attempt)
        log = recorder.trial(begun, settings=self.settings[study.name], is_new=attempt == 1)
        if end != "running":
            time.sleep(0.002)  # clocks tell milliseconds, and what took none has cost nothing
            final = {**(metrics or {}), **({"top1": end} if isinstance(end, float) else {})}
            log.finish("finished" if isinstance(end, float) else end, final)

    def opened(self, study: Study, **options: Any) -> StudyLedger:
        """The study's ledger as its driver opens it before the first trial starts."""
        asked = Options(**options)
        settings = settings_of(study, asked.declared)
        ledger = StudyLedger(study, self.uri, outbox_of(self.home, study.name, settings), self.home)
        self.open.append(ledger)
        ledger.open(make_preview(study, self.home, ledger.known(), asked))
        return ledger

    def close(self) -> None:
        """Close what a test has opened."""
        while self.open:
            self.open.pop().close()
