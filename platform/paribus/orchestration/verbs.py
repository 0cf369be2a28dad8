"""The study verbs: plan, run, retry, status, report, export. Each is safe to repeat."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.orchestration.ledger_address import ledger_at
from paribus.orchestration.options import Options
from paribus.orchestration.planning import Outlook, look_out
from paribus.orchestration.texts import plan_text, status_text
from paribus.recipe.home import home
from paribus.study.plan import Action
from paribus.study.settings import settings_of
from paribus.study.study import Study

if TYPE_CHECKING:
    from paribus.tracking.ledger_records import TrialRecord


def plan(study: Study, options: Options) -> int:
    """Print what `run` would do; trains nothing."""
    with ledger_at(home(), options.ledger, start=False) as uri:
        outlook = _planned(study, options, uri)
    print(json.dumps(outlook.as_dict(), indent=2) if options.json else plan_text(outlook))
    return 0


def run(study: Study, options: Options) -> int:
    """Complete the study; 0 if every trial has a result, 1 if some failed, 130 if it was interrupted."""
    return _run(study, options, None)


def retry(study: Study, options: Options) -> int:
    """Run the failed trials alone."""
    return _run(study, options, frozenset[Action]({"retry"}))


def status(study: Study, options: Options) -> int:
    """Print how far the study is."""
    with ledger_at(home(), options.ledger, start=True) as uri:
        outlook = _planned(study, options, uri)
    if options.json:
        print(json.dumps([_row(record) for record in outlook.records or ()], indent=2))
        return 0
    print(status_text(outlook))
    return 0


def report(study: Study, options: Options) -> int:
    """Print effects with intervals, verdicts and the claim; also as a page or Markdown where asked."""
    from paribus.orchestration.reporting import judge, show, write_html, write_markdown

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        judged = judge(study, uri, home(), settings_of(study, options.declared), fresh=options.fresh)
        if options.json:
            print(json.dumps(judged.as_dict(), indent=2))
        else:
            show(judged)
        if options.html:
            print(f"wrote {write_html(judged, Path(options.html))}", file=sys.stderr)
        if options.markdown:
            print(f"wrote {write_markdown(judged, Path(options.markdown))}", file=sys.stderr)
    return 0


def export(study: Study, options: Options) -> int:
    """Print every trial of the study that has a run, one row each."""
    with ledger_at(home(), options.ledger, start=True) as uri:
        rows = [_row(record) for record in _planned(study, options, uri).records or ()]
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    columns = list(dict.fromkeys(column for row in rows for column in row))
    writer = csv.DictWriter(sys.stdout, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return 0


def _run(study: Study, options: Options, only: frozenset[Action] | None) -> int:
    from paribus.orchestration.driver import drive

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        return drive(study, options, uri, only)


def _planned(study: Study, options: Options, uri: str | None) -> Outlook:
    """The plan against the ledger, or as if nothing had run where none can be asked."""
    if uri is None:
        return look_out(study, home(), None, options, note="no ledger is up, so nothing counts as done (make up)")
    return look_out(study, home(), _records(study, uri), options)


def _records(study: Study, uri: str | None) -> list[TrialRecord]:
    from paribus.tracking.ledger import Ledger

    assert uri is not None
    ledger = Ledger(uri)
    try:
        return ledger.trials(study.name)
    finally:
        ledger.close()


def _row(record: TrialRecord) -> dict[str, object]:
    from paribus.orchestration.mixtures import made_with

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
