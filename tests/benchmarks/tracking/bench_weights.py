"""What keeping a trial's weights costs: in the training process, in the ledger's thread, in MLflow.

.venv/bin/python tests/benchmarks/tracking/bench_weights.py
"""

from __future__ import annotations

import tempfile
import time
import uuid
from hashlib import sha256
from pathlib import Path
from statistics import median

import psutil
import torch

from paribus.models.build import build
from paribus.recipe import preset
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.study import Arm
from paribus.tracking import Recorder, TrialRecord
from paribus.tracking.mlflow.server import ServerProcess, start_server
from paribus.tracking.outbox.artifacts import WEIGHTS
from paribus.training.checkpoints.weights import encode_weights

NUM_TRIALS, NUM_ROUNDS = 40, 3


def cpu_s(server: ServerProcess) -> float:
    """CPU time that the server has used so far."""
    root = psutil.Process(server.pid)
    return sum(sum(process.cpu_times()[:2]) for process in (root, *root.children(recursive=True)))


def record(recorder: Recorder, study: str, weights: bytes) -> None:
    """A trial with nothing in it but its end and, where there are any, its weights."""
    trial_id = uuid.uuid4().hex * 2
    record = TrialRecord(study=study, trial_id=trial_id, arm=Arm(()), arm_name="base", replicate=1)
    log = recorder.trial(record.begun(), is_new=True)
    if weights:
        log.artifact(WEIGHTS, weights)
    log.finish("finished", {"top1": 90.0})


def sending(server: ServerProcess, folder: Path, weights: bytes, num_trials: int) -> tuple[float, float]:
    """CPU milliseconds per trial of this process, which does nothing else, and of the server."""
    with Recorder(folder / "spool", server.uri) as recorder:
        record(recorder, "weights", b"")
        time.sleep(1.5)
        mine, theirs = time.process_time(), cpu_s(server)
        for _ in range(num_trials):
            record(recorder, "weights", weights)
        assert recorder.close(300)
        return 1e3 * (time.process_time() - mine) / num_trials, 1e3 * (cpu_s(server) - theirs) / num_trials


def test_weights() -> None:
    """Print the figures."""
    torch.set_num_threads(1)  # as a trial on one CPU has
    models = {"digits": preset("digits").model, "WRN-28-10": WideResNet(depth=28, width=10.0)}
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as name:
        folder = Path(name)
        server = start_server(folder / "mlflow")
        try:
            for model, num_trials in zip(models, (NUM_TRIALS, 2), strict=True):
                net = build(models[model], 3, 10)
                took = []
                for _ in range(5):
                    begun = time.perf_counter()
                    data = encode_weights(net)
                    sha256(data).hexdigest()
                    took.append(time.perf_counter() - begun)
                rounds = [
                    [sending(server, folder, data, num_trials), sending(server, folder, b"", num_trials)]
                    for _ in range(NUM_ROUNDS)
                ]
                mine, theirs = (median(kept[at] - without[at] for kept, without in rounds) for at in (0, 1))
                print(
                    f"\n{model}, {len(data) / 2**20:.1f} MiB: made in {1e3 * median(took):.1f} ms; spooled and sent in "
                    f"{mine:.1f} ms of this process's CPU, {theirs:.1f} ms of MLflow's"
                )
        finally:
            server.stop()


if __name__ == "__main__":
    test_weights()
