"""The local stack against real processes: its own Ray, MLflow and dashboard, beside whatever else runs here."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from sandbox import HOSTILE, free_ports, words_of

from paribus.host import process_family as stack_process
from paribus.host.processes import start_of
from paribus.host.ray_access import ONE_MACHINE, token_file
from paribus.local import ports as stack_ports
from paribus.local import record as stack_record
from paribus.local import stack
from paribus.local.stack import Settings, StackError

BIN = Path(sys.executable).parent
# What a shell may say of a token; without, as typed in a fresh terminal.
ACCESS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", *ONE_MACHINE)
PROBE = """#!/usr/bin/env python
import json, os, sys
names = ("PARIBUS_HOME", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")
print("PROBE", json.dumps({"cwd": os.getcwd(), "python": sys.executable, **{name: os.environ[name] for name in names}}))
"""
SLOW = """#!/usr/bin/env python
import signal, sys, time
from pathlib import Path
def stop(*_):
    Path(sys.argv[1]).write_text("wrote its ledger")
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
Path(sys.argv[1]).write_text("running")
time.sleep(600)
"""


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """Ray's sockets may not have long paths: a folder straight below the system's temporary one."""
    folder = Path(tempfile.mkdtemp(prefix="pb", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def settings(short: Path) -> Iterator[Settings]:
    """A checkout of its own: two scripts to submit, and a page."""
    folder = short / "checkout"
    for name, text in {
        "studies/probe.py": PROBE,
        "studies/slow.py": SLOW,
        "dashboards/home.py": "import streamlit\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    ports = dict(zip(stack_ports.DEFAULTS, free_ports(len(stack_ports.DEFAULTS)), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        # Ray's pointer to the last started cluster lies in here too: other clusters on this machine are left alone.
        patch.setenv("RAY_TMPDIR", str(short))
        # `up` makes a token in the person's own folder.
        (short / "person").mkdir()
        patch.setenv("HOME", str(short / "person"))
        for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", *ACCESS):
            patch.delenv(name, raising=False)
        yield Settings(home=short / "home", folder=folder, ports=ports, num_cpus=1, object_store_mib=100)


def kill_first_head(home: Path) -> None:
    """As Ray's own limit of 30 s on a crowded machine: its head ends while it is starting."""
    deadline = time.monotonic() + 60
    while "ray" not in (record := stack_record.read(home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(record["ray"].process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def running(settings: Settings) -> Iterator[stack.Status]:
    said: list[str] = []
    try:
        with pytest.MonkeyPatch.context() as shell:
            for name, value in HOSTILE.items():  # set up for other servers, a proxy and another cluster
                shell.setenv(name, value)
            killing = threading.Thread(target=kill_first_head, args=(settings.home,))
            killing.start()
            up = stack.up(settings, say=said.append)
            killing.join()
        assert any("Ray ended while it was starting" in line and "trying once more" in line for line in said)
        yield up
    finally:
        stack.down(settings.home, say=said.append)


def shown() -> dict[str, str]:
    """What Ray wants to see over HTTP."""
    return {"Authorization": f"Bearer {token_file().read_text()}"}


def submit(*words: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    return subprocess.run(
        ["ray", "job", "submit", *words],
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def probed(job: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert job.returncode == 0, job.stdout + job.stderr
    lines = [line for line in job.stdout.splitlines() if line.startswith("PROBE")]
    found: dict[str, str] = json.loads(lines[0].removeprefix("PROBE"))
    return found


def breathes(process: psutil.Process) -> bool:
    """Alive, and no zombie that nobody has collected yet."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for(path: Path, text: str, limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not (path.is_file() and path.read_text() == text):
        assert time.monotonic() < deadline, f"{path} does not say {text!r}"
        time.sleep(0.1)


@pytest.mark.cluster
class TestStack:
    """In the order of a life: up, up again, jobs, a death, down."""

    def test_up_brings_all_three_parts_up_on_loopback(self, running: stack.Status, settings: Settings) -> None:
        assert {part.state for part in running.parts} == {"up"}
        for part in running.parts:
            assert part.url == f"http://127.0.0.1:{settings.ports[part.name]}"
        assert httpx.get(running.url("ray") + "/api/jobs/").status_code == 401
        assert httpx.get(running.url("ray") + "/api/jobs/", headers=shown()).status_code == 200
        assert httpx.get(running.url("mlflow") + "/health").text == "OK"
        assert httpx.get(running.url("dashboard")).status_code == 200

    def test_what_the_shell_exports_for_other_servers_moves_none_of_ours(
        self, running: stack.Status, settings: Settings
    ) -> None:
        """`running` was started under `HOSTILE`."""
        nodes = httpx.get(running.url("ray") + "/api/v0/nodes", headers=shown()).json()["data"]["result"]["result"]
        assert [node["resources_total"]["CPU"] for node in nodes] == [1.0]
        assert httpx.get(running.url("dashboard") + "/_stcore/health").text == "ok"
        for part in running.parts:
            for name, value in psutil.Process(part.pid).environ().items():
                assert HOSTILE.get(name, "") != value or "proxy" in name.lower(), name

    def test_up_twice_starts_nothing(self, running: stack.Status, settings: Settings) -> None:
        said: list[str] = []
        again = stack.up(settings, say=said.append)
        assert [part.pid for part in again.parts] == [part.pid for part in running.parts]
        assert sum("was up" in line for line in said) == 3

    def test_a_study_file_is_submitted_literally_from_the_checkout(
        self, running: stack.Status, settings: Settings
    ) -> None:
        found = probed(submit("studies/probe.py", folder=settings.folder))
        assert found["cwd"] == str(settings.folder)
        assert Path(found["python"]).parent == BIN
        assert found["PARIBUS_HOME"] == str(settings.home)
        assert found["MLFLOW_TRACKING_URI"] == running.url("mlflow")
        assert found["RAY_ADDRESS"].endswith(f":{settings.ports['gcs']}")

    def test_a_working_directory_is_submitted_from_anywhere(
        self, running: stack.Status, settings: Settings, tmp_path: Path
    ) -> None:
        shutil.copytree(settings.folder, tmp_path / "elsewhere")
        shutil.copy(Path(__file__).parents[2] / ".gitignore", tmp_path / "elsewhere")
        for ignored in (".venv", ".paribus"):
            (tmp_path / "elsewhere" / ignored).mkdir()
            (tmp_path / "elsewhere" / ignored / "large").write_bytes(b"0" * 1000)
        words = ("--working-dir", ".", "--", "python", "studies/probe.py")
        address = running.url("ray")
        found = probed(submit(*words, folder=tmp_path / "elsewhere", RAY_API_SERVER_ADDRESS=address))
        uploaded = Path(found["cwd"])
        assert uploaded != tmp_path / "elsewhere"
        assert {path.name for path in uploaded.iterdir()} >= {"studies", "dashboards"}
        assert not {".venv", ".paribus"} & {path.name for path in uploaded.iterdir()}
        assert found["MLFLOW_TRACKING_URI"] == running.url("mlflow")

    def test_parts_that_were_killed_are_started_again_where_they_were(
        self, running: stack.Status, settings: Settings
    ) -> None:
        record = stack_record.read(settings.home)
        cluster = stack_process.members(record["ray"].process)
        next(each for each in cluster if "gcs_server" in each.name()).kill()
        os.kill(record["mlflow"].process.pid, signal.SIGKILL)
        # Ray notices within a second that its server is gone, and ends by itself.
        psutil.wait_procs([each for each in cluster if each.pid == record["ray"].process.pid], timeout=30)
        now = stack.status(settings.home)
        assert [part.state for part in now.parts] == ["down", "down", "up"]
        said: list[str] = []
        again = stack.up(settings, say=said.append)
        assert {part.state for part in again.parts} == {"up"}
        assert [part.url for part in again.parts] == [part.url for part in running.parts]
        assert again.parts[2].pid == running.parts[2].pid
        assert sum("has died" in line for line in said) == 2

    def test_a_head_that_has_lost_its_raylet_is_not_up_and_is_started_again(
        self, running: stack.Status, settings: Settings
    ) -> None:
        """Its Jobs API still answers, and a job would wait for ever."""
        record = stack_record.read(settings.home)
        next(each for each in stack_process.members(record["ray"].process) if each.name() == "raylet").terminate()
        deadline = time.monotonic() + 20
        while stack.status(settings.home).parts[0].state == "up" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert [part.state for part in stack.status(settings.home).parts] == ["silent", "up", "up"]
        said: list[str] = []
        again = stack.up(settings, say=said.append)
        assert {part.state for part in again.parts} == {"up"}
        assert "Ray has lost its raylet" in said[0]
        assert again.parts[0].pid != running.parts[0].pid

    def test_down_ends_what_up_started_and_no_one_elses_ray(
        self, running: stack.Status, settings: Settings, short: Path, tmp_path: Path
    ) -> None:
        state = tmp_path / "state"
        submitted = submit("--no-wait", "studies/slow.py", str(state), folder=settings.folder)
        assert submitted.returncode == 0, submitted.stderr
        with someone_elses_ray(short / "other") as address:
            wait_for(state, "running")
            record = stack_record.read(settings.home)
            ours = [member for entry in record.values() for member in stack_process.members(entry.process)]
            assert any("slow.py" in " ".join(words_of(each)) for each in ours)
            assert stack.down(settings.home, say=lambda _: None) == ("dashboard", "ray", "mlflow")
            assert state.read_text() == "wrote its ledger"
            assert [each for each in ours if breathes(each)] == []
            assert all(stack_ports.is_free(port) for port in settings.ports.values())
            assert httpx.get(address + "/api/version").status_code == 200
        assert stack.down(settings.home, say=lambda _: None) == ()
        assert [part.state for part in stack.status(settings.home).parts] == ["down"] * 3


class someone_elses_ray:  # noqa: N801 (reads as the phrase that it is)
    """A second cluster of the same user, started by hand: `ray stop` would end it."""

    def __init__(self, folder: Path) -> None:
        port, gcs, client = free_ports(3)
        self.address = f"http://127.0.0.1:{port}"
        words = [
            *(str(BIN / "ray"), "start", "--head", "--block", "--include-dashboard=true"),
            *(f"--dashboard-port={port}", f"--port={gcs}", f"--ray-client-server-port={client}"),
            *("--dashboard-agent-listen-port=0", "--object-store-memory=100000000", "--num-cpus=1"),
            *("--disable-usage-stats", f"--temp-dir={folder}"),
        ]
        env = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0"}
        self.process = stack_process.start(words, folder=folder.parent, env=env, log=folder.with_suffix(".log"))

    def __enter__(self) -> str:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                if httpx.get(self.address + "/api/version", timeout=1).status_code == 200:
                    return self.address
            except httpx.HTTPError:
                time.sleep(0.2)
        raise AssertionError("the other Ray did not start")

    def __exit__(self, *_: object) -> None:
        stack_process.end(self.process, grace_s=2)


class TestProcess:
    def test_a_recycled_id_is_never_signalled(self, tmp_path: Path) -> None:
        sleeper = stack_process.start(["sleep", "60"], folder=tmp_path, env=os.environ, log=tmp_path / "log")
        other = stack_process.Process(pid=sleeper.pid, started=start_of(os.getpid()), mark="another")
        assert not other.alive
        assert stack_process.end(other) == 0
        assert sleeper.alive
        assert stack_process.end(sleeper, grace_s=1) == 1
        assert not sleeper.alive

    def test_a_process_that_an_earlier_release_noted_is_known_again(self, tmp_path: Path) -> None:
        sleeper = stack_process.start(["sleep", "60"], folder=tmp_path, env=os.environ, log=tmp_path / "log")
        entry = stack_record.Entry(process=sleeper, port=1, url="", log="", folder="", tracking_uri="")
        stack_record.write(tmp_path, {"ray": entry})
        assert stack_record.read(tmp_path) == {"ray": entry}
        noted = json.loads(stack_record.path(tmp_path).read_text())
        noted["parts"]["ray"]["process"]["started"] = psutil.Process(sleeper.pid).create_time()
        stack_record.path(tmp_path).write_text(json.dumps(noted))
        assert stack_record.read(tmp_path)["ray"].process.alive
        noted["parts"]["ray"]["process"]["started"] -= 60
        stack_record.path(tmp_path).write_text(json.dumps(noted))
        assert not stack_record.read(tmp_path)["ray"].process.alive
        assert stack_process.end(sleeper, grace_s=1) == 1

    @pytest.mark.parametrize(
        ("shell", "num_processes"),
        [
            ("setsid sleep 61 & setsid sh -c 'trap \"\" TERM; sleep 62' & sleep 63", 5),
            # As Ray's agents are once their raylet is gone: their titles overwrite the environment that bears the mark.
            ("setsid env -i sleep 64 & sleep 65", 3),
        ],
        ids=["in_sessions_of_their_own", "and_without_the_mark"],
    )
    def test_what_left_its_session_is_ended_with_the_rest(self, tmp_path: Path, shell: str, num_processes: int) -> None:
        process = stack_process.start(["sh", "-c", shell], folder=tmp_path, env=os.environ, log=tmp_path / "log")
        deadline = time.monotonic() + 5
        while len(stack_process.members(process)) < num_processes and time.monotonic() < deadline:
            time.sleep(0.05)
        found = stack_process.members(process)
        assert stack_process.end(process, guest_grace_s=0.5, grace_s=0.5) == len(found) == num_processes
        assert [each for each in found if breathes(each)] == []


class TestPorts:
    def test_a_taken_default_gives_way_to_the_next_free_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            taken = server.getsockname()[1]
            monkeypatch.setitem(stack_ports.DEFAULTS, "mlflow", taken)
            assert stack_ports.choose("mlflow", {}) > taken
            assert str(os.getpid()) in stack_ports.holder(taken)

    def test_a_taken_port_that_was_asked_for_is_an_error_that_names_the_holder(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            taken = server.getsockname()[1]
            with pytest.raises(StackError, match=rf"port {taken}, asked for ray .* held by .*{os.getpid()}"):
                stack_ports.choose("ray", {"ray": taken})

    @pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "80 80"])
    def test_a_port_variable_that_is_no_port_is_named(self, text: str) -> None:
        with pytest.raises(StackError, match="PARIBUS_MLFLOW_PORT="):
            stack_ports.from_environment({"PARIBUS_MLFLOW_PORT": text})


class TestRecord:
    def test_a_file_that_is_no_record_is_an_error_that_says_what_to_do(self, tmp_path: Path) -> None:
        for text in ("", "[]", '{"format": 99, "parts": {}}', '{"format": 1, "parts": {"ray": {}}}'):
            stack_record.path(tmp_path).write_text(text)
            with pytest.raises(StackError, match="move it away"):
                stack_record.read(tmp_path)

    def test_a_missing_dashboard_is_said_before_anything_starts(self, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path / "home", folder=tmp_path, page=tmp_path / "dashboards" / "home.py")
        with pytest.raises(StackError, match=r"dashboards/home\.py, .* is missing"):
            stack.up(settings)
        assert not stack_record.path(settings.home).exists()

    def test_nothing_started_is_nothing_to_end(self, tmp_path: Path) -> None:
        said: list[str] = []
        assert stack.down(tmp_path, say=said.append) == ()
        assert "Nothing to end" in said[0]
        with pytest.raises(StackError, match="paribus up"):
            stack.status(tmp_path).url("ray")

    def test_a_part_that_cannot_start_is_an_error_with_the_end_of_its_log(self, tmp_path: Path) -> None:
        process = stack_process.start(
            ["sh", "-c", "echo no such luck >&2; exit 7"], folder=tmp_path, env=os.environ, log=tmp_path / "log"
        )
        while stack_process.exit_code(process) is None:
            time.sleep(0.02)
        assert stack_process.exit_code(process) == 7
        assert not process.alive
        assert "no such luck" in (tmp_path / "log").read_text()
