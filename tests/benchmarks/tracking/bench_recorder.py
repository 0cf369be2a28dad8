#!/usr/bin/env python
"""What recording costs: the training thread's time per call, points per second to the server, and reads of 1,000 runs.

The peer is MLflow's own way without a batch: one `runs/log-metric` request per value over a kept-alive connection, to
the same server in the same run (its Python client adds more on top). Prints a table, or JSON with --json. The figures
in CPU time (`*_cpu_*`) hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from paribus.study import Arm
from paribus.tracking import MlflowRest, Recorder, TrialRecord
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import create_run, ensure_experiment
from paribus.tracking.mlflow.server import ServerProcess, start_server

KEYS = ("train_loss", "top1", "top5", "log_likelihood", "eval_loss", "lr", "grad_norm", "dead_channels", "wait", "rate")


def header(study: str, replicate: int) -> TrialRecord:
    return TrialRecord(
        study=study,
        trial_id=f"{study}-{replicate}",
        arm=Arm((("model.width", 1.0), ("model.depth", 16))),
        arm_name="k=1 · depth=16",
        replicate=replicate,
        params={f"recipe.{index}": str(index) for index in range(8)},
    ).begun()


def cpu_s(server: ServerProcess) -> float:
    """CPU time that the server has used so far."""
    root = psutil.Process(server.pid)
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def bench_calls(folder: Path, uri: str, num_records: int = 4000) -> dict[str, float]:
    """Microseconds per call in the training thread while the sender is at work, and points per second until sent."""
    recorder = Recorder(folder / "calls", uri, flush_s=0.2)
    log = recorder.trial(header("calls", 0), is_new=True)
    values = dict.fromkeys(KEYS, 0.123456789)
    start = time.perf_counter()
    calls = [seconds(lambda step=step: log.metrics(values, step, step)) for step in range(num_records)]
    log.finish("finished", values)
    assert recorder.close(300)
    points = num_records * (len(KEYS) + 1)
    return {
        "call_us_median": statistics.median(calls) * 1e6,
        "call_us_mean": statistics.mean(calls) * 1e6,
        "metric_us_median": statistics.median(calls) / len(KEYS) * 1e6,
        "recorder_points_per_s": points / (time.perf_counter() - start),
    }


def bench_peer(uri: str, num_points: int = 400) -> dict[str, float]:
    """One request per value, as MLflow's `log_metric` does."""
    with MlflowRest(uri) as rest:
        run = create_run(rest, ensure_experiment(rest, "peer"), "peer", {})

        def log(step: int) -> None:
            body = {"run_id": run.run_id, "key": "loss", "value": 0.5, "timestamp": 1000 + step, "step": step}
            rest.post("runs/log-metric", body)

        calls = [seconds(lambda step=step: log(step)) for step in range(num_points)]
    return {"peer_call_us_median": statistics.median(calls) * 1e6, "peer_points_per_s": num_points / sum(calls)}


def bench_trials(folder: Path, server: ServerProcess, num_trials: int) -> dict[str, float]:
    """Trivial trials (5 epochs of 10 metrics, one artifact) per second, whole; then reading them all back."""
    recorder = Recorder(folder / "trials", server.uri)
    cpu_before, mine_before = cpu_s(server), time.process_time()
    values = dict.fromkeys(KEYS, 1.0)
    start = time.perf_counter()
    for replicate in range(num_trials):
        log = recorder.trial(header("thousand", replicate), is_new=True)
        for epoch in range(1, 6):
            log.metrics(values, epoch * 10, epoch)
        log.artifact("curves.parquet", b"x" * 2000)
        log.finish("finished", values)
    recorded_s = time.perf_counter() - start
    assert recorder.close(600)
    sent_s = time.perf_counter() - start
    cpu_sent, mine_sent = cpu_s(server), time.process_time()
    with Ledger(server.uri) as ledger:
        ledger.study("thousand")
        cpu_read = cpu_s(server)
        read_s = min(seconds(lambda: ledger.trials("thousand")) for _ in range(3))
        cpu_read = (cpu_s(server) - cpu_read) / 3
        trials = ledger.trials("thousand")
        assert len(trials) == num_trials
        histories_s = seconds(lambda: ledger.histories(trials[:100], "top1"))
        studies_s = min(seconds(ledger.studies) for _ in range(3))
    return {
        "trial_record_ms": recorded_s / num_trials * 1e3,
        "trial_send_ms": sent_s / num_trials * 1e3,
        "trial_server_cpu_ms": (cpu_sent - cpu_before) / num_trials * 1e3,
        "trial_worker_cpu_ms": (mine_sent - mine_before) / num_trials * 1e3,
        "trials_read_s": read_s,
        "trials_read_server_cpu_s": cpu_read,
        "histories_of_100_s": histories_s,
        "studies_read_s": studies_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--trials", type=int, default=1000, help="number of trivial trials (default 1000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = time.perf_counter()
        server = start_server(folder / "mlflow")
        figures = {"server_start_s": time.perf_counter() - start}
        try:
            figures |= bench_calls(folder, server.uri) | bench_peer(server.uri)
            figures |= bench_trials(folder, server, options.trials)
        finally:
            server.stop()
    figures["throughput_ratio"] = figures["recorder_points_per_s"] / figures["peer_points_per_s"]
    figures["call_ratio"] = figures["peer_call_us_median"] / figures["metric_us_median"]
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:24} {value:12.2f}")


if __name__ == "__main__":
    main()
