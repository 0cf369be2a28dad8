"""Metrics of one's own: made by their functions, or told by what a ledger keeps of them where their file is absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from paribus.metrics.known import METRICS
from paribus.metrics.metric import Metric, MetricError
from paribus.recipe.components.own import is_own, load
from paribus.recipe.components.recorded import is_recorded

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples

_TAKES = (
    "A Metric takes name, short (the head of its column), label (of its axis), unit, sd (the spread between replicates "
    "to plan with until there are some, in the unit), needs (the columns that it is computed from), and overall or "
    "per_example; where less is better, sign=-1"
)

# What a metric is computed with lives in its file; all else of it a ledger keeps.
_COMPUTED = ("per_example", "overall")


def load_metric(reference: str) -> Metric:
    """The metric that the function `reference` makes; it is called so everywhere, whatever name it gives itself.

    Raises:
        RecipeError: no such function. MetricError: it makes no metric, or one that a trial cannot report; or a document
            is being read, for which nothing is imported.
    """
    if is_recorded():
        raise MetricError(f"{reference!r} is in no list of this document's own metrics, and none is imported for it")
    make = load(reference, "metric")
    if isinstance(make, Metric):
        raise MetricError(f"{reference!r} is a Metric: name a function without arguments that returns it")
    try:
        made = make()
    except TypeError as error:
        if str(error).startswith("Metric.__init__()"):
            raise MetricError(f"{reference!r}: {error}. {_TAKES}") from error
        raise _raised(reference, error) from error
    except Exception as error:  # a user's function may raise anything
        raise _raised(reference, error) from error
    if not isinstance(made, Metric):
        raise MetricError(
            f"{reference!r} makes a {type(made).__name__}: return a Metric of paribus.metrics.metric, as the files of "
            "paribus/metrics have it"
        )
    if made.every_epoch:
        raise MetricError(
            f"{reference!r} has every_epoch=True: one's own is computed when a trial ends, so leave it out"
        )
    return replace(made, name=reference, headline=False, negative_of="")


def _raised(reference: str, error: Exception) -> MetricError:
    return MetricError(
        f"{reference!r}, called without arguments, raised {type(error).__name__}: {error}. A metric's function "
        "takes none: write one for each metric, such as def f2(): return f_beta(2.0)"
    )


def own_values(references: Iterable[str], examples: Examples) -> dict[str, float]:
    """The value of each metric of `references` over a trial's examples.

    Raises:
        MetricError: a value that is not finite, which no mean over replicates and no ledger can hold.
    """
    found = {}
    for reference in references:
        value = load_metric(reference).of(examples)
        if value is None or not isfinite(value):
            raise MetricError(
                f"{reference!r} is {value} of this trial's {examples.n} examples: it should be a number for every net, "
                "also for one that predicts a single class"
            )
        found[reference] = value
    return found


def facts_of(metric: Metric) -> dict[str, Any]:
    """All of a metric but its functions, as JSON holds it."""
    return {field.name: getattr(metric, field.name) for field in fields(Metric) if field.name not in _COMPUTED}


def told_metric(facts: Mapping[str, Any]) -> Metric:
    """The metric of `facts_of`: it shows and compares the values that trials reported, and computes none.

    Raises:
        MetricError, TypeError: these are no such facts.
    """
    return Metric(**{**facts, "needs": tuple(facts["needs"])}, overall=_absent(str(facts["name"])))


def _absent(name: str) -> Any:
    def overall(examples: Examples) -> float:
        raise MetricError(f"the file of {name!r} is not here: there are the values that trials reported, and no others")

    return overall


def with_own(references: Iterable[Any], told: Mapping[str, Metric]) -> dict[str, Metric]:
    """Name to metric of those of one's own among `references`: as `told`, else loaded.

    Raises:
        RecipeError, MetricError: as `load_metric`, or two that head their columns alike.
    """
    found: dict[str, Metric] = {}
    for name in dict.fromkeys(each for each in references if is_own(each)):
        made = told[name] if name in told else load_metric(name)
        if twin := next((one for one in known_metrics(found).values() if made.short == one.short), None):
            raise MetricError(
                f"{name!r} and {twin.name!r} both head their columns {made.short!r}: give it another short"
            )
        found[name] = made
    return found


def known_metrics(own: Mapping[str, Metric]) -> dict[str, Metric]:
    """Ours and one's own by name, in the order of tables."""
    return {**METRICS, **own}
