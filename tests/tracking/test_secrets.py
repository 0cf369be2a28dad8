"""A password opens the ledger and is nowhere in it; names and tags of others are shown as text, never run."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from paribus.execution.workers.trial_spec import params_of
from paribus.report.drawing.html_page import write_html
from paribus.report.drawing.markdown import write_markdown
from paribus.report.drawing.terminal import show
from paribus.report.judging import judge
from paribus.report.study_report import StudyReport
from paribus.shards.catalog import data_digest
from paribus.study import Claim, Study
from paribus.study.plan import trials
from paribus.tracking import LedgerError, LedgerUnreachable, MlflowRest, Recorder, StudyHeader, TrialRecord, open_study
from paribus.tracking import tags as words
from paribus.tracking.environment import environment
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import log_batch
from paribus.tracking.mlflow.server import ServerProcess

pytestmark = pytest.mark.cluster
SECRET = "hunter2secret"
SIGNED = f"https://host/shards?X-Amz-Signature={SECRET}&part=1"
NASTY = "<script>alert(1)</script> a|b `c` ![p](http://x)"
CLAIM = Claim(NASTY, source="<img src=x onerror=alert(2)>")


@pytest.fixture
def guarded(uri: str) -> Iterator[str]:
    """The address, password and all, of a proxy that asks for a login before the real server."""
    wanted = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()

    class Guarded(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != wanted:
                self.send_error(401)
                return
            headers = {key: value for key, value in self.headers.items() if key not in ("Host", "Authorization")}
            found = httpx.request(self.command, uri + self.path, headers=headers, content=body)
            self.send_response(found.status_code)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 (the names that http.server looks for)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest shows what fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://user:{SECRET}@127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def judged(guarded: str, outbox: Path, study: str, tmp_path: Path) -> StudyReport:
    """A study of nasty names and secret addresses, recorded and judged through the guarded address."""
    asked = Study(
        name=study,
        base="synthetic",
        factors={"model.width": (0.25, 0.5)},
        replicates=3,
        margin=4.0,
        question=NASTY,
        claim=CLAIM,
    )
    drawn = trials(asked, lambda recipe: data_digest(recipe, tmp_path))
    with MlflowRest(guarded) as rest:
        header = StudyHeader(name=study, question=NASTY, caveats=(f"data.shards = {SIGNED}",), note=f"see {guarded}")
        open_study(rest, header).artifact("study.json", f'{{"shards": "{SIGNED}"}}'.encode())
    with Recorder(outbox, guarded) as recorder:
        for trial in drawn:
            named = TrialRecord(
                study=study,
                trial_id=trial.id,
                arm=trial.arm,
                arm_name=trial.arm.name,
                replicate=trial.replicate,
                params={**params_of(trial), "data.shards": SIGNED},
            )
            log = recorder.trial(named.begun())
            log.artifact("recipe.json", f'{{"shards": "{SIGNED}"}}'.encode())
            log.artifact("traceback.txt", f"No answer from {guarded}".encode())
            log.metrics({"top1": 50.0}, step=1, epoch=1)
            log.finish("finished", {"top1": 50.0 + trial.replicate}, replace(log.record, reason=f"data: {SIGNED}"))
    with Ledger(guarded) as ledger:
        run_id = ledger.trials(study)[0].run_id
        log_batch(ledger.rest, run_id, tags={words.OUTCOME: "<script>alert(3)</script>"})
    return judge(asked, guarded, tmp_path)


def test_a_password_in_an_address_opens_the_ledger_and_is_kept_and_shown_nowhere(
    judged: StudyReport,
    guarded: str,
    ledger: Ledger,
    mlflow_server: ServerProcess,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(ledger.trials(judged.study.name)) == 6
    with pytest.raises(LedgerError, match="refused"):
        Ledger(guarded.replace(SECRET, "wrong")).trials(judged.study.name)
    files = [path for path in Path(mlflow_server.folder).rglob("*") if path.is_file()]
    assert any(b"X-Amz-Signature=***&part=1" in path.read_bytes() for path in files)
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []
    show(judged)
    pages = [write_html(judged, tmp_path / "report.html"), write_markdown(judged, tmp_path / "report.md")]
    texts = [page.read_text() for page in pages] + [str(judged.as_dict()), *capsys.readouterr()]
    assert not any(SECRET in text for text in texts)


@pytest.mark.parametrize("address", ["http://user:{}@127.0.0.1:9", "ftp://user:{}@host", "mysql://user:{}@host"])
def test_no_error_about_an_address_holds_its_password(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((LedgerError, LedgerUnreachable)) as error:
        MlflowRest(address.format(SECRET), budget_s=0.2).get("experiments/search")
    assert SECRET not in str(error.value)
    assert "host" in str(error.value) or "127.0.0.1:9" in str(error.value)


def test_what_others_wrote_is_text_in_the_report_and_an_outcome_that_is_none_is_named(
    judged: StudyReport, tmp_path: Path
) -> None:
    page = write_html(judged, tmp_path / "report.html").read_text()
    for nasty in ("<script>alert", "<img src=x"):
        assert nasty not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; a|b `c`" in page
    assert "the outcome &#x27;&lt;script&gt;alert(3)&lt;/script&gt;&#x27;, which is none of finished" in page
    text = write_markdown(judged, tmp_path / "report.md").read_text()
    assert r"&lt;script>alert(1)&lt;/script> a|b \`c\` \![p]\(http://x)" in text
    assert "<script" not in text
    assert "<img" not in text


def test_a_diff_is_kept_without_its_secrets_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def described(name: str) -> dict[str, object]:
        # A path of its own each time, for what is known of one is kept for the process.
        (tmp_path / name).symlink_to(tmp_path, target_is_directory=True)
        found: dict[str, object] = environment(root=tmp_path / name)["git"]
        return found

    (tmp_path / "code.py").write_text("depth = 16\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "code.py").write_text(f'depth = 40\nAPI_TOKEN = "{SECRET}"\nuri = "http://u:{SECRET}@h"\n')
    kept = described("one")
    assert "+depth = 40" in str(kept["diff"])
    assert SECRET not in str(kept)
    monkeypatch.setenv("PARIBUS_KEEP_DIFF", "no")
    dropped = described("two")
    assert (dropped["diff"], dropped["dirty"], dropped["diff_kept"]) == ("", True, False)
    monkeypatch.setenv("PARIBUS_KEEP_DIFF", "perhaps")
    with pytest.raises(LedgerError, match="PARIBUS_KEEP_DIFF='perhaps': say yes or no"):
        described("three")
