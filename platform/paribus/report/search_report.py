"""What people read of a search: what was tried, what came of it, and what of that stood up to confirmation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from paribus.engine.population import Population
from paribus.engine.search_preview import SearchPreview, tried_row
from paribus.engine.walk import Tried
from paribus.host.secrets import without_secrets
from paribus.recipe import Recipe

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport
    from paribus.study.search import Search

# Where the driver keeps a report's `as_dict` with the search.
RESULT_FILE = "found.json"


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A setting that was searched and then confirmed: the winner's curse is what is between the two gains.

    `searched` is its one value on held-out data and `searched_gain` that over the baseline's, None where the search did
    not try the baseline; `confirmed` and `gain` are means over `n` fresh replicates on the evaluation split, with the
    interval of the gain.
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


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """A search as the ledger has it. `best` are the settings to confirm, the best first; `front` those of the Pareto
    front, where there are several objectives; `confirmation` is the study's report, None where it has not begun."""

    preview: SearchPreview
    best: tuple[Tried, ...]
    front: tuple[Tried, ...]
    outcomes: Mapping[str, int]
    confirmation: StudyReport | None = None

    @property
    def search(self) -> Search:
        """The search."""
        return self.preview.search

    @property
    def tried(self) -> tuple[Tried, ...]:
        """What was tried, in order."""
        return tuple(each for _, each in sorted(self.preview.walk.tried.items()))

    def recipe(self) -> Recipe | None:
        """The recipe of the best setting, as a study can take it for its base; None where none was found, and of a
        population, whose best came about through several."""
        if not self.best or isinstance(self.preview.walk, Population):
            return None
        return self.search.final_recipe.replace(self.best[0].levels)

    def history(self) -> list[tuple[int, float]]:
        """(number, best value up to it) after each trial that was trained to its end: how the search came on."""
        return self.preview.walk.history()

    def confirmed(self) -> list[Confirmed]:
        """What was confirmed, the baseline left out, in the order of the search."""
        judged = self.confirmation.analysis if self.confirmation else None
        if judged is None:
            return []
        metric = self.search.metric
        base = self._baseline()
        assert self.confirmation is not None
        rows = {row.arm: row for row in self.confirmation.arms}
        contrasts = {each.arm: each for each in judged.contrasts if each.primary}
        found = []
        for each in self.best:
            arm = self.search.confirmed_arm(each.levels)
            contrast, value = contrasts.get(arm), each.metrics[metric]
            if contrast is None:
                continue
            found.append(
                Confirmed(
                    name=self.search.arm_of(each.levels).name,
                    number=each.number,
                    searched=value,
                    searched_gain=None if base is None else value - base,
                    n=contrast.n,
                    confirmed=rows[arm].mean if arm in rows else None,
                    gain=contrast.mean if contrast.n else None,
                    interval=(contrast.interval.low, contrast.interval.high) if contrast.interval else None,
                    verdict=contrast.verdict or "no data",
                )
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """The search as plain data."""
        search = self.search
        return {
            "search": search.name,
            "settings": self.preview.settings.name,
            "metric": search.metric,
            "outcomes": dict(self.outcomes),
            "ended_by": self.preview.walk.ended_by,
            "best": [tried_row(each, search) for each in self.best],
            "front": [tried_row(each, search) for each in self.front],
            "history": self.history(),
            "trials": [tried_row(each, search) for each in self.tried],
            "confirmed": [vars(each) for each in self.confirmed()],
            "notes": list(self.preview.notes),
            **({"lineage": self.lineage()} if isinstance(self.preview.walk, Population) else {}),
        }

    def lineage(self) -> dict[int, list[int]]:
        """Of a population: through which trials each of the best came about, the first one first; else nothing."""
        walk = self.preview.walk
        if not isinstance(walk, Population):
            return {}
        return {each.number: [one.number for one in walk.line_of(each.number)] for each in self.best}

    def _baseline(self) -> float | None:
        """What the search saw of the baseline."""
        for each in self.tried:
            if each.state == "finished" and self.search.is_baseline(each.levels):
                return each.metrics[self.search.metric]
        return None


def search_report(preview: SearchPreview, confirmation: StudyReport | None = None) -> SearchReport:
    """The report of what is known."""
    walk = preview.walk
    outcomes: Counter[str] = Counter(each.outcome or each.state for each in walk.tried.values())
    front = tuple(walk.front()) if preview.search.against else ()
    return SearchReport(
        preview=preview, best=tuple(walk.best()), front=front, outcomes=outcomes, confirmation=confirmation
    )


def search_markdown(report: SearchReport) -> str:
    """What MLflow's page shows of the search."""
    search, metric = report.search, report.search.primary
    lines = [f"**{without_secrets(search.question)}**", "", "Exploratory until what it finds is confirmed.", ""]
    lines += [f"| # | setting | {metric.short} |", "|---|---|---|"]
    for each in report.best:
        value = metric.show(each.metrics[metric.name])
        lines.append(f"| {each.number} | {without_secrets(search.arm_of(each.levels).name)} | {value} |")
    came = [f"- #{number}: {without_secrets(text)}" for number, text in schedules(report).items()]
    return "\n".join([*lines, *(["", "How they came about:", "", *came] if came else [])])


def schedules(report: SearchReport) -> dict[int, str]:
    """Of a population: the settings that each of the best went through, in words."""
    walk, found = report.preview.walk, {}
    if isinstance(walk, Population):
        for number in report.lineage():
            line = groupby(walk.line_of(number), key=lambda each: report.search.arm_of(each.levels).name)
            found[number] = "; ".join(_stage(walk, name, [each.number for each in own]) for name, own in line)
    return found


def _stage(walk: Population, name: str, numbers: Sequence[int]) -> str:
    (first, _), (_, last) = walk.span_of(numbers[0]), walk.span_of(numbers[-1])
    epochs = f"epochs {first} to {last}" if last > first else f"epoch {last}"
    return f"{epochs} at {name} ({', '.join(f'#{number}' for number in numbers)})"
