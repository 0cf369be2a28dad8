"""The study verbs on a search: plan, run, retry, status, report, export. Each is safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from paribus.commands.answer import Answer
from paribus.commands.ledger.waiting import unsent_lines
from paribus.commands.study.study_verbs import check_places, printed, write_where_asked
from paribus.engine.options import Options
from paribus.engine.searches.past_results import with_past
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview, tried_row
from paribus.execution.workers.trial_spec import outbox_of
from paribus.host.home import home
from paribus.host.say import say
from paribus.host.storage import storage
from paribus.report.doubts.chance import judged_when_read
from paribus.report.searches.search_report import SearchReport, search_report
from paribus.report.searches.search_texts import chosen_line, confirmed_lines, found_text, search_plan_text
from paribus.report.texts import turn_notes
from paribus.study.designs.arms import StudyError
from paribus.study.searches.search import Search
from paribus.study.settings import settings_of
from paribus.tracking.address import ledger_at
from paribus.tracking.ledger import Ledger

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport


def plan(search: Search, options: Options) -> int:
    """Print what `run` would do; trains nothing."""
    return printed(planned(search, options), options)


def run(search: Search, options: Options) -> int:
    """Complete the search and its confirmation; 0 if it came to its end, 1 if nothing was found or trials failed."""
    from paribus.execution.searches.search_driver import drive_search

    if options.fresh:
        raise StudyError("--fresh is for replicates that were raised, and a search's confirmation is judged whole")
    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        search = _with_past(search, uri)
        code = drive_search(search, options, uri)
        if code == 0 and search.confirm:
            found = reported(search, replace(options, ledger=uri))
            for line in (*confirmed_lines(found), chosen_line(found)):
                say(line)
    return code


def retry(search: Search, options: Options) -> int:
    """A search learns from what it retries: that is what `run` does."""
    raise StudyError(
        "a search has no retry of its own: `run` tries again what has no result, and goes on. A setting that ran out "
        "of memory is one that does not train: the sampler learns from it, and it is not tried again"
    )


def status(search: Search, options: Options) -> int:
    """Print how far the search is."""
    return printed(recorded(search, options), options)


def report(search: Search, options: Options) -> int:
    """Print what was found, and what of it stood up."""
    return printed(judged(search, options), options)


def export(search: Search, options: Options) -> int:
    """Print every trial of the search, one row each."""
    return printed(rows_told(reported(search, options)), options)


def rows_told(found: SearchReport) -> Answer:
    """Every trial of a search, one row each, as CSV."""
    from paribus.report.export import rows_as_csv

    rows = [tried_row(each, found.search) for each in found.tried]
    return Answer(title=found.preview.title, text=rows_as_csv(rows), data=rows, rows=rows)


def planned(search: Search, options: Options) -> Answer:
    """What `run` would do; one row a trial that is known."""
    preview = previewed(search, options, start=False)
    return _answer(search_plan_text(preview), preview.as_dict(), preview)


def recorded(search: Search, options: Options) -> Answer:
    """How far the search is."""
    found = search_report(previewed(search, options, start=True))
    return standing_told(found, [*_turn(search, options), *_unsent(search, options)])


def standing_told(found: SearchReport, notes: Sequence[str] = ()) -> Answer:
    """How far a search is, with lines on why it trains nothing now, and on what of it waits on disk."""
    lines = [found_text(found), *(f"  {line}" for line in notes)]
    return _answer("\n".join(lines), found.as_dict()["trials"], found.preview)


def judged(search: Search, options: Options) -> Answer:
    """What was found, what of it stood up, and the confirmation's report, written where `options` ask for it."""
    check_places(options)
    return told(reported(search, options), options)


def told(found: SearchReport, options: Options) -> Answer:
    """What a search found, and what of it stood up; its confirmation is written where `options` ask for it."""
    lines = [found_text(found)]
    if found.confirmation is not None and found.confirmation.analysis is not None:
        from paribus.report.drawing.terminal import text_of

        lines += ["", *confirmed_lines(found), chosen_line(found), "", text_of(found.confirmation)]
        write_where_asked(found.confirmation, options)
    else:
        if found.search.confirm:
            lines.append("  not confirmed yet: `run` trains the best again and judges them")
        if options.html or options.markdown or options.latex:
            lines.append(
                "  no file is written: a search's page is that of its confirmation, of which nothing has begun"
            )
    return _answer("\n".join(lines), found.as_dict(), found.preview)


def ran(search: Search, options: Options) -> Answer:
    """`judged` after the search was completed; `code` is that of `run`."""
    code = run(search, options)
    return replace(judged(search, options), code=code)


def _answer(text: str, data: object, preview: SearchPreview) -> Answer:
    rows = [tried_row(each, preview.search) for _, each in sorted(preview.walk.tried.items())]
    title, *notes = text.splitlines()
    return Answer(title=title, text=text, data=data, rows=rows, notes=notes)


def previewed(search: Search, options: Options, *, start: bool) -> SearchPreview:
    """The search against the ledger, or as if nothing had run where none can be asked."""
    from paribus.report.searches.search_reading import trials_and_curves

    with (
        ledger_at(home(), options.ledger, start=start) as uri,
        trials_and_curves(uri, home(), search.name, search.metric) as (records, curves),
    ):
        search = _with_past(search, uri)
        note = "" if uri else "no ledger is up, so nothing counts as done (paribus up)"
        return make_search_preview(search, home(), records, curves, options, note=note)


def _with_past(search: Search, uri: str | None) -> Search:
    """The search with the past results that it is started from, if any."""
    if not search.sources or uri is None:
        return with_past(search, None)
    with Ledger(uri, judge=judged_when_read(home())) as ledger:
        return with_past(search, ledger)


def reported(search: Search, options: Options) -> SearchReport:
    """What the ledger holds of the search and of its confirmation."""
    preview = previewed(search, options, start=True)
    return search_report(preview, _confirmation(preview, options))


def _confirmation(preview: SearchPreview, options: Options) -> StudyReport | None:
    """The confirming study's report; None where there is none, or nothing of it has begun."""
    search, best = preview.search, preview.walk.best()
    if not search.confirm or not best:
        return None
    from paribus.report.judging import judge

    study = search.confirmation([each.levels for each in best])
    declared = options.of_confirmation().declared
    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        found = judge(study, uri, home(), settings_of(study, declared))
    return found if found.begun else None


def _turn(search: Search, options: Options) -> tuple[str, ...]:
    """Whether it is paused, or shares its cluster."""
    from paribus.report.judging import study_run_of

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        with Ledger(uri) as ledger:
            return turn_notes(study_run_of(ledger, search.name, settings_of(search, options.declared)))


def _unsent(search: Search, options: Options) -> list[str]:
    return unsent_lines(outbox_of(storage(), search.name, settings_of(search, options.declared)))
