"""How MLflow's page of a study's runs opens: as one who had set it up by hand would share it.

MLflow's own button "Share" keeps the state of that page in a tag of the experiment, `mlflow.sharedViewState.KEY`, and
an address with `viewStateShareKey=KEY` restores it: filter, order, columns, groups and charts. The tag is JSON of the
names that the page itself uses (mlflow 3.17, `server/js`: ExperimentPageUIState and ExperimentPageSearchFacetsState),
and is set here over the public REST API. What a later MLflow does not know of it, its page leaves at its default.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paribus.tracking import tags as words
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import FOR_TRAINING

_TAG = "mlflow.sharedViewState."
# MLflow refuses a longer tag of an experiment.
_MOST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsView:
    """What of its trials a study shows first.

    Args:
        metric: by which trials are ordered and arms compared, a name such as `top1`.
        largest_first: whether more of it is better.
        curves: names of what is logged every epoch, in the order of their charts.
        metrics: names of what stands in columns beside `metric`, as it was in the end.
        params: paths of the recipe in columns: what the arms differ in.
        by_arm: whether replicates are grouped by their arm, with their mean in the group's row and curve.
    """

    metric: str
    largest_first: bool = True
    curves: Sequence[str] = ()
    metrics: Sequence[str] = ()
    params: Sequence[str] = ()
    by_arm: bool = True

    def state(self, run_id: str) -> dict[str, Any]:
        """The state of the page of the trials below the study's run, as MLflow names its parts."""
        finals = [f"final/{name}" for name in dict.fromkeys((self.metric, *self.metrics))]
        params = [*self.params, "replicate"]
        tags = [words.ARM_NAME, words.OUTCOME] if self.by_arm else [words.OUTCOME]
        return {
            "searchFilter": f"tags.{words.PARENT} = '{run_id}'",
            "orderByKey": _column("metrics", finals[0]),
            "orderByAsc": not self.largest_first,
            "selectedColumns": [
                *(_column("metrics", name) for name in finals),
                *(_column("params", path) for path in params),
                *(_column("tags", name) for name in tags),
                "attributes.`Duration`",
            ],
            "groupBy": _BY_ARM if self.by_arm else None,
            "groupsExpanded": {},
            "useGroupedValuesInCharts": True,
            "runsHiddenMode": "FIRST_20_RUNS",
            "isAccordionReordered": True,
            "compareRunSections": [_section("curves", "Learning curves"), _section("final", "final")],
            "compareRunCharts": [
                *(_line(name, "curves") for name in dict.fromkeys(self.curves)),
                *(_bars(name, "final") for name in finals),
            ],
        }


_BY_ARM = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": words.ARM_NAME}]}


def runs_url(uri: str, experiment_id: str, run_id: str, *, charts: bool = False) -> str:
    """The address of MLflow's page of a study's trials, as a table or as charts, opened as `keep_view` has it."""
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"{uri}/#/experiments/{experiment_id}/runs?viewStateShareKey={_key(run_id)}&{FOR_TRAINING}{mode}"


def keep_view(rest: MlflowRest, experiment_id: str, run_id: str, view: RunsView) -> None:
    """Let `runs_url` open so; a study of so many factors that MLflow has no room for all of it keeps what it can."""
    state = view.state(run_id)
    while len(text := json.dumps(state)) > _MOST_CHARACTERS and len(state["selectedColumns"]) > 1:
        state["selectedColumns"] = state["selectedColumns"][: len(state["selectedColumns"]) // 2]
    body = {"experiment_id": experiment_id, "key": f"{_TAG}{_key(run_id)}", "value": text}
    rest.post("experiments/set-experiment-tag", body)


def _key(run_id: str) -> str:
    """One view for each of a study's runs, which are one for each settings."""
    return f"paribus-{run_id}"


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _section(uuid: str, name: str) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True, "deleted": False, "isGenerated": False}


def _line(metric: str, section: str) -> dict[str, Any]:
    """A metric by training step, a line for each group or run."""
    return {
        **_card("LINE", metric, section),
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "selectedXAxisMetricKey": "",
        "lineSmoothness": 0,
        "range": {},
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _bars(metric: str, section: str) -> dict[str, Any]:
    return _card("BAR", metric, section)


def _card(kind: str, metric: str, section: str) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{section}-{metric}",
        "metricKey": metric,
        "metricSectionId": section,
        "displayName": metric,
        "runsCountToCompare": 20,
        "deleted": False,
        "isGenerated": True,
    }
