"""Prometheus takes what is provisioned, alerts fire when they must, and nothing asks for a number that is not there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from needed import program

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra/monitoring"


def promtool(*words: str) -> str:
    done = subprocess.run([program("promtool"), *words], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration_and_each_alert_fires_when_it_must() -> None:
    promtool("check", "config", "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")
    names = set(re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text()))
    assert names == set(re.findall(r'ALERTS\{alertname="(\w+)"', (FOLDER / "alerts_test.yml").read_text()))


def test_panels_and_alerts_ask_for_numbers_that_there_are() -> None:
    code = (ROOT / "platform/paribus/execution/telemetry.py").read_text()
    told = {f"ray_{name}" for name in re.findall(r'Gauge\(\s*"(\w+)"', code)}
    told |= {f"ray_{name}_total" for name in re.findall(r'Counter\(\s*"(\w+)"', code)}
    ledger = (ROOT / "platform/paribus/commands/ledger/metrics.py").read_text()
    told |= set(re.findall(r'GaugeMetricFamily\(\s*"(\w+)"', ledger))
    board = json.loads((FOLDER / "grafana/paribus.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked.append((FOLDER / "alerts.yml").read_text())
    named = {name for text in asked for name in re.findall(r"\b(?:ray_)?paribus_\w+", text)}
    assert named <= told
    assert [len({panel["id"] for panel in board["panels"]})] == [len(board["panels"])]
