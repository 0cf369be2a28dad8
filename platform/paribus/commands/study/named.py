"""Status, report and export of what the ledger holds, by name: no study file is needed."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.host.home import home
from paribus.host.say import say
from paribus.study.designs.arms import StudyError

if TYPE_CHECKING:
    from paribus.commands.answer import Answer
    from paribus.engine.options import Options
    from paribus.engine.searches.tuning import ArmTuning
    from paribus.report.reading import LedgerReader
    from paribus.report.searches.search_report import SearchReport
    from paribus.study.study import Study
    from paribus.tracking.studies.record import StudyRecord

_BUDGET_S = 5.0
# What varies a study's file, by the name of its argument.
_OF_FILES = {
    "settings": "--set",
    "replicates": "--replicates",
    "trials": "--trials",
    "fresh": "--fresh",
}


def is_name(text: str) -> bool:
    """Whether it can only be the name of a study, or its title (`width · budget=2 epochs`), and no file."""
    name = text.partition(" · ")[0]
    return bool(name) and all(letter.isalnum() or letter in "_-" for letter in name) and not Path(text).is_file()


@contextmanager
def ledger_reader(ledger: str | None) -> Iterator[LedgerReader]:
    """A reader of the ledger that a command means; a local one is started for the while."""
    from paribus.report.reading import LedgerReader
    from paribus.tracking.address import ledger_at

    with ledger_at(home(), ledger, start=True) as uri:
        assert uri is not None
        reader = LedgerReader(uri, budget_s=_BUDGET_S)
        try:
            yield reader
        finally:
            reader.close()


def verb_by_name(args: argparse.Namespace, options: Options) -> int:
    """`status`, `report` or `export` of what `args.file` names.

    Raises:
        StudyError: there is no such study, or an option is for a study's file.
    """
    from paribus.commands.study import study_verbs
    from paribus.commands.study.study_verbs import check_places, printed
    from paribus.report.searches.search_reading import is_search
    from paribus.report.views.listing import named

    wrong = [word for name, word in _OF_FILES.items() if getattr(args, name, None) not in (None, False, [])]
    wrong += ["--base"] if args.base != os.environ.get("PARIBUS_BASE") else []
    if wrong:
        raise StudyError(
            f"{wrong[0]} varies a study's file, and {args.file!r} is a name: what the ledger has of it is shown as it "
            "is, and --settings chooses among its settings"
        )
    check_places(options)
    with ledger_reader(options.ledger) as reader:
        records = reader.studies()
        record = named(records, args.file, args.at)
        if is_search(record):
            return printed(_of_search(args.verb, reader, record, records, options), options)
        if args.verb == "report":
            return _report(reader, record, records, options)
        standing = reader.standing(record, reader.trials(record))
    found = study_verbs.rows_told(standing) if args.verb == "export" else study_verbs.standing_told(standing)
    return printed(found, options)


def search_by_name(text: str, ledger: str | None) -> SearchReport:
    """A search, with what stood up of it. Raises StudyError where there is none of that name."""
    from paribus.report.searches.search_reading import is_search
    from paribus.report.views.listing import named

    with ledger_reader(ledger) as reader:
        records = reader.studies()
        record = named(records, text)
        if not is_search(record):
            raise StudyError(
                f"{text!r} is a study, and `paribus search` is about searches: `paribus report` shows a study"
            )
        return _confirmed(reader, record, records)


def _confirmed(reader: LedgerReader, record: StudyRecord, records: Sequence[StudyRecord]) -> SearchReport:
    from paribus.report.searches.search_reading import confirmation_of

    found = reader.search(record)
    study = confirmation_of(found, records)
    return replace(found, confirmation=reader.report(study, reader.trials(study))) if study else found


def _of_search(
    verb: str, reader: LedgerReader, record: StudyRecord, records: Sequence[StudyRecord], options: Options
) -> Answer:
    from paribus.commands.study import search_verbs
    from paribus.report.texts import turn_notes

    if verb == "report":
        return search_verbs.told(_confirmed(reader, record, records), options)
    found = reader.search(record)
    return search_verbs.rows_told(found) if verb == "export" else search_verbs.standing_told(found, turn_notes(record))


def _report(reader: LedgerReader, record: StudyRecord, records: Sequence[StudyRecord], options: Options) -> int:
    """The verdicts of a study, and how its arms were tuned where they were."""
    from paribus.commands.study import study_verbs, tuned_verbs

    trials = reader.trials(record)
    found, study = reader.report(record, trials), trials.study
    if found.analysis is None or study is None:
        raise StudyError(f"{record.title} can't be judged: {found.trouble}")
    if options.html:
        found = replace(found, curves=reader.curves(trials.rows, study.metric))
    tuned = _tuning(reader, study, records)
    found = replace(found, notes=(*found.notes, *(tuned_verbs.notes_of(tuned) if tuned else ())))
    study_verbs.write_where_asked(found, options)
    if tuned and options.json:
        say(json.dumps({**found.as_dict(), "tuning": tuned_verbs.data_of(tuned)}, indent=2))
        return 0
    return study_verbs.shown(found, options)


def _tuning(reader: LedgerReader, study: Study, records: Sequence[StudyRecord]) -> list[ArmTuning]:
    from paribus.report.searches.search_reading import arm_tuning, tunings_of

    found = (arm_tuning(study, reader.search(run)) for run in tunings_of(study, records))
    return [each for each in found if each is not None]
