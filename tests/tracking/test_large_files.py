"""A proxy that limits the size of a request costs a trial that one file, and none of its results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from paribus.tracking import LedgerError, Recorder, TrialHeader
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
LIMIT = 100_000


@pytest.fixture
def proxy(uri: str) -> Iterator[str]:
    """A reverse proxy before the real server that refuses bodies above LIMIT bytes, as nginx does by default."""

    class Limited(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if len(body) > LIMIT:
                self.send_error(413)
                return
            headers = {key: value for key, value in self.headers.items() if key not in ("Host", "Connection")}
            found = httpx.request(self.command, uri + self.path, headers=headers, content=body)
            self.send_response(found.status_code)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 (the names that http.server looks for)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest shows what fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Limited)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_that_is_too_large_is_said_to_be_lost_and_all_else_arrives(
    proxy: str, ledger: Ledger, spool: Path, header: Callable[..., TrialHeader], study: str
) -> None:
    with Recorder(spool, proxy) as recorder:
        log = recorder.trial(header())
        log.artifact("recipe.json", b"{}")
        log.artifact("weights.pt", bytes(LIMIT + 1))
        log.finish("finished", {"top1": 93.5}, {"paribus.weights": "0" * 64})
        assert recorder.close()
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 93.5})
    assert ledger.artifact(trial.run_id, "recipe.json") == b"{}"
    assert "weights.pt: 0 MiB are more than the server takes" in trial.tags["paribus.lost_artifact"]
    with pytest.raises(LedgerError, match=r"lacks weights.pt \(weights.pt: 0 MiB are more than the server takes"):
        ledger.weights(trial)
    assert not list(spool.glob("*/*"))
