"""The results of elsewhere that a search is started from: read once, and from then on as they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from paribus.engine.samplers.sampler import FEWEST_SOURCES
from paribus.engine.searches.past_files import MOST_ROWS, read_file
from paribus.engine.searches.past_fit import Gathered, setting_of
from paribus.engine.searches.tried import is_lost
from paribus.metrics.metric import Metric
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import written
from paribus.study import Study
from paribus.study.designs.arms import StudyError
from paribus.study.document import read_study
from paribus.study.searches.past import Past, ledger_name
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import SEARCH_FILE, SEARCHES, read_search
from paribus.study.settings import settings_of
from paribus.study.words import FAILED_TO_TRAIN
from paribus.tracking.errors import LedgerError, LedgerUnreachable
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.choice import STUDY_FILE
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.trials.record import TrialRecord

_LED = "what is proposed was led by it, and the confirmation is fresh in its seeds alone"
# Samplers that learn from trials that they did not propose.
LEARNING = ("tpe", "gp", "cmaes", "nsga2", "nsga3", "auto")


def with_past(search: Search, ledger: Ledger | None) -> Search:
    """The search with the past results that its `start` names, where it names any.

    They are read when the search begins and are kept in its document. From then on it goes on with these, whatever
    becomes of their source, of which a note tells.

    Raises:
        StudyError: a sampler that learns from none, a source that is not there, or none of whose results fits.
        LedgerError: the ledger does not answer.
    """
    if not search.sources or search.past is not None:
        return search
    name = str(written(search.sampler, "sampler")["kind"])
    if name not in LEARNING:
        raise StudyError(
            f"start has {search.sources[0]!r}, and the sampler {name!r} learns nothing from results that it did not "
            f"propose: take sampler='tpe' ({', '.join(LEARNING)} learn from them)"
        )
    kept = _kept(search, ledger)
    if kept is None:
        past = _read(search, ledger)
        if name == "cmaes":
            _check_sources(search, past)
        return replace(search, past=past)
    try:
        now = _read(search, ledger)
    except StudyError as error:
        return replace(search, past=_noted(kept, f"past results are those that the search began with, for now {error}"))
    if now.rows != kept.rows:
        kept = _noted(
            kept,
            f"{', '.join(search.sources)} held {len(kept.rows)} results that fit when the search began and holds "
            f"{len(now.rows)} now, not all the same: it goes on with those that it began with",
        )
    return replace(search, past=kept)


def _check_sources(search: Search, past: Past) -> None:
    """Raise StudyError where CMA-ES cannot begin from these."""
    if written(search.sampler, "sampler").get("use_separable_cma"):
        raise StudyError(
            f"sampler = {search.sampler!r}: CMA-ES begins from past results by their covariances, and with "
            "use_separable_cma it begins from none: leave one of the two out"
        )
    trained = sum(bool(row.metrics) for row in past.rows)
    if trained < FEWEST_SOURCES:
        raise StudyError(
            f"the sampler 'cmaes' begins from the best tenth of past results: of {FEWEST_SOURCES} or more that were "
            f"trained to their end, and {trained} fit. Take sampler='tpe', or leave {search.sources[0]!r} out of start"
        )


def _noted(past: Past, note: str) -> Past:
    return replace(past, notes=(*past.notes, note))


def _kept(search: Search, ledger: Ledger | None) -> Past | None:
    """What the search began with, as its document has it; None where it has not begun."""
    run = ledger.study(search.name, settings_of(search).digest) if ledger is not None else None
    if ledger is None or run is None or settings_of(search).digest != run.settings.digest:
        return None
    try:
        return read_search(ledger.artifact(run.run_id, SEARCH_FILE)).past
    except LedgerUnreachable:
        raise
    except (LedgerError, StudyError, RecipeError):
        return None


def _read(search: Search, ledger: Ledger | None) -> Past:
    found = Gathered(search)
    away = [source for source in search.sources if ledger_name(source) and ledger is None]
    for source in search.sources:
        if not ledger_name(source):
            read_file(source, found)
            found.notes.append(f"where the values of {source} are of the evaluation split, {_LED}")
        elif ledger is not None:
            _read_ledger(source, ledger, found)
    if away:
        found.notes.append(f"no ledger is up, so that {', '.join(away)} can't be read (paribus up)")
    elif not found.rows:
        gone = ", ".join(f"{count} ({why})" for (_, why), count in found.left_out.items())
        why = f": left out are {gone}" if gone else ", for there are none"
        raise StudyError(f"none of the results of {', '.join(search.sources)} fits this search{why}")
    if len(found.rows) > MOST_ROWS:
        raise StudyError(f"{len(found.rows):,} past results fit, and {MOST_ROWS:,} are the most to learn from")
    return found.past()


def _read_ledger(source: str, ledger: Ledger, found: Gathered) -> None:
    name = ledger_name(source)
    runs = [run for run in ledger.studies() if run.name == name]
    is_search = [run.design in SEARCHES for run in runs]
    if not runs or any(one != source.startswith("search:") for one in is_search):
        other = "study" if source.startswith("search:") else "search"
        hint = f": it is a {other}, {other + ':' + name!r}" if runs else ""
        raise StudyError(f"start has {source!r}, and the ledger has none of that name{hint}")
    documents = {run.run_id: _document(run, ledger) for run in runs}
    for document in documents.values():
        _check_sign(source, document, found.search)
    # By what they are: clocks tell of two that began together now this one first, and now the other.
    for record in sorted(ledger.trials(name), key=lambda each: each.trial_id):
        _add(source, record, documents.get(record.parent), found)


def _document(run: StudyRecord, ledger: Ledger) -> Study | Search | None:
    try:
        if run.design in SEARCHES:
            return read_search(ledger.artifact(run.run_id, SEARCH_FILE))
        return read_study(ledger.artifact(run.run_id, STUDY_FILE))
    except LedgerUnreachable:
        raise
    except (LedgerError, StudyError, RecipeError):
        return None


def _check_sign(source: str, document: Study | Search | None, search: Search) -> None:
    """Raise StudyError where what is better of a metric there is worse here."""
    theirs: Iterable[Metric] = document.metrics.values() if document is not None else ()
    for metric in theirs:
        own = search.metrics.get(metric.name)
        if own is not None and own.sign != metric.sign:
            there, here = ("less", "more") if own.sign > 0 else ("more", "less")
            raise StudyError(
                f"start has {source!r}, in which {there} of {metric.name} is better, where here {here} is: its values "
                "would lead to the worst settings"
            )


def _add(source: str, record: TrialRecord, document: Study | Search | None, found: Gathered) -> None:
    """One trial of the ledger."""
    if record.outcome is None or is_lost(record.outcome, record.failure):
        return found.leave(source, "without a result")
    if record.outcome == "stopped":
        return found.leave(source, "cut before their end")
    if document is None:
        return found.leave(source, "of a run whose document can't be read")
    try:
        recipe = _recipe(document, record)
    except (RecipeError, StudyError):
        return found.leave(source, "of components that are not here")
    levels, otherwise = setting_of(found.search, recipe)
    if otherwise:
        return found.leave(source, otherwise)
    before = len(found.rows)
    found.add(source, levels, {} if record.outcome in (*FAILED_TO_TRAIN, "failed") else record.metrics)
    if len(found.rows) > before and not recipe.data.holdout and found.search.confirm:
        found.notes.append(f"{source} was judged on the evaluation split, as the confirmation is: {_LED}")
    return None


def _recipe(document: Study | Search, record: TrialRecord) -> Recipe:
    return document.recipe_of(record.arm.as_dict()) if isinstance(document, Search) else document.recipe_of(record.arm)
