"""What of a search stood up on fresh seeds, and which setting is the best by the one rule that everything goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.analysis.verdicts import ON_THE_BETTER_SIDE
from paribus.engine.searches.tried import Tried
from paribus.study.searches.space import Levels

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport
    from paribus.study.searches.search import Search
    from paribus.study.words import Arm

_TO_COME = ("running", "interrupted", "waiting")


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A setting that was searched and then confirmed: the winner's curse is what is between the two gains.

    `searched` is its one value on held-out data and `searched_gain` that over the baseline's, None where the search did
    not try the baseline; `confirmed` and `gain` are means over `n` fresh replicates on the evaluation split, with the
    interval of the gain. `against` says in words what speaks against it whatever its verdict: fresh runs that did not
    train, and constraints of the search that fresh runs break.
    """

    name: str
    number: int
    searched: float
    searched_gain: float | None
    n: int
    confirmed: float | None
    gain: float | None
    interval: tuple[float, float] | None
    verdict: str
    against: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The setting that a search is said to have found; `levels` over its final recipe, None where there is none.

    `number` is that of the search's trial, None of the baseline; `words` say why it is this one, and whether it is
    confirmed.
    """

    name: str
    number: int | None
    levels: Levels | None
    is_confirmed: bool
    verdict: str
    words: str

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`."""
        return {
            "number": self.number,
            "name": self.name,
            "levels": None if self.levels is None else dict(self.levels),
            "confirmed": self.is_confirmed,
            "verdict": self.verdict,
            "why": self.words,
        }


def stood_up(search: Search, best: Sequence[Tried], base: float | None, study: StudyReport | None) -> list[Confirmed]:
    """What was confirmed of the `best`, the baseline left out, in their order; `base` is what the search saw of it."""
    if study is None or study.analysis is None:
        return []
    contrasts = {each.arm: each for each in study.analysis.contrasts if each.primary}
    means = {row.arm: row.mean for row in study.arms}
    found = []
    for each in best:
        arm = search.confirmed_arm(each.levels)
        contrast, value = contrasts.get(arm), each.metrics[search.metric]
        if contrast is None:
            continue
        found.append(
            Confirmed(
                name=search.arm_of(each.levels).name,
                number=each.number,
                searched=value,
                searched_gain=None if base is None else value - base,
                n=contrast.n,
                confirmed=means.get(arm),
                gain=contrast.mean if contrast.n else None,
                interval=(contrast.interval.low, contrast.interval.high) if contrast.interval else None,
                verdict=contrast.verdict or "no data",
                against=_against(search, study, arm),
            )
        )
    return found


def choose(search: Search, best: Sequence[Tried], found: Sequence[Confirmed], study: StudyReport | None) -> Chosen:
    """The best: before the confirmation has ended what the search saw as the best; after it what stands up best.

    That is, of the settings whose fresh runs all trained and keep the constraints, and whose verdict is that they are
    better than the baseline, the one with the best mean on the fresh seeds. Where none is better it is the baseline:
    the highest of several that are not told from it is the highest by luck, which is what a confirmation is against.
    A baseline that does not train, or breaks a constraint, is no answer; then it is the best mean of those that are.
    """
    if not best:
        return _nothing("no setting was trained to its end, or none keeps the constraints")
    to_come = _to_come(search, best, study)
    if study is None or study.analysis is None or to_come:
        return _searched(search, best[0], to_come)
    sign = search.primary.sign
    kept = [each for each in found if not each.against and each.confirmed is not None]
    kept.sort(key=lambda each: -sign * (each.confirmed or 0.0))
    better = [each for each in kept if each.verdict in ON_THE_BETTER_SIDE]
    levels = {each.number: each.levels for each in best}
    if better:
        return _confirmed(better[0], levels, f"the best mean of {_counted(better)} better than the baseline")
    against = _against(search, study, search.confirmed_arm(search.baseline or {}))
    if not against:
        why = f"none of {len(found)} confirmed settings is better than it{_speaks_against(found)}; the highest of what "
        why += "is not better is so by luck, so that the baseline stays"
        return Chosen(
            name="the baseline",
            number=None,
            levels=search.central,
            is_confirmed=True,
            verdict="baseline",
            words=f"confirmed: {why}",
        )
    if kept:
        why = f"the best mean of {_counted(kept)} without fault, for the baseline {' and '.join(against)}"
        return _confirmed(kept[0], levels, why)
    return _nothing(f"the baseline {' and '.join(against)}, and so it is with every setting{_speaks_against(found)}")


def _to_come(search: Search, best: Sequence[Tried], study: StudyReport | None) -> str:
    """How far the confirmation is, in words; "" where it has ended, or none has begun."""
    if study is None or study.analysis is None:
        return ""
    judged = {each.arm for each in study.analysis.contrasts} | {search.confirmed_arm(search.baseline or {})}
    new = [each for each in best if search.confirmed_arm(each.levels) not in judged]
    if new:
        return f"#{new[0].number} is among the best since, and was not trained again"
    left = sum(row.state in _TO_COME for row in study.trials)
    return f"{left} of {len(study.trials)} fresh runs are to come" if left else ""


def _searched(search: Search, each: Tried, to_come: str) -> Chosen:
    yet = f" yet ({to_come})" if to_come else " yet" if search.confirm else ""
    return Chosen(
        name=search.arm_of(each.levels).name,
        number=each.number,
        levels=each.levels,
        is_confirmed=False,
        verdict="",
        words=f"not confirmed{yet}: it is the best of what the search saw, by one run of each",
    )


def _confirmed(each: Confirmed, levels: Mapping[int, Levels], why: str) -> Chosen:
    return Chosen(
        name=each.name,
        number=each.number,
        levels=levels[each.number],
        is_confirmed=True,
        verdict=each.verdict,
        words=f"confirmed, {each.verdict}, n = {each.n}: {why}",
    )


def _nothing(why: str) -> Chosen:
    return Chosen(name="nothing", number=None, levels=None, is_confirmed=False, verdict="", words=why)


def _counted(found: Sequence[Confirmed]) -> str:
    return "the one that is" if len(found) == 1 else f"{len(found)} that are"


def _speaks_against(found: Sequence[Confirmed]) -> str:
    told = [f"#{each.number} {' and '.join(each.against)}" for each in found if each.against]
    return f" ({'; '.join(told)})" if told else ""


def _against(search: Search, study: StudyReport, arm: Arm) -> tuple[str, ...]:
    """What speaks against an arm on the fresh seeds: runs that did not train, bounds that runs break."""
    own = [row for row in study.trials if row.arm == arm and row.record is not None and row.record.outcome is not None]
    whole = [row.record.metrics for row in own if row.state == "finished" and row.record is not None]
    lost = sum(row.state == "failed" for row in own)
    dead = len(own) - len(whole) - lost
    told = [f"did not train in {dead} of {len(own)} fresh runs"] if dead else []
    told += [f"has no result of {lost} of {len(own)} fresh runs"] if lost else []
    for bound, text in zip(search.bounds, search.constraints, strict=True):
        values = [metrics.get(bound.name) for metrics in whole]
        broken = [value for value in values if value is None or not bound.excess(value) <= 0]
        if broken:
            known = [value for value in values if value is not None]
            mean = f", {sum(known) / len(known):.6g} in the mean" if known else ""
            told.append(f"breaks {text} in {len(broken)} of {len(whole)} fresh runs{mean}")
    return tuple(told)
