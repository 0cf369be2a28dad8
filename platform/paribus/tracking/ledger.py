"""Reading the ledger: studies, trials, results, histories and files, as the dashboards, plans and reports need them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from paribus.metrics.examples import Examples
from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerDamaged, LedgerError
from paribus.tracking.history import Point, read_histories
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, experiment_ids, find_experiment, get_run, log_batch, run_url, search_runs
from paribus.tracking.outbox.artifacts import (
    CURVES,
    EXAMPLES,
    PACKED_EXAMPLES,
    WEIGHTS,
    decode_curves,
    decode_examples,
)
from paribus.tracking.studies.choice import chosen, study_runs
from paribus.tracking.studies.heard import Event, heard_in
from paribus.tracking.studies.places import GOES_ON, paused_by_me
from paribus.tracking.studies.record import StudyRecord, study_record
from paribus.tracking.trials.record import TrialRecord
from paribus.tracking.trials.stored import from_mlflow, is_trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from paribus.study.words import TrialResult

READERS = 8
Judge = Callable[[TrialRecord], TrialRecord]


class Ledger:
    """A reader of one MLflow server. Raises LedgerUnreachable where it does not answer within `budget_s` seconds.

    Every trial's record passes through `judge`, which may know more of its outcome than the release that wrote it.
    """

    def __init__(self, uri: str, *, budget_s: float = 5.0, judge: Judge = lambda record: record) -> None:
        self._judge = judge
        self.rest = MlflowRest(uri, budget_s=budget_s)
        self._artifact_uris: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.rest.close()

    def studies(self) -> list[StudyRecord]:
        """Every study at each of its settings, the latest touched first; counts are of the driver's last heartbeat."""
        records = [study_record(run, self.rest.uri) for run in study_runs(self.rest, *experiment_ids(self.rest))]
        return sorted(records, key=lambda record: -record.updated_ms)

    def pause(self, record: StudyRecord, *, paused: bool) -> None:
        """Write down that a study is paused by this user, or no longer; its driver hears it at its next heartbeat."""
        log_batch(self.rest, record.run_id, tags=paused_by_me().as_tags() if paused else GOES_ON)

    def study(self, name: str, settings: str = "") -> StudyRecord | None:
        """The study `name` at the settings of that digest, by default those of its file; None if there is none."""
        experiment_id = find_experiment(self.rest, name)
        if experiment_id is None:
            return None
        run = chosen(study_runs(self.rest, experiment_id), settings)
        return study_record(run, self.rest.uri) if run else None

    def trials(self, name: str) -> list[TrialRecord]:
        """Every trial of the study `name`, running ones too, by start; [] if there is no such study.

        One request per 1,000 runs. Where an accident gave a trial two runs, the one with an outcome speaks for it.
        """
        experiment_id = find_experiment(self.rest, name)
        if experiment_id is None:
            return []
        return self._chosen(search_runs(self.rest, [experiment_id]))

    def trials_of_all(self, beginning: str = "") -> list[TrialRecord]:
        """The trials of all studies whose id begins so; one that several studies have is there once."""
        where = f"tags.`{words.TRIAL_ID}` LIKE '{beginning}%'"
        return self._chosen(search_runs(self.rest, experiment_ids(self.rest), where))

    def finished_on(self, params: Mapping[str, str], *, most: int) -> list[TrialRecord]:
        """The newest finished trials of all studies that have these params, at most so many: one request for them."""
        where = [
            f"tags.`{words.OUTCOME}` = 'finished'",
            *(f"params.`{key}` = '{text}'" for key, text in params.items()),
        ]
        runs = search_runs(self.rest, experiment_ids(self.rest), " AND ".join(where), newest_first=True, page=most)
        return self._chosen(islice(runs, most))

    def _chosen(self, runs: Iterable[Run]) -> list[TrialRecord]:
        chosen: dict[str, TrialRecord] = {}
        for run in filter(is_trial, runs):
            record = from_mlflow(run, self.rest.uri)
            self._artifact_uris[run.run_id] = run.artifact_uri
            if record.trial_id not in chosen or _speaks(record) > _speaks(chosen[record.trial_id]):
                chosen[record.trial_id] = record
        return list(map(self._judge, chosen.values()))

    def results(self, name: str, *, per_example: bool = False) -> list[TrialResult]:
        """The trials of the study `name` that ended, as analysis reads them.

        `per_example` reads each trial's per-example arrays too: one more request per trial that has them.
        """
        return self.results_of(self.trials(name), per_example=per_example)

    def results_of(self, trials: Iterable[TrialRecord], *, per_example: bool = False) -> list[TrialResult]:
        """`results` of those among `trials` that ended, for a reader that has their records already."""
        ended = [trial for trial in trials if trial.outcome is not None]
        if not per_example:
            return [trial.result() for trial in ended]
        with ThreadPoolExecutor(READERS) as pool:
            arrays = list(pool.map(self._examples_or_none, [trial.run_id for trial in ended]))
        return [trial.result(examples) for trial, examples in zip(ended, arrays, strict=True)]

    def history(self, run_id: str, key: str) -> list[Point]:
        """The points of one metric by step, each step's from the attempt that counts."""
        return self.histories([self.trial(run_id)], key)[run_id]

    def histories(self, trials: Iterable[TrialRecord], key: str) -> dict[str, list[Point]]:
        """Run id to the points of one metric, for many trials at once: one request per 100 trials."""
        return read_histories(self.rest, list(trials), key)

    def trial(self, run_id: str) -> TrialRecord:
        """One trial by its run's id."""
        run = get_run(self.rest, run_id)
        if not is_trial(run):
            raise LedgerError(f"The run {run_id} is not a trial of Paribus: it has no tag {words.TRIAL_ID}.")
        return self._judge(from_mlflow(run, self.rest.uri))

    def curves(self, run_id: str) -> dict[str, NDArray[Any]]:
        """The trial's dense curves: (num_steps,) arrays `step`, `loss`, `lr`, `grad_norm`."""
        return decode_curves(self.artifact(run_id, CURVES))

    def examples(self, run_id: str, *, with_keys: bool = False) -> Examples:
        """The trial's per-example results, of whatever release; `with_keys` reads the examples' keys too."""
        name = EXAMPLES
        try:
            data = self.artifact(run_id, name)
        except LedgerError as error:
            if error.status != 404:
                raise
            name = PACKED_EXAMPLES
            data = self.artifact(run_id, name)
        try:
            return decode_examples(data, with_keys=with_keys)
        except ValueError as error:
            raise LedgerDamaged(
                f"{name} of the run {run_id} is damaged ({error}): delete this file from the artifact store, and "
                "the study is judged without the interval that needs it"
            ) from None

    def weights(self, trial: TrialRecord) -> bytes:
        """The weights that the trial was evaluated with; LedgerError where there are none or they were altered."""
        try:
            data = self.artifact(trial.run_id, WEIGHTS)
        except LedgerError as error:
            if error.status != 404:
                raise
            why = trial.lost_artifact or "the artifact store has lost it"
            raise LedgerError(f"The run {trial.run_id} lacks {WEIGHTS} ({why})", status=404) from error
        if hashlib.sha256(data).hexdigest() != trial.weights:
            raise LedgerError(
                f"{WEIGHTS} of the run {trial.run_id} is not what the trial stored: its SHA-256 is not the one that "
                f"the ledger has. Train the trial again (--redo)"
            )
        return data

    def artifact(self, run_id: str, name: str) -> bytes:
        """A file of a run; LedgerError with status 404 if it has none of that name."""
        if run_id not in self._artifact_uris:
            self._artifact_uris[run_id] = get_run(self.rest, run_id).artifact_uri
        return self.rest.get_artifact(self._artifact_uris[run_id], name)

    def json(self, run_id: str, name: str) -> Any:
        """A JSON file of a run, decoded; None if it has none of that name."""
        try:
            return json.loads(self.artifact(run_id, name))
        except (ValueError, RecursionError) as error:
            raise LedgerDamaged(
                f"{name} of the run {run_id} is damaged ({error}): the study's command, run again, writes it anew"
            ) from None
        except LedgerError as error:
            if error.status == 404:
                return None
            raise

    def heard(self, run_id: str) -> list[Event]:
        """In which order the driver of a search, whose run this is, told its scheduler of trials; [] of others."""
        return heard_in(get_run(self.rest, run_id).tags)

    def url(self, run_id: str) -> str:
        """The run's page in MLflow."""
        return run_url(self.rest.uri, get_run(self.rest, run_id).experiment_id, run_id)

    def _examples_or_none(self, run_id: str) -> Examples | None:
        try:
            return self.examples(run_id)
        except LedgerError as error:
            if error.status == 404:
                return None
            raise


def _speaks(record: TrialRecord) -> tuple[bool, bool, bool, int]:
    return bool(record.outcome), not record.duplicate_of, bool(record.weights), -record.started_ms
