"""`paribus search`: the best that was found, what a search would try next, and which of its fields mattered."""

from __future__ import annotations

import argparse
import json
from typing import Any

from paribus.commands.shared_options import add_json
from paribus.host.option_types import whole
from paribus.host.say import say

_EXAMPLES = """examples:
  paribus search best studies/rate_search.py                     the best settings, and what stood up of them
  paribus search best studies/rate_search.py --recipe best.json  the best as a recipe: Study(base=Recipe.read(...)).
                                                                 Of a confirmed search, what stands up best; the
                                                                 baseline, where nothing is better than it
  paribus search best rate_search                                of what the ledger has by that name, without its file
  paribus search suggest studies/rate_search.py --number 3       what it would try next, and why
  paribus search importance studies/rate_search.py               which fields mattered, by PED-ANOVA and fANOVA
"""


def register(verbs: Any) -> None:
    """Add the command."""
    parser = verbs.add_parser(
        "search",
        help="the best that a search found, what it would try next, and which fields mattered",
        description="The best that a search found, what it would try next, and which of its fields mattered.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    best = _add(inner, "best", "print the best settings; --recipe writes the best one as a recipe", by_name=True)
    best.add_argument(
        "--recipe",
        metavar="FILE",
        help="write the whole recipe of the best there, as JSON: of what stood up, where it was confirmed",
    )
    best.set_defaults(run=_best)
    suggest = _add(inner, "suggest", "print what the search would try next and why; trains nothing")
    suggest.add_argument("--number", type=whole(1), default=1, metavar="N", help="how many settings (1)")
    suggest.set_defaults(run=_suggest)
    matter = _add(inner, "importance", "print how much each field of the search mattered, with intervals", by_name=True)
    matter.set_defaults(run=_importance)


def _add(inner: Any, name: str, text: str, *, by_name: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = inner.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    or_name = ", or its name in the ledger" if by_name else ""
    parser.add_argument("file", metavar="FILE", help=f"a search's file, such as studies/rate_search.py{or_name}")
    parser.add_argument(
        "--ledger", metavar="URL", help="the MLflow server (else MLFLOW_TRACKING_URI, else the stack's)"
    )
    add_json(parser)
    return parser


def _best(args: argparse.Namespace) -> int:
    from pathlib import Path

    from paribus.commands.study.named import is_name, search_by_name
    from paribus.commands.study.search_verbs import reported
    from paribus.engine.options import Options
    from paribus.report.searches.search_texts import chosen_line, confirmed_lines, found_text

    by_name = is_name(args.file)
    found = (
        search_by_name(args.file, args.ledger) if by_name else reported(_search(args.file), Options(ledger=args.ledger))
    )
    recipe = found.recipe()
    lines = [found_text(found), *([*confirmed_lines(found), chosen_line(found)] if found.tried else [])]
    if args.recipe:
        if recipe is None:
            say("\n".join([*lines, f"{args.recipe} is not written: there is no setting to write down"]))
            return 1
        Path(args.recipe).write_text(recipe.model_dump_json(indent=2) + "\n")
    if args.json:
        data = found.as_dict()
        say(json.dumps({key: data[key] for key in ("chosen", "best", "front", "confirmed")}, indent=2))
    else:
        say("\n".join(lines))
        if args.recipe:
            say(f"wrote {args.recipe}: Study(base=Recipe.read(open({args.recipe!r}).read()), ...) varies it")
    return 0 if recipe is not None or found.chosen().number is not None else 1


def _suggest(args: argparse.Namespace) -> int:
    from paribus.commands.study.search_verbs import previewed
    from paribus.engine.options import Options
    from paribus.engine.searches.suggestions import no_more, suggestions

    preview = previewed(_search(args.file), Options(ledger=args.ledger), start=True)
    found = suggestions(preview.walk, args.number)
    if args.json:
        say(json.dumps([{"number": each.number, "levels": each.levels, "why": each.why} for each in found], indent=2))
        return 0
    for each in found:
        say(f"#{each.number} {preview.search.arm_of(each.levels).name or 'as the base recipe'}: {each.why}")
    if len(found) < args.number:
        say(f"nothing{' more' if found else ''}: {no_more(preview.walk)}")
    return 0


def _importance(args: argparse.Namespace) -> int:
    from paribus.commands.study.named import is_name, search_by_name
    from paribus.commands.study.search_verbs import previewed
    from paribus.engine.options import Options
    from paribus.report.searches.search_importance import (
        EXPLORATORY,
        importance_data,
        importance_lines,
        search_importance,
    )
    from paribus.report.searches.search_report import search_report

    if is_name(args.file):
        report = search_by_name(args.file, args.ledger)
    else:
        report = search_report(previewed(_search(args.file), Options(ledger=args.ledger), start=True))
    found = [search_importance(report, "PED-ANOVA"), search_importance(report, "fANOVA")]
    if args.json:
        say(json.dumps([importance_data(each) for each in found], indent=2))
    else:
        say("\n".join([*(line for each in found for line in importance_lines(report, each)), EXPLORATORY]))
    return 0 if any(each.fields for each in found) else 1


def _search(file: str) -> Any:
    from paribus.study.designs.arms import StudyError
    from paribus.study.searches.search import Search
    from paribus.study.study_file import load_study

    found = load_study(file)
    if not isinstance(found, Search):
        raise StudyError(
            f"{file!r} holds a study, and `paribus search` is about searches: `paribus report` shows a study"
        )
    return found
