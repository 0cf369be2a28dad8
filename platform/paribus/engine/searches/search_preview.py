"""From a search and the ledger to what is known, what comes next, and what it will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import check_own_of, num_eval_of
from paribus.engine.samplers.known import sampler_of
from paribus.engine.samplers.tune.tune_sampler import TuneSampler
from paribus.engine.schedulers import Pbt, Rungs, Scheduler, rungs_by, scheduler_of
from paribus.engine.schedulers.halving import Halving
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.population_checks import check_population, check_redo
from paribus.engine.searches.search_records import Curves, begun_anew, own_records, trial_of, tried_of
from paribus.engine.searches.tried import Tried
from paribus.engine.searches.walk import Walk
from paribus.engine.variables import check_variables
from paribus.recipe import Recipe
from paribus.study.designs.arms import StudyError
from paribus.study.plan import Trial
from paribus.study.power import Power, power_of_study
from paribus.study.searches.bounds import no_rungs
from paribus.study.searches.domains import label
from paribus.study.searches.past import past_as_json
from paribus.study.searches.population import is_population
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels
from paribus.study.settings import Settings, settings_of
from paribus.tracking.trials.record import TrialRecord

# Curves of these records, by run id; asked for only where a scheduler or a sampler learns from them.
CurvesOf = Callable[[list[TrialRecord]], Curves]


@dataclass(frozen=True, kw_only=True)
class SearchPreview:
    """A search with what the ledger knows of it. `stale` are trials whose results other code made; `note` says why the
    ledger is not part of it, "" where it is; `power` is of the confirmation, None where there is none."""

    search: Search
    settings: Settings
    walk: Walk
    records: Mapping[int, TrialRecord]
    stale: tuple[int, ...]
    notes: tuple[str, ...]
    power: Power | None
    digest: Callable[[Recipe], str]

    @property
    def title(self) -> str:
        """The search's name, and its settings where they are others than its file's."""
        return self.settings.title(self.search.name)

    def trial(self, number: int, levels: Levels, parent: str = "") -> Trial:
        """The trial of that number at these levels, which goes on from the one with the id `parent`, if any."""
        return trial_of(self.search, number, levels, self.digest, parent)

    def counts(self) -> dict[str, int]:
        """How many trials are in which state; those that have not begun are `to come`."""
        states: Counter[str] = Counter(each.state for each in self.walk.tried.values())
        left = self.walk.planned - len(self.walk.tried)
        return {**states, **({"to come": left} if left > 0 else {})}

    @property
    def seconds_left(self) -> float | None:
        """Worker-seconds that the trials to come would take without being cut; None where none has been timed."""
        whole = [each.seconds for each in self.walk.tried.values() if each.state == "finished"]
        if not whole:
            return None
        unfinished = [each for each in self.walk.tried.values() if each.state in ("running", "paused", "interrupted")]
        return (self.walk.planned - len(self.walk.tried) + len(unfinished)) * sum(whole) / len(whole)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for `--json`."""
        search = self.search
        return {
            "search": search.name,
            "settings": self.settings.name,
            "space": {path: str(domain) for path, domain in search.domains},
            "sampler": search.sampler,
            "scheduler": search.used_scheduler,
            **({"fidelity": search.fidelity} if search.rungs else {}),
            "rungs": self.walk.scheduler.rungs_of(0, self.walk.epochs),
            "planned": self.walk.planned,
            "counts": self.counts(),
            "past": past_as_json(search.past) if search.past else None,
            "confirm": {"settings": search.top, "replicates": search.confirm},
            "detectable": self.power.detectable if self.power else None,
            "worker_seconds": self.seconds_left,
            "notes": self.notes,
            "trials": [tried_row(each, search) for _, each in sorted(self.walk.tried.items())],
        }


def tried_row(each: Tried, search: Search) -> dict[str, Any]:
    """One trial of a search as plain data."""
    value = each.metrics.get(search.metric)
    reached = max(each.seen, default=None)
    last = each.seen[reached] if reached is not None else None
    return {
        "number": each.number,
        "state": each.state,
        "outcome": each.outcome,
        **each.levels,
        search.metric: value if each.state == "finished" else None,
        "epochs": reached,
        "last_seen": last,
        "seconds": each.seconds,
        "reason": each.reason,
        **(_descent(each, search) if is_population(search.scheduler) else {}),
    }


def _descent(each: Tried, search: Search) -> dict[str, Any]:
    """Where a member of a population comes from."""
    return {"generation": each.number // search.trials + 1, "goes_on_from": each.parent}


def make_search_preview(
    search: Search,
    home: Path,
    records: list[TrialRecord] | None,
    curves: CurvesOf,
    options: Options,
    *,
    note: str = "",
    again: bool = True,
) -> SearchPreview:
    """The search given the ledger's records; None where the ledger could not be asked.

    With `again` the trials without a result are to be trained again; else they have ended.

    Raises:
        StudyError, SchedulerError: a sampler or a scheduler that cannot be, or does not fit the search.
        DataError, AnalysisError: what training or the confirmation would refuse.
    """
    from paribus.shards.catalog import check_inputs, data_digest

    def digest(recipe: Recipe) -> str:
        return data_digest(recipe, home)

    check_variables()
    if search.sources and search.past is None:
        raise StudyError(f"{', '.join(search.sources)}: past results were not read: with_past(search, ledger) does")
    examples = [search.final_recipe, *search.examples]
    check_own_of(examples, f"search {search.name!r}")
    check_inputs(examples, home)
    scheduler, epochs = scheduled(search)
    sampler = sampler_of(search)
    size = search.proposed.size()
    power = _power(search, num_eval_of(search.confirmation([]), home)) if search.confirm else None
    _check_scheduler(search, scheduler, epochs, size, home)
    own = own_records(search, records or (), digest)
    stale = () if options.accept_code else _stale(search, own)
    seen = curves(list(own.values())) if own and scheduler.name != "none" else {}
    tried = tried_of(own, seen, scheduler, epochs, again=again)
    if options.redo:
        check_redo(search, stale)
        tried = [begun_anew(each) if each.number in stale else each for each in tried]
    walk = walk_of(search, epochs, sampler, scheduler, tried)
    return SearchPreview(
        search=search,
        settings=settings_of(search, options.declared),
        walk=walk,
        records=own,
        stale=() if options.redo else stale,
        notes=(
            *([note] if note else []),
            *(search.past.notes if search.past else ()),
            *_notes(walk, size),
            *(sampler.notes(search) if isinstance(sampler, TuneSampler) else ()),
            *scheduler.notes(epochs, search.trials),
        ),
        power=power,
        digest=digest,
    )


def _check_scheduler(search: Search, scheduler: Scheduler, epochs: int, size: int | None, home: Path) -> None:
    is_one = isinstance(scheduler, Pbt)  # whose members may be equal at first
    scheduler.check(epochs, search.trials if is_one else min(search.trials, size or search.trials))
    if is_one:
        check_population(search, size, home)


def _notes(walk: Walk, size: int | None) -> list[str]:
    """What will not come about as a person may think; `size` is the number of settings, None: not to be counted."""
    search, scheduler, epochs = walk.search, walk.scheduler, walk.epochs
    found: list[str] = []
    if not search.scheduler and search.used_scheduler == "none":
        found.append(f"no trial is cut short: {_why_none(search)}")
    if size is not None and size < search.trials and search.sampler not in ("grid", "brute_force"):
        found.append(f"the space has only {size} settings: with {search.sampler} some are tried more than once")
    if walk.is_spent and len(walk.tried) < walk.planned:
        found.append(f"the budget of {search.budget} is spent: no further setting is begun")
    if scheduler.name != "none" and (search.against or search.bounds):
        found.append(
            f"{search.used_scheduler} cuts by {search.metric} alone: what is good in another objective, or keeps a "
            "constraint, may be cut for it; scheduler='none' cuts nothing"
        )
    whole = _trained_whole(scheduler, epochs, walk.planned)
    if whole is not None and search.confirm and whole < search.top:
        found.append(
            f"{search.used_scheduler} trains {whole} of {search.trials} settings to their end beside the baseline, "
            f"and the best {search.top} are to be confirmed: ask for more trials, or give top={max(whole, 1)}"
        )
    return found


def _trained_whole(scheduler: Scheduler, epochs: int, planned: int) -> int | None:
    """How many settings a scheduler that ranks them lets through to the end; None where that is not known."""
    if isinstance(scheduler, Rungs):
        return scheduler.sizes[-1]
    if not isinstance(scheduler, Halving):
        return None
    whole = planned
    for _ in scheduler.rungs_of(0, epochs)[:-1]:
        whole = scheduler.keep(whole)
    return whole


def _why_none(search: Search) -> str:
    """Why the usual scheduler is not taken, of a search that names none."""
    why = no_rungs(search.primary, search.metrics, search.base_recipe, [path for path, _ in search.domains])
    return f"the usual scheduler, top_k, {why}" if why else "trials of one epoch have nothing to cut"


def scheduled(search: Search) -> tuple[Scheduler, int]:
    """The scheduler, and the epochs of a whole trial; 1 where no trial is cut and they are of no account.

    Raises:
        StudyError, SchedulerError: no such one, or it does not fit the search.
    """
    scheduler = scheduler_of(search.used_scheduler)
    if search.rungs is not None:
        path, values = search.rungs
        facts = {"field": path, "values": tuple(map(label, values)), "settings": search.trials}
        facts["has_baseline"] = search.baseline_setting is not None
        return rungs_by(scheduler, search.used_scheduler, facts), 1
    if scheduler.name == "none":
        return scheduler, 1
    why = no_rungs(search.primary, search.metrics, search.base_recipe, [path for path, _ in search.domains])
    if why:
        raise StudyError(f"the scheduler {search.used_scheduler!r} {why}")
    return scheduler, math.ceil(search.base_recipe.budget.amount)


def _stale(search: Search, own: Mapping[int, TrialRecord]) -> tuple[int, ...]:
    """Those whose results other code made than is here."""
    return tuple(
        number for number, record in own.items() if record.code != trial_code(search.recipe_of(record.arm.as_dict()))
    )


def _power(search: Search, samples: list[int]) -> Power:
    metric = search.primary
    return power_of_study(
        metric.sd * 2**0.5,
        "assumed, until the ledger has replicates",
        replicates=search.confirm,
        num_contrasts=search.top,
        alpha=search.alpha,
        margin=search.margin,
        step=metric.resolution(min(samples)),
    )
