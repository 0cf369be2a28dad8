"""The words that a study is made of, as plain frozen data: arms, outcomes, results and claims."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from paribus.host.secrets import without_secrets
from paribus.study.constructors import by_fields

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples

Level = str | int | float | bool | tuple[int | float | str, ...] | None
# How the reason of a trial begins whose own doing a signal was.
KILLS = "this trial kills its process"
FailureClass = Literal["preempted", "node", "oom", "data", "code"]
Outcome = Literal["finished", "diverged", "dead", "stuck", "stopped", "failed"]
# Outcomes of a trial itself that leave nothing to average: a loss without bound, a net without a live feature, one
# that came to its end at chance. `failed` is another thing: no result at all.
FAILED_TO_TRAIN: frozenset[Outcome] = frozenset({"diverged", "dead", "stuck"})
# How a study, a search or a tuning stands.
STANDINGS: Final = ("running", "paused", "finished", "failed", "interrupted")
Direction = Literal["better", "worse", "no harm", "stabler"]
# Of what may be chosen otherwise after a look, two by which no verdict is judged: the claim, and trials trained again.
CLAIM: Final = "claim"
TRAINED: Final = "trained"

# How a document says that an arm is a baseline again: no field of a recipe is called so.
_AGAIN = "(A/A)"

# Paths that the literature writes with a letter.
_SYMBOLS = {"model.width": "k"}


def short_name(path: str) -> str:
    """The last part of a factor's path, or the papers' letter for it: `model.width` is `k`."""
    return _SYMBOLS.get(path, path.rpartition(".")[2])


def column_names(paths: Sequence[str]) -> list[str]:
    """The paths by short name, or whole where two share one: what columns and arms are named by."""
    shorts = [short_name(path) for path in paths]
    return [short if shorts.count(short) == 1 else path for short, path in zip(shorts, paths, strict=True)]


def show_level(level: Level) -> str:
    """A level as people write it: `0.1`, `yes`, `(3,1,3)`; `none` for what is left out, no secret of an address."""
    if level is None:
        return "none"
    if isinstance(level, bool):
        return "yes" if level else "no"
    if isinstance(level, tuple):
        return f"({','.join(map(show_level, level))})"
    if isinstance(level, float):
        # Six digits read well, but two levels never share a name.
        return short if float(short := f"{level:g}") == level else repr(float(level))
    return without_secrets(str(level))


@dataclass(frozen=True, eq=False)
class Arm:
    """One assignment of the scientific factors, as (path, level) pairs; the order is for its name, not for equality.

    `label` names the arm where its levels would say less (`without warm-up`); it is not for equality either. `again`
    marks the second training of a baseline that is a noise floor: an arm of its own, with the baseline's levels.
    """

    levels: tuple[tuple[str, Level], ...]
    label: str = ""
    again: bool = False

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, Arm) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    @cached_property
    def _content(self) -> tuple[frozenset[tuple[str, Level]], bool]:
        return frozenset(self.levels), self.again

    @classmethod
    def of(cls, levels: Mapping[str, Level]) -> Arm:
        """The arm with these levels, in the mapping's order."""
        return cls(tuple(levels.items()))

    @cached_property
    def name(self) -> str:
        """`residual_scale=0.1 · depth=16`: short names, or whole paths where two share a last part; or its label."""
        if self.label:
            return self.label
        pairs = zip(column_names([path for path, _ in self.levels]), self.levels, strict=True)
        name = " · ".join(f"{name}={show_level(level)}" for name, (_, level) in pairs) or "base recipe"
        return f"{name} again (A/A)" if self.again else name

    def as_dict(self) -> dict[str, Level]:
        """The levels by path."""
        return dict(self.levels)

    def replace(self, changes: Mapping[str, Level]) -> Arm:
        """The same arm with some levels changed."""
        return Arm(tuple((path, changes.get(path, level)) for path, level in self.levels))


@by_fields
@dataclass(frozen=True)
class Claim:
    """A published statement that a study tests.

    Args:
        text: what the source says.
        source: where, down to section, table or figure.
        direction: what the source says of the claimed arms against the baseline, on `metric`; `no harm` is better or
            equivalent, and `stabler` is about failures to train (diverged, dead, stuck) alone.
        metric: the metric that the claim is about.
        arms: levels that an arm must have for the claim to be about it; empty: every arm but the baselines.
        setting: where the paper had it (data, net, budget), printed beside the study's own.
        effect: the size of the effect that the source states, in the metric's unit and without a sign (of the mean
            delta of each arm that the claim is about); None where it states none.
    """

    text: str
    source: str
    direction: Direction = "no harm"
    metric: str = "top1"
    arms: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)
    setting: str = ""
    effect: float | None = None

    def concerns(self, arm: Arm) -> bool:
        """Whether the claim is about this arm."""
        levels = arm.as_dict()
        return all(levels.get(path) in allowed for path, allowed in self.arms.items())


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """How one trial ended: what analysis reads.

    `metrics` holds final values, by the names of the room `metrics`. `examples` are those of its last evaluation, None
    where they were not kept or not read. `weights` is the digest of the final weights, "" where it is not known.
    """

    trial_id: str
    arm: Arm
    replicate: int
    outcome: Outcome
    metrics: Mapping[str, float] = field(default_factory=dict)
    outcome_step: int | None = None
    num_steps: int = 0
    reason: str = ""
    run_id: str = ""
    weights: str = ""
    examples: Examples | None = field(default=None, repr=False, compare=False)

    @property
    def survived(self) -> bool:
        """Trained to the end of its budget: neither diverged, dead, stuck, stopped nor failed."""
        return self.outcome == "finished"


def arm_as_json(arm: Arm) -> list[tuple[str, Level]]:
    """An arm as a list of (path, level) pairs, which `arm_from_json` reads; labels are the study's own to give."""
    return [*arm.levels, *([(_AGAIN, True)] if arm.again else [])]


def arm_from_json(pairs: Any) -> Arm:
    """The arm of decoded pairs. Raises TypeError or ValueError for what are none."""
    levels = tuple((path, level_from_json(level)) for path, level in pairs)
    if not all(isinstance(path, str) for path, _ in levels):
        raise TypeError(f"{pairs!r} are no levels by path")
    arm = Arm(tuple(pair for pair in levels if pair[0] != _AGAIN), again=(_AGAIN, True) in levels)
    hash(arm)  # a level that is an object is none
    return arm


def level_from_json(value: Any) -> Level:
    """A level as JSON gives it back: lists are tuples again."""
    return tuple(value) if isinstance(value, list) else value


def question_of(docstring: str | None) -> str:
    """The question of a docstring: its first sentence, up to the question mark; else its first paragraph."""
    paragraph = (docstring or "").strip().split("\n\n")[0].replace("\n", " ")
    question, mark, _ = paragraph.partition("?")
    return question + mark if mark else paragraph


def printable(name: str) -> str:
    """A file's name as any terminal takes it: what is not UTF-8 in it becomes a replacement character."""
    return os.fsencode(name).decode("utf-8", "replace")
