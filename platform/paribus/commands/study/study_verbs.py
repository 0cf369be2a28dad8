"""The study verbs: plan, run, retry, status, report, export. Each is safe to repeat."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.commands.answer import Answer
from paribus.commands.ledger.waiting import unsent_lines
from paribus.engine.nearest import trials_near
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.execution.workers.trial_spec import outbox_of
from paribus.host.home import home
from paribus.host.say import say, warn
from paribus.host.storage import storage
from paribus.report.texts import plan_text
from paribus.study.designs.arms import StudyError
from paribus.study.plan import Action
from paribus.study.settings import settings_of
from paribus.study.study import Study
from paribus.tracking.address import ledger_at

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport
    from paribus.tracking.trials.record import TrialRecord


# As many runs as tell a spread within a factor of about three, and a tenth of what most studies train.
PILOT = 4


def plan(study: Study, options: Options) -> int:
    """Print what `run` would do; trains nothing."""
    return printed(planned(study, options), options)


def run(study: Study, options: Options) -> int:
    """Complete the study; 0 if every trial has a result, 1 if some failed, 130 if it was interrupted."""
    return _run(study, options, None)


def pilot(study: Study, options: Options) -> int:
    """Train the baseline alone, and its noise floor, and say what the study then takes."""
    asked = min(PILOT, study.replicates) if options.pilot is None else options.pilot
    if not 1 <= asked <= study.replicates:
        raise StudyError(
            f"--replicates {asked}: a pilot trains the first of the study's replicates, and so takes 1 to "
            f"{study.replicates}"
        )
    return _run(study, replace(options, pilot=asked), None)


def retry(study: Study, options: Options) -> int:
    """Run the failed trials alone."""
    return _run(study, options, frozenset[Action]({"retry"}))


def status(study: Study, options: Options) -> int:
    """Print how far the study is."""
    return printed(recorded(study, options), options)


def report(study: Study, options: Options) -> int:
    """Print effects with intervals, verdicts and the claim; also as a page or Markdown where asked."""
    return shown(_judged(study, options), options, lambda: _unsent(study, options))


def shown(found: StudyReport, options: Options, more: Callable[[], Sequence[str]] = tuple) -> int:
    """Print a judged report as data, or as text with `more` lines below it."""
    from paribus.report.drawing.terminal import show

    if options.json:
        say(json.dumps(found.as_dict(), indent=2))
    else:
        show(found)
        for line in more():
            say(line)
    return 0


def planned(study: Study, options: Options) -> Answer:
    """What `run` would do; one row an arm."""
    with ledger_at(home(), options.ledger, start=False) as uri:
        preview = _planned(study, options, uri)
        if uri is not None:
            preview = replace(preview, look=_look(preview, options, uri))
    text = plan_text(preview)
    by_arm = {
        arm: Counter(step.action for step in preview.plan.steps if step.trial.arm == arm) for arm in study.trained
    }
    rows = [{"arm": arm.name, "replicates": study.replicates, **counts} for arm, counts in by_arm.items()]
    title, *notes = text.splitlines()
    data = {"headline": title, **preview.as_dict()}
    return Answer(title=title, text=text, data=data, rows=rows, notes=notes)


def outlook_of(study: Study, options: Options) -> str:
    """Whether the study's replicates resolve its margin, in a line."""
    from paribus.report.plan_outlook import headline

    with ledger_at(home(), options.ledger, start=False) as uri:
        return headline(_planned(study, options, uri))


def recorded(study: Study, options: Options) -> Answer:
    """How far the study is; one row a trial."""
    return standing_told(_standing(study, options), _unsent(study, options))


def standing_told(found: StudyReport, unsent: Sequence[str] = ()) -> Answer:
    """How far a study is, with lines on what of it waits on disk; one row a trial."""
    from paribus.report.drawing.terminal import status_text
    from paribus.report.export import trials_as_rows

    text = "\n".join([status_text(found), *(f"  {line}" for line in unsent)])
    rows = trials_as_rows(found)
    title, *notes = text.splitlines()
    return Answer(title=title, text=text, data=rows, rows=rows, notes=notes)


def judged(study: Study, options: Options, notes: Sequence[str] = ()) -> Answer:
    """Effects, verdicts and the claim; one row a contrast. `notes` are what else is to be said of it."""
    return told(_judged(study, options, notes))


def told(found: StudyReport) -> Answer:
    """A judged report; one row a contrast."""
    from paribus.report.drawing.tables import display_rows
    from paribus.report.drawing.terminal import text_of

    title = f"{found.title}: {found.judged.question}"
    rows, lines = display_rows(found.judged), found.lines()
    return Answer(title=title, text=text_of(found), data=found.as_dict(), rows=rows, notes=lines)


def ran(study: Study, options: Options) -> Answer:
    """`judged` after the study was completed; `code` is that of `run`."""
    check_places(options)
    code = run(study, options)
    return replace(judged(study, options), code=code)


def _judged(study: Study, options: Options, notes: Sequence[str] = ()) -> StudyReport:
    """The judgement, written where `options` ask for it; such a place is looked at before any work is done."""
    from paribus.report.judging import judge

    check_places(options)
    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        found = judge(study, uri, home(), settings_of(study, options.declared), fresh=options.fresh)
        found = replace(found, notes=(*found.notes, *notes))
        write_where_asked(found, options)
    return found


def write_where_asked(found: StudyReport, options: Options) -> None:
    """Write the report as a page, as Markdown and as LaTeX, where `options` name a place for it."""
    if options.html:
        from paribus.report.drawing.html_page import write_html

        warn(f"wrote {write_html(found, Path(options.html))}")
    if options.markdown:
        from paribus.report.drawing.markdown import write_markdown

        warn(f"wrote {write_markdown(found, Path(options.markdown))}")
    if options.latex:
        from paribus.report.drawing.latex_tables import write_latex

        warn(f"wrote {write_latex(found, Path(options.latex))}")


def check_places(options: Options) -> None:
    """StudyError where a report that is asked for cannot be written."""
    from paribus.report.files import check_place

    for place in filter(None, (options.html, options.markdown, options.latex)):
        check_place(Path(place))


def _unsent(study: Study, options: Options) -> list[str]:
    """What of the study, at the settings that were asked for, waits on disk."""
    return unsent_lines(outbox_of(storage(), study.name, settings_of(study, options.declared)))


def printed(answer: Answer, options: Options) -> int:
    """Print what a verb found, as text or as data."""
    say(json.dumps(answer.data, indent=2) if options.json else answer)
    return 0


def export(study: Study, options: Options) -> int:
    """Print every trial of the study that has a run, one row each."""
    return printed(rows_told(_standing(study, options)), options)


def rows_told(found: StudyReport) -> Answer:
    """Every trial that has a run, one row each, as CSV."""
    from paribus.report.export import trials_as_csv, trials_as_rows

    rows = trials_as_rows(found)
    return Answer(title=found.title, text=trials_as_csv(found), data=rows, rows=rows)


def _run(study: Study, options: Options, only: frozenset[Action] | None) -> int:
    from paribus.execution.driver import drive

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        return drive(study, options, uri, only)


def _standing(study: Study, options: Options) -> StudyReport:
    """What the ledger holds of the study's trials, not judged."""
    from paribus.report.judging import standing

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        return standing(study, uri, home(), settings_of(study, options.declared))


def _planned(study: Study, options: Options, uri: str | None) -> Preview:
    """The plan against the ledger, or as if nothing had run where none can be asked."""
    if uri is None:
        note = "no ledger is up, so nothing counts as done (paribus up)"
        return make_preview(study, home(), None, options, note=note)
    from paribus.report.doubts.chance import judged_when_read

    near = partial(trials_near, study, uri, judged_when_read(home()))
    return make_preview(study, home(), _records(study, uri), options, near=near)


def _look(preview: Preview, options: Options, uri: str) -> str:
    """That running the study as it is asked for adds to it, or chooses otherwise, after a look; "" where not."""
    from paribus.engine.looks import history_of, is_look, look_note
    from paribus.report.doubts.chance import judged_when_read
    from paribus.report.judging import study_run_of
    from paribus.shards.catalog import data_digest
    from paribus.tracking.ledger import Ledger

    study, settings, redone = preview.plan.study, preview.settings, preview.redone()
    with Ledger(uri, judge=judged_when_read(home())) as ledger:
        history = history_of(ledger, study_run_of(ledger, study.name, settings))
        if not (redone or is_look(history, study)):
            return ""
        records = ledger.trials(study.name)
        return look_note(history, study, records, lambda recipe: data_digest(recipe, home()), redone)


def _records(study: Study, uri: str) -> list[TrialRecord]:
    from paribus.report.doubts.chance import judged_when_read
    from paribus.tracking.ledger import Ledger

    with Ledger(uri, judge=judged_when_read(home())) as ledger:
        return ledger.trials(study.name)
