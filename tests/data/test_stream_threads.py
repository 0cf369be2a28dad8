"""Threads that prepare batches ahead: in order, all on the batch whose turn it is, and no further ahead than told."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from paribus.data.loader import in_order

Jobs = Iterator[Sequence[Callable[[], int]]]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("paribus-data")]


def slow(number: int) -> int:
    time.sleep(0.002 * (number % 3))
    return number


@pytest.mark.parametrize("num", [0, 1, 2, 5])
@pytest.mark.parametrize("pieces", [0, 1, 4])
def test_results_come_in_the_order_of_their_tasks(num: int, pieces: int) -> None:
    jobs = ([partial(slow, pieces * job + piece) for piece in range(pieces)] for job in range(9))
    expected = [list(range(pieces * job, pieces * job + pieces)) for job in range(9)]
    assert list(in_order(jobs, num)) == expected
    assert threads() == []


def test_threads_share_the_job_whose_turn_it_is() -> None:
    """Each of its tasks waits until all four are under way."""
    together = threading.Barrier(4, timeout=30)
    jobs: Jobs = iter([[together.wait] * 4])
    assert sorted(next(in_order(jobs, 4))) == [0, 1, 2, 3]


@pytest.mark.parametrize(("num", "pieces", "ahead"), [(1, 8, 2), (4, 8, 2), (4, 1, 8), (11, 8, 3)])
def test_few_jobs_are_begun_beyond_the_one_that_is_asked_for(num: int, pieces: int, ahead: int) -> None:
    """Each has memory of its own: two, or as many as hold two tasks for every thread."""
    begun = 0

    def jobs() -> Jobs:
        nonlocal begun
        for job in range(100):
            begun += 1
            yield [partial(int, job)] * pieces

    results = in_order(jobs(), num)
    for taken in range(1, 50):
        next(results)
        assert begun == taken + ahead
    results.close()
    assert threads() == []


@pytest.mark.parametrize("num", [0, 3])
def test_an_error_comes_at_its_turn_and_ends_the_threads(num: int) -> None:
    def broken() -> int:
        raise ValueError("job 2")

    jobs: Jobs = iter([[partial(int, 0)], [partial(int, 1)], [partial(int, 2), broken], [partial(int, 3)]])
    results = in_order(jobs, num)
    assert [next(results), next(results)] == [[0], [1]]
    with pytest.raises(ValueError, match="job 2"):
        next(results)
    assert threads() == []
