"""How the learning rate moves over the budget. Every kind may begin with the two-stage warm-up."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from paribus.recipe.components.component import CALLED_WITH, OWN, WithArguments, checked, tag_of
from paribus.recipe.components.own import canonical, is_own
from paribus.recipe.components.recorded import taken
from paribus.recipe.part import Part


class _Schedule(Part):
    """Two-stage warm-up (Inception-v4, section 3.3): a constant `warmup_lr` for `warmup_epochs`, then the schedule."""

    warmup_epochs: float = Field(0.0, ge=0)
    warmup_lr: float = Field(1e-5, gt=0)


class Step(_Schedule):
    """The rate times `factor` at each of `milestones`, fractions of the budget (WRN: x0.2 at 30, 60 and 80 %)."""

    kind: Literal["step"] = "step"
    milestones: tuple[float, ...] = (0.3, 0.6, 0.8)
    factor: float = Field(0.2, gt=0, lt=1)

    @field_validator("milestones")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)) or any(not 0 < at < 1 for at in value):
            raise ValueError("milestones are rising fractions of the budget between 0 and 1, such as (0.3, 0.6, 0.8)")
        return value


class Exponential(_Schedule):
    """The rate is multiplied by `factor` every `every_epochs` (Inception-v4, section 4: 0.94 every two epochs)."""

    kind: Literal["exponential"] = "exponential"
    factor: float = Field(0.94, gt=0, lt=1)
    every_epochs: float = Field(2.0, gt=0)


class Cosine(_Schedule):
    """Half a cosine from the rate to `final_fraction` of it (Loshchilov and Hutter 2017, equation 5, no restart)."""

    kind: Literal["cosine"] = "cosine"
    final_fraction: float = Field(0.0, ge=0, lt=1)


class OneCycle(_Schedule):
    """Linear from `initial_fraction` of the rate up to the rate at `peak`, linear down to `final_fraction`.

    (Smith and Topin 2019, section 3: super-convergence; `peak` is a fraction of the budget.)
    """

    kind: Literal["one_cycle"] = "one_cycle"
    peak: float = Field(0.3, gt=0, lt=1)
    initial_fraction: float = Field(0.04, ge=0, lt=1)
    final_fraction: float = Field(0.0, ge=0, lt=1)


class OwnSchedule(_Schedule, WithArguments):
    """A user's: `factor(done)` gives the rate as a multiple of the optimizer's, of the part of the budget that is done
    (0 to 1). A function of `done` and its arguments, or a class whose objects are called with `done`."""

    own_place: ClassVar[str] = "schedule"

    kind: str

    @model_validator(mode="before")
    @classmethod
    def _of_its_class(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not is_own(value.get("kind")):
            return value
        kind = canonical(value["kind"], "schedule")
        warm = {name: value[name] for name in _Schedule.model_fields if name in value}
        chosen = {name: each for name, each in value.items() if name != "kind" and name not in warm}
        return {"kind": kind, **warm, **checked(taken(kind, "schedule", CALLED_WITH), chosen, f"schedule {kind!r}")}


Schedule = Annotated[
    Annotated[Step, Tag("step")]
    | Annotated[Exponential, Tag("exponential")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[OneCycle, Tag("one_cycle")]
    | Annotated[OwnSchedule, Tag(OWN)],
    Discriminator(tag_of),
]
