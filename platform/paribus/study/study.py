"""The study: a question, its arms and how they are judged. One frozen object in one short file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

from paribus.metrics.metric import Metric, MetricError
from paribus.recipe import Recipe, RecipeError, canonical_json, preset
from paribus.recipe.components.component import components
from paribus.recipe.components.own import is_own
from paribus.recipe.identity import result_bearing
from paribus.recipe.model import MODEL, name_of
from paribus.recipe.paths import holds_another, leaves, set_over
from paribus.study.adaptive import Adaptive
from paribus.study.checks import check_claim, check_fields, check_trials
from paribus.study.constructors import by_fields
from paribus.study.designs.ablations import Ablations, left_out, written_out
from paribus.study.designs.arms import (
    StudyError,
    admitted_by,
    check_arms,
    check_factors,
    explicit,
    factorial,
    one_at_a_time,
    without_excluded,
)
from paribus.study.designs.fractions import fractional, latin_square
from paribus.study.designs.matching import Matched, check_match, to_match
from paribus.study.designs.noise_floor import floor_arms
from paribus.study.levels import arm_written, is_short, level_written, levels_written
from paribus.study.own_metrics import known_metrics, with_own
from paribus.study.searches.domains import Domain
from paribus.study.searches.tuning import Tuning, check_tuning
from paribus.study.words import Arm, Claim, Level

Design = Literal[
    "factorial", "one_at_a_time", "fractional", "latin_square", "explicit", "leave_one_out", "leave_two_out"
]
_ABSENT = object()
# What a study did itself in the first release: now functions of the front door, so that `study` imports no command.
_CALLS = {"main": "main", "plan": "plan", "run": "run", "status": "status", "report": "verdicts"}


@by_fields
@dataclass(frozen=True, kw_only=True)
class Study:
    """A designed comparison of arms over paired replicates.

    Building one applies every level to the recipe once, so that a wrong path or value raises where it is written.

    Args:
        name: letters, digits, `_` and `-`; the MLflow experiment is called so too.
        base: a preset's name, or a recipe.
        factors: dotted paths into the recipe with their levels; the scientific factors.
        fixed: dotted paths set once for all arms; they and the rest of the base are the caveats of a report.
        replicates: draws of chance per arm; replicate r has the same seeds in every arm. `Adaptive()`, which is
            the most that an arm can get, asks for more only where a contrast is unresolved.
        baseline: levels that the other arms are compared with. A factor that it does not name stratifies: each arm is
            compared with the baseline at the arm's own level of it. None: the base recipe's level of every factor.
        design: how factors become arms. `factorial` has every combination, `fractional` a fraction of those of
            two-level factors, `latin_square` n x n arms of three or four factors of n levels; `explicit` takes
            `arms_listed`; `leave_one_out`, and `leave_two_out` also in pairs, take `ablate`.
        arms_listed: for the explicit design, one mapping of levels per arm.
        ablate: components that are taken away from the base, each by the field that does it, or a name with several
            fields; the design is then `leave_one_out` unless it is named.
        exclude: combinations that are no arms (factorial, one_at_a_time): mappings from paths to tuples of levels.
        resolution: of the fraction: 3 mixes main effects with interactions of two factors, 4 keeps them apart, 5 also
            those from each other.
        match: what each arm must have as much of as its baseline: `params`, or `flops` of a forward pass.
        free: with `match`, the number of the recipe that is set in each arm to come nearest, such as `model.width`.
        match_tolerance: the share of the baseline's figure beyond which an arm is told not to be matched.
        metric: the primary metric, which verdicts are about: one of ours, or `"module:Name"` of one's own. Secondary
            ones of one's own are named in `fixed={"metrics": (...)}`.
        nuisance: what is tuned afresh in every arm, as the space of a search; `tuning` says how. Each arm is then
            judged at its own best setting, which `tuned` has once the tuning has ended.
        margin: smallest effect of interest, in the metric's unit (points for top1 and top5).
        alpha: family-wise error of false verdicts of each kind.
        seed: of the study; replicates draw theirs from it.
        noise_floor: whether each baseline is trained again with other seeds (A/A): what a difference without an effect
            looks like, in the same tables and figures, and no part of the tests.
        claim: the published statement that the study tests.
        question: one line; by default the first sentence of the study file's docstring.
        matched: left out, for the free numbers are found when the study is planned; they are kept with it.
        own_metrics: left out, for the files beside the study have them; a study that is read from a ledger has here
            what the ledger keeps of them.

    Raises:
        StudyError: no or repeated levels, a duplicate arm, a baseline that is no arm, a wrong number.
        RecipeError: a factor's path or level that the recipe does not admit.
    """

    name: str
    base: str | Recipe = "digits"
    factors: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)
    fixed: Mapping[str, Level] = field(default_factory=dict)
    replicates: int = 5
    baseline: Mapping[str, Level] | None = None
    design: Design = "factorial"
    arms_listed: Sequence[Mapping[str, Level]] = ()
    ablate: Mapping[str, Level | Mapping[str, Level]] = field(default_factory=dict)
    exclude: Sequence[Mapping[str, tuple[Level, ...]]] = ()
    resolution: int = 4
    nuisance: Mapping[str, Domain | tuple[Level, ...]] = field(default_factory=dict)
    tuning: Tuning = field(default_factory=Tuning)
    match: str = ""
    free: str = ""
    match_tolerance: float = 0.02
    metric: str = "top1"
    margin: float = 0.5
    alpha: float = 0.05
    seed: int = 0
    noise_floor: bool = False
    claim: Claim | None = None
    question: str = ""
    matched: Sequence[Matched] = field(default=(), repr=False)
    own_metrics: Mapping[str, Metric] = field(default_factory=dict, repr=False, compare=False)
    tuned: Mapping[Arm, Mapping[str, Level]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._find_metrics()
        self._write_components()
        check_fields(self)
        check_factors(self.factors)
        # Copies: what the caller does to its own dict and list afterwards changes no study.
        object.__setattr__(self, "factors", {path: tuple(levels) for path, levels in self.factors.items()})
        object.__setattr__(self, "fixed", dict(self.fixed))
        object.__setattr__(self, "arms_listed", tuple(dict(arm) for arm in self.arms_listed))
        object.__setattr__(self, "exclude", tuple(dict(pattern) for pattern in self.exclude))
        check_arms(self.arms)
        check_trials(self)
        if self.matched and {found.arm for found in self.matched} != {*to_match(self)}:
            object.__setattr__(self, "matched", ())  # those of other arms
        # What an ablation takes away may be fixed: it is what the full recipe has.
        if clash := self._paths & set(self.fixed) - {*self._taken}:
            path = min(clash)
            raise StudyError(f"{path!r} is a factor and is fixed at {self.fixed[path]!r}: drop one of the two")
        self._check_baseline()
        self._check_recipes()
        check_tuning(self)
        check_match(self)
        check_claim(self)

    @cached_property
    def base_recipe(self) -> Recipe:
        """The base with `fixed` applied: what every arm varies."""
        base = preset(self.base) if isinstance(self.base, str) else self.base
        fixed = base.replace(self.fixed)
        named = [*fixed.metrics, *(name for name in self._metrics_named if is_own(name))]
        return fixed.replace({"metrics": tuple(dict.fromkeys(named))}) if len(named) > len(fixed.metrics) else fixed

    @property
    def settled(self) -> str:
        """What makes two settings of one study: the base recipe with everything fixed, as far as it bears on results;
        neither factors nor replicates, margin, claim or metric, unless it is one's own."""
        return canonical_json(result_bearing(self.base_recipe))

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Ours, and those of its own, by name, in the order of tables."""
        return known_metrics(self.own_metrics)

    @property
    def primary(self) -> Metric:
        """The metric that verdicts are about."""
        return self.metrics[self.metric]

    @property
    def adaptive(self) -> Adaptive | None:
        """The planned looks by which the replicates are reached; None where each arm gets all of them."""
        return self.replicates if isinstance(self.replicates, Adaptive) else None

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms, a baseline that is not among the levels first."""
        levels = self._base_levels()
        centre = {**levels, **(self.baseline or {})}
        match self.design:
            case "explicit":
                return explicit(self.arms_listed, centre, admitted_by(self.base_recipe))
            case "leave_one_out" | "leave_two_out":
                return left_out(self._components, levels, pairs=self.design == "leave_two_out")
            case "fractional":
                return fractional(self.factors, centre, self.resolution)
            case "latin_square":
                return latin_square(self.factors, centre)
            case "one_at_a_time":
                return without_excluded(one_at_a_time(self.factors, centre), self.exclude)
        arms = factorial(self.factors)
        default = Arm.of({path: levels[path] for path in self.factors})
        own = self.baseline is not None or default in arms
        return without_excluded(arms if own else (default, *arms), self.exclude)

    def baseline_of(self, arm: Arm) -> Arm:
        """The arm that `arm` is compared with; a baseline is compared with itself, which is to say not at all."""
        if self._central is not None:
            return self._own(self._central)
        if self.baseline is None:
            return self._own(arm.replace(self._base_levels()))
        # These have one centre: a factor that stratified would leave arms nothing to be compared with.
        central = self.design in ("one_at_a_time", "fractional", "latin_square")
        return self._own(arm.replace({**(self._base_levels() if central else {}), **self.baseline}))

    @cached_property
    def _central(self) -> Arm | None:
        """Of listed arms, which need not have the same paths, the one baseline of all; None where it stratifies."""
        if self.design != "explicit":
            return None
        named = self.baseline or {}
        central = explicit((*self.arms_listed, named), {**self._base_levels(), **named}, admitted_by(self.base_recipe))[
            -1
        ]
        return central if not named or set(named) >= set(central.as_dict()) else None

    @cached_property
    def _paths(self) -> frozenset[str]:
        """What the arms set, each its own."""
        return frozenset(path for arm in self.arms for path, _ in arm.levels)

    def _own(self, arm: Arm) -> Arm:
        """The study's arm of these levels, which may have a label; an arm that it lacks as it is."""
        return self._by_content.get(arm, arm)

    @cached_property
    def _by_content(self) -> dict[Arm, Arm]:
        return {arm: arm for arm in self.arms}

    @cached_property
    def baselines(self) -> tuple[Arm, ...]:
        """The arms that others are compared with, one per stratum."""
        return tuple(arm for arm in self.arms if self.baseline_of(arm) == arm)

    @cached_property
    def added_levels(self) -> dict[str, Level]:
        """Of baselines that the levels do not hold, what was added to them, by path: the base recipe's own levels."""
        return {
            path: level
            for arm in self.baselines
            for path, level in arm.levels
            if path in self.factors and level not in self.factors[path]
        }

    @cached_property
    def floors(self) -> tuple[Arm, ...]:
        """The baselines that are trained again, where a noise floor is asked for."""
        return floor_arms(self.baselines) if self.noise_floor else ()

    @property
    def trained(self) -> tuple[Arm, ...]:
        """All that has trials: the arms, and the noise floor's."""
        return (*self.arms, *self.floors)

    def recipe_of(self, arm: Arm) -> Recipe:
        """The recipe that the trials of an arm train, at its own setting of what was matched and tuned.

        Of an arm that is yet to be matched or tuned it is that of its levels alone.
        """
        own = Arm(arm.levels)  # the noise floor's is its baseline's
        free = {self.free: self._free_numbers[own]} if own in self._free_numbers else {}
        return self.base_recipe.replace({**arm.as_dict(), **free, **self.tuned.get(own, {})})

    @cached_property
    def _free_numbers(self) -> dict[Arm, Level]:
        return {found.arm: found.value for found in self.matched}

    def caveats(self) -> dict[str, Any]:
        """Everything that all arms share, by path: what the findings are conditional on."""
        recipes = [dict(leaves(self.recipe_of(arm).model_dump())) for arm in self.arms]
        return {
            path: value
            for path, value in recipes[0].items()
            if path not in self._paths and all(other.get(path, _ABSENT) == value for other in recipes)
        }

    def vary(self, *, base: str | None = None, fixed: Mapping[str, Any] | None = None, **fields: Any) -> "Study":
        """The study on another base, with more settings fixed, or with other fields: what `--base` and `--set` do."""
        settings = set_over(self.fixed, fixed)
        return replace(self, base=base or self.base, fixed=settings, **{"matched": (), "tuned": {}, **fields})

    def __getattr__(self, name: str) -> Any:
        if name in _CALLS:
            raise AttributeError(
                f"a study is data: `from paribus import {_CALLS[name]}`, and write {_CALLS[name]}(study)"
            )
        raise AttributeError(f"a Study has no {name!r}")

    @property
    def _metrics_named(self) -> tuple[Any, ...]:
        """The primary metric and the claim's."""
        return self.metric, getattr(self.claim, "metric", None)

    def _find_metrics(self) -> None:
        """Make those of one's own that verdicts and tables are about."""
        fixed = self.fixed.get("metrics", ()) if isinstance(self.fixed, Mapping) else ()
        base = self.base.metrics if isinstance(self.base, Recipe) else ()
        listed = [fixed.split(",") if isinstance(fixed, str) else fixed, base]
        named = [name for names in listed if isinstance(names, (tuple, list)) for name in names]
        try:
            found = with_own((*self._metrics_named, *named), self.own_metrics)
        except MetricError as error:
            raise StudyError(str(error)) from None
        object.__setattr__(self, "own_metrics", found)

    def _write_components(self) -> None:
        """Levels that write a component as a mapping become its text: a level names arms and columns."""
        if isinstance(self.factors, Mapping):
            factors = {
                path: type(levels)(map(level_written, levels)) if is_short(levels) else levels
                for path, levels in self.factors.items()
            }
            object.__setattr__(self, "factors", factors)
        object.__setattr__(self, "baseline", arm_written(self.baseline))
        self._write_ablations()
        if is_short(self.arms_listed):
            object.__setattr__(self, "arms_listed", type(self.arms_listed)(map(arm_written, self.arms_listed)))
        if is_short(self.exclude) and all(isinstance(pattern, Mapping) for pattern in self.exclude):
            excluded = [{path: levels_written(levels) for path, levels in pattern.items()} for pattern in self.exclude]
            object.__setattr__(self, "exclude", tuple(excluded))

    def _write_ablations(self) -> None:
        """Components to take away with their fields and names, whatever was left out; they say what the design is."""
        found = written_out(self.ablate).items()
        ablate = {name: {path: level_written(level) for path, level in fields.items()} for name, fields in found}
        object.__setattr__(self, "ablate", ablate)
        if ablate and self.design == "factorial":
            object.__setattr__(self, "design", "leave_one_out")

    @property
    def _taken(self) -> Iterator[str]:
        return (path for fields in self._components.values() for path in fields)

    @property
    def _components(self) -> Ablations:
        return cast(Ablations, self.ablate)  # since it was written out

    def _base_levels(self) -> dict[str, Level]:
        known = dict(leaves(self.base_recipe.model_dump()))
        named = (self.factors, *self.arms_listed, *self._components.values())
        paths = list(dict.fromkeys(path for each in named for path in each))
        if MODEL in paths:
            known[MODEL] = name_of(self.base_recipe.model)
        written = {path: place.short(value) for path, place, value in components(self.base_recipe)}
        known |= written
        for path in paths:
            if path != MODEL and path not in written and any(name.startswith(f"{path}.") for name in known):
                raise StudyError(f"{path!r} is a part of the recipe, not a field: name one of its fields")
            if path not in known and not self._begun_afresh(path):
                self.base_recipe.replace({path: None})  # raises, and names the nearest path
        return {path: known[path] for path in paths if path in known}

    def _begun_afresh(self, path: str) -> bool:
        """Whether a listed arm that names `path` brings the part of the recipe that has it."""
        return any(holds_another(other, [path]) for arm in self.arms_listed if path in arm for other in arm)

    def _check_recipes(self) -> None:
        kept = {*self.fixed} - {*self._taken, self.free}
        fixed = {path: value for path, value in leaves(self.base_recipe.model_dump()) if path in kept}
        seen: dict[str, Arm] = {}
        for arm in self.arms:
            try:
                recipe = self.recipe_of(arm)
            except RecipeError as error:
                raise RecipeError(f"study {self.name!r}, arm {arm.name!r}: {error}") from None
            trained = dict(leaves(recipe.model_dump()))
            for path, value in fixed.items():
                if trained.get(path, _ABSENT) != value:
                    raise StudyError(
                        f"{path!r} is fixed at {value!r}, but the arm {arm.name!r} starts that part afresh from its "
                        "defaults: list the arms with their own values (design='explicit')"
                    )
            twin = seen.setdefault(canonical_json(result_bearing(recipe)), arm)
            if twin is not arm:
                raise StudyError(
                    f"the arms {twin.name!r} and {arm.name!r} would train the same trials: "
                    "drop one, or vary something that bears on the result"
                )

    def _check_baseline(self) -> None:
        paths = dict.fromkeys(path for arm in self.arms for path, _ in arm.levels)
        for path, level in (self.baseline or {}).items():
            if path not in paths:
                raise StudyError(f"the baseline names {path!r}, which is no factor: factors are {', '.join(paths)}")
            levels = list(dict.fromkeys(arm.as_dict()[path] for arm in self.arms if path in arm.as_dict()))
            if level not in levels:
                shown = ", ".join(map(repr, levels))
                raise StudyError(f"the baseline's level {level!r} of {path!r} is none of the study's: {shown}")
        for arm in self.arms:
            if self.baseline_of(arm) not in self.arms:
                raise StudyError(
                    f"the arm {arm.name!r} has no baseline to be compared with: "
                    f"{self.baseline_of(arm).name!r} is no arm; add it, or name another baseline"
                )
