"""Failures are classed by what can be done about them."""

import pytest
import torch

from paribus.errors import DataError
from paribus.execution.workers.failures import classify, reason
from paribus.report.drawing.terminal import ADVICE
from paribus.training.errors import RankLostError, TooFewSamplesError, TrainingError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataError("shard train-0.tar is truncated"), "data"),
        (TooFewSamplesError("fewer samples than a batch"), "data"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RankLostError("rank 1 of 2 was killed by SIGKILL"), "node"),
        (TrainingError("no such device"), "code"),
        (ZeroDivisionError("division by zero"), "code"),
    ],
)
def test_an_error_has_one_class_with_advice(error: Exception, kind: str) -> None:
    assert classify(error) == kind
    assert ADVICE[classify(error)]


def test_what_torch_raises_where_memory_is_short_is_oom() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(caught.value) == "oom"


def test_a_reason_is_one_line_whatever_the_error_says() -> None:
    assert reason("data", DataError("shard a.tar\n  is   truncated")) == "data: shard a.tar is truncated"
    assert reason("code", KeyError()) == "code: KeyError"
    assert len(reason("code", ValueError("x" * 5000))) == 1000
