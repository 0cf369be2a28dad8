"""A study in a notebook: a real kernel, where calls give objects that show as tables and nothing exits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from sandbox import Sandbox

pytestmark = pytest.mark.cluster

STUDY = """import paribus
from paribus import Study
study = Study(
    name="notebook", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0, replicates=3,
    fixed={"budget": "40 steps", "optimizer.lr": 0.3, "resources.cpus": 1.5},
)
"""


@dataclass
class Cell:
    """What a cell gave: printed text by stream, the last value's forms by MIME type, and the error's name and lines."""

    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    shown: dict[str, str] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""


@dataclass
class Kernel:
    """A kernel of Jupyter's own, as a notebook has it."""

    client: BlockingKernelClient

    def cell(self, code: str, timeout: float = 240) -> Cell:
        found = Cell()

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                found.streams[content["name"]] += content["text"]
            elif message["msg_type"] in ("execute_result", "display_data"):
                found.shown |= content["data"]
            elif message["msg_type"] == "error":
                found.error, found.traceback = (
                    f"{content['ename']}: {content['evalue']}",
                    "\n".join(content["traceback"]),
                )

        self.client.execute_interactive(code, timeout=timeout, output_hook=take)
        return found


@pytest.fixture
def kernel(sandbox: Sandbox) -> Iterator[Kernel]:
    sandbox.folder.mkdir(exist_ok=True)
    manager: KernelManager
    manager, client = start_new_kernel(
        kernel_name="python3", env=sandbox.env, cwd=str(sandbox.folder), startup_timeout=120
    )
    yield Kernel(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_study_is_planned_run_and_reported_in_a_notebook(kernel: Kernel) -> None:
    assert kernel.cell(STUDY).error == ""
    plan = kernel.cell("paribus.plan(study)")
    assert plan.error == ""
    assert "2 arms x 3 replicates = 6 trials" in plan.shown["text/plain"]
    assert "<td>k=0.5</td>" in plan.shown["text/html"]
    assert "Automatically created" not in plan.shown["text/plain"], "the docstring of a kernel is no question"

    ran = kernel.cell("answer = paribus.run(study); answer")
    assert ran.error == "", ran.traceback
    assert "[6/6]" in ran.streams["stdout"]
    assert "k=0.5" in ran.shown["text/plain"]
    assert "<table>" in ran.shown["text/html"]
    assert kernel.cell("answer.code, answer.rows[0]['n']").shown["text/plain"] == "(0, '3')"
    assert "6 done, skipped" in kernel.cell("paribus.run(study)").streams["stdout"], "the same again trains nothing"

    status = kernel.cell("paribus.status(study)")
    assert "6 of 6 trials have ended" in status.shown["text/plain"]
    assert status.shown["text/html"].count("<td>finished</td>") == 6
    report = kernel.cell("print(paribus.verdicts(study, html='page.html'))")
    assert report.error == "", report.traceback
    assert "verdict" in report.streams["stdout"]
    assert "page.html" in report.streams["stderr"]
    assert "page.html" in kernel.cell("import os; os.listdir()").shown["text/plain"]

    # The kernel's own arguments, `-f kernel.json`, are not the person's; nothing exits.
    main = kernel.cell("paribus.main(study)")
    assert (main.error, "6 done, skipped" in main.streams["stdout"]) == ("", True), main
    assert kernel.cell("paribus.main(study, ['status'])").error == ""
    wrong = kernel.cell("paribus.main(study, ['statsu'])")
    assert wrong.error == ""
    assert "invalid choice: 'statsu'" in wrong.streams["stderr"]
    refused = kernel.cell("paribus.verdicts(study, htm='page.html')")
    assert refused.error.startswith("StudyError: report has no option 'htm': did you mean 'html'? (allowed: ledger, ")
    assert kernel.cell("1 + 1").shown["text/plain"] == "2"


def test_what_a_study_finds_at_pythons_prompt_prints_as_text(sandbox: Sandbox) -> None:
    sandbox.folder.mkdir(exist_ok=True)
    typed = (
        STUDY.replace("(\n", "(").replace(",\n", ",")
        + "\nparibus.plan(study)\nparibus.main(study, ['plan'])\nprint('still here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-i"],
        input=typed,
        env=sandbox.env,
        cwd=sandbox.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.count("2 arms x 3 replicates = 6 trials") == 2, done.stderr
    assert "still here" in done.stdout


def test_a_file_that_a_shell_runs_exits_with_the_commands_code(sandbox: Sandbox) -> None:
    sandbox.folder.mkdir(exist_ok=True)
    path: Path = sandbox.folder / "wide.py"
    path.write_text(STUDY + "paribus.main(study, ['plan', '--set', 'model.dept=3'])\nprint('never')")
    done = subprocess.run(
        [sys.executable, path], env=sandbox.env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
