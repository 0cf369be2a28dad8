"""A study file alone, with no cluster and no server, and the command as the user types it, on a real cluster."""

from __future__ import annotations

import pytest
from sandbox import HOSTILE, LEARNS, STUDY, Sandbox, Stack, at_home

from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster


def test_the_command_as_the_user_types_it(stack: Stack, lone_sandbox: Sandbox) -> None:
    """Literally, from the repository's folder: alone first, which leaves nothing running and does not take the
    stack's place for `ray`; then as a job."""
    # With a module beside it, as any Python file may have one.
    text = STUDY.format(name="typed", replicates=1, fixed=LEARNS).replace("(0.25, 0.5)", "WIDTHS")
    (stack.checkout / "studies" / "typed.py").write_text(
        text.replace("from paribus", "from my_widths import WIDTHS\nfrom paribus")
    )
    (stack.checkout / "studies" / "my_widths.py").write_text("WIDTHS = (0.25, 0.5)\n")
    (stack.checkout / "studies" / "typed.py").chmod(0o755)
    lone_sandbox.folder = stack.checkout
    alone = lone_sandbox.run("studies/typed.py", "--cpus", 2, **HOSTILE)  # a shell set up for others moves nothing
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "a Ray of its own on 2 CPUs" in alone.stdout
    assert "[2/2]" in alone.stdout
    assert "`paribus up` keeps one up" in alone.stderr
    assert "Traceback" not in alone.stdout + alone.stderr
    assert at_home(lone_sandbox.home) == []
    again = lone_sandbox.run("studies/typed.py")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 done, skipped" in again.stdout
    assert "a Ray of its own" not in again.stdout

    done = lone_sandbox.run("ray", "job", "submit", "studies/typed.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on the Ray cluster at" in done.stdout
    assert f":{stack.ports['PARIBUS_RAY_GCS_PORT']}; MLflow: {stack.uri}" in done.stdout
    assert "[2/2]" in done.stdout
    assert "succeeded" in done.stdout
    with Ledger(stack.uri) as ledger:
        assert [trial.outcome for trial in ledger.trials("typed")] == ["finished"] * 2


def test_the_command_with_a_working_dir_from_anywhere(stack: Stack, lone_sandbox: Sandbox) -> None:
    """The study's folder travels with the job; the address is named, as from another machine."""
    text = STUDY.format(name="carried", replicates=1, fixed=LEARNS)
    (lone_sandbox.folder / "studies").mkdir(parents=True)
    (lone_sandbox.folder / "studies" / "carried.py").write_text(text)
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    words = ("ray", "job", "submit", "--working-dir", ".", "--", "python", "studies/carried.py")
    done = lone_sandbox.run(*words, **address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[2/2]" in done.stdout
    with Ledger(stack.uri) as ledger:
        assert [trial.outcome for trial in ledger.trials("carried")] == ["finished"] * 2
