"""`paribus ledger metrics`: what the ledger knows, for Prometheus: studies, trials, verdicts, hours that were lost.

A driver's own numbers end with it (`execution/telemetry.py`); these outlive every cluster. They are printed once, for
node_exporter's folder of text files, or served at `--port` until stopped, read anew at each scrape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from paribus.host.say import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paribus.report.reading import LedgerReader
    from paribus.tracking.studies.record import StudyRecord

_TRIED_S: Final = 15.0
_STUDY: Final = ("study", "settings")


class LedgerNumbers(Collector):
    """Gauges of every study at each of its settings, as the ledger has them at this moment."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._written: dict[tuple[str, int], Mapping[str, Any] | None] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the ledger: one request, and one for each study that ended since."""
        trials = GaugeMetricFamily("paribus_study_trials", "Trials of a study by outcome", labels=(*_STUDY, "outcome"))
        planned = GaugeMetricFamily("paribus_study_planned_trials", "Trials that a study asks for", labels=_STUDY)
        states = GaugeMetricFamily("paribus_studies", "Studies by how they stand", labels=("state",))
        verdicts = GaugeMetricFamily("paribus_verdicts", "Verdicts of a study that ended", labels=(*_STUDY, "verdict"))
        hours = GaugeMetricFamily("paribus_hours", "Hours that a study took, of its unit", labels=(*_STUDY, "unit"))
        lost = GaugeMetricFamily("paribus_lost_hours", "Of those, what came to nothing", labels=(*_STUDY, "unit"))
        standings: dict[str, int] = {}
        for record in self._reader.studies():
            where = [record.name, record.settings.name]
            planned.add_metric(where, record.num_planned)
            for outcome, number in record.counts.items():
                trials.add_metric([*where, outcome], number)
            standing = "running" if record.live else record.status.lower()
            standings[standing] = standings.get(standing, 0) + 1
            document = self._document(record)
            if document is None:
                continue
            for verdict, number in document["counts"].items():
                verdicts.add_metric([*where, verdict], number)
            cost = document["cost"]
            hours.add_metric([*where, cost["unit"]], cost["hours"])
            lost.add_metric([*where, cost["unit"]], cost["lost_hours"])
        for standing, number in standings.items():
            states.add_metric([standing], number)
        yield from (states, planned, trials, verdicts, hours, lost)

    def _document(self, record: StudyRecord) -> Mapping[str, Any] | None:
        """What the study's driver wrote down at its end, fetched once for each end."""
        key = (record.run_id, record.updated_ms)
        if key not in self._written:
            self._written = {old: kept for old, kept in self._written.items() if old[0] != record.run_id}
            self._written[key] = self._reader.verdicts(record)
        return self._written[key]


def run_metrics(asked: str | None, port: int | None, host: str) -> int:
    """Print the numbers, or serve them at `port` of `host` until stopped; the exit code."""
    from paribus.host.home import home
    from paribus.report.reading import LedgerReader
    from paribus.tracking.address import ledger_at

    registry = CollectorRegistry(auto_describe=False)
    with ledger_at(home(), asked, start=True) as uri, closing(LedgerReader(str(uri), budget_s=_TRIED_S)) as reader:
        numbers = LedgerNumbers(reader)
        if port is None:
            registry.register(numbers)
            say(generate_latest(registry).decode().rstrip())
            return 0
        list(numbers.collect())  # a ledger that does not answer is said now, not at the first scrape
        registry.register(numbers)
        _, thread = start_http_server(port, addr=host, registry=registry)
        say(f"the ledger's numbers are at http://{host}:{port}/metrics")
        thread.join()
    return 0
