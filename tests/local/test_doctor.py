"""The doctor sees what is missing, busy or wrong, on real files, sockets and servers."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from paribus.host import process_family as stack_process
from paribus.local import doctor, doctor_machine, doctor_services, stack
from paribus.local import ports as stack_ports
from paribus.local import record as stack_record
from paribus.local.doctor_check import Check

ROOT = Path(__file__).parents[2]


@contextmanager
def answering(status: int, text: str) -> Iterator[str]:
    """A server on loopback that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def mlflow_at(uri: str, home: Path) -> Check:
    return doctor_services.mlflow(stack.status(home), {"MLFLOW_TRACKING_URI": uri})


class TestExamine:
    def test_a_fresh_checkout_has_no_problem_and_is_looked_at_within_three_seconds(self, tmp_path: Path) -> None:
        begun = time.monotonic()
        checks = doctor.examine(home=tmp_path / "home", env={})
        assert time.monotonic() - begun < 3
        assert [check for check in checks if check.level == "problem"] == []
        names = {check.name for check in checks}
        assert names >= {"python", "packages", "disk", "shared memory", "gpu", "git", "browser", "studies", "proxy"}
        assert names >= {"Ray", "MLflow", "dashboard", "ray job submit"}
        assert names >= {f"port {port}" for port in stack_ports.DEFAULTS.values()}
        assert not (tmp_path / "home").exists(), "the doctor changes nothing"

    def test_what_is_not_ok_says_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "studies").mkdir()
        (tmp_path / "studies" / "plain.py").write_text("print()\n")
        env = {"PARIBUS_RAY_PORT": "many", "MLFLOW_TRACKING_URI": "sqlite:///x.db", "http_proxy": "http://proxy:3128"}
        checks = {check.name: check for check in doctor.examine(home=tmp_path, folder=tmp_path, env=env)}
        assert checks["studies"].level == "problem"
        assert checks["ports"].level == "problem"
        assert checks["MLflow"].level == "problem"
        assert checks["proxy"].level == "warning"
        assert all(check.remedy for check in checks.values() if check.level != "ok")

    def test_the_page_has_a_line_per_check_and_the_remedies(self) -> None:
        checks = [
            Check(name="python", level="ok", text="Python 3.11"),
            Check(name="MLflow", level="problem", text="does not answer", remedy="start it"),
        ]
        text = doctor.render(checks)
        assert [line.split()[0] for line in text.splitlines()] == ["ok", "PROBLEM", "->", "1"]
        assert text.endswith("1 ok, 0 warnings, 1 problems")

    def test_the_exit_code_is_one_with_a_problem_and_the_data_says_which(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert doctor.main(as_json=True) == 1
        found = {check["name"]: check["level"] for check in json.loads(capsys.readouterr().out)}
        assert found["MLflow"] == "problem"
        with answering(200, "3.17.2") as uri:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            doctor.main(as_json=True)
        found = {check["name"]: check["level"] for check in json.loads(capsys.readouterr().out)}
        assert found["MLflow"] == "ok"


class TestMachine:
    def test_an_old_python_is_a_problem(self) -> None:
        assert doctor_machine.python((3, 10, 9)).level == "problem"
        assert doctor_machine.python((3, 11, 0)).level == "ok"

    def test_the_lock_is_compared_with_what_is_installed(self, tmp_path: Path) -> None:
        lock = tmp_path / "requirements.lock"
        held = "    --hash=sha256:0\n"
        lock.write_text(f"pytest=={pytest.__version__} \\\n{held}")
        assert doctor_machine.packages(lock).level == "ok"
        lock.write_text(f"pytest==0.1 \\\n{held}")
        assert doctor_machine.packages(lock).level == "warning"
        assert f"pytest {pytest.__version__} (locked: 0.1)" in doctor_machine.packages(lock).text
        lock.write_text(f"no-such-package-here==1.0 \\\n{held}")
        assert doctor_machine.packages(lock).level == "problem"
        lock.write_text(f"no-such-package-here==1.0 ; sys_platform == 'nowhere' \\\n{held}")
        assert doctor_machine.packages(lock).level == "ok"
        assert doctor_machine.packages(tmp_path / "none").level == "warning"

    def test_a_wheel_needs_what_it_depends_on_and_none_of_a_checkouts_tools(self, tmp_path: Path) -> None:
        assert {"torch", "streamlit", "ray"} <= doctor_machine.required()
        assert not {"ruff", "mypy", "pytest"} & doctor_machine.required()
        lock = tmp_path / "requirements.lock"
        lock.write_text("no-such-package-here==1.0 \\\n    --hash=sha256:0\n")
        assert doctor_machine.packages(lock, {"torch"}).level == "ok"
        missing = doctor_machine.packages(lock, {"torch", "no-such-package-here"})
        assert missing.level == "problem"
        assert "make" not in missing.remedy

    def test_every_pin_of_our_lock_is_read(self) -> None:
        text = (ROOT / "requirements.lock").read_text()
        starts = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        here = doctor_machine.pins(ROOT / "requirements.lock")
        skipped = [line for line in starts if line.partition("==")[0] not in here]
        assert all(" ; " in line for line in skipped)
        assert here["torch"]
        assert sys.platform != "linux" or here["triton"]

    def test_a_study_that_cannot_be_submitted_is_named(self, tmp_path: Path) -> None:
        study = tmp_path / "studies" / "width.py"
        study.parent.mkdir()
        study.write_text("#!/usr/bin/env python\n")
        study.chmod(0o644)
        assert "width.py" in doctor_machine.studies(tmp_path).text
        study.chmod(0o755)
        assert doctor_machine.studies(tmp_path).level == "ok"
        os.mkfifo(study.with_name("pipe.py"))
        assert "pipe.py" in doctor_machine.studies(tmp_path).text, "it is named, and not waited for"

    @pytest.mark.parametrize("spared", ["127.0.0.1,localhost", "*"])
    def test_a_proxy_that_catches_loopback_is_a_warning(self, spared: str) -> None:
        assert doctor_machine.proxy({}).level == "ok"
        assert doctor_machine.proxy({"HTTP_PROXY": "http://proxy:3128"}).level == "warning"
        assert doctor_machine.proxy({"HTTP_PROXY": "http://proxy:3128", "no_proxy": spared}).level == "ok"

    def test_a_system_without_shared_memory_is_no_problem(self, tmp_path: Path) -> None:
        assert doctor_machine.shared_memory(tmp_path / "none").level == "ok"


class TestServices:
    def test_an_mlflow_that_refuses_our_host_says_which_setting_to_change(self, tmp_path: Path) -> None:
        with answering(403, "Invalid Host header") as uri:
            check = mlflow_at(uri, tmp_path)
        assert check.level == "problem"
        assert "MLFLOW_SERVER_ALLOWED_HOSTS" in check.remedy

    def test_an_mlflow_of_another_major_version_is_a_warning(self, tmp_path: Path) -> None:
        with answering(200, "2.9.0") as uri:
            assert mlflow_at(uri, tmp_path).level == "warning"

    def test_an_mlflow_that_is_down_or_broken_is_a_problem(self, tmp_path: Path) -> None:
        assert "does not answer" in mlflow_at("http://127.0.0.1:9", tmp_path).text
        with answering(500, "out of order") as uri:
            assert "500: out of order" in mlflow_at(uri, tmp_path).text
        with answering(401, "") as uri:
            assert "MLFLOW_TRACKING_USERNAME" in mlflow_at(uri, tmp_path).remedy

    def test_a_port_is_free_or_someone_elses(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            env = {"PARIBUS_MLFLOW_PORT": str(port)}
            held = {check.name: check for check in doctor_services.ports(tmp_path, env)}[f"port {port}"]
            assert held.level == "problem"
            assert str(os.getpid()) in held.text
        free = {check.name: check for check in doctor_services.ports(tmp_path, env)}[f"port {port}"]
        assert (free.level, free.text) == ("ok", "free (mlflow)")

    @pytest.mark.parametrize("name", stack_ports.VARIABLES)
    def test_a_port_of_rays_workers_or_one_that_is_asked_for_twice_is_a_problem(
        self, name: str, tmp_path: Path
    ) -> None:
        env = {stack_ports.VARIABLES[name]: "10005"}
        found = {check.name: check for check in doctor_services.ports(tmp_path, env)}["port 10005"]
        assert found.level == "problem"
        assert "among the ports of Ray's workers, 10002 to 19999" in found.text
        other = next(variable for key, variable in stack_ports.VARIABLES.items() if key != name)
        twice = doctor_services.ports(tmp_path, {stack_ports.VARIABLES[name]: "9005", other: "9005"})
        assert [check.level for check in twice if check.name == "port 9005"] == ["problem", "problem"]

    def test_no_port_that_is_taken_for_the_stack_is_one_of_rays_workers(self) -> None:
        assert stack_ports.choose("client", {}, taken={10001}) < 10001
        with pytest.raises(stack.StackError, match="among the ports of Ray's workers"):
            stack_ports.choose("gcs", {"gcs": 10005})

    def test_a_part_of_ours_is_ours_and_silent_until_it_answers(self, tmp_path: Path) -> None:
        script = (
            "import socket, time\ns = socket.create_server(('127.0.0.1', 0))\n"
            "print(s.getsockname()[1], flush=True)\ntime.sleep(60)"
        )
        log = tmp_path / "log"
        process = stack_process.start([sys.executable, "-c", script], folder=tmp_path, env=os.environ, log=log)
        while not log.read_text():
            time.sleep(0.05)
        port = int(log.read_text())
        fields = {"folder": str(tmp_path), "tracking_uri": "", "log": str(log), "url": f"http://127.0.0.1:{port}"}
        stack_record.write(tmp_path, {"mlflow": stack_record.Entry(process=process, port=port, **fields)})
        env = {"PARIBUS_MLFLOW_PORT": str(port)}
        checks = {check.name: check for check in doctor_services.ports(tmp_path, env)}
        assert checks[f"port {port}"].text == "ours (mlflow)"
        part = stack.status(tmp_path).parts[1]
        assert (part.state, doctor_services.part(part).level) == ("silent", "problem")
        stack_process.end(process, grace_s=1)
        assert "has died" in doctor_services.part(stack.status(tmp_path).parts[1]).text

    def test_a_record_that_cannot_be_read_is_the_problem(self, tmp_path: Path) -> None:
        stack_record.path(tmp_path).write_text("{")
        names = {check.name: check.level for check in doctor.examine(home=tmp_path, env={})}
        assert names["stack"] == "problem"
        assert "Ray" not in names
