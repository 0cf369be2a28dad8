"""The driver of a tuned comparison: each arm's search, then the study at what they found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paribus.engine.looks import check_fresh
from paribus.engine.options import Options
from paribus.engine.preview import num_eval_of
from paribus.engine.searches.tuning import after_tuning, arm_settings, tunings
from paribus.execution.driver import drive
from paribus.execution.searches.search_driver import drive_search
from paribus.host.say import say
from paribus.report.searches.search_reading import trials_and_curves
from paribus.report.searches.tuning_texts import budgets_text, tuned_lines
from paribus.study.searches.arm_search import search_of
from paribus.study.searches.tuning import TUNING
from paribus.study.study import Study


def drive_tuned(study: Study, options: Options, uri: str, home: Path) -> int:
    """Tune every arm, one after another, and then run the study at what was found. Raises what `drive_search` and
    `drive` raise; returns their exit code.

    Raises:
        StudyError: an arm that was trained to its end at no setting.
    """
    own = replace(options, declared=None)
    num_eval_of(study, home)
    if options.fresh:
        check_fresh(study)
    for number, arm in enumerate(study.arms, start=1):
        say(f"\ntuning arm {number} of {len(study.arms)}: {arm.name}")
        code = drive_search(search_of(study, arm), own, uri, arm_settings(study, arm))
        if code == 3:
            return code
    with trials_and_curves(uri, home, f"{study.name}{TUNING}", study.metric) as (records, curves):
        found = tunings(study, home, records, curves, own)
    tuned = after_tuning(study, found)
    say()
    for line in (budgets_text(found), *tuned_lines(found)):
        say(line)
    if tuned is None:
        say("some arms have trials to go: the same command goes on")
        return 1
    say(f"\njudging the tuned arms on {study.replicates} fresh replicates and the evaluation split")
    return drive(tuned, options, uri)
