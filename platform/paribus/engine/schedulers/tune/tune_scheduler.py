"""Ray Tune's own schedulers, and subclasses of `ray.tune.schedulers.TrialScheduler` of the user's own, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError
from paribus.recipe.components.component import as_text
from paribus.recipe.components.own import load
from paribus.recipe.errors import RecipeError

# What they count in: `training_iteration`, as every result of Tune's has it, is our epoch.
EPOCH = "training_iteration"
OURS = "the search says what is best, by metric=, and its metric says whether larger is better: leave it out"
_NEEDS_TUNE = {
    # Before what it derives from.
    "PB2": (
        "says which setting comes next in a private method alone (_get_new_config), in the midst of putting another "
        "trial's checkpoint into one that runs, for which it calls private methods of Tune's controller: take 'pbt', "
        "whose members are perturbed by chance and not by a Gaussian process"
    ),
    "PopulationBasedTraining": (
        "puts another trial's checkpoint and settings into a running trial through private methods of Tune's "
        "controller, where every trial here has one setting and a run of its own: take 'pbt', which goes on from "
        "checkpoints in a population of trials"
    ),
    "PopulationBasedTrainingReplay": (
        "changes a running trial's settings through private methods of Tune's controller, and reads a policy file that "
        "only Tune's own population writes: take 'pbt', whose report has the lineage of what it found, setting by "
        "setting; to train that again from its start is not offered"
    ),
    "ResourceChangingScheduler": "changes what a running trial asks of the cluster, where resources are the recipe's",
}


@dataclass(frozen=True, kw_only=True)
class Named(Scheduler):
    """A scheduler that is only known by its name: it decides nothing, so that whoever is paused may yet go on.

    As such it stands where a recorded search is looked at, for which nobody's code is run.

    Args:
        reference: `module:Name` of a class, or of a function that makes a scheduler.
        arguments: pairs of name and value.
    """

    name: ClassVar[str] = "named"

    reference: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """As it was named."""
        return as_text({"kind": self.reference, **dict(self.arguments)})

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Every epoch: when it would decide is known to itself alone."""
        return tuple(range(1, epochs + 1))

    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """Any that is paused."""
        return bracket.paused[rung][0][1] if bracket.paused[rung] else None

    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """None."""
        return {}

    def check(self, epochs: int, planned: int) -> None:
        """Nothing is known that could not fit."""


@dataclass(frozen=True, kw_only=True)
class TuneScheduler(Named):
    """A `TrialScheduler` by its name, asked after every epoch through its public methods, as Tune would ask it.

    `made` loads it, and Ray with it. `time_attr` and `max_t` are epochs where it takes them.
    """

    @property
    def recorded(self) -> Named:
        """Its name alone."""
        return Named(reference=self.reference, arguments=self.arguments)

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where there is no such scheduler, or one that has nothing to cut or cannot be driven."""
        self.made(epochs)
        grace = self._argument("grace_period")
        if isinstance(grace, (int, float)) and grace >= epochs:
            raise SchedulerError(
                f"scheduler {self.text!r}: grace_period = {grace:g} of {epochs} epochs leaves nothing to stop: give "
                "fewer, such as grace_period=1"
            )

    def made(self, epochs: int) -> Any:
        """A new `TrialScheduler`.

        Raises:
            SchedulerError: no such name, none of Tune's schedulers, an argument that it refuses, or one that only a run
                of Tune's own can have.
        """
        target, base = self._loaded(self.reference), self._loaded("ray.tune.schedulers:TrialScheduler")
        try:
            found = target(**self._chosen(target, epochs))
        except Exception as error:  # a user's class may raise anything
            raise SchedulerError(f"scheduler {self.text!r} cannot be made: {said(error)}") from None
        if not isinstance(found, base):
            raise SchedulerError(
                f"scheduler {self.reference!r} makes a {type(found).__name__}, which is no TrialScheduler of "
                "ray.tune.schedulers"
            )
        # By name: to load PB2 for a look takes a second.
        kinds = {each.__name__ for each in type(found).__mro__ if each.__module__.startswith("ray.tune.")}
        if name := next((each for each in _NEEDS_TUNE if each in kinds), ""):
            raise SchedulerError(f"scheduler {self.reference!r}: {name} {_NEEDS_TUNE[name]}")
        return found

    def _chosen(self, target: Any, epochs: int) -> dict[str, Any]:
        chosen, takes = dict(self.arguments), inspect.signature(target).parameters
        refuse_ours(chosen)
        if chosen.get("time_attr", EPOCH) != EPOCH:
            raise ValueError(f"time_attr = {chosen['time_attr']!r}: trials here report epochs, which are {EPOCH!r}")
        ours = {"time_attr": EPOCH, "max_t": epochs}
        return {**{name: value for name, value in ours.items() if name in takes}, **chosen}

    def _argument(self, name: str) -> Any:
        """Its value, given or by default; None where it takes no such."""
        parameter = inspect.signature(self._loaded(self.reference)).parameters.get(name)
        return dict(self.arguments).get(name, parameter.default) if parameter else None

    def _loaded(self, reference: str) -> Any:
        try:
            return load(reference)
        except RecipeError as error:
            raise SchedulerError(f"scheduler {self.text!r}: {error}") from None


def said(error: Exception) -> str:
    """What an error of Tune's says, and its kind where that is no sentence for people."""
    text = " ".join(str(error).split())  # some are of several lines
    is_sentence = text and isinstance(error, (AssertionError, ValueError, TypeError, ImportError))
    return text if is_sentence else f"{type(error).__name__}: {text}"


def refuse_ours(chosen: Mapping[str, Any]) -> None:
    """Raise ValueError for an argument of what is named by a user that the search itself says: metric or mode."""
    for name in ("metric", "mode"):
        if name in chosen:
            raise ValueError(f"{name} = {chosen[name]!r}: {OURS}")
