"""The study verbs: plan, run, retry, status, report, export. Each is safe to repeat."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.commands.answer import Answer
from paribus.commands.ledger import unsent_lines
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.execution.trial_spec import outbox_of
from paribus.host.home import home
from paribus.host.say import say, warn
from paribus.report.texts import plan_text, status_text
from paribus.study.plan import Action
from paribus.study.settings import settings_of
from paribus.study.study import Study
from paribus.tracking.address import ledger_at

if TYPE_CHECKING:
    from paribus.report.study_report import Judged
    from paribus.tracking.trials.record import TrialRecord


def plan(study: Study, options: Options) -> int:
    """Print what `run` would do; trains nothing."""
    return _printed(planned(study, options), options)


def run(study: Study, options: Options) -> int:
    """Complete the study; 0 if every trial has a result, 1 if some failed, 130 if it was interrupted."""
    return _run(study, options, None)


def retry(study: Study, options: Options) -> int:
    """Run the failed trials alone."""
    return _run(study, options, frozenset[Action]({"retry"}))


def status(study: Study, options: Options) -> int:
    """Print how far the study is."""
    return _printed(recorded(study, options), options)


def report(study: Study, options: Options) -> int:
    """Print effects with intervals, verdicts and the claim; also as a page or Markdown where asked."""
    from paribus.report.study_report import show

    found = _judged(study, options)
    if options.json:
        say(json.dumps(found.as_dict(), indent=2))
    else:
        show(found)
        for line in _unsent(study, options):
            say(line)
    return 0


def planned(study: Study, options: Options) -> Answer:
    """What `run` would do; one row an arm."""
    with ledger_at(home(), options.ledger, start=False) as uri:
        preview = _planned(study, options, uri)
        if uri is not None:
            preview = replace(preview, look=_look(study, options, uri))
    text = plan_text(preview)
    by_arm = {arm: Counter(step.action for step in preview.plan.steps if step.trial.arm == arm) for arm in study.arms}
    rows = [{"arm": arm.name, "replicates": study.replicates, **counts} for arm, counts in by_arm.items()]
    title, *notes = text.splitlines()
    return Answer(title=title, text=text, data=preview.as_dict(), rows=rows, notes=notes)


def recorded(study: Study, options: Options) -> Answer:
    """How far the study is; one row a trial."""
    with ledger_at(home(), options.ledger, start=True) as uri:
        preview = _planned(study, options, uri, check=False)
    text = "\n".join([status_text(preview), *(f"  {line}" for line in _unsent(study, options))])
    rows = [_row(record) for record in preview.records or ()]
    title, *notes = text.splitlines()
    return Answer(title=title, text=text, data=rows, rows=rows, notes=notes)


def judged(study: Study, options: Options) -> Answer:
    """Effects, verdicts and the claim; one row a contrast."""
    from paribus.report.study_report import notes_of, text_of
    from paribus.report.tables import display_rows

    found = _judged(study, options)
    title = f"{found.title}: {study.question}"
    rows, notes = display_rows(found.analysis), notes_of(found)
    return Answer(title=title, text=text_of(found), data=found.as_dict(), rows=rows, notes=notes)


def ran(study: Study, options: Options) -> Answer:
    """`judged` after the study was completed; `code` is that of `run`."""
    _check_places(options)
    code = run(study, options)
    return replace(judged(study, options), code=code)


def _judged(study: Study, options: Options) -> Judged:
    """The judgement, written where `options` ask for it; such a place is looked at before any work is done."""
    from paribus.report.study_report import judge, write_html, write_markdown

    _check_places(options)
    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        found = judge(study, uri, home(), settings_of(study, options.declared), fresh=options.fresh)
        if options.html:
            warn(f"wrote {write_html(found, Path(options.html))}")
        if options.markdown:
            warn(f"wrote {write_markdown(found, Path(options.markdown))}")
    return found


def _check_places(options: Options) -> None:
    """StudyError where a report that is asked for cannot be written."""
    from paribus.report.files import check_place

    for place in filter(None, (options.html, options.markdown)):
        check_place(Path(place))


def _unsent(study: Study, options: Options) -> list[str]:
    """What of the study, at the settings that were asked for, waits on disk."""
    return unsent_lines(outbox_of(home(), study.name, settings_of(study, options.declared)))


def _printed(answer: Answer, options: Options) -> int:
    say(json.dumps(answer.data, indent=2) if options.json else answer)
    return 0


def export(study: Study, options: Options) -> int:
    """Print every trial of the study that has a run, one row each."""
    with ledger_at(home(), options.ledger, start=True) as uri:
        rows = [_row(record) for record in _planned(study, options, uri, check=False).records or ()]
    if options.json:
        say(json.dumps(rows, indent=2))
        return 0
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    say(table.getvalue().rstrip("\n"))
    return 0


def _run(study: Study, options: Options, only: frozenset[Action] | None) -> int:
    from paribus.execution.driver import drive

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        return drive(study, options, uri, only)


def _planned(study: Study, options: Options, uri: str | None, check: bool = True) -> Preview:
    """The plan against the ledger, or as if nothing had run where none can be asked."""
    if uri is None:
        note = "no ledger is up, so nothing counts as done (paribus up)"
        return make_preview(study, home(), None, options, note=note, check=check)
    return make_preview(study, home(), _records(study, uri), options, check=check)


def _look(study: Study, options: Options, uri: str) -> str:
    """That running the study as it is asked for adds to it after a look; "" where it does not."""
    from paribus.engine.looks import history_of, is_raise, raise_note
    from paribus.report.chance import judged_when_read
    from paribus.shards.catalog import data_digest
    from paribus.tracking.ledger import Ledger

    settings = settings_of(study, options.declared)
    with Ledger(uri, judge=judged_when_read(home())) as ledger:
        parent = ledger.study(study.name, settings.digest) or (ledger.study(study.name) if settings.declared else None)
        history = history_of(ledger, parent)
        if not is_raise(history, study):
            return ""
        return raise_note(history, study, ledger.trials(study.name), lambda recipe: data_digest(recipe, home()))


def _records(study: Study, uri: str | None) -> list[TrialRecord]:
    from paribus.report.chance import judged_when_read
    from paribus.tracking.ledger import Ledger

    assert uri is not None
    ledger = Ledger(uri, judge=judged_when_read(home()))
    try:
        return ledger.trials(study.name)
    finally:
        ledger.close()


def _row(record: TrialRecord) -> dict[str, object]:
    from paribus.report.mixtures import made_with

    levels = {path: str(level) for path, level in record.arm.levels}
    return {
        "arm": record.arm_name,
        **levels,
        "replicate": record.replicate,
        "outcome": record.outcome or ("running" if record.running else "interrupted"),
        "outcome_step": "" if record.outcome_step is None else record.outcome_step,
        **record.metrics,
        "attempt": record.attempt,
        **made_with(record),
        "reason": record.reason,
        "trial_id": record.trial_id,
        "run": record.url,
    }
