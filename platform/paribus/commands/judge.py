"""`paribus judge`: a verdict for results that were made elsewhere."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json, add_ledger
from paribus.host.option_types import whole
from paribus.host.say import say, warn

if TYPE_CHECKING:
    from paribus.results.columns import Asked
    from paribus.results.runs import Runs

_TEXT = "a verdict for results that were made elsewhere: a table, an MLflow experiment, TensorBoard, Optuna, trackio"
_EXAMPLES = """examples:
  paribus judge runs.csv --arm activation --seed seed --metric val_acc --baseline relu --margin 0.5
  paribus judge runs.csv --baseline relu --margin 0.5            columns are found by their names and values
  paribus judge mlflow:my_experiment --metric test_acc --baseline adam --margin 0.3
  paribus judge runs/ --baseline plain --margin 0.5              TensorBoard's event files, or JSON files
  paribus judge sweep.csv --where epochs=90 --baseline base --margin 0.5 --json && echo keep

A table has one row a run. Runs of two arms with the same seed are a pair; verdicts are by the rule of all studies
(paired t with Holm's correction, two one-sided tests within the margin, Boschloo's test where runs failed to train).
An empty metric with the outcome `diverged`, `dead` or `stuck` is a run that failed to train, with `failed` one without
a result, with `stopped` one that was cut.

exit code: 0 keep (an arm is better), 1 drop (none is), 2 unresolved, or nothing that can be judged"""


def register(verbs: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "judge",
        help=_TEXT,
        description=f"{_TEXT[0].upper()}{_TEXT[1:]}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("results", metavar="RESULTS", help="a file, a folder, a database (FILE#STUDY) or mlflow:EXPERIMENT")
    add("--arm", metavar="COLUMN", action="append", default=[], help="what tells the arms apart; may be given again")
    add("--seed", metavar="COLUMN", default="", help="what pairs share")
    add("--metric", metavar="COLUMN", default="", help="what is compared")
    add("--baseline", metavar="LEVEL", default="", help="the arm that the others are compared with")
    add("--margin", metavar="M", type=float, help="the smallest effect of interest, in the metric's unit")
    add("--alpha", metavar="A", type=float, default=0.05, help="the share of false verdicts of each kind (0.05)")
    add("--outcome", metavar="COLUMN", default="", help="how each run ended: finished, diverged, dead, stuck ...")
    add("--where", metavar="COLUMN=VALUE", action="append", default=[], help="keep such runs alone; may be given again")
    direction = parser.add_mutually_exclusive_group()
    for option, lower in (("--lower-is-better", True), ("--higher-is-better", False)):
        direction.add_argument(option, dest="lower", action="store_const", const=lower, help="else by its name")
    add("--examples", metavar="N", type=whole(1), help="evaluation examples of an accuracy: its smallest step")
    add_ledger(parser)
    add_json(parser)
    add("--markdown", metavar="FILE", help="also write the table as Markdown, for a pull request")
    add("--html", metavar="FILE", help="also write one page with a plot, which `paribus verify` proves")
    parser.set_defaults(run=_judge)


def _judge(args: argparse.Namespace) -> int:
    from paribus.report.files import check_place, write_whole
    from paribus.results.comparison import compared
    from paribus.results.drawing import as_markdown, as_text
    from paribus.results.judgement import judge_comparison

    for place in filter(None, (args.markdown, args.html)):
        check_place(Path(place))
    found = judge_comparison(compared(_runs(args), _asked(args)))
    say(json.dumps(found.as_dict(), indent=2) if args.json else as_text(found))
    if args.markdown:
        warn(f"wrote {write_whole(Path(args.markdown), as_markdown(found))}")
    if args.html:
        from paribus.results.page import write_judgement

        warn(f"wrote {write_judgement(found, Path(args.html))}")
    return found.code


def _runs(args: argparse.Namespace) -> Runs:
    from paribus.host.home import home
    from paribus.results.sources import read_runs
    from paribus.results.sources.places import MLFLOW
    from paribus.tracking.address import ledger_at

    if not args.results.startswith(MLFLOW):
        return read_runs(args.results)
    with ledger_at(home(), args.ledger, start=True) as uri:
        return read_runs(args.results, uri)


def _asked(args: argparse.Namespace) -> Asked:
    from paribus.results.columns import Asked
    from paribus.results.runs import ResultsError

    where = []
    for text in args.where:
        column, sign, value = text.partition("=")
        if not sign:
            raise ResultsError(f"--where {text}: it takes COLUMN=VALUE")
        where.append((column, value))
    return Asked(
        arm=tuple(column for given in args.arm for column in given.split(",")),
        seed=args.seed,
        metric=args.metric,
        baseline=args.baseline,
        margin=args.margin,
        alpha=args.alpha,
        outcome=args.outcome,
        where=tuple(where),
        lower=args.lower,
        examples=args.examples,
    )
