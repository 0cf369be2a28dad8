"""One run for one thing, however many create it at once and whatever their clocks say.

MLflow has no compare-and-set, and gives no order in which runs came. A run is therefore created as *undecided*, by a
tag, and its creator looks once. If it sees a run that stands, or an undecided one that is earlier by (start, id), it
gives its own up. Otherwise its own is the earliest it knows; it waits until all later ones that it saw have been given
up, or one of them stands, and then decides.

Two never stand: of two such runs the later one's creator cannot have seen the earlier (it would have given up), so it
looked before the earlier was created; then the earlier one's creator saw the later, and waited for it. Nobody waits in
a circle, since one waits for later runs only. Clocks give an order that all see alike, and need not be right.

A creator that died leaves its run undecided. Who has waited for PATIENCE_S takes the earliest such run for decided; a
creator that was merely slow for so long looks again, and gives up a run that others did not wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, close_duplicate, create_run, oldest, search_runs

PATIENCE_S = 20.0
_POLL_S = 0.05


def ensure_run(
    rest: MlflowRest,
    experiment_id: str,
    key: str,
    name: str,
    tags: Mapping[str, str],
    start_ms: int | None = None,
    *,
    looked: bool = False,
    among: Callable[[Run], bool] = lambda run: True,
) -> tuple[Run, bool]:
    """The one run whose tag `key` has the value `tags[key]`, and whether this call created it.

    `looked` says that the caller has just looked and found none; `among` leaves out runs that share the tag and are
    another thing's.
    """

    def look() -> list[Run]:
        found = search_runs(rest, [experiment_id], f"tags.`{key}` = '{tags[key]}'")
        return [run for run in found if words.DUPLICATE_OF not in run.tags and among(run)]

    while True:
        if not looked and (standing := _standing(rest, look)):
            return standing, False
        looked = False
        mine = create_run(rest, experiment_id, name, {**tags, words.UNDECIDED: "true"}, start_ms)
        if _stands(rest, look, mine):
            return mine, True


def is_decided(run: Run) -> bool:
    """Whether the run stands, as far as its creators go."""
    return words.UNDECIDED not in run.tags


def _standing(rest: MlflowRest, look: Callable[[], list[Run]]) -> Run | None:
    """The run that stands, waiting for it where creators are at it; None where there is none, decided or not."""
    patience = time.monotonic() + PATIENCE_S
    while seen := look():
        if found := _decided(seen):
            return found
        if time.monotonic() > patience:
            return _adopt(rest, seen)
        time.sleep(_POLL_S)
    return None


def _stands(rest: MlflowRest, look: Callable[[], list[Run]], mine: Run) -> bool:
    """Decide on the run `mine`, just created: True once it stands, False once it was given up for another."""
    begun = time.monotonic()
    seen = look()
    before = _decided(seen) or _earliest([mine, *seen])
    if before.run_id != mine.run_id:
        close_duplicate(rest, mine, before)
        return False
    later = {run.run_id for run in seen} - {mine.run_id}
    while later:
        seen = look()
        if found := _decided(seen):
            break
        later &= {run.run_id for run in seen}
        if time.monotonic() - begun > PATIENCE_S:
            found = _adopt(rest, [mine, *seen])
            break
        time.sleep(_POLL_S)
    else:
        found = _decide(rest, mine)
    if time.monotonic() - begun > PATIENCE_S:  # others may have decided without this one, or closed it
        found = _decided(look()) or found
    if found.run_id != mine.run_id:
        close_duplicate(rest, mine, found)
    return found.run_id == mine.run_id


def _adopt(rest: MlflowRest, seen: Iterable[Run]) -> Run:
    """Let the earliest of these runs stand, though its creator may be dead, and close the others."""
    found = _decide(rest, _earliest(seen))
    for other in seen:
        if other.run_id != found.run_id:
            close_duplicate(rest, other, found)
    return found


def _decide(rest: MlflowRest, run: Run) -> Run:
    """Let the run stand."""
    try:
        rest.post("runs/delete-tag", {"run_id": run.run_id, "key": words.UNDECIDED})
    except LedgerError as error:
        if error.code != "RESOURCE_DOES_NOT_EXIST":  # another one has done so already
            raise
    return run


def _decided(seen: Iterable[Run]) -> Run | None:
    return oldest(run for run in seen if is_decided(run))


def _earliest(seen: Iterable[Run]) -> Run:
    return min(seen, key=lambda run: (run.start_ms, run.run_id))
