"""A study that is at hand, judged on what the ledger holds of its own plan, or told how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.engine.looks import as_judged, check_fresh, first_fresh, fresh_note, held_note, history_of, looks_before
from paribus.engine.variables import prices
from paribus.host.secrets import without_secrets
from paribus.recipe import Recipe
from paribus.report.asked import asked_for
from paribus.report.costs import cost_of
from paribus.report.doubts.chance import judged_when_read
from paribus.report.doubts.pairing_check import stream_notes
from paribus.report.reading import curves_in, standing_of_rows
from paribus.report.searches.search_reading import before
from paribus.report.study_report import Basis, StudyReport, arm_rows, trial_rows
from paribus.report.texts import aside_notes, noted_lines, record_notes, turn_notes
from paribus.shards.catalog import data_digest
from paribus.study import Study
from paribus.study.document import RecordedStudy, read_places
from paribus.study.plan import Place, places, trials
from paribus.study.settings import Settings, settings_of
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.runs import TRIALS_FILE

if TYPE_CHECKING:
    pass


def judge(study: Study, uri: str, home: Path, settings: Settings | None = None, *, fresh: bool = False) -> StudyReport:
    """Judge the trials of the study's own plan that the ledger holds; partial results give partial answers.

    `settings` name the study's; by default they are those that its file declares. `fresh` judges on the replicates
    alone that were added since the last look.
    """
    from paribus.analysis import analyse

    if fresh:
        check_fresh(study)
    settings = settings or settings_of(study)
    digest = partial(data_digest, home=home)
    with Ledger(uri, judge=judged_when_read(home)) as ledger:
        everything, parent = ledger.trials(study.name), study_run_of(ledger, study.name, settings)
        planned = _own_places(ledger, parent, study, digest)
        rows = trial_rows(everything, planned, parent.live if parent else None)
        records = [row.record for row in rows if row.record]
        results = ledger.results_of(records, per_example=True)
        curves = curves_in(ledger, rows, study.metric)
        known = as_judged(history_of(ledger, parent), study, everything, digest)
        earlier, doubts = before(ledger, study, parent)
        notes = [*held_note(known, study, everything, digest), *([fresh_note(known, study)] if fresh else [])]
    broken = stream_notes(study, records)
    replicates = range(first_fresh(known, study), study.replicates + 1) if fresh else ()
    looks = looks_before(known, study, fresh=fresh)
    analysis = analyse(study, results, looks=looks, broken=broken, replicates=replicates)
    return StudyReport(
        name=study.name,
        url=parent.url if parent else without_secrets(uri),
        study=study,
        trials=asked_for(study, rows, analysis.asked),
        analysis=analysis,
        arms=arm_rows(analysis, rows),
        notes=(*aside_notes(parent), *noted_lines(parent), *record_notes(study, records, broken), *notes, *doubts),
        curves=curves,
        settings=settings,
        num_foreign=len(everything) - len(records),
        cost=cost_of(study, analysis, rows, prices(), earlier),
        basis=Basis.of(results, analysis.num_eval, looks, broken, earlier, replicates),
    )


def standing(study: Study, uri: str, home: Path, settings: Settings | None = None) -> StudyReport:
    """How far the study is, its trials alone: no verdict is told, and no file of a trial is read."""
    settings = settings or settings_of(study)
    with Ledger(uri, judge=judged_when_read(home)) as ledger:
        everything, parent = ledger.trials(study.name), study_run_of(ledger, study.name, settings)
        planned = _own_places(ledger, parent, study, partial(data_digest, home=home))
    rows = trial_rows(everything, planned, parent.live if parent else None)
    url = parent.url if parent else without_secrets(uri)
    noted = (*turn_notes(parent), *aside_notes(parent))
    return standing_of_rows(study.name, url, study, rows, len(everything), settings, home, noted)


def _own_places(
    ledger: Ledger, parent: StudyRecord | None, study: Study, digest: Callable[[Recipe], str]
) -> Mapping[str, Place]:
    """Where the study's own trials stand: of one that is read from a document alone, as its driver wrote it down."""
    if isinstance(study, RecordedStudy) and parent is not None:
        plan = ledger.json(parent.run_id, TRIALS_FILE)
        if plan is not None:
            return read_places(plan, study)
    return places(trials(study, digest))


def study_run_of(ledger: Ledger, name: str, settings: Settings) -> StudyRecord | None:
    """The study's run; of the declared settings also one that an earlier release kept without any."""
    return ledger.study(name, settings.digest) or (ledger.study(name) if settings.declared else None)
