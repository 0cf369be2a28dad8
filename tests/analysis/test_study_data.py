"""The results of a study in their places: replicates, arms that are compared, and the number of examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paribus.analysis import AnalysisError
from paribus.analysis.study_data import index_results
from paribus.metrics.examples import Examples
from paribus.study import Study


def test_all_asked_replicates_are_there_and_those_that_ended_beyond_them(study: Study, results_of) -> None:
    results = results_of(study, {1.0: [90.0] * 7, 2.0: [91.0] * 2})
    found = index_results(study, results, None)
    assert (found.replicates, found.num_asked) == ((1, 2, 3, 4, 5, 6, 7), 5)
    assert len(found.trials) == 9
    assert found.trials[study.arms[1], 2].metrics["top1"] == 91.0
    some = index_results(study, [r for r in results if r.replicate == 4], None, replicates=(3, 4))
    assert (some.replicates, some.num_asked) == ((3, 4), 2)


def test_baselines_are_compared_with_nothing_and_the_level_is_one_less_alpha(study: Study) -> None:
    found = index_results(study.vary(alpha=0.1), [], None)
    assert found.compared == study.arms[1:]
    assert found.level == pytest.approx(0.9)


def test_the_number_of_examples_is_counted_from_either_array_or_taken_as_stated(study: Study, results_of) -> None:
    plain = results_of(study, {1.0: [90.0, 91.0]})
    right = [replace(plain[0], examples=Examples(correct=np.ones(40, bool))), plain[1]]
    likely = [plain[0], replace(plain[1], examples=Examples(log_likelihood=np.zeros(40, np.float32)))]
    for results in (right, likely, [right[0], likely[1]]):
        assert index_results(study, results, None).num_eval == 40
        assert index_results(study, results, 40).num_eval == 40
        with pytest.raises(AnalysisError, match=r"different sizes \(\[40, 41\]\)"):
            index_results(study, results, 41)
    assert index_results(study, plain, None).num_eval is None
    assert index_results(study, plain, 41).num_eval == 41


def test_replicates_are_in_order_wherever_they_begin(study: Study) -> None:
    assert index_results(study.vary(replicates=8), [], None, replicates=(5, 6, 7, 8)).replicates == (5, 6, 7, 8)
    assert index_results(study.vary(replicates=8), [], None, replicates=(8, 6, 5)).replicates == (5, 6, 8)


def test_results_whose_examples_were_named_and_not_kept_tell_no_number(study: Study, results_of) -> None:
    named = [replace(result, examples=Examples(keys_digest="a")) for result in results_of(study, {1.0: [90.0, 91.0]})]
    assert index_results(study, named, None).num_eval is None
    assert index_results(study, named, 40).num_eval == 40
