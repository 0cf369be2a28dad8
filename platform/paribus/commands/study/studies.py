"""`paribus studies`: what the ledger holds, a line each."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json, add_ledger
from paribus.host.say import say
from paribus.report.drawing.columns import aligned
from paribus.study.words import STANDINGS

if TYPE_CHECKING:
    from paribus.report.views.listing import Listed

_EXAMPLES = """examples:
  paribus studies                              every study and search, the latest touched first
  paribus studies width                        those with this in their name, settings or question
  paribus studies --state running --json       for a script: what is being trained now
  paribus report width                         one of them, judged; its file is not needed
  paribus report width --settings "budget=2 epochs"
"""
_FOLDED = "tunings of arms are not listed: --kind tuning lists them"


def register(verbs: Any) -> None:
    """Add the command."""
    parser = verbs.add_parser(
        "studies",
        help="what is in the ledger: every study and search, how far it is, and what came of it",
        description="What is in the ledger: every study and search at each of its settings, how far it is, and what "
        "came of it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("words", metavar="WORD", nargs="*", help="only those that have every such word in name, settings or question")
    add("--state", choices=STANDINGS, help="only those that stand so")
    add("--kind", choices=("study", "search", "tuning"), help="only studies, searches, or tunings of a study's arms")
    add_ledger(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from paribus.commands.study.named import ledger_reader
    from paribus.report.texts import first_steps
    from paribus.report.views.listing import listed
    from paribus.report.views.overview import wanted

    with ledger_reader(args.ledger) as reader:
        everything = reader.studies()
        found = listed(reader, wanted(everything, text=" ".join(args.words), state=args.state or ""))
    shown = [each for each in found if each.kind == args.kind or (args.kind is None and each.kind != "tuning")]
    if args.json:
        say(json.dumps([each.as_dict() for each in shown], indent=2))
        return 0
    if not everything:
        say(f"the ledger holds no study yet.\n\n{first_steps()}")
    elif not shown:
        say(f"none of the {len(everything)} in the ledger is so")
    else:
        say("\n".join(_table(shown)))
    if args.kind is None and (num := len(found) - len(shown)):
        say(f"{num} {_FOLDED}")
    return 0


def _table(shown: list[Listed]) -> list[str]:
    rows = [each.cells() for each in shown]
    return aligned([[*rows[0]], *([*row.values()] for row in rows)])
