"""What the ledger says of a study and of a trial, parsed from their runs' tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from paribus.tracking import tags as words
from paribus.tracking.lease import Driver, driver_of
from paribus.tracking.mlflow.runs import Latest, Run
from paribus.tracking.study_runs import run_url
from paribus.tracking.tag_values import TagValues
from paribus.tracking.trial_runs import attempts_of

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples
    from paribus.study.settings import Settings
    from paribus.study.words import Arm, Outcome, TrialResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """A study's parent run. `counts` are trials by outcome at the driver's last heartbeat; times in ms since 1970."""

    name: str
    run_id: str
    experiment_id: str
    status: str
    url: str
    question: str
    claim: Mapping[str, Any] | None
    caveats: tuple[str, ...]
    design: str
    num_planned: int
    counts: Mapping[str, int]
    driver: Driver | None
    started_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(repr=False)

    @property
    def settings(self) -> Settings:
        """Whose settings the run holds; no digest where an earlier release kept none."""
        from paribus.study.settings import Settings

        return Settings(digest=self.tags.get(words.SETTINGS, ""), name=self.tags.get(words.SETTINGS_NAME, ""))

    @property
    def title(self) -> str:
        """`width`, or `width · budget=2 epochs` at other settings than the file's."""
        return self.settings.title(self.name)

    @property
    def live(self) -> bool:
        """Whether a driver is running the study now."""
        return self.driver is not None and self.driver.alive


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial's run. `metrics` are the final results (empty while it runs), `latest` the last point of each metric;
    `outcome` is None until it ends; `attempts` tells of each attempt (resumed_step, started_ms, host, pid, outcome);
    `faults` says what of it the ledger holds damaged, a sentence each."""

    run_id: str
    trial_id: str
    study: str
    arm: Arm
    arm_name: str
    replicate: int
    outcome: Outcome | None
    interrupted: bool
    status: str
    attempt: int
    attempts: Mapping[int, Mapping[str, object]]
    metrics: Mapping[str, float]
    latest: Mapping[str, Latest]
    params: Mapping[str, str]
    outcome_step: int | None
    num_steps: int
    total_steps: int
    reason: str
    started_ms: int
    ended_ms: int
    url: str
    tags: Mapping[str, str] = field(repr=False)
    faults: tuple[str, ...] = ()

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
        latest = self.latest.get(words.EPOCH_METRIC)
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
        return {number: int(cast(int, facts.get("resumed_step", 0))) for number, facts in self.attempts.items()}

    def result(self, examples: Examples | None = None) -> TrialResult:
        """The trial as analysis reads it. Raises ValueError if it has not ended."""
        from paribus.study.words import TrialResult

        if self.outcome is None:
            raise ValueError(f"Trial {self.arm_name} · r{self.replicate} has no outcome yet ({self.status})")
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
            weights=self.tags.get(words.WEIGHTS, ""),
            examples=examples,
        )


def faults_of(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """What the ledger holds damaged of these trials, each with the trial's name."""
    return tuple(f"{r.arm_name} · r{r.replicate} (run {r.run_id}): {fault}" for r in records for fault in r.faults)


def study_record(run: Run, uri: str) -> StudyRecord:
    """The record of a study's parent run."""
    tags = run.tags
    values = TagValues(tags)
    return StudyRecord(
        name=tags.get(words.STUDY, run.name),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        status=run.status,
        url=run_url(uri, run.experiment_id, run.run_id),
        question=tags.get(words.QUESTION, ""),
        claim=values.json(words.CLAIM, None),
        caveats=tuple(map(str, values.json(words.CAVEATS, [], list))),
        design=tags.get(words.DESIGN, ""),
        num_planned=values.whole(words.PLANNED, 0),
        counts={word: int(count) for word, count in values.numbers(words.COUNTS).items()},
        driver=driver_of(tags.get(words.DRIVER, "")),
        started_ms=run.start_ms,
        updated_ms=values.whole(words.UPDATED, max(run.start_ms, run.end_ms)),
        tags=tags,
    )


def trial_record(run: Run, uri: str) -> TrialRecord:
    """The record of a trial's run."""
    tags = run.tags
    values = TagValues(tags)
    return TrialRecord(
        run_id=run.run_id,
        trial_id=tags[words.TRIAL_ID],
        study=tags.get(words.STUDY, ""),
        arm=values.arm(),
        arm_name=tags.get(words.ARM_NAME, run.name),
        replicate=values.whole(words.REPLICATE, 0),
        outcome=values.outcome(),
        interrupted=tags.get(words.INTERRUPTED) == "true",
        status=run.status,
        attempt=values.whole(words.ATTEMPT, 1),
        attempts=attempts_of(tags),
        metrics=values.numbers(words.FINAL),
        latest={key: latest for key, latest in run.metrics.items() if not key.startswith(words.FINAL_PREFIX)},
        params=run.params,
        outcome_step=values.whole(words.OUTCOME_STEP, 0) or None,
        num_steps=values.whole(words.NUM_STEPS, 0),
        total_steps=values.whole(words.TOTAL_STEPS, 0),
        reason=tags.get(words.REASON, ""),
        started_ms=run.start_ms,
        ended_ms=run.end_ms,
        url=run_url(uri, run.experiment_id, run.run_id),
        tags=tags,
        faults=tuple(values.faults),
    )
