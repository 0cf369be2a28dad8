"""A judgement of results from elsewhere as one page that proves itself: the runs that it was made from are inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.report.drawing.figures.forest import forest
from paribus.report.drawing.html_parts import listed, shown, table
from paribus.report.files import write_whole
from paribus.report.headline import lead
from paribus.report.page.made import made_page
from paribus.report.page.sheet import Sheet
from paribus.results.comparison import Comparison
from paribus.results.drawing import answer, judgement_notes, judgement_rows, title_of
from paribus.results.judgement import Judgement, judge_comparison
from paribus.study.own_metrics import facts_of, told_metric
from paribus.study.words import Arm, TrialResult

KIND = "judgement"


def write_judgement(found: Judgement, path: Path) -> Path:
    """Write the page."""
    return write_whole(path, made_page(KIND, judgement_document(found.comparison), judgement_sheet))


def judgement_document(made: Comparison) -> dict[str, Any]:
    """All that the comparison rests on, as JSON holds it; arms and seeds are numbered by their places."""
    return {
        "source": made.name,
        "metric": facts_of(made.metric),
        "margin": made.margin,
        "alpha": made.alpha,
        "arms": [[arm.label, arm.levels] for arm in made.arms],
        "baseline": made.arms.index(made.baseline),
        "seeds": made.seeds,
        "num_examples": made.examples,
        "runs": [_as_line(result, made) for result in made.results],
        "told": made.notes,
    }


def judgement_sheet(document: Mapping[str, Any], scale: float = 1.0) -> Sheet:
    """What the page of a judgement shows, judged anew from its document; `scale` is a factor for every value.

    Raises:
        AnalysisError, MetricError, KeyError, TypeError, ValueError, IndexError: it is none of `judgement_document`.
    """
    found = judge_comparison(_comparison(document, scale))
    sections = (
        ("", forest(found.contrasts)),
        ("Verdicts", table("verdicts", judgement_rows(found), "Nothing is compared.")),
        ("What to know", listed(judgement_notes(found))),
        ("Every run", table("runs", _runs(found.comparison), "There is no run.")),
    )
    body = "".join(f"{f'<h2>{head}</h2>' if head else ''}{part}\n" for head, part in sections if part)
    head = f'<p class="quiet">{shown(title_of(found))}</p><h1>{shown(lead(found.contrasts))}</h1>'
    said = f"<p>To a script: <b>{shown(answer(found))}</b> (exit code {found.code}).</p>"
    return Sheet(title=title_of(found), body=f"{head}{said}\n{body}", verdicts=found.as_dict())


def _as_line(result: TrialResult, made: Comparison) -> list[Any]:
    """`[arm, seed, outcome, value, row]` of a run; the value is None where there is none, a word if not finite."""
    value = result.metrics.get(made.metric.name)
    plain = value if value is None or math.isfinite(value) else str(value)
    return [made.arms.index(result.arm), result.replicate, result.outcome, plain, result.trial_id]


def _comparison(document: Mapping[str, Any], scale: float) -> Comparison:
    metric = told_metric(document["metric"])
    arms = tuple(Arm(tuple((path, level) for path, level in levels), label) for label, levels in document["arms"])
    return Comparison(
        name=document["source"],
        metric=metric,
        margin=document["margin"],
        alpha=document["alpha"],
        arms=arms,
        baseline=arms[document["baseline"]],
        seeds=tuple(document["seeds"]),
        results=tuple(_result(line, arms, metric.name, scale) for line in document["runs"]),
        examples=document["num_examples"],
        notes=tuple(document["told"]),
    )


def _result(line: Sequence[Any], arms: Sequence[Arm], metric: str, scale: float) -> TrialResult:
    arm, seed, outcome, value, name = line
    values = {} if value is None else {metric: scale * float(value)}
    return TrialResult(trial_id=name, arm=arms[arm], replicate=seed, outcome=outcome, metrics=values)


def _runs(made: Comparison) -> list[dict[str, str]]:
    values = [result.metrics.get(made.metric.name, math.nan) for result in made.results]
    return [
        {
            "arm": result.arm.name,
            "seed": made.seeds[result.replicate - 1],
            "outcome": result.outcome,
            made.metric.name: f"{value:.6g}" if math.isfinite(value) else "–",
        }
        for result, value in zip(made.results, values, strict=True)
    ]
