"""The search: a walk through a space for the best setting, at whose end stands a study that confirms it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from reprlib import repr as brief
from typing import Any

from paribus.metrics.metric import Metric, MetricError
from paribus.recipe import Recipe, Seeds, canonical_json, preset
from paribus.recipe.identity import result_bearing
from paribus.recipe.paths import set_over
from paribus.recipe.seeds import key
from paribus.study.constructors import by_fields
from paribus.study.designs.arms import StudyError
from paribus.study.own_metrics import known_metrics, with_own
from paribus.study.searches.bounds import (
    Constraint,
    TimeBudget,
    constraint_of,
    time_budget_of,
    usual_scheduler,
)
from paribus.study.searches.domains import Choice, Domain
from paribus.study.searches.fidelity import check_fidelity, rungs_of
from paribus.study.searches.past import Past
from paribus.study.searches.population import is_population
from paribus.study.searches.recipes import Recipes
from paribus.study.searches.search_checks import CONFIRMED, check_fields, check_recipes
from paribus.study.searches.space import Levels, Space, levels_of
from paribus.study.study import Study
from paribus.study.words import Arm, Level


@by_fields
@dataclass(frozen=True, kw_only=True)
class Search:
    """A walk through a space for the setting with the best `metric`, and the study that confirms what it found.

    What a search finds is the luckiest of many: its value is too high by the luck. So the `top` best settings and the
    baseline are trained again, on `confirm` fresh replicates with the whole training split, and judged by the rule of
    every study on the evaluation split, which the search has never seen: it trains without a held-out share of the
    training split and is judged on that.

    Args:
        name: letters, digits, `_` and `-`; the study that confirms is called `NAME-confirmed`.
        space: dotted paths into the recipe with `Float`, `Int`, `Choice`, or a tuple of levels.
        base, fixed: as of a study.
        metric: what is to be best, one of ours or `"module:Name"`.
        against: further metrics or costs (`num_params`, `flops`, `total_s`, `peak_memory_mib`) that are to be good
            too: the search then walks to the Pareto front, and confirms the best of it by `metric`.
        trials: how many settings are tried.
        budget: instead of more: `"30 minutes"`, `"2 hours"` of workers or `"8 GPU-hours"`; no setting is begun after.
        sampler: what proposes settings, with its arguments where they are not the usual ones: `"tpe"`,
            `"tpe(n_startup_trials=20)"`, `"random"`, `"sobol"`, `"grid"`, `"cmaes"`, `"gp"`, `"nsga2"` ...; one of Ray
            Tune's searchers as `"ray.tune.search.hyperopt:HyperOptSearch"`, or a subclass of one's own.
        scheduler: what ends trials early: `"none"`, `"asha"`, `"top_k"` ..., or `"pbt"`, a population of `trials`; one
            of Ray Tune's as `"ray.tune.schedulers:ASHAScheduler(grace_period=2)"`, or a subclass of one's own. The
            usual two, evenly spread settings of which the best tenth after one epoch is trained to its end, found the
            best for as many epochs in our measurements (tests/benchmarks/engine/README.md), as in Egele et al. 2023.
            "": `"top_k"`, or `"none"` where it cannot judge a trial after an epoch: a metric known at the end alone.
        confirm, top: replicates of the `top` best in the confirmation; 0 for none: nothing is then said to be better.
        baseline: levels to compare with, tried first where the space has them; None: the base recipe's; {}: not tried.
        constraints: bounds on results, such as `"peak_memory_mib < 2000"`.
        holdout: share of the training split that the search is judged on.
        margin, alpha: of the confirmation, as of a study.
        start: settings that are tried first, after the baseline; and where past results are that the sampler learns
            from: `"search:NAME"`, `"study:NAME"` or a CSV file, with columns named by paths and one for the metric.
        fidelity: trials are smaller at first: a field and its values, the whole trial's last, such as
            `{"data.train_fraction": (0.1, 0.3, 1.0)}` or `{"data.size": (16, 32)}`. All settings are trained at the
            first value; by `scheduler`, `"successive_halving"` or `"top_k"`, the best are trained anew at the next.
            {}: trials are whole, and what a scheduler cuts it cuts after epochs.

    Raises:
        StudyError: a number, word or range that cannot be. RecipeError: a path or level that the recipe does not admit.
    """

    name: str
    space: Mapping[str, Domain | tuple[Level, ...]]
    base: str | Recipe = "digits"
    fixed: Mapping[str, Level] = field(default_factory=dict)
    metric: str = "top1"
    against: Sequence[str] = ()
    trials: int = 30
    budget: str = ""
    sampler: str = "sobol"
    scheduler: str = ""
    confirm: int = 5
    top: int = 3
    baseline: Mapping[str, Level] | None = None
    constraints: Sequence[str] = ()
    holdout: float = 0.2
    margin: float = 0.5
    alpha: float = 0.05
    seed: int = 0
    start: Sequence[Mapping[str, Level] | str] | str = ()
    fidelity: Mapping[str, Sequence[Level]] = field(default_factory=dict)
    question: str = ""
    own_metrics: Mapping[str, Metric] = field(default_factory=dict, repr=False, compare=False)
    # What `start` names, as it was read when the search began; None: it has not been read, or names none.
    past: Past | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._find_metrics()
        if isinstance(self.start, str):
            object.__setattr__(self, "start", (self.start,))
        check_fields(self)
        object.__setattr__(self, "fixed", dict(self.fixed))
        object.__setattr__(self, "against", tuple(self.against))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        object.__setattr__(self, "start", tuple(one if isinstance(one, str) else dict(one) for one in self.start))
        check_fidelity(self, self.final_recipe)
        object.__setattr__(self, "fidelity", dict(self.fidelity))
        if clash := set(self.space) & set(self.fixed):
            raise StudyError(f"{min(clash)!r} is in the space and is fixed: drop one of the two")
        for levels in self.start_settings:
            if fault := self.domains.fault(levels):
                raise StudyError(f"start has {brief(dict(levels))}: {fault}")
        self.bounds, self.seconds  # noqa: B018 - they raise where their text is none
        check_recipes(self)
        if self.confirm:
            self.confirmation([])

    @cached_property
    def base_recipe(self) -> Recipe:
        """What every trial of the search varies: the base with `fixed` applied, judged on held-out data."""
        # A search may be of thousands, and only what is confirmed is asked again.
        changes: dict[str, Any] = {"evaluation.keep_weights": False}
        if self.holdout:
            changes["data.holdout"] = self.holdout
        return self.final_recipe.replace(changes)

    @cached_property
    def final_recipe(self) -> Recipe:
        """The same as its winners are trained in the end."""
        base = preset(self.base) if isinstance(self.base, str) else self.base
        fixed = base.replace(self.fixed)
        named = tuple(dict.fromkeys([*fixed.metrics, *self.own_metrics]))
        return fixed.replace({"metrics": named}) if named != fixed.metrics else fixed

    @cached_property
    def rungs(self) -> tuple[str, tuple[Level, ...]] | None:
        """The field by which trials are smaller at first, and its values, the whole trial's last; None: none is."""
        return rungs_of(self.fidelity)

    @cached_property
    def domains(self) -> Space:
        """The space, checked; with the fidelity, which is part of each trial's levels."""
        smaller = {self.rungs[0]: Choice(*self.rungs[1])} if self.rungs else {}
        return Space({**self.space, **smaller}, self.base_recipe)

    @cached_property
    def proposed(self) -> Space:
        """What a sampler proposes: the space without the fidelity."""
        return Space(self.space, self.base_recipe) if self.rungs else self.domains

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Ours, and those of its own, by name."""
        return known_metrics(self.own_metrics)

    @property
    def primary(self) -> Metric:
        """The metric that is to be best."""
        return self.metrics[self.metric]

    @cached_property
    def objectives(self) -> tuple[tuple[str, int], ...]:
        """What is to be good, the primary metric first, each with +1 where larger is better and else -1."""
        named = [(name, self.metrics[name].sign if name in self.metrics else -1) for name in self.against]
        return ((self.metric, self.primary.sign), *named)

    @cached_property
    def bounds(self) -> tuple[Constraint, ...]:
        """The constraints, parsed."""
        return tuple(constraint_of(text, self.metrics) for text in self.constraints)

    @cached_property
    def seconds(self) -> TimeBudget | None:
        """The budget, parsed; None where there is none."""
        return time_budget_of(self.budget) if self.budget else None

    @cached_property
    def used_scheduler(self) -> str:
        """What ends trials early: as it was given, or what fits the search."""
        if self.rungs:
            return self.scheduler or "successive_halving"
        searched = [path for path, _ in self.domains]
        return self.scheduler or usual_scheduler(self.primary, self.metrics, self.base_recipe, searched)

    @cached_property
    def settled(self) -> str:
        """All that decides which trials there are but their number: of what the settings' digest is made."""
        walk = {path: str(domain) for path, domain in self.domains}
        chosen = {"sampler": self.sampler, "scheduler": self.used_scheduler, "seed": self.seed, "first": self.first}
        chosen |= {"past": self.sources} if self.sources else {}
        chosen |= {"members": self.trials} if is_population(self.scheduler) else {}
        judged = {"metric": self.metric, "against": self.against, "constraints": self.constraints}
        recipe = result_bearing(self.base_recipe)
        return canonical_json({"recipe": recipe, "space": walk, "chosen": chosen, "judged": judged})

    @cached_property
    def central(self) -> dict[str, Level]:
        """The baseline's levels, of every field that is searched or that it names."""
        return self._whole(self.baseline or {})

    @cached_property
    def baseline_setting(self) -> Levels | None:
        """The baseline as a setting of the space; None where it is none."""
        setting = self.domains.asked({**self.central, **({self.rungs[0]: self.rungs[1][-1]} if self.rungs else {})})
        outside = set(self.baseline or {}) - set(self.space)
        is_none = self.baseline is not None and not self.baseline
        return None if is_none or outside or self.domains.fault(setting) else setting

    def is_baseline(self, levels: Levels) -> bool:
        """Whether the setting is the baseline."""
        return self.baseline_setting is not None and dict(levels) == dict(self.baseline_setting)

    @cached_property
    def first(self) -> tuple[Levels, ...]:
        """What is tried before the sampler is asked: the baseline, where the space has it, and what to start from."""
        known = () if self.baseline_setting is None else (self.baseline_setting,)
        return (*known, *(levels for levels in self.start_settings if levels not in known))

    @property
    def start_settings(self) -> tuple[Levels, ...]:
        """The settings of `start`."""
        return tuple(one for one in self.start if not isinstance(one, str))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the past results are that `start` names."""
        return tuple(one for one in self.start if isinstance(one, str))

    def content_of(self, levels: Levels) -> str:
        """What makes two settings the same training."""
        return canonical_json(result_bearing(self.recipe_of(levels)))

    def confirmed_arm(self, levels: Levels) -> Arm:
        """The arm that a setting is in the study that confirms it."""
        return Arm.of(self._whole(levels))

    def _whole(self, levels: Levels) -> dict[str, Level]:
        """`levels` with those of the other searched fields that such a recipe has."""
        paths = dict.fromkeys([*(path for path, _ in self.domains), *(self.baseline or {}), *levels])
        if self.rungs:
            paths.pop(self.rungs[0], None)  # whole in every arm
        return levels_of(self.final_recipe.replace(levels), paths)

    @property
    def examples(self) -> tuple[Recipe, ...]:
        """Recipes in which everything stands that a trial may have: all that is to be looked at before one is."""
        return (self.base_recipe, *map(self.recipe_of, self.domains.ends()))

    def recipe_of(self, levels: Levels) -> Recipe:
        """The recipe that a trial at these levels trains. Raises RecipeError where they do not fit each other."""
        return self._recipes.of(levels)

    def seeds_of(self, number: int, parent: str = "") -> Seeds:
        """The seeds of trial `number`: a setting tried twice is two draws. `parent` is whom it goes on from, by id."""
        return Seeds.draw(key("lineage", self._drawn_from, parent) if parent else self._drawn_from, number)

    def confirmation(self, best: Sequence[Levels]) -> Study:
        """The study that trains the baseline and the `best` settings afresh and judges them.

        Its seeds are of its own, and its data are the whole training split and the evaluation split.
        """
        central = self.central
        found = [self._whole(levels) for levels in best]
        arms = [central, *(levels for levels in found if levels != central)]
        return Study(
            name=f"{self.name}{CONFIRMED}",
            base=self.final_recipe,
            design="explicit",
            arms_listed=arms,
            baseline=central,
            replicates=self.confirm,
            metric=self.metric,
            margin=self.margin,
            alpha=self.alpha,
            seed=key("confirmation", self.seed) % 2**31,
            question=f"Is what the search {self.name} found better than the baseline, on data that it never saw?",
            own_metrics=self.own_metrics,
        )

    def vary(self, *, base: str | None = None, fixed: Mapping[str, Any] | None = None, **fields: Any) -> Search:
        """The search on another base, with more settings fixed, or with other fields: what `--base` and `--set` do."""
        return replace(self, base=base or self.base, fixed=set_over(self.fixed, fixed), **fields)

    def arm_of(self, levels: Levels) -> Arm:
        """The setting as an arm, in the space's order."""
        return Arm.of({path: levels[path] for path, _ in self.domains if path in levels})

    @cached_property
    def _recipes(self) -> Recipes:
        return Recipes(self.base_recipe)

    @cached_property
    def _drawn_from(self) -> int:
        # Of the settings too: another walk's trials are other trials, whatever it comes to.
        return key("search", self.seed, sha256(self.settled.encode()).hexdigest())

    def _find_metrics(self) -> None:
        named = [self.metric, *(self.against if isinstance(self.against, (tuple, list)) else ())]
        base = self.base.metrics if isinstance(self.base, Recipe) else ()
        try:
            found = with_own((*named, *base), self.own_metrics)
        except MetricError as error:
            raise StudyError(str(error)) from None
        object.__setattr__(self, "own_metrics", found)
