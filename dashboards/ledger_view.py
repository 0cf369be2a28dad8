"""Cached reads of the ledger: what the pages show, read anew only when the ledger has got further.

Everything is kept with `cache_resource`, which hands out the object itself: nothing here is pickled. What is
read, and what follows from it, is `paribus.report`'s.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from paribus.report.reading import (
    MAX_PER_EXAMPLE,
    Judgement,
    LedgerError,
    LedgerReader,
    LedgerUnreachable,
    Trials,
    usual_address,
)
from paribus.report.searches.search_importance import Importance, Method, search_importance
from paribus.report.searches.search_reading import confirmation_of, confirmed_by, is_search, searches_before
from paribus.report.views.across import Concluded
from paribus.report.views.gallery import Gallery, gallery
from paribus_dashboards.address import address_of

if TYPE_CHECKING:
    from paribus.report.searches.search_report import SearchReport
    from paribus.report.study_report import Arm, Examples, Study, StudyRecord, StudyReport, TrialRecord, TrialRow
    from paribus.report.views.curves import Curve

LIVE_S = 3.0
IDLE_S = 600.0
# Nothing comes late of a study whose every trial has been read with its end; what people change in MLflow is seen then.
WHOLE_S = 86_400.0
# A page can try again, so that it gives up soon.
BUDGET_S = 1.5

Version = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study as the ledger had it at `read_s`."""

    record: StudyRecord
    report: StudyReport
    read_s: float


@st.cache_resource(ttl=5.0, show_spinner=False)
def tracking_uri() -> str:
    """The ledger's address."""
    return usual_address()


@st.cache_resource(max_entries=4, show_spinner=False, on_release=LedgerReader.close)
def reader(uri: str) -> LedgerReader:
    """One reader per address for all sessions."""
    return LedgerReader(uri, budget_s=BUDGET_S)


@st.cache_resource(ttl=LIVE_S / 2, max_entries=4, show_spinner=False)
def studies(uri: str) -> tuple[StudyRecord, ...]:
    """Every study, the latest touched first."""
    return reader(uri).studies()


def stamp(record: StudyRecord) -> Version:
    """What changes when the study has got further; a driver that lives touches it about every ten seconds."""
    return (record.run_id, record.updated_ms, record.status, record.live, *record.counts.items())


def version(record: StudyRecord) -> Version:
    """The key of what is read of a study; a record that was sent late doesn't touch the parent run, hence IDLE_S.

    Where all had come, it stays the key under which that was read, for WHOLE_S.
    """
    key, read_s = _read_whole().get(stamp(record), ((), -WHOLE_S))
    return key if time.time() - read_s < WHOLE_S else (*stamp(record), int(time.time() / IDLE_S))


@st.cache_resource(show_spinner=False)
def _read_whole() -> dict[Version, tuple[Version, float]]:
    """By stamp, under which key and when a study was read whose every trial had come to its end."""
    return {}


def trials_of(uri: str, record: StudyRecord) -> Trials:
    """The trials of the study's own plan, among all that the ledger has under its name."""
    key = version(record)
    found = _trials_of(uri, key, record)
    if not record.live and _read_whole().get(stamp(record), ((), 0.0))[0] != key and _all_ended(found):
        _read_whole()[stamp(record)] = (key, time.time())
    return found


def _all_ended(trials: Trials) -> bool:
    return bool(trials.rows) and all(row.record and row.record.ended_ms for row in trials.rows)


@st.cache_resource(max_entries=32, show_spinner=False)
def _trials_of(uri: str, version: Version, _record: StudyRecord) -> Trials:
    return reader(uri).trials(_record)


@st.cache_resource(ttl=LIVE_S, max_entries=32, show_spinner=False)
def trial_of(uri: str, trial_id: str) -> TrialRecord | None:
    """The trial of that id, or whose id begins so, of any study."""
    return reader(uri).trial(trial_id)


@st.cache_resource(ttl=LIVE_S, max_entries=64, show_spinner=False)
def note_of(uri: str, run_id: str) -> str:
    """What people noted on the run of a study or a trial."""
    return reader(uri).note(run_id)


def study_view(uri: str, record: StudyRecord) -> StudyView:
    """The study with its trials and their analysis."""
    return _study_view(uri, version(record), record)


@st.cache_resource(max_entries=16, show_spinner=False)
def _study_view(uri: str, version: Version, _record: StudyRecord) -> StudyView:
    report = reader(uri).report(_record, trials_of(uri, _record), partial(_examples, uri))
    return StudyView(record=_record, report=report, read_s=time.time())


@st.cache_resource(max_entries=2 * MAX_PER_EXAMPLE, show_spinner=False)
def _examples(uri: str, run_id: str) -> Examples | None:
    return reader(uri).examples(run_id)


def examples_of(uri: str, run_id: str) -> Examples | None:
    """What a trial's evaluation examples came to."""
    return _examples(uri, run_id)


@st.cache_resource(max_entries=16, show_spinner=False)
def keys_of(uri: str, run_id: str) -> Sequence[str]:
    """The keys of a trial's evaluation examples; () where they were not kept."""
    return reader(uri).keys(run_id)


def gallery_of(view: StudyView, arm: Arm, run_id: str, keys: tuple[str, ...]) -> Gallery:
    """The pictures of evaluation examples of an arm, of one of whose runs the id is given."""
    digest = next((row.record.data for row in view.report.begun if row.record and row.record.run_id == run_id), "")
    if not keys or view.report.study is None:
        return Gallery()
    return _gallery(digest, keys, view.report.study, arm)


@st.cache_resource(max_entries=8, show_spinner=False)
def _gallery(digest: str, keys: tuple[str, ...], _study: Study, _arm: Arm) -> Gallery:
    return gallery(_study, _arm, digest, keys)


def search_report(uri: str, record: StudyRecord) -> SearchReport:
    """A search, without its confirmation."""
    return _search_report(uri, version(record), record)


@st.cache_resource(max_entries=64, show_spinner=False)
def _search_report(uri: str, version: Version, _record: StudyRecord) -> SearchReport:
    return reader(uri).search(_record)


def confirmed(uri: str, record: StudyRecord) -> tuple[SearchReport, StudyRecord | None]:
    """A search with what stood up of it, and the study that says so; None where none has begun."""
    report = search_report(uri, record)
    study = confirmation_of(report, studies(uri))
    return (replace(report, confirmation=study_view(uri, study).report), study) if study else (report, None)


def importance_of(record: StudyRecord, report: SearchReport, method: Method) -> Importance:
    """Which fields of the search mattered, worked out once for every number of settings that ended."""
    return _importance(record.run_id, report.preview.walk.num_ended, method, report)


@st.cache_resource(max_entries=32, show_spinner=False)
def _importance(run_id: str, num_ended: int, method: Method, _report: SearchReport) -> Importance:
    return search_importance(_report, method)


def search_of(uri: str, study: StudyRecord) -> StudyRecord | None:
    """The search that the study confirms; None where it is no confirmation."""
    for record in searches_before(study, studies(uri)):
        if confirmed_by(search_report(uri, record).search) == study.settings.digest:
            return record
    return None


def judgement(uri: str, record: StudyRecord) -> Judgement:
    """The verdict counts of a study: those that its driver wrote down at its end, else judged now."""
    return written(uri, record) or Judgement.of(study_view(uri, record).report)


def written(uri: str, record: StudyRecord) -> Judgement | None:
    """The verdict counts that the study's driver wrote down at its end; None where it did not."""
    return _written(uri, version(record), record)


@st.cache_resource(max_entries=64, show_spinner=False)
def _written(uri: str, version: Version, _record: StudyRecord) -> Judgement | None:
    return reader(uri).written(_record)


def concluded(uri: str) -> list[Concluded]:
    """Every study with what it came to: as its driver wrote it down, else judged now."""
    found = []
    for record in studies(uri):
        if is_search(record):
            continue
        try:
            document, why = _document(uri, version(record), record)
        except LedgerUnreachable:
            raise
        except LedgerError as error:
            document, why = None, str(error)
        address = f"/study?{urlencode(address_of(record))}"
        found.append(Concluded(title=record.title, address=address, claim=record.claim, document=document, why=why))
    return found


@st.cache_resource(max_entries=256, show_spinner=False)
def _document(uri: str, version: Version, _record: StudyRecord) -> tuple[Mapping[str, Any] | None, str]:
    if (written := reader(uri).verdicts(_record)) is not None:
        return written, ""
    report = study_view(uri, _record).report
    if report.analysis is None:
        return None, report.trouble
    return (report.as_dict(), "") if report.analysis.outcomes else (None, "no trial has ended yet")


def curves_of(uri: str, view: StudyView, metric: str, rows: list[TrialRow]) -> list[Curve]:
    """The learning curves of these trials."""
    return _curves(uri, metric, tuple(row.trial_id for row in rows), version(view.record), rows)


@st.cache_resource(max_entries=16, show_spinner=False)
def _curves(uri: str, metric: str, trial_ids: tuple[str, ...], version: Version, _rows: list[TrialRow]) -> list[Curve]:
    return reader(uri).curves(_rows, metric)
