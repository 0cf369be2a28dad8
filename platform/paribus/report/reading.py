"""From a ledger to a `StudyReport`: of a study that is at hand, or of one that the ledger alone knows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from paribus.engine.looks import held_note, looks_before
from paribus.engine.variables import Prices, prices
from paribus.errors import DataError
from paribus.host.home import home as paribus_home
from paribus.host.secrets import without_secrets
from paribus.recipe import RecipeError
from paribus.report.asked import asked_for, asked_now
from paribus.report.costs import StudyCost, cost_of
from paribus.report.doubts.chance import judged_when_read
from paribus.report.doubts.pairing_check import stream_notes
from paribus.report.headline import counts_headline, headline
from paribus.report.searches.search_reading import before, best_written, read_search_report
from paribus.report.searches.search_report import SearchReport
from paribus.report.study_report import RULE, VERDICTS_FILE, Basis, StudyReport, TrialRow, arm_rows, trial_rows
from paribus.report.texts import aside_notes, lost_notes, mixed_notes, noted_lines, record_notes, turn_notes
from paribus.report.views.curves import Curve, curve_of
from paribus.shards.catalog import data_digest
from paribus.study import Study, StudyError
from paribus.study.document import read_places, read_study
from paribus.study.plan import Place
from paribus.tracking.address import folder_of
from paribus.tracking.errors import LedgerDamaged, LedgerError, LedgerUnreachable
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import FOR_TRAINING, get_run
from paribus.tracking.mlflow.server import running_server
from paribus.tracking.mlflow.view import runs_url
from paribus.tracking.notes import keep_note, note_of
from paribus.tracking.studies.choice import STUDY_FILE
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.replication import Replication
from paribus.tracking.studies.runs import TRIALS_FILE
from paribus.tracking.trials.record import TrialRecord, faults_of

if TYPE_CHECKING:
    from pathlib import Path

    from paribus.metrics.examples import Examples
    from paribus.study.settings import Settings
    from paribus.study.words import TrialResult

__all__ = [
    "Judgement",
    "LedgerError",
    "LedgerReader",
    "LedgerUnreachable",
    "StudyRecord",
    "Trials",
    "usual_address",
]
DEFAULT_URI = "http://127.0.0.1:5000"
# Of a log, as many from its end.
_MOST_CHARACTERS = 20_000
_TRIAL_ID = re.compile("[0-9a-f]{8,64}")
# Per-example arrays cost one request a trial; of studies with more trials the pages do without the interval that needs
# them.
MAX_PER_EXAMPLE = 200
# An address that names more runs is longer than a page of MLflow is of use.
MOST_COMPARED = 100


def usual_address() -> str:
    """The ledger's address: MLFLOW_TRACKING_URI, else that of the server on this home, else the usual port."""
    if named := os.environ.get("MLFLOW_TRACKING_URI"):
        return named
    server = running_server(folder_of(paribus_home()))
    return server.uri if server else DEFAULT_URI


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What the ledger holds by a study's name, and of it the rows of the study's own plan.

    `study` is None where its document can't be read; `trouble` says why its plan can't: then all are taken for its own.
    """

    everything: tuple[TrialRecord, ...]
    rows: tuple[TrialRow, ...]
    study: Study | None = None
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A study's verdicts at a glance; `claim` is its outcome, `looks` those before; "" where there is none.

    `headline` is the study in a sentence.
    """

    counts: Mapping[str, int]
    headline: str = ""
    claim: str = ""
    trouble: str = ""
    looks: str = ""

    @classmethod
    def of(cls, report: StudyReport) -> Judgement:
        """Of a report; nothing is counted as long as no trial has ended."""
        analysis = report.analysis
        if analysis is None or not analysis.outcomes:
            said = headline(analysis) if analysis else ""
            return cls(counts={}, headline=said, trouble="" if analysis else report.trouble)
        claim = analysis.claim.outcome if analysis.claim else ""
        return cls(
            counts=analysis.verdict_counts(), headline=headline(analysis), claim=claim, looks=analysis.looks.phrase()
        )


class LedgerReader:
    """Reads studies that the ledger alone knows: by the documents that their drivers wrote, and by no file of a user's.

    It keeps nothing, so that whoever shows what it reads decides for how long. Raises LedgerError.
    """

    def __init__(self, uri: str, *, budget_s: float) -> None:
        self._home = paribus_home()
        self._ledger = Ledger(uri, budget_s=budget_s, judge=judged_when_read(self._home))
        self.address = without_secrets(uri)

    def close(self) -> None:
        """Close the connections."""
        self._ledger.close()

    def answers(self) -> bool:
        """Whether the server answers."""
        return self._ledger.rest.healthy()

    def studies(self) -> tuple[StudyRecord, ...]:
        """Every study, the latest touched first. Two small requests, however many trials there are."""
        return tuple(self._ledger.studies())

    def trials(self, record: StudyRecord) -> Trials:
        """The trials of a study's own plan, among all that the ledger has under its name."""
        found = tuple(self._ledger.trials(record.name))
        all_of = {trial.trial_id: (trial.arm, trial.replicate) for trial in found}
        study, trouble = None, ""
        own: Mapping[str, Place] = all_of
        try:
            try:
                study = self._document(record.run_id)
            except (StudyError, RecipeError) as error:
                trouble = str(error)
            own = self._places(record.run_id, study, all_of)
        except (LedgerDamaged, StudyError) as error:
            trouble = str(error)
        return Trials(everything=found, rows=trial_rows(found, own, record.live), study=study, trouble=trouble)

    def report(
        self, record: StudyRecord, trials: Trials, examples: Callable[[str], Examples | None] | None = None
    ) -> StudyReport:
        """The study judged, or why it can't be; `examples` gives a run's per-example results, by default read anew.

        Who gives them keeps them too, and makes no page: then the report has no `basis`.
        """
        from paribus.analysis import AnalysisError, analyse

        study, analysis, cost, trouble = trials.study, None, StudyCost(), trials.trouble
        basis = None
        notes = aside_notes(record)
        records = [row.record for row in trials.rows if row.record]
        if study is not None:
            known = record.replication
            broken = stream_notes(study, records)
            notes = (*notes, *record_notes(study, records, broken), *self._held(study, trials, known))
            if not trouble:
                try:
                    results, num_eval = self._results(records, examples or self.examples)
                    looks = looks_before(known, study)
                    analysis = analyse(study, results, num_eval, looks=looks, broken=broken)
                    set_prices, doubt = _prices()
                    earlier, doubts = before(self._ledger, study, record)
                    cost = cost_of(study, analysis, trials.rows, set_prices, earlier)
                    notes = (*notes, *doubt, *doubts)
                    basis = None if examples else Basis.of(results, analysis.num_eval, looks, broken, earlier)
                except (AnalysisError, StudyError, RecipeError, LedgerDamaged) as error:
                    trouble = str(error)
        return StudyReport(
            name=record.name,
            url=record.url,
            study=study,
            trials=asked_for(study, trials.rows, analysis.asked) if study and analysis else trials.rows,
            analysis=analysis,
            arms=arm_rows(analysis, trials.rows) if analysis else (),
            notes=(*noted_lines(record), *notes),
            settings=record.settings,
            num_foreign=len(trials.everything) - len(records),
            trouble=trouble,
            cost=cost,
            basis=basis,
        )

    def standing(self, record: StudyRecord, trials: Trials) -> StudyReport:
        """How far the study is, its trials alone: no verdict is told, and no file of a trial is read."""
        troubles = (trials.trouble,) if trials.trouble else ()
        return standing_of_rows(
            record.name,
            record.url,
            trials.study,
            trials.rows,
            len(trials.everything),
            record.settings,
            self._home,
            (*turn_notes(record), *aside_notes(record), *troubles),
        )

    def search(self, record: StudyRecord) -> SearchReport:
        """What there is of a search, without its confirmation."""
        return read_search_report(self._ledger, record, self._home)

    def best_written(self, record: StudyRecord) -> str:
        """The best that a search saw, in words, as its driver wrote it down; "" where it wrote none."""
        return best_written(self._ledger, record)

    def written(self, record: StudyRecord) -> Judgement | None:
        """The judgement as the driver wrote it down at its end; None where it wrote none by today's rule."""
        document = self.verdicts(record)
        with suppress(TypeError, KeyError, AttributeError, ValueError, OverflowError):
            if document is None:
                return None
            counts = {str(word): int(count) for word, count in document["counts"].items()}
            return Judgement(
                counts=counts,
                headline=str(document.get("headline") or counts_headline(counts)),
                claim=str((document.get("claim") or {}).get("outcome", "")),
                looks=str((document.get("looks") or {}).get("phrase", "")),
            )
        return None

    def verdicts(self, record: StudyRecord) -> Mapping[str, Any] | None:
        """`StudyReport.as_dict` as the driver wrote it down at its end; None where it wrote none by today's rule."""
        if record.status not in ("FINISHED", "FAILED"):
            return None
        with suppress(LedgerDamaged):
            document = self._ledger.json(record.run_id, VERDICTS_FILE)
            if isinstance(document, dict) and document.get("rule") == RULE:
                return document
        return None

    def curves(self, rows: Sequence[TrialRow], metric: str) -> list[Curve]:
        """The learning curves of these trials, of those that have points."""
        return curves_in(self._ledger, rows, metric)

    def examples(self, run_id: str) -> Examples | None:
        """A trial's per-example results; None where it has none."""
        try:
            return self._ledger.examples(run_id)
        except LedgerError as error:
            if error.status == 404:
                return None
            raise

    def trial(self, trial_id: str) -> TrialRecord | None:
        """The trial whose id is or begins so, of any study; None where there is none, or more than one."""
        if not _TRIAL_ID.fullmatch(trial_id):
            return None
        found = self._ledger.trials_of_all(trial_id)
        return found[0] if len(found) == 1 else None

    def text_of(self, run_id: str, names: Sequence[str]) -> tuple[str, str]:
        """The first of these files that a run has: its name and the end of its text; ("", "") where it has none.

        The text is without the secrets of addresses.
        """
        for name in names:
            try:
                text = self._ledger.artifact(run_id, name).decode(errors="replace")
                return name, without_secrets(text[-_MOST_CHARACTERS:])
            except LedgerError as error:
                if error.status != 404:
                    raise
        return "", ""

    def keys(self, run_id: str) -> Sequence[str]:
        """The keys of a trial's evaluation examples, in their order; () where they were not kept."""
        return self._ledger.examples(run_id, with_keys=True).keys

    def note(self, run_id: str) -> str:
        """What people noted on the run of a study or a trial; "" where they did not."""
        return note_of(get_run(self._ledger.rest, run_id))

    def keep_note(self, run_id: str, note: str) -> None:
        """Note that on it instead, in MLflow; raises LedgerError where it is too long, or MLflow does not take it."""
        keep_note(self._ledger.rest, run_id, note)

    def compare_url(self, rows: Sequence[TrialRow], record: StudyRecord) -> str:
        """MLflow's page that compares the trials' runs side by side; of many its charts of the whole study."""
        runs = [row.record.run_id for row in rows if row.record]
        if len(runs) > MOST_COMPARED:
            return runs_url(self.address, record.experiment_id, record.run_id, charts=True)
        named = ",".join(f'"{run_id}"' for run_id in runs)
        return f'{self.address}/#/compare-runs?runs=[{named}]&experiments=["{record.experiment_id}"]&{FOR_TRAINING}'

    def _places(self, run_id: str, study: Study | None, all_of: Mapping[str, Place]) -> Mapping[str, Place]:
        """Where the study's own trials stand, as its driver wrote it down; as each says itself where none did."""
        plan = self._ledger.json(run_id, TRIALS_FILE)
        if plan is None:
            return all_of
        if not (isinstance(plan, list) and all(isinstance(row, (str, dict)) for row in plan)):
            raise StudyError("trials.json of the study is damaged: the study's command, run again, writes it anew")
        if study is None:
            names = {str(row if isinstance(row, str) else row.get("id")) for row in plan}
            return {name: place for name, place in all_of.items() if name in names}
        return read_places(plan, study)

    def _document(self, run_id: str) -> Study:
        try:
            return read_study(self._ledger.artifact(run_id, STUDY_FILE))
        except LedgerError as error:
            if error.status != 404:
                raise
            raise StudyError(
                "the ledger has no study.json for it, so nothing can be judged; run the study's command again, which "
                "writes it and trains only what is missing"
            ) from None

    def _held(self, study: Study, trials: Trials, known: Replication) -> list[str]:
        """That the ledger holds more replicates than these; unsaid where the data, which the ids name, is not here."""
        with suppress(DataError, RecipeError):  # the data, or what makes them, are not here
            return held_note(known, study, trials.everything, partial(data_digest, home=self._home))
        return []

    def _results(
        self, records: Sequence[TrialRecord], examples: Callable[[str], Examples | None]
    ) -> tuple[list[TrialResult], int | None]:
        """The results that there are, and the number of evaluation examples if one of them tells it."""
        ended = [record for record in records if record.outcome is not None]
        finished = [record for record in ended if record.outcome in ("finished", "stuck")]
        if len(finished) <= MAX_PER_EXAMPLE:
            found = {record.run_id: examples(record.run_id) for record in finished}
            return [record.result(found.get(record.run_id)) for record in ended], None
        one = examples(finished[0].run_id)
        return [record.result() for record in ended], None if one is None else one.n


def _prices() -> tuple[Prices, tuple[str, ...]]:
    """What an hour costs; a price that cannot be read is said, and takes no page away."""
    try:
        return prices(), ()
    except StudyError as error:
        return Prices(), (str(error),)


def standing_of_rows(
    name: str,
    url: str,
    study: Study | None,
    rows: tuple[TrialRow, ...],
    num_known: int,
    settings: Settings,
    home: Path,
    troubles: tuple[str, ...] = (),
) -> StudyReport:
    """A report of trials alone, of `num_known` that go by the study's name; `troubles` stand behind its notes."""
    rows = rows if study is None else asked_for(study, rows, asked_now(study, rows, home))
    records = [row.record for row in rows if row.record]
    mixed = () if study is None else mixed_notes(study, records)
    return StudyReport(
        name=name,
        url=url,
        study=study,
        trials=rows,
        notes=(*mixed, *faults_of(records), *lost_notes(records), *troubles),
        settings=settings,
        num_foreign=num_known - len(records),
    )


def curves_in(ledger: Ledger, rows: Sequence[TrialRow], metric: str) -> list[Curve]:
    """The learning curves of these trials, of those that have points."""
    histories = ledger.histories([row.record for row in rows if row.record], metric)
    return [
        curve_of(row.arm.name, row.replicate, row.state, points)
        for row in rows
        if row.record and (points := histories.get(row.record.run_id))
    ]
