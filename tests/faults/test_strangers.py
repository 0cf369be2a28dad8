"""Another user of the machine, and another machine, while a study trains on the stack: no port, file or list tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from sandbox import Sandbox, Stack, listening, network_address, wait_for, words_of

from paribus.host import process_family as stack_process
from paribus.local import record as stack_record

pytestmark = pytest.mark.cluster
NOBODY = 65534
STRANGER = Path(__file__).with_name("stranger.py")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
# Ray shows the frame of its dashboard, without a figure in it, so that a person can type the token.
FRAME = "/"


@pytest.fixture(scope="module")
def members(stack: Stack) -> dict[str, list[psutil.Process]]:
    return {name: stack_process.members(entry.process) for name, entry in stack_record.read(stack.home).items()}


@pytest.fixture
def training(sandbox: Sandbox) -> None:
    """A study in its middle: its driver and its workers listen too."""
    study = sandbox.study(1, budget="40000 steps")
    sandbox.start(study)
    wait_for(lambda: sandbox.checkpoints(study), "a checkpoint")


def asked(*addresses: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, str(STRANGER), str(NOBODY), *addresses],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@as_root
def test_no_port_gives_another_user_or_another_machine_anything(
    stack: Stack, training: None, sandbox: Sandbox, members: dict[str, list[psutil.Process]]
) -> None:
    now = stack_process.members(stack_record.read(stack.home)["ray"].process)
    drivers = [psutil.Process(each.pid) for each in sandbox.running]
    places = listening([*now, *drivers])
    servers = listening([*members["mlflow"], *members["dashboard"]])
    assert {host for host, _ in servers | places} == {"127.0.0.1"}
    ports = sorted({port for _, port in places})
    assert int(stack.ports["PARIBUS_RAY_GCS_PORT"]) in ports
    spoke = set()
    for told in asked(*(f"127.0.0.1:{port}" for port in ports)):
        answers = dict(told["answers"])  # type: ignore[call-overload]
        spoke.add(told["is"])
        if told["is"] == "http":
            assert {path for path, code in answers.items() if code not in (401, 403)} <= {FRAME}, told
        else:
            assert set(answers.values()) <= {"UNAUTHENTICATED", "UNIMPLEMENTED"}, told
            assert "UNAUTHENTICATED" in answers.values(), told
    assert spoke == {"http", "grpc"}
    everywhere = [*ports, *(int(port) for port in stack.ports.values())]
    for told in asked(*(f"{network_address()}:{port}" for port in everywhere if network_address())):
        assert told["is"] == "refused", told


@as_root
def test_another_user_reads_no_file_of_it(stack: Stack, members: dict[str, list[psutil.Process]]) -> None:
    entry = stack_record.read(stack.home)["ray"]
    for place in (stack.home, stack.home / "mlflow", Path(entry.ray_temp), stack.home / "mlflow" / "artifacts"):
        done = subprocess.run(["ls", str(place)], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
        assert b"Permission denied" in done.stderr, place
    for file in (stack.token_file, stack.home / "mlflow" / "mlflow.db"):
        assert file.stat().st_mode & 0o777 == 0o600
    latest = f"{entry.ray_temp}/r/session_latest"
    assert Path(latest).is_symlink()
    done = subprocess.run(["mv", latest, latest + "_"], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True)
    assert b"Permission denied" in done.stderr


def test_the_token_is_in_no_log_record_ledger_or_list_of_processes(
    stack: Stack, members: dict[str, list[psutil.Process]]
) -> None:
    token = stack.token_file.read_bytes().strip()
    entry = stack_record.read(stack.home)["ray"]
    looked = 0
    for folder in (stack.home, Path(entry.ray_temp)):
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink():
                looked += 1
                assert token not in file.read_bytes(), file
    assert looked > 20
    for each in (one for family in members.values() for one in family):
        assert token.decode() not in " ".join(words_of(each))
        try:
            assert token.decode() not in each.environ().values()
        except psutil.Error:
            continue


def test_a_token_that_is_wrong_or_missing_is_a_sentence(stack: Stack, sandbox: Sandbox, tmp_path: Path) -> None:
    study, wrong = sandbox.study(1), tmp_path / "wrong"
    wrong.write_text("0" * 64)
    url = f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"
    assert httpx.get(f"{url}/api/jobs/", headers={"Authorization": f"Bearer {'0' * 64}"}).status_code == 403
    words = ("paribus", "submit", "--address", url, study)
    refused = sandbox.run(*words, RAY_AUTH_TOKEN_PATH=str(wrong))
    assert refused.returncode != 0
    assert f"the Ray at {url} does not let us in" in refused.stderr
    assert f"does not know the token in {wrong}" in refused.stderr
    joined = sandbox.run(study, RAY_AUTH_MODE="disabled")
    assert joined.returncode != 0
    assert f"RAY_ADDRESS={stack.ray} does not let us in" in joined.stderr
    assert "export RAY_AUTH_MODE=token" in joined.stderr
    assert "Traceback" not in refused.stderr + joined.stderr


def test_a_token_that_was_changed_under_the_stack_is_found_before_anything_is_asked(
    stack: Stack, sandbox: Sandbox
) -> None:
    study, kept = sandbox.study(1), stack.token_file.read_text()
    home = {"PARIBUS_HOME": str(stack.home), "RAY_ADDRESS": "", "RAY_AUTH_MODE": "disabled"}
    try:
        stack.token_file.write_text("1" * 64)
        run = sandbox.run(study, **home)
        doctor = sandbox.run("paribus", "doctor", **home)
        stack.token_file.unlink()
        gone = sandbox.run("paribus", "submit", study, **home)
    finally:
        stack.token_file.write_text(kept)
        stack.token_file.chmod(0o600)
    assert run.returncode != 0
    assert f"does not take the token in {stack.token_file}" in run.stderr
    assert f"does not take the token in {stack.token_file}" in doctor.stdout
    assert f"the token of Ray in {stack.token_file} cannot be read" in gone.stderr
