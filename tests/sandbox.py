"""A checkout of the tests' own, a real stack on it, and a sandbox where one test works as a person would."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from paribus.host import process_family as stack_process
from paribus.local import record as stack_record
from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import TrialRecord

# How long anything may take on a machine that others crowd; less than pytest's own limit for a test.
HANGS_S = 280.0
BIN = Path(sys.executable).parent
PORTS = ("PARIBUS_RAY_PORT", "PARIBUS_RAY_GCS_PORT", "PARIBUS_RAY_CLIENT_PORT", "PARIBUS_MLFLOW_PORT")
UP = """from paribus.local.stack import Settings, up
up(Settings(num_cpus=2, object_store_mib=100, host={host!r}, metrics={metrics}))"""
DOWN = "from paribus.local.stack import down; down()"

# Two textures nets that differ in width; 32 evaluation images, so no margin below 3.2 points.
STUDY = '''#!/usr/bin/env python
"""Does a wider net tell textures better apart?"""

from paribus import Study, main

study = Study(
    name={name!r},
    base="synthetic",
    factors={{"model.width": (0.25, 0.5)}},
    margin=4.0,
    replicates={replicates},
    fixed={fixed!r},
)

if __name__ == "__main__":
    main(study)
'''
# A fifth of a second, after which no replicate of ten is at chance (32 images of 4 classes: up to 50 %). On the stack's
# two CPUs one worker of one thread takes one trial after another: a second one would take longer to start than all.
LEARNS = {"budget": "40 steps", "optimizer.lr": 0.3, "resources.cpus": 1.5}
# Long enough to be caught in the middle, two at a time: 100 epochs of 4 steps, seconds each.
LONG = {"budget": "400 steps", "resources.cpus": 1.0}

# What a shell may export that is set up for other servers, other clusters and a proxy: none of it is meant for ours.
HOSTILE = {
    "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "/nowhere/artifacts",
    "MLFLOW_ARTIFACTS_DESTINATION": "/nowhere/artifacts",
    "MLFLOW_SERVE_ARTIFACTS": "false",
    "MLFLOW_BACKEND_STORE_URI": "postgresql://nobody@127.0.0.1:1/none",
    "MLFLOW_REGISTRY_STORE_URI": "postgresql://nobody@127.0.0.1:1/none",
    "MLFLOW_ARTIFACTS_ONLY": "true",
    "MLFLOW_STATIC_PREFIX": "/elsewhere",
    "MLFLOW_GUNICORN_OPTS": "--no-such-option",
    "MLFLOW_WORKERS": "7",
    "MLFLOW_ENABLE_WORKSPACES": "true",
    "UVICORN_ROOT_PATH": "/elsewhere",
    "UVICORN_SSL_KEYFILE": "/nowhere/key.pem",
    "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:1",
    "WEB_CONCURRENCY": "7",
    "FLASK_ENV": "development",
    "STREAMLIT_SERVER_PORT": "1",
    "STREAMLIT_SERVER_BASE_URL_PATH": "elsewhere",
    "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": "false",
    "STREAMLIT_SERVER_SSL_CERT_FILE": "/nowhere/cert.pem",
    "RAY_REDIS_ADDRESS": "127.0.0.1:1",
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 0}',
    "RAY_RUNTIME_ENV": '{"working_dir": "/nowhere"}',
    "RAY_NAMESPACE": "elsewhere",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": "{",
    "http_proxy": "http://127.0.0.1:1",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
    "all_proxy": "http://127.0.0.1:1",
}


def environment(checkout: Path, home: Path, **more: str) -> dict[str, str]:
    """A person's shell: this Python first in PATH, the checkout's code, and no cluster or server but those named."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "PARIBUS_"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        "PYTHONPATH": str(checkout / "platform"),
        "PARIBUS_HOME": str(home),
        "RAY_TMPDIR": str(checkout),
        # What `paribus up` makes in a person's own folder, which tests leave alone.
        "RAY_AUTH_TOKEN_PATH": str(checkout / "token"),
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A real Ray head, MLflow server and dashboard, started by `up` for this session alone."""

    checkout: Path
    home: Path
    ports: dict[str, str]
    host: str = "127.0.0.1"
    metrics: bool = False

    @property
    def env(self) -> dict[str, str]:
        return environment(self.checkout, self.home, **self.ports)

    @property
    def token_file(self) -> Path:
        return self.checkout / "token"

    @property
    def joined(self) -> dict[str, str]:
        """What a shell exports that names this stack's Ray and MLflow."""
        return {"RAY_ADDRESS": self.ray, "MLFLOW_TRACKING_URI": self.uri, "RAY_AUTH_MODE": "token"}

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.ports['PARIBUS_MLFLOW_PORT']}"

    @property
    def ray(self) -> str:
        return f"{self.host}:{self.ports['PARIBUS_RAY_GCS_PORT']}"

    def up(self) -> None:
        """Start what does not run."""
        words = [sys.executable, "-c", UP.format(host=self.host, metrics=self.metrics)]
        subprocess.run(words, env=self.env, cwd=self.checkout, check=True, capture_output=True)

    def crash_ray(self) -> None:
        """kill -9 of every process of the cluster, jobs and workers included."""
        for member in stack_process.members(stack_record.read(self.home)["ray"].process):
            kill(member.pid)

    def down(self) -> None:
        subprocess.run([sys.executable, "-c", DOWN], env=self.env, cwd=self.checkout, check=True, capture_output=True)


@dataclass(kw_only=True)
class Sandbox:
    """Where one test works: a folder, a home and an environment of its own, on the session's cluster and server."""

    folder: Path
    env: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return Path(self.env["PARIBUS_HOME"])

    def study(self, replicates: int = 2, name: str = "", **fixed: object) -> Path:
        """A study file of two arms that learn, executable; dots in `fixed` paths are written `__`."""
        name = name or f"study-{uuid.uuid4().hex[:8]}"
        paths = LEARNS | {path.replace("__", "."): level for path, level in fixed.items()}
        return self.write(name, STUDY.format(name=name, replicates=replicates, fixed=paths))

    def write(self, name: str, text: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.py"
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self, *words: object, **env: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, as a terminal's foreground job is."""
        command = subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(command)
        return command

    def run(self, *words: object, timeout_s: float = HANGS_S, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = self.start(*words, **env)
        out, err = command.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(command.args, command.returncode, out, err)

    def kill_after(self, file: Path, beginning: str, lines: int = 1) -> None:
        """Run a study or search until it has said so many lines that begin so, and kill its driver."""
        running = self.start(file, PYTHONUNBUFFERED="1")
        assert running.stdout is not None
        seen = 0
        for line in running.stdout:
            seen += line.startswith(beginning)
            if seen == lines:
                break
        kill(running.pid)
        running.wait()

    def trials(self, study: Path) -> list[TrialRecord]:
        """The study's trials in the session's ledger."""
        with Ledger(self.env["MLFLOW_TRACKING_URI"]) as ledger:
            return sorted(ledger.trials(study.stem), key=lambda trial: (trial.replicate, trial.arm_name))

    def num_runs(self, study: Path) -> int:
        """The runs of the study's experiment: one per trial, and its own."""
        with Ledger(self.env["MLFLOW_TRACKING_URI"]) as ledger:
            parent = ledger.study(study.stem)
            assert parent is not None
            body = {"experiment_ids": [parent.experiment_id], "max_results": 1000}
            return len(ledger.rest.post("runs/search", body)["runs"])

    def checkpoints(self, study: Path) -> list[Path]:
        """The study's checkpoints: there are some only while trials are in their middle."""
        return list((self.home / "checkpoints" / study.stem).glob("*/step-*.pt"))

    def end(self) -> None:
        """End what a failed test has left running, with all that descends from it."""
        for command in self.running:
            if command.poll() is None:
                family = [*psutil.Process(command.pid).children(recursive=True), psutil.Process(command.pid)]
                for member in family:
                    kill(member.pid)
                command.wait()
            for stream in (command.stdout, command.stderr):
                if stream is not None:
                    stream.close()


def listening(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """The addresses and ports at which these processes wait for others."""
    found = set()
    for each in processes:
        try:
            sockets = each.net_connections(kind="tcp")
        except psutil.Error:
            continue
        waiting = [one.laddr for one in sockets if one.status == psutil.CONN_LISTEN]
        found |= {(place.ip.removeprefix("::ffff:"), place.port) for place in waiting}
    return found


def network_address() -> str:
    """An address at which other machines reach this one; "" if it has none."""
    found = [each for cards in psutil.net_if_addrs().values() for each in cards if each.family == socket.AF_INET]
    return next((each.address for each in found if not each.address.startswith("127.")), "")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def at_home(home: Path) -> list[str]:
    """The processes that live on with this home in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PARIBUS_HOME") == str(home):
                found.append(f"{process.pid}: {' '.join(process.cmdline())[:120]}")
        except psutil.Error:
            continue
    return found


def words_of(process: psutil.Process) -> list[str]:
    """A process's command line; [] where it has just ended."""
    try:
        return [*process.cmdline()]
    except psutil.Error:
        return []


def kill(pid: int) -> None:
    """kill -9, if it still lives."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = HANGS_S) -> None:
    """Look every 50 ms until `condition` is true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout_s:.0f} s"
        time.sleep(0.05)
