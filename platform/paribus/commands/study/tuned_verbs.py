"""The study verbs on a tuned comparison: each arm's tuning first, then the study at what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from paribus.commands.answer import Answer
from paribus.commands.study import study_verbs
from paribus.engine.options import Options
from paribus.engine.searches.search_preview import tried_row
from paribus.engine.searches.tuning import ArmTuning, after_tuning, tunings
from paribus.host.home import home
from paribus.report.searches.search_reading import trials_and_curves
from paribus.report.searches.search_texts import stale_search_text
from paribus.report.searches.tuning_texts import budgets, budgets_text, curve_line, tuned_lines
from paribus.study.designs.arms import StudyError
from paribus.study.searches.tuning import TUNING, tuned_study
from paribus.study.study import Study
from paribus.tracking.address import ledger_at


def plan(study: Study, options: Options) -> int:
    """Print what `run` would do; trains nothing."""
    return study_verbs.printed(planned(study, options), options)


def run(study: Study, options: Options) -> int:
    """Tune what is left to tune, then complete the study."""
    from paribus.execution.searches.tuning_driver import drive_tuned

    with ledger_at(home(), options.ledger, start=True) as uri:
        assert uri is not None
        return drive_tuned(study, options, uri, home())


def retry(study: Study, options: Options) -> int:
    """Run the failed trials of the tuned study alone."""
    return study_verbs.retry(_tuned(study, options), options)


def status(study: Study, options: Options) -> int:
    """Print how far the tuning and the study are."""
    return study_verbs.printed(recorded(study, options), options)


def report(study: Study, options: Options) -> int:
    """Print the verdicts of the tuned arms, and how each was tuned."""
    return study_verbs.printed(judged(study, options), options)


def export(study: Study, options: Options) -> int:
    """Print every trial of the tuned study, one row each."""
    return study_verbs.export(_tuned(study, options), options)


def planned(study: Study, options: Options) -> Answer:
    """What `run` would do; one row an arm."""
    found = _tunings(study, options, start=False)
    tuned = after_tuning(study, found)
    text = "\n".join(_tuning_text(study, found))
    rows = [{"arm": each.arm.name, **each.preview.counts()} for each in found]
    if tuned is None:
        after = (
            f"  then {len(study.arms)} arms x {study.replicates} replicates at what was found, on fresh seeds, judged "
            f"on {study.metric} of the evaluation split, margin {study.margin:g} {study.primary.unit}\n"
            f"  {study_verbs.outlook_of(_midway(study, found), options)}"
        )
        return _answer(f"{text}\n{after}", {"tuning": data_of(found), "study": None}, rows)
    inner = study_verbs.planned(tuned, options)
    return _answer(f"{text}\n{inner.text}", {**inner.data, "tuning": data_of(found)}, inner.rows)


def recorded(study: Study, options: Options) -> Answer:
    """How far tuning and study are."""
    found = _tunings(study, options, start=True)
    tuned = after_tuning(study, found)
    text = "\n".join(_tuning_text(study, found))
    if tuned is None:
        rows = [tried_row(one, each.preview.search) for each in found for one in each.preview.walk.tried.values()]
        return _answer(text, rows, rows)
    inner = study_verbs.recorded(tuned, options)
    return _answer(f"{text}\n{inner.text}", inner.data, inner.rows)


def judged(study: Study, options: Options) -> Answer:
    """Effects, verdicts and the claim of the tuned arms, and how each was tuned; one row a contrast."""
    found = _tunings(study, options, start=True)
    tuned = after_tuning(study, found)
    if tuned is None:
        raise StudyError(f"study {study.name!r} is not tuned yet, so nothing can be judged: `run` goes on with it")
    inner = study_verbs.judged(tuned, options, notes_of(found))
    return replace(inner, data={**inner.data, "tuning": data_of(found)})


def notes_of(found: list[ArmTuning]) -> list[str]:
    """How each arm was tuned, for a report's notes."""
    curves = ["tuning curves (best so far):", *(curve_line(each) for each in found)]
    return [f"{budgets_text(found)}:", *tuned_lines(found), *curves]


def ran(study: Study, options: Options) -> Answer:
    """`judged` after the study was completed; `code` is that of `run`."""
    code = run(study, options)
    return replace(judged(study, options), code=code)


def _tuned(study: Study, options: Options) -> Study:
    tuned = after_tuning(study, _tunings(study, options, start=True))
    if tuned is None:
        raise StudyError(f"study {study.name!r} is not tuned yet, so it has no trials: `run` goes on with it")
    return tuned


def _midway(study: Study, found: list[ArmTuning]) -> Study:
    """The study as if each arm were tuned to the middle of what its search may try.

    What its replicates can tell is known before anything is tuned, and what `run` would refuse of it afterwards.
    """
    middle = {}
    for each in found:
        domains = each.preview.search.domains
        middle[each.arm] = domains.levels_at([0.5] * len(list(domains)))
    return tuned_study(study, middle)


def _tunings(study: Study, options: Options, *, start: bool) -> list[ArmTuning]:
    own = replace(options, declared=None)
    name = f"{study.name}{TUNING}"
    with (
        ledger_at(home(), options.ledger, start=start) as uri,
        trials_and_curves(uri, home(), name, study.metric) as (records, curves),
    ):
        return tunings(study, home(), records, curves, own)


def _tuning_text(study: Study, found: list[ArmTuning]) -> list[str]:
    how = study.tuning
    lines = [
        f"{study.name}: {study.question}",
        f"  each of {len(study.arms)} arms is tuned over {how.trials} settings of {', '.join(study.nuisance)} by "
        f"{how.sampler}, scheduler {how.scheduler}, on {100 * how.holdout:g} % held out of the training split",
    ]
    lines += [f"  nuisance {path}: {domain}" for path, domain in found[0].preview.search.domains]
    for each in found:
        counts = ", ".join(f"{count} {state}" for state, count in each.preview.counts().items())
        lines.append(f"  arm {each.arm.name}: {counts}")
    lines += [f"  {each.arm.name}: {stale_search_text(each.preview)}" for each in found if each.preview.stale]
    if set(budgets(found).values()) != {how.trials}:
        lines.append(f"  {budgets_text(found)}")
    return [*lines, *(tuned_lines(found) if any(each.best for each in found) else ())]


def data_of(found: list[ArmTuning]) -> list[dict[str, Any]]:
    """How each arm was tuned, as plain data."""
    trials = budgets(found)
    return [
        {
            "arm": each.arm.name,
            "trials": trials[each.arm.name],
            "budgets_are_equal": len(set(trials.values())) == 1,
            "tuned_to": dict(each.best.levels) if each.best else None,
            "held_out_value": each.best.metrics[each.preview.search.metric] if each.best else None,
            "curve": each.history(),
            "gained_in_the_last_third": each.gained_late(),
        }
        for each in found
    ]


def _answer(text: str, data: Any, rows: Sequence[Mapping[str, object]]) -> Answer:
    title, *notes = text.splitlines()
    return Answer(title=title, text=text, data=data, rows=rows, notes=notes)
