"""What a study's page embeds, and the report made again from it: by the code that judges a ledger's trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from paribus.engine.variables import Prices
from paribus.host.secrets import without_secrets
from paribus.recipe.components.recorded import as_recorded
from paribus.report.costs import Before, cost_of, seconds_of
from paribus.report.page.packed_examples import pack, unpack
from paribus.report.page.trial_lines import as_line, as_row
from paribus.report.study_report import Basis, StudyReport, arm_rows
from paribus.report.views.curves import Curve
from paribus.study.document import read_study, write_study
from paribus.study.settings import Settings
from paribus.study.words import Arm
from paribus.tracking.trials.record import TrialRecord

if TYPE_CHECKING:
    from paribus.analysis.looks import Looks

# Points of all curves together: a picture is some 1,000 pixels wide, and a page has at most 1 MB.
_MOST_POINTS = 12_000


def document_of(report: StudyReport) -> dict[str, Any]:
    """All that the report was made from, as JSON holds it, without the secrets of addresses.

    Raises:
        ValueError: the report was not judged, or does not say from what.
    """
    study, basis, found = report.study, report.basis, report.judged
    if study is None or basis is None:
        raise ValueError(f"{report.title}: a page is made of a report that has what it was judged from")
    rows = [row for row in report.trials if row.record]
    arms = study.trained
    numbers = {row.trial_id: number for number, row in enumerate(rows)}
    examples = {numbers[name]: each for name, each in basis.examples.items() if name in numbers}
    uri = next((row.record.uri for row in rows if row.record), "")
    whole = {
        "study": json.loads(write_study(study)),
        "settings": [report.settings.digest, report.settings.name],
        "url": report.url,
        "ledger": uri,
        "trials": [as_line(row, arms, tuple(study.own_metrics)) for row in rows],
        "examples": pack(examples, found.metric) if examples else None,
        "num_eval": basis.num_eval,
        "looks": asdict(basis.looks) if basis.looks else None,
        "broken": basis.broken,
        "replicates": basis.replicates,
        "before": [[each.kind, each.name, [seconds_of(one) for one in each.records]] for each in basis.before],
        "prices": asdict(report.cost.prices),
        "curves": _thinned(report.curves, arms),
        "told": report.notes,
        "foreign": report.num_foreign,
    }
    plain: dict[str, Any] = _public(json.loads(json.dumps(whole)))
    return plain


def report_of(document: Mapping[str, Any], scale: float = 1.0) -> StudyReport:
    """The report, judged anew from a document; `scale` is what every metric is multiplied by.

    Raises:
        StudyError, AnalysisError, KeyError, TypeError, ValueError, IndexError: it is none of `document_of`.
    """
    # A page may come from anybody: what it names is taken as it was recorded, and no file of that name is imported.
    with as_recorded(document["study"].get("components", {})):
        return _judged_anew(document, scale)


def _judged_anew(document: Mapping[str, Any], scale: float) -> StudyReport:
    from paribus.analysis import analyse

    study = read_study(json.dumps(document["study"]))
    rows = tuple(as_row(line, study.trained, study.name, document["ledger"], scale) for line in document["trials"])
    examples = unpack(document["examples"]) if document["examples"] else {}
    results = [
        row.record.result(examples.get(number))
        for number, row in enumerate(rows)
        if row.record and row.record.outcome is not None
    ]
    looks, broken, replicates = _looks(document["looks"]), document["broken"], document["replicates"]
    analysis = analyse(study, results, document["num_eval"], looks=looks, broken=broken, replicates=replicates)
    before = tuple(_before(study.name, *each) for each in document["before"])
    return StudyReport(
        name=study.name,
        url=document["url"],
        study=study,
        trials=rows,
        analysis=analysis,
        arms=arm_rows(analysis, rows),
        notes=tuple(document["told"]),
        curves=[_curve(each, study.trained) for each in document["curves"]],
        settings=Settings(*document["settings"]),
        num_foreign=document["foreign"],
        cost=cost_of(study, analysis, rows, Prices(**document["prices"]), before),
        basis=Basis(num_eval=document["num_eval"], looks=looks, broken=tuple(broken), before=before),
    )


def _public(value: Any) -> Any:
    """The same without the secrets of addresses, wherever a text holds one."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, list):
        return [_public(each) for each in value]
    return {key: _public(each) for key, each in value.items()} if isinstance(value, dict) else value


def _looks(told: Mapping[str, Any] | None) -> Looks | None:
    from paribus.analysis.looks import Chosen, Looks

    if told is None:
        return None
    return Looks(
        own=tuple(told["own"]),
        elsewhere=tuple(tuple(series) for series in told["elsewhere"]),
        chosen=tuple(Chosen(**each) for each in told["chosen"]),
    )


def _before(study: str, kind: Any, name: str, spent: Sequence[tuple[float, float]]) -> Before:
    """The trials of a search or a tuning by their seconds of a worker and GPUs alone."""
    nobody = Arm(())
    records = [
        TrialRecord(
            trial_id="",
            study=study,
            arm=nobody,
            arm_name="",
            replicate=0,
            metrics={"total_s": seconds, "gpu_s": seconds * gpus},
        )
        for seconds, gpus in spent
    ]
    return Before(kind=kind, name=name, records=records)


def _thinned(curves: Sequence[Curve], arms: Sequence[Arm]) -> list[list[Any]]:
    """`[arm, replicate, outcome, x, y]` of each curve at the same few x, and at its own last one."""
    names = [arm.name for arm in arms]
    longest = max((curve.x for curve in curves), key=len, default=())
    each = max(10, _MOST_POINTS // max(1, len(curves)))
    kept = set(longest[:: -(-len(longest) // each) or 1]) | set(longest[-1:])
    found = []
    for curve in curves:
        points = [
            (x, y)
            for place, (x, y) in enumerate(zip(curve.x, curve.y, strict=True))
            if x in kept or place == len(curve.x) - 1
        ]
        xs, ys = [x for x, _ in points], [float(f"{y:.5g}") if isfinite(y) else None for _, y in points]
        found.append([names.index(curve.arm), curve.replicate, curve.outcome, xs, ys])
    return found


def _curve(told: Sequence[Any], arms: Sequence[Arm]) -> Curve:
    arm, replicate, outcome, xs, ys = told
    values = [float("nan") if y is None else y for y in ys]
    return Curve(arm=arms[arm].name, replicate=replicate, x=xs, y=values, outcome=outcome)
