"""How long a person waits for an answer: `--help`, `plan` alone, and `plan` and `status` against a served ledger."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STUDY = str(ROOT / "studies" / "width.py")
NUM_TRIES = 7


def median_s(*arguments: str, home: str, uri: str = "") -> float:
    """The median over some tries, after one that warms the file cache."""
    env = {**os.environ, "PARIBUS_HOME": home, "MLFLOW_TRACKING_URI": uri}
    seconds = []
    for _ in range(NUM_TRIES + 1):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=env, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:])


def test_waits() -> None:
    """Print the medians; the goals are 1 s for the first two and 2 s for the others. mlflow's import is the peer."""
    from paribus.tracking.mlflow.server import start_server

    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as home:
        found = {
            "paribus --help": median_s("-m", "paribus", "--help", home=home),
            "studies/width.py plan, no ledger": median_s(STUDY, "plan", home=home),
        }
        server = start_server(Path(home) / "served")
        try:
            for verb in ("plan", "status"):
                found[f"studies/width.py {verb}, served ledger"] = median_s(STUDY, verb, home=home, uri=server.uri)
        finally:
            server.stop()
        found["import mlflow alone, the peer"] = median_s("-c", "import mlflow", home=home)
    print()
    for what, seconds in found.items():
        print(f"{seconds:6.2f} s  {what}")
    assert len(found) == 5
