"""What is known of one trial: the same record when an attempt begins, as it runs and ends, and when it is read."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paribus.tracking.mlflow.runs import Latest, now_ms, run_url

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples
    from paribus.study.words import Arm, FailureClass, Outcome, TrialResult

EPOCH_METRIC = "epoch"
ATTEMPT_METRIC = "attempt"
INTERRUPTED = "interrupted"
# How an attempt may end, and MLflow's word for it.
STATUS = {
    "finished": "FINISHED",
    "diverged": "FINISHED",
    "dead": "FINISHED",
    "stuck": "FINISHED",
    "stopped": "FINISHED",
    "failed": "FAILED",
    INTERRUPTED: "KILLED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of a trial: where and with what it ran, from the step of which checkpoint (0: from the start).

    `outcome` is "" until it ends, and `interrupted` where it is to be resumed; times are in ms since 1970.
    """

    resumed_step: int = 0
    started_ms: int = 0
    host: str = ""
    pid: int = 0
    cpu: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    ended_ms: int = 0
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial, from the first moment of its first attempt on.

    Args:
        arm_name: the arm as people read it.
        run_id: MLflow's run; "" where there is none yet, or it is not known; so are `experiment_id`, `parent`, the
            study's run, and `uri`, the server's address.
        status: MLflow's word: RUNNING, FINISHED, FAILED, KILLED.
        started_ms, ended_ms: in ms since 1970; 0 where it is not so far.
        params: the recipe by path and the arm by short names, as MLflow's page sorts by them.
        latest: the last point of each metric that was logged on the way.
        proposal: of a search: what its sampler wants to be told of again, as JSON.
        lineage: of a population: whose checkpoint it goes on from, as `study.population.Lineage` has it.
        attempt: the number of the newest attempt; `attempts` tells of each.
        versions: of the libraries that the newest attempt was made with; `cpu`, `node`: the machine it ran on.
        total_steps: planned, 0 where that is not known; `num_steps` are done at its end.
        shared, warnings: what the worker has to say, one a line.
        outcome: None until the trial ends; `interrupted` where the newest attempt ended without one.
        metrics: the final results; empty until the trial ends.
        outcome_step: the step of divergence or death.
        reason, failure: why it failed or was stopped, and the failure's class; "" where it was not.
        data: the digest of the data's manifest; `weights`: the SHA-256 of `weights.pt` where there is one.
        stream_hashes: of the stream of batches after each epoch, 12 digits each.
        evaluations: what `paribus evaluate` found later, by name, such as `crops_144`.
        lost_artifact: the files that the server lacks, and why; `restored`: that its run had been deleted, and when.
        conflicts: params that a later attempt gave other values: [kept, refused] by key.
        duplicate_of: the run that won where two were made at once.
        faults: what of it the ledger holds damaged, a sentence each.
    """

    trial_id: str
    study: str
    arm: Arm
    arm_name: str
    replicate: int

    run_id: str = ""
    experiment_id: str = ""
    uri: str = ""
    parent: str = ""
    status: str = "RUNNING"
    started_ms: int = 0
    ended_ms: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    latest: Mapping[str, Latest] = field(default_factory=dict)

    seeds: Mapping[str, int] = field(default_factory=dict)
    code: str = ""
    proposal: str = ""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    node: str = ""
    cpu: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1
    attempts: Mapping[int, Attempt] = field(default_factory=dict)
    total_steps: int = 0
    shared: str = ""
    warnings: str = ""

    outcome: Outcome | None = None
    interrupted: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    outcome_step: int | None = None
    num_steps: int = 0
    reason: str = ""
    failure: FailureClass | None = None
    data: str = ""
    device: str = ""
    weights: str = ""
    stream_hashes: tuple[str, ...] = ()

    evaluations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lost_artifact: str = ""
    restored: str = ""
    conflicts: Mapping[str, list[str]] = field(default_factory=dict)
    duplicate_of: str = ""
    faults: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The run's name in MLflow's page: `k=4 · r2`."""
        return f"{self.arm_name} · r{self.replicate}"

    @property
    def url(self) -> str:
        """The run's page in MLflow; "" where there is none."""
        return run_url(self.uri, self.experiment_id, self.run_id) if self.run_id else ""

    @property
    def files_url(self) -> str:
        """The page of the run's files in MLflow; "" where there is no run."""
        return run_url(self.uri, self.experiment_id, self.run_id, "/artifacts") if self.run_id else ""

    @property
    def running(self) -> bool:
        """Whether the ledger takes the trial for running."""
        return self.status == "RUNNING"

    @property
    def step(self) -> int:
        """Training steps done at the last point."""
        return max((latest.step for latest in self.latest.values()), default=0)

    @property
    def epoch(self) -> int:
        """Epochs done at the last point."""
        latest = self.latest.get(EPOCH_METRIC)
        return int(latest.value) if latest else 0

    @property
    def progress(self) -> float | None:
        """Share of the planned steps that is done; 1 where it ended, None where the plan is not known."""
        if self.outcome is not None:
            return 1.0
        return min(1.0, self.step / self.total_steps) if self.total_steps else None

    @property
    def resumed_steps(self) -> dict[int, int]:
        """Each attempt's first step."""
        return {number: attempt.resumed_step for number, attempt in self.attempts.items()}

    def begun(self, attempt: int = 1, resumed_step: int = 0) -> TrialRecord:
        """The record as an attempt begins in this process, now or at `started_ms` where that is set."""
        started_ms = self.started_ms or now_ms()
        facts = Attempt(
            resumed_step=resumed_step,
            started_ms=started_ms,
            host=platform.node(),
            pid=os.getpid(),
            cpu=self.cpu,
            versions=self.versions,
        )
        return replace(self, attempt=attempt, started_ms=started_ms, attempts={**self.attempts, attempt: facts})

    def ended(self, outcome: str, metrics: Mapping[str, float], ended_ms: int) -> TrialRecord:
        """The record as its newest attempt ends. Raises ValueError where the outcome is none of STATUS."""
        if outcome not in STATUS:
            raise ValueError(f"outcome is {outcome!r}; it must be one of {', '.join(STATUS)}")
        facts = replace(self.attempts.get(self.attempt, Attempt()), ended_ms=ended_ms, outcome=outcome)
        interrupted = outcome == INTERRUPTED
        changes: dict[str, Any] = {} if interrupted else {"outcome": outcome, "metrics": metrics}
        return replace(
            self,
            status=STATUS[outcome],
            interrupted=interrupted,
            ended_ms=ended_ms,
            attempts={**self.attempts, self.attempt: facts},
            **changes,
        )

    def result(self, examples: Examples | None = None) -> TrialResult:
        """The trial as analysis reads it. Raises ValueError if it has not ended."""
        from paribus.study.words import TrialResult

        if self.outcome is None:
            raise ValueError(f"Trial {self.name} has no outcome yet ({self.status})")
        return TrialResult(
            trial_id=self.trial_id,
            arm=self.arm,
            replicate=self.replicate,
            outcome=self.outcome,
            metrics=self.metrics,
            outcome_step=self.outcome_step,
            num_steps=self.num_steps,
            reason=self.reason,
            run_id=self.run_id,
            weights=self.weights,
            examples=examples,
        )


def faults_of(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """What the ledger holds damaged of these trials, each with the trial's name."""
    return tuple(f"{record.name} (run {record.run_id}): {fault}" for record in records for fault in record.faults)
