"""A line between Paribus and a real MLflow server that can be told to fail: a reverse proxy with faults of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

ARTIFACTS = "/mlflow-artifacts/"
LOGIN_PAGE = b"<!doctype html><title>Sign in</title><form>Password</form>"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the line answers in the server's place."""

    status: int
    body: bytes = b"<html>a proxy's own words</html>"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Line:
    """The proxy: `fault(method, path, body)` answers in the server's place, or None lets the request through.

    `seen` holds (method, path, status) of every request.
    """

    uri: str = ""
    fault: Callable[[str, str, bytes], Answer | None] = lambda method, path, body: None
    seen: list[tuple[str, str, int]] = field(default_factory=list)

    def heal(self) -> None:
        """Let everything through."""
        self.fault = lambda method, path, body: None

    def fail(self, answer: Answer, *, only: str = "", verb: str = "") -> None:
        """Answer so to every request whose path contains `only` and whose method is `verb` ("": any)."""
        self.fault = lambda method, path, body: answer if only in path and verb in ("", method) else None


@contextmanager
def faulty_line(server: str) -> Iterator[Line]:
    """A line before the server at the address `server`."""
    line = Line()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = line.fault(self.command, self.path, body) or self.passed_on(body)
            line.seen.append((self.command, self.path, found.status))
            self.send_response(found.status)
            for key, value in found.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def passed_on(self, body: bytes) -> Answer:
            headers = {key: value for key, value in self.headers.items() if key not in ("Host", "Connection")}
            there = httpx.request(self.command, server + self.path, headers=headers, content=body, timeout=60)
            kept = {key: there.headers[key] for key in ("Content-Type",) if key in there.headers}
            return Answer(status=there.status_code, body=there.content, headers=kept)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: pytest shows what fails."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    line.uri = f"http://127.0.0.1:{proxy.server_address[1]}"
    try:
        yield line
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
