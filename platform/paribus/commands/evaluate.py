"""`paribus evaluate TRIAL...`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from paribus.commands.shared_options import add_json, add_ledger
from paribus.host.option_types import whole
from paribus.host.say import say, warn
from paribus.host.time_left import duration, time_left
from paribus.metrics.known import METRICS

if TYPE_CHECKING:
    from paribus.analysis.statistics.examples import Estimate
    from paribus.evaluation.evaluated import Evaluated, Evaluation, Gain
    from paribus.metrics.metric import Metric
    from paribus.tracking.ledger import Ledger

_EXAMPLES = """examples:
  paribus evaluate 3f9a0c1b --crops 144           a trial, by the beginning of its id (`paribus export` lists ids)
  paribus evaluate width:best --crops 10          the trial of a study with the highest top-1
  paribus evaluate "width:k=4 · r2" "width:k=4 · r3"          two replicates and their ensemble
  paribus evaluate 3f9a 77c2 90ab e41d --crops 144 --exclude blacklist.txt    Inception-v4's Table 5, with four trials

crops: 1 (as training evaluates), 10 (AlexNet), 12, 144 (GoogLeNet), dense (whole images, five scales).
The geometry is at the top of paribus/training/evaluation/views.py."""
# Metrics beside one another in a line.
_ABREAST = 3
_QUIET_S, _TERMINAL_S, _FILE_S = 2.0, 0.5, 20.0


def register(subparsers: Any) -> None:
    """Add `evaluate` to the command line's subparsers; torch is imported when it runs."""
    evaluate = subparsers.add_parser(
        "evaluate",
        help="finished trials again, with more crops, as an ensemble, without some examples",
        description="Evaluate finished trials as the papers do: each, and several together as the mean of their "
        "probabilities. Results are kept with each trial's run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = evaluate.add_argument
    add("trials", metavar="TRIAL", nargs="+", help="a trial's id or its beginning, a run's id, STUDY:best or STUDY:RUN")
    add("--crops", metavar="1|10|12|144|dense", default="1", type=_protocol, help="looks at each image (default 1)")
    add("--classes", action="store_true", help="the accuracy of each class too")
    add("--exclude", metavar="FILE", type=Path, help="leave these keys out: one a line, or ILSVRC numbers")
    add("--device", metavar="cpu|cuda", default="", help="where to compute (default: a GPU where there is one)")
    add("--cpus", metavar="N", type=whole(0), help="threads (default: as many as the trial trained with)")
    add("--shards", metavar="PLACE", help="where the trials' data lies, if not where their recipes say")
    add_ledger(evaluate)
    add_json(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _protocol(text: str) -> str:
    from paribus.training.evaluation.views import PROTOCOLS

    if text not in PROTOCOLS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(PROTOCOLS)}")
    return text


def _evaluate(args: argparse.Namespace) -> int:
    try:
        return _evaluated(args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted: nothing of it was kept, and the same command starts again") from None


def _evaluated(args: argparse.Namespace) -> int:
    from paribus.evaluation.trial_names import find_trial
    from paribus.host.home import home
    from paribus.plugins import stand_beside
    from paribus.report.doubts.chance import judged_when_read
    from paribus.tracking.address import ledger_at
    from paribus.tracking.ledger import Ledger

    stand_beside(Path.cwd())  # where components and metrics of one's own are looked for
    with ledger_at(home(), args.ledger, start=True) as uri:
        assert uri is not None
        with Ledger(uri, judge=judged_when_read(home())) as ledger:
            records = [find_trial(ledger, word) for word in args.trials]
            from paribus.evaluation.trials import evaluate, open_members

            asked = {"data.shards": args.shards, "resources.cpus": args.cpus}
            changes = {path: value for path, value in asked.items() if value is not None}
            members = open_members(ledger, records, home(), changes)
            found = evaluate(ledger, members, args.crops, args.exclude, args.device, watch, args.classes)
            say(json.dumps(found.as_dict(), indent=2) if args.json else evaluation_text(found))
            _record(ledger, found)
    return 0


def _record(ledger: Ledger, found: Evaluation) -> None:
    """Keep each trial's result with its run; a ledger that went away meanwhile costs no result, for it is printed."""
    from paribus.tracking import LedgerError
    from paribus.tracking.trials.evaluations import record_evaluation

    for member in found.members:
        assert member.record is not None
        estimates = member.estimates
        # MLflow's pages slow down with the number of metrics, so that only the whole set gets its own.
        metrics = {} if found.subset.digest else {key: estimate.value for key, estimate in estimates.items()}
        document = {
            **{key: estimate.as_dict() for key, estimate in estimates.items()},
            "num_excluded": found.subset.num_excluded,
            "weights": member.record.weights,
        }
        try:
            record_evaluation(ledger.rest, member.record, found.name, metrics, document)
        except LedgerError as error:
            warn(f"note: the ledger did not take these results ({error})")
            return


def evaluation_text(found: Evaluation) -> str:
    """The evaluation as people read it."""
    looks = {"1": "single crop", "dense": "dense, five scales and mirrors"}.get(found.crops, f"{found.crops} crops")
    n = len(found.subset.rows)
    lines = [f"{found.data}, {found.split} split ({found.data_digest[:12]}), {n:,} images, {looks}"]
    if found.subset.digest:
        lines.append(f"without {found.subset.num_excluded:,} listed images (list {found.subset.digest})")
    rows = {member.name: member for member in found.members}
    if found.ensemble:
        rows[f"{found.ensemble.name} of {len(found.members)}"] = found.ensemble
    width = max(map(len, rows)) + 2
    lines += _tables(rows, found.metrics, width)
    lines += [_gain_line(gain, found.metrics) for gain in found.gains]
    lines.append(f"[95 % intervals over the {n:,} images: another test set of this size, not another training]")
    if bare := _without_interval(rows.values(), found.metrics):
        lines.append(f"note: {bare} is no mean over images and has no interval over them; replicates give it one")
    if found.ensemble:
        lines.append("note: the best was picked on these images, which makes the ensemble's gain over it look smaller")
    lines += [f"note: {note}" for note in found.notes]
    for name, row in rows.items():
        lines += _class_lines(name, row, found.class_names)
    return "\n".join(lines)


def _tables(rows: Mapping[str, Evaluated], metrics: Sequence[Metric], width: int) -> list[str]:
    """The metrics of all rows, a few beside one another."""
    lines = []
    there = [metric for metric in metrics if any(metric.name in row.estimates for row in rows.values())]
    for some in (there[start : start + _ABREAST] for start in range(0, len(there), _ABREAST)):
        heads = [f"{metric.short}, {metric.of_level}" for metric in some]
        lines.append(_aligned("", width, heads))
        for name, row in rows.items():
            cells = [_shown(metric, one) if (one := row.estimates.get(metric.name)) else "-" for metric in some]
            lines.append(_aligned(name, width, cells))
    return lines


def _aligned(name: str, width: int, cells: Sequence[str]) -> str:
    return f"{name:<{width}}{''.join(f'{cell:<26}' for cell in cells)}".rstrip()


def _without_interval(rows: Iterable[Evaluated], metrics: Sequence[Metric]) -> str:
    bare = {name for row in rows for name, one in row.estimates.items() if one.interval is None and isfinite(one.value)}
    return ", ".join(metric.short for metric in metrics if metric.name in bare and not metric.per_example)


def _gain_line(gain: Gain, metrics: Sequence[Metric]) -> str:
    told = [metric for metric in metrics if metric.headline and metric.name in gain.estimates]
    parts = [f"{metric.short} {_shown(metric, gain.estimates[metric.name], '+')} {metric.unit}" for metric in told]
    return f"{gain.of} over {gain.over}: {', '.join(parts)}, paired"


def _shown(metric: Metric, estimate: Estimate, sign: str = "") -> str:
    value = metric.show(estimate.value, sign)
    if estimate.interval is None:
        return value
    return f"{value} [{metric.show(estimate.interval.low, sign)}, {metric.show(estimate.interval.high, sign)}]"


def _class_lines(name: str, row: Evaluated, class_names: Sequence[str]) -> list[str]:
    """`horse   88.40 [86.26, 90.25] of 1,000, most often taken for deer`, a class a line, with Wilson's interval."""
    from paribus.analysis.statistics.examples import accuracy

    lines = [f"{name}, top-1 of each class, %"] if row.classes else []
    width = max((len(class_names[one.label]) for one in row.classes), default=0) + 2
    for one in row.classes:
        share = accuracy([True] * one.right + [False] * (one.n - one.right))
        other = "" if one.taken_for is None else f", most often taken for {class_names[one.taken_for]}"
        lines.append(f"  {class_names[one.label]:<{width}}{_shown(METRICS['top1'], share)} of {one.n:,}{other}")
    return lines


def watch(name: str, num_images: int, out: TextIO | None = None) -> Callable[[int], object]:
    """Say on stderr, for an evaluation that takes longer than moments, how far it is and how long it will take."""
    to = out or sys.stderr
    live = to.isatty()
    begun = spoken = time.monotonic()
    done = 0

    def advance(num_more: int) -> None:
        nonlocal spoken, done
        done += num_more
        now = time.monotonic()
        over = done >= num_images
        if now - begun < _QUIET_S or (not over and now - spoken < (_TERMINAL_S if live else _FILE_S)):
            return
        spoken = now
        left_s = time_left(now - begun, done, num_images - done)
        left = "done" if over or left_s is None else f"about {duration(left_s)} left"
        line = f"{name}: {done:,} of {num_images:,} images, {done / (now - begun):,.0f} a second, {left}"
        print(f"\r{line}\x1b[K" if live else line, end="\n" if over or not live else "", file=to, flush=True)

    return advance
