"""`paribus pause` and `paribus resume`: a study gives up its places on the cluster, and goes on where it was."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_ledger
from paribus.host.say import say
from paribus.study.designs.arms import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.tracking.studies.record import StudyRecord

_BUDGET_S = 5.0
_EXAMPLES = """examples:
  paribus pause width                              its trials save themselves, and others get its places
  paribus resume width                             it goes on from there
  paribus pause width --settings "budget=2 epochs"   one that was run at other settings than its file's
"""


def register(verbs: Any) -> None:
    """Add both commands."""
    for verb, text in (
        ("pause", "let a study or search save what runs and give its places to others, until `resume`"),
        ("resume", "let a paused study or search go on from where it was"),
    ):
        parser = verbs.add_parser(
            verb,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("name", metavar="STUDY", help="its name, as `paribus studies` lists it")
        parser.add_argument("--settings", metavar="WORDS", dest="at", help="at which settings, as the list has them")
        add_ledger(parser)
        parser.set_defaults(run=_pause if verb == "pause" else _resume)


def _pause(args: argparse.Namespace) -> int:
    for record in _change(args, paused=True):
        title = record.title
        if record.paused is not None:
            say(f"{title} is paused already, by {record.paused.by}: {_resume_hint(title)}")
        elif record.driver is not None and record.live:
            say(
                f"{title} is paused: within some 15 s its trials save themselves, and its places on the cluster are "
                f"free. Its driver (process {record.driver.pid} on {record.driver.host}) stays and waits. "
                f"{_resume_hint(title)}"
            )
        else:
            say(f"{title} is paused: nothing of it runs, and what starts it next waits. {_resume_hint(title)}")
    return 0


def _resume(args: argparse.Namespace) -> int:
    for record in _change(args, paused=False):
        title = record.title
        if record.paused is None:
            say(f"{title} is not paused")
        elif record.live:
            say(f"{title} goes on within some 10 s")
        else:
            say(f"{title} is no longer paused; nothing runs it now: the same command as before goes on")
    return 0


def _change(args: argparse.Namespace, *, paused: bool) -> Sequence[StudyRecord]:
    """Write into the ledger that what is meant is paused, or no longer; how it stood before.

    Raises:
        StudyError: there is no such study, or nothing is left of it to be paused.
    """
    from paribus.host.home import home
    from paribus.report.views.listing import named
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    with ledger_at(home(), args.ledger, start=True) as uri:
        assert uri is not None
        with Ledger(uri, budget_s=_BUDGET_S) as ledger:
            records = ledger.studies()
            meant = _meant(records, args.name, args.at) or [named(records, args.name, args.at)]
            if paused and all(each.status == "FINISHED" and not each.live for each in meant):
                raise StudyError(f"{meant[0].title} is finished: there is nothing of it to pause")
            for each in meant:
                if (each.paused is None) is paused:
                    ledger.pause(each, paused=paused)
    return meant


def _meant(records: Sequence[StudyRecord], name: str, at: str | None) -> list[StudyRecord]:
    """The tunings of a study's arms that are at work or paused, where that is what the study does now."""
    from paribus.study.searches.tuning import TUNING

    if at is not None:
        return []
    return [each for each in records if each.name == f"{name}{TUNING}" and (each.live or each.paused is not None)]


def _resume_hint(title: str) -> str:
    from paribus.execution.turns.turn import resume_command

    return f"`{resume_command(title)}` lets it go on"
