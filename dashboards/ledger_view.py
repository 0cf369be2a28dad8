"""Cached reads of the ledger: what the pages show, read anew only when the ledger has got further.

Everything is kept with `cache_resource`, which hands out the object itself: nothing here is pickled or unpickled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import streamlit as st

from paribus.analysis import AnalysisError, StudyAnalysis, analyse
from paribus.data import DataError
from paribus.engine.looks import held_note, looks_before
from paribus.host.home import home
from paribus.host.secrets import without_secrets
from paribus.local import record as stack_record
from paribus.local.errors import StackError
from paribus.metrics.examples import Examples
from paribus.recipe import Recipe, RecipeError
from paribus.report.chance import judged_when_read
from paribus.report.pairing_check import stream_notes
from paribus.report.texts import record_notes
from paribus.shards.catalog import data_digest
from paribus.study import Study, StudyError
from paribus.study.document import read_places, read_study
from paribus.study.plan import Place
from paribus.study.words import TrialResult
from paribus.tracking.errors import LedgerDamaged, LedgerError
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import running_server
from paribus.tracking.studies.planned import of_plan
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.replication import Replication
from paribus.tracking.trials.record import TrialRecord

LIVE_S = 3.0
IDLE_S = 600.0
DEFAULT_URI = "http://127.0.0.1:5000"
# Per-example arrays cost one request a trial; studies with more trials do without the interval that needs them.
MAX_PER_EXAMPLE = 200

Version = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What the ledger holds by a study's name, and of it those of the study's own plan.

    `trouble` says why the plan can't be read; then all of them are taken for the study's own.
    """

    everything: tuple[TrialRecord, ...]
    own: tuple[TrialRecord, ...]
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study as the ledger had it at `read_s`; `study` and `analysis` are None where `trouble` says why.

    `num_foreign` trials go by the study's name and are none of its plan: they have other settings. `warnings` are what
    a report says of its records: what pairs do not have in common, what is damaged or lost, replicates left out.
    """

    record: StudyRecord
    study: Study | None
    trials: tuple[TrialRecord, ...]
    analysis: StudyAnalysis | None
    trouble: str
    num_foreign: int
    read_s: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What Home shows of a study's verdicts; `claim` is the claim's outcome, `looks` those before; "" without."""

    counts: Mapping[str, int]
    claim: str = ""
    trouble: str = ""
    looks: str = ""


@st.cache_resource(ttl=5.0, show_spinner=False)
def tracking_uri() -> str:
    """The ledger's address: MLFLOW_TRACKING_URI, else the local stack's or local server's, else the usual port."""
    if named := os.environ.get("MLFLOW_TRACKING_URI"):
        return named
    with suppress(StackError):  # a record that is not ours: `paribus doctor`, which the page names, says so
        if entry := stack_record.read(home()).get("mlflow"):
            return entry.url
    server = running_server(home() / "mlflow")
    return server.uri if server else DEFAULT_URI


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Ledger.close)
def ledger(uri: str) -> Ledger:
    """One reader per address for all sessions; it gives up soon, because a page can try again."""
    return Ledger(uri, budget_s=1.5, judge=judged_when_read(home()))


@st.cache_resource(ttl=LIVE_S / 2, max_entries=4, show_spinner=False)
def studies(uri: str) -> tuple[StudyRecord, ...]:
    """Every study, the latest touched first. Two small requests, however many trials there are."""
    return tuple(ledger(uri).studies())


def stamp(record: StudyRecord) -> Version:
    """What changes when the study has got further; a driver that lives touches it about every ten seconds."""
    return (record.run_id, record.updated_ms, record.status, record.live, *record.counts.items())


def version(record: StudyRecord) -> Version:
    """The key of what is read of a study; a record that was sent late doesn't touch the parent run, hence IDLE_S."""
    return (*stamp(record), int(time.time() / IDLE_S))


def trials_of(uri: str, record: StudyRecord) -> Trials:
    """The trials of the study's own plan, among all that the ledger has under its name."""
    return _trials_of(uri, record.name, record.run_id, version(record))


@st.cache_resource(max_entries=32, show_spinner=False)
def _trials_of(uri: str, name: str, run_id: str, version: Version) -> Trials:
    found = tuple(ledger(uri).trials(name))
    recorded = {trial.trial_id: (trial.arm, trial.replicate) for trial in found}
    try:
        return Trials(everything=found, own=tuple(of_plan(found, _places(uri, run_id, recorded))))
    except (LedgerDamaged, StudyError) as error:
        return Trials(everything=found, own=found, trouble=str(error))


def _places(uri: str, run_id: str, recorded: Mapping[str, Place]) -> Mapping[str, Place]:
    """Where the study's own trials stand, as its driver wrote it down; as each trial says itself where none did."""
    plan = ledger(uri).json(run_id, "trials.json")
    if plan is None:
        return recorded
    if not (isinstance(plan, list) and all(isinstance(row, (str, dict)) for row in plan)):
        raise StudyError("trials.json of the study is damaged: the study's command, run again, writes it anew")
    try:
        study = _document(uri, run_id)
    except (StudyError, RecipeError):
        names = {str(row if isinstance(row, str) else row.get("id")) for row in plan}
        return {name: place for name, place in recorded.items() if name in names}
    return read_places(plan, study)


def study_view(uri: str, record: StudyRecord) -> StudyView:
    """The study with its trials and their analysis."""
    return _study_view(uri, version(record), record)


@st.cache_resource(max_entries=16, show_spinner=False)
def _study_view(uri: str, version: Version, _record: StudyRecord) -> StudyView:
    found = trials_of(uri, _record)
    warnings: tuple[str, ...] = ()
    study, analysis, trouble = None, None, found.trouble
    try:
        study = _document(uri, _record.run_id)
        broken = stream_notes(study, found.own)
        known = _record.replication
        warnings = (*record_notes(study, found.own, broken), *_held(study, found, known))
        if not trouble:
            analysis = analyse(study, *_results(uri, found.own), looks=looks_before(known, study), broken=broken)
    except (AnalysisError, StudyError, RecipeError, LedgerDamaged) as error:
        trouble = str(error)
    return StudyView(
        record=_record,
        study=study,
        trials=found.own,
        analysis=analysis,
        trouble=trouble,
        num_foreign=len(found.everything) - len(found.own),
        read_s=time.time(),
        warnings=warnings,
    )


def _held(study: Study, found: Trials, known: Replication) -> list[str]:
    """That the ledger holds more replicates than these; unsaid where the data, which the ids name, is not here."""

    def digest(recipe: Recipe) -> str:
        return data_digest(recipe, home())

    with suppress(DataError):
        return held_note(known, study, found.everything, digest)
    return []


def _document(uri: str, run_id: str) -> Study:
    try:
        return read_study(ledger(uri).artifact(run_id, "study.json"))
    except LedgerError as error:
        if error.status != 404:
            raise
        raise StudyError(
            "the ledger has no study.json for it, so nothing can be judged; run the study's command again, which "
            "writes it and trains only what is missing"
        ) from None


def _results(uri: str, trials: tuple[TrialRecord, ...]) -> tuple[list[TrialResult], int | None]:
    """The results that there are, and the number of evaluation examples if one of them tells it."""
    ended = [trial for trial in trials if trial.outcome is not None]
    finished = [trial for trial in ended if trial.outcome in ("finished", "stuck")]
    if len(finished) <= MAX_PER_EXAMPLE:
        found = {trial.run_id: _examples(uri, trial.run_id) for trial in finished}
        return [trial.result(found.get(trial.run_id)) for trial in ended], None
    one = _examples(uri, finished[0].run_id)
    return [trial.result() for trial in ended], None if one is None else one.n


@st.cache_resource(max_entries=2 * MAX_PER_EXAMPLE, show_spinner=False)
def _examples(uri: str, run_id: str) -> Examples | None:
    try:
        return ledger(uri).examples(run_id)
    except LedgerError as error:
        if error.status == 404:
            return None
        raise


def judgement(uri: str, record: StudyRecord) -> Judgement:
    """The verdict counts of a study: those that its driver wrote down at its end, else judged now."""
    if record.status in ("FINISHED", "FAILED") and (written := _written(uri, record.run_id, version(record))):
        return written
    view = study_view(uri, record)
    if view.analysis is None:
        return Judgement(counts={}, trouble=view.trouble)
    if not view.analysis.outcomes:
        return Judgement(counts={})
    claim = view.analysis.claim
    return Judgement(
        counts=view.analysis.verdict_counts(),
        claim=claim.outcome if claim else "",
        looks=view.analysis.looks.phrase(),
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _written(uri: str, run_id: str, version: Version) -> Judgement | None:
    """The judgement as the driver wrote it down; None where it wrote none that can be read."""
    with suppress(LedgerDamaged, TypeError, KeyError, AttributeError, ValueError, OverflowError):
        document = ledger(uri).json(run_id, "verdicts.json")
        return Judgement(
            counts={str(word): int(count) for word, count in document["counts"].items()},
            claim=str((document.get("claim") or {}).get("outcome", "")),
            looks=str((document.get("looks") or {}).get("phrase", "")),
        )
    return None


def compare_url(uri: str, trials: list[TrialRecord], experiment_id: str) -> str:
    """MLflow's page that compares the trials' runs side by side."""
    runs = ",".join(f'"{trial.run_id}"' for trial in trials)
    return f'{without_secrets(uri)}/#/compare-runs?runs=[{runs}]&experiments=["{experiment_id}"]'
