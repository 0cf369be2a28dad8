"""A real Prometheus, with the configuration that infra provides, sees a study train on Ray, and what came of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from needed import program
from sandbox import Sandbox, Stack, free_ports, wait_for

from paribus.local import record as stack_record

pytestmark = pytest.mark.cluster
CONFIG = Path(__file__).resolve().parents[2] / "infra/monitoring/prometheus.yml"


@pytest.fixture
def stack(open_stack: Stack) -> Stack:
    return open_stack


@contextmanager
def prometheus(folder: Path, discovery: Path) -> Iterator[str]:
    """Debian's Prometheus with our configuration, but for where Ray's nodes are noted and how often it looks."""
    binary = program("prometheus", "Prometheus")
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    ray = next(job for job in config["scrape_configs"] if job["job_name"] == "ray")
    ray["file_sd_configs"] = [{"files": [str(discovery)], "refresh_interval": "1s"}]
    shutil.copy(CONFIG.with_name("alerts.yml"), folder)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    words = [binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "prometheus.log").open("wb") as log:
        listen = f"--web.listen-address=127.0.0.1:{port}"
        process = subprocess.Popen([*words, listen], stdout=log, stderr=log, cwd=folder)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def asked(address: str, query: str) -> dict[str, float]:
    """The values of a query, by the label `state`, or "" where it has none; {} while Prometheus does not answer."""
    try:
        answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, trust_env=False).json()
    except httpx.HTTPError:
        return {}
    return {each["metric"].get("state", ""): float(each["value"][1]) for each in answer["data"]["result"]}


def test_prometheus_sees_a_study_train_and_the_ledger_tells_what_came_of_it(
    stack: Stack, sandbox: Sandbox, tmp_path: Path
) -> None:
    discovery = Path(stack_record.read(stack.home)["ray"].ray_temp) / "r" / "prom_metrics_service_discovery.json"
    study = sandbox.study(replicates=1, budget="4000 steps")
    (tmp_path / "prometheus").mkdir()
    with prometheus(tmp_path / "prometheus", discovery) as address:
        driver = sandbox.start(study)
        mine = f'{{study="{study.stem}"}}'
        for number in ("steps_total", "images_total", "data_wait_seconds_total", "trial_last_step_timestamp_seconds"):
            wait_for(lambda name=f"ray_paribus_{number}{mine}": sum(asked(address, name).values()) > 0, number)
        assert asked(address, f"ray_paribus_images_total{mine} / ray_paribus_steps_total{mine} % 1") == {"": 0.0}
        wait_for(lambda: asked(address, f"ray_paribus_trials{mine}").get("running"), "a running trial")
        assert asked(address, f"ray_paribus_outbox_refused{mine}") == {"": 0.0}
        assert asked(address, f"time() - ray_paribus_driver_last_seen_timestamp_seconds{mine} < bool 60") == {"": 1.0}
        driver.send_signal(signal.SIGTERM)
        driver.wait(120)
        gone = f"ray_paribus_driver_last_seen_timestamp_seconds{mine} > 0"
        wait_for(lambda: not asked(address, gone), "the driver's end")
        assert not asked(address, 'ALERTS{alertname="ParibusDriverDead"}')
    quick = sandbox.study(replicates=2)
    assert sandbox.run(quick).returncode == 0
    told = sandbox.run("paribus", "ledger", "metrics").stdout
    assert f'paribus_study_trials{{outcome="finished",settings="",study="{quick.stem}"}} 4.0' in told
    assert f'paribus_verdicts{{settings="",study="{quick.stem}"' in told
    assert f'paribus_lost_hours{{settings="",study="{quick.stem}",unit="worker-hours"}} 0.0' in told
