"""Searches out of a ledger: which runs are searches and tunings, what belongs to what, and each one's report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from paribus.engine.schedulers import SchedulerError
from paribus.engine.searches.recorded_search import recorded_preview
from paribus.engine.searches.search_preview import CurvesOf
from paribus.engine.searches.tuning import ArmTuning, arm_settings
from paribus.metrics.known import METRICS
from paribus.recipe import RecipeError
from paribus.recipe.components.recorded import as_recorded
from paribus.report.costs import Before
from paribus.report.doubts.chance import judged_when_read
from paribus.report.searches.search_report import RESULT_FILE, SearchReport, search_report
from paribus.study import Study, StudyError
from paribus.study.document import RecordedStudy
from paribus.study.searches.search import Search
from paribus.study.searches.search_checks import CONFIRMED
from paribus.study.searches.search_document import SEARCH_FILE, SEARCHES, TUNING_DESIGN, read_search
from paribus.study.searches.tuning import TUNING
from paribus.study.settings import settings_of
from paribus.tracking.curves import curves_of
from paribus.tracking.errors import LedgerDamaged, LedgerError, LedgerUnreachable
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.trials.record import TrialRecord

__all__ = ["ArmTuning", "SearchReport", "is_search", "is_tuning"]


def is_search(record: StudyRecord) -> bool:
    """Whether the run is of a search, that of an arm's tuning included, and of no study."""
    return record.design in SEARCHES


def is_tuning(record: StudyRecord) -> bool:
    """Whether it is of a search that tunes an arm of a study: `settings.name` is the arm's."""
    return record.design == TUNING_DESIGN


def tuned_study_name(record: StudyRecord) -> str:
    """The name of the study whose arm it tunes."""
    return record.name.removesuffix(TUNING)


def kind_of(record: StudyRecord) -> str:
    """`study`, `search`, or `tuning of width` for a search that tunes an arm of that study."""
    if is_tuning(record):
        return f"tuning of {tuned_study_name(record)}"
    return "search" if is_search(record) else "study"


def relatives(record: StudyRecord, records: Sequence[StudyRecord]) -> list[tuple[StudyRecord, str]]:
    """What belongs to it, by name and settings, with words for a link: a search's confirmation, a tuning's study, a
    study's search."""
    name, wanted = record.name, record.settings.name
    if is_tuning(record):
        name, wanted, label = tuned_study_name(record), "", "the study whose arm it tunes"
    elif is_search(record):
        name, label = f"{name}{CONFIRMED}", "the study that confirms it"
    else:
        name, label = name.removesuffix(CONFIRMED), "the search that it confirms"
    found = [each for each in records if each.name == name and each.name != record.name]
    fitting = [each for each in found if is_search(each) != is_search(record) and each.settings.name == wanted]
    return [(each, f"{each.title}: {label}") for each in fitting if not is_tuning(each)][:1]


@contextmanager
def trials_and_curves(
    uri: str | None, home: Path, name: str, metric: str
) -> Iterator[tuple[list[TrialRecord] | None, CurvesOf]]:
    """An experiment's trials, and what gives the metric of some of them by epoch; None, and none, without `uri`."""
    if uri is None:
        yield None, lambda records: {}
        return
    with Ledger(uri, judge=judged_when_read(home)) as ledger:
        yield ledger.trials(name), lambda records: curves_of(ledger, records, metric)


def read_search_report(ledger: Ledger, record: StudyRecord, home: Path) -> SearchReport:
    """What the ledger holds of a search, without its confirmation.

    Raises:
        LedgerDamaged: its document is missing or cannot be read.
    """
    document = ledger.json(record.run_id, SEARCH_FILE)
    if document is None:
        raise LedgerDamaged(
            f"the ledger has no {SEARCH_FILE} for {record.title!r}, so that nothing can be said of it; run its command "
            "again, which writes it and trains only what is missing"
        )
    own = _own_trials(ledger, record)
    try:
        search = read_search(ledger.artifact(record.run_id, SEARCH_FILE))
        preview = recorded_preview(
            search,
            record.settings,
            own,
            lambda records: curves_of(ledger, records, search.metric),
            home,
            live=record.live,
            ended_by="" if record.live else _ended_by(ledger, record),
        )
    except (StudyError, RecipeError, SchedulerError) as error:
        raise LedgerDamaged(
            f"{SEARCH_FILE} of {record.title!r} can't be read: {error}. Its command, run again, writes it anew"
        ) from None
    return search_report(preview)


def best_written(ledger: Ledger, record: StudyRecord) -> str:
    """`best seen lr=0.1, top1 97.22`: what a search's driver wrote down at its end; "" where it wrote none."""
    with suppress(LedgerDamaged, TypeError, KeyError, AttributeError, ValueError):
        document = ledger.json(record.run_id, RESULT_FILE) or {}
        chosen, metric = document["chosen"], str(document["metric"])
        values = [float(row[metric]) for row in document["best"] if row["number"] == chosen["number"]]
        known = METRICS.get(metric)
        shown = [f"{metric} {known.show(value) if known else f'{value:g}'}" for value in values]
        return ", ".join([f"best seen {chosen['name']}", *shown])
    return ""


def confirmation_of(report: SearchReport, records: Iterable[StudyRecord]) -> StudyRecord | None:
    """The study that confirms a search; None where there is none yet."""
    digest = confirmed_by(report.search)
    name = f"{report.search.name}{CONFIRMED}"
    own = [each for each in records if each.name == name and each.settings.digest == digest]
    return own[0] if own and digest else None


def confirmed_by(search: Search) -> str:
    """The digest of the settings of the study that confirms it; "" where none does."""
    return settings_of(search.confirmation([])).digest if search.confirm else ""


def searches_before(record: StudyRecord, records: Iterable[StudyRecord]) -> list[StudyRecord]:
    """The searches that the study may confirm, by its name; those of the settings that it is named by come first."""
    if is_search(record) or not record.name.endswith(CONFIRMED):
        return []
    name = record.name.removesuffix(CONFIRMED)
    found = [each for each in records if each.name == name and is_search(each)]
    return sorted(found, key=lambda each: each.settings.name != record.settings.name)


def tunings_of(study: Study, records: Sequence[StudyRecord]) -> list[StudyRecord]:
    """The runs of the tuning of a study's arms, in the arms' order; of arms that have begun."""
    if not study.nuisance:
        return []
    by_digest = {each.settings.digest: each for each in records if each.name == f"{study.name}{TUNING}"}
    recorded = study.recorded if isinstance(study, RecordedStudy) else None
    with as_recorded(recorded) if recorded is not None else nullcontext():
        digests = [arm_settings(study, arm).digest for arm in study.arms]
    return [by_digest[digest] for digest in digests if digest in by_digest]


def before(ledger: Ledger, study: Study, record: StudyRecord | None) -> tuple[list[Before], list[str]]:
    """The trials of the search that the study confirms, and of its arms' tuning; and, in sentences, what can't be read.

    A study that neither confirms nor tunes asks the ledger nothing.
    """
    if record is None or not (study.nuisance or study.name.endswith(CONFIRMED)):
        return [], []
    runs = ledger.studies()
    found, doubts = [], []
    for run in searches_before(record, runs):
        try:
            search = read_search(ledger.artifact(run.run_id, SEARCH_FILE))
        except LedgerUnreachable:
            raise
        except (LedgerError, StudyError, RecipeError) as error:
            doubts.append(f"whether the search {run.title} led to this study can't be read, nor its hours: {error}")
            continue
        if confirmed_by(search) == record.settings.digest:
            found.append(Before(kind="search", name=run.title, records=_own_trials(ledger, run)))
    for run in tunings_of(study, runs):
        found.append(Before(kind="tuning", name=run.settings.name, records=_own_trials(ledger, run)))
    return found, doubts


def _own_trials(ledger: Ledger, run: StudyRecord) -> list[TrialRecord]:
    return [trial for trial in ledger.trials(run.name) if trial.parent == run.run_id]


def arm_tuning(study: Study, report: SearchReport) -> ArmTuning | None:
    """The tuning of one of the study's arms; None where it has no such arm."""
    name = report.preview.settings.name
    arm = next((each for each in study.arms if each.name == name), None)
    best = report.best[0] if report.best else None
    return None if arm is None else ArmTuning(arm=arm, preview=report.preview, best=best)


def _ended_by(ledger: Ledger, record: StudyRecord) -> str:
    """Why it ended before its planned number, as its driver wrote it down at its end."""
    with suppress(LedgerDamaged, AttributeError):
        return str((ledger.json(record.run_id, RESULT_FILE) or {}).get("ended_by") or "")
    return ""
