"""Real servers of shards, and a line to them that breaks as it is told."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx
from needed import program

from paribus.shards.storage.remote import RetryPolicy

# Long enough for two busy cores, short enough to fail often.
QUICK = RetryPolicy(attempts=4, total_s=20, first_wait_s=0.02, longest_wait_s=0.1, connect_s=2, stall_s=0.4)
ANSWERS = (401, 403, 404, 429, 500, 502, 503, 504)
NGINX_CONFIG = """
{user} daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format asked '$status $http_range $request_uri'; access_log {home}/access.log asked;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  keepalive_timeout 0;
  server {{
    listen 127.0.0.1:{port}{tls}; root "{root}";
    location /whole/ {{ alias "{root}/"; max_ranges 0; }}
    location /guarded/ {{ alias "{root}/"; auth_basic shards; auth_basic_user_file {home}/users; }}
    {answers}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A Debian nginx on the folder `root`, one request a connection.

    At `/` as it is; without ranges at `/whole`; for the user `reader` with the password `sesame` at `/guarded`;
    and at `/403` and its like that status whatever is asked for.
    """

    port: int
    root: Path
    home: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def path(self, folder: Path) -> str:
        """The path of a folder below the root, as an address has it."""
        return quote(f"/{folder.relative_to(self.root)}")

    def asked(self, file: str = "") -> list[str]:
        """Status, asked range or `-`, and path of each answered request for `file`."""
        # A line is written after its answer; the one worker has written it when it answers the next request.
        httpx.get(f"{self.address}/404/mark", trust_env=False)
        lines = (self.home / "access.log").read_text().splitlines()
        return [line for line in lines if line.endswith(file) and not line.endswith("/404/mark")]


def nginx() -> str:
    """Debian's nginx; skips without it, and fails where nothing may be skipped."""
    return program("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))


@contextmanager
def serve(folder: Path, certificate: Path | None = None) -> Iterator[Nginx]:
    """An nginx of our own on `folder`, with TLS if it is given a file of a certificate and its key."""
    binary, port = nginx(), free_port()
    home = Path(tempfile.mkdtemp(prefix="paribus-nginx"))
    (home / "users").write_text("reader:{PLAIN}sesame\n")
    # Workers of a root nginx become nobody, who may not read the folders of tests.
    user = "user root;" if os.geteuid() == 0 else ""
    answers = "\n".join(f"location /{code}/ {{ return {code}; }}" for code in ANSWERS)
    tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}" if certificate else ""
    config = NGINX_CONFIG.format(user=user, home=home, port=port, root=folder, answers=answers, tls=tls)
    (home / "nginx.conf").write_text(config)
    command = [binary, "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process, home / "error.log")
        yield Nginx(port, folder, home)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what must come; a test fails if it does not."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nginx did not start: {log.read_text() if log.exists() else process.poll()}")


@contextmanager
def object_server() -> Iterator[int]:
    """The port of moto's S3 server, which answers Google's XML interface alike where nothing is signed."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


def upload(folder: Path, port: int, bucket: str, prefix: str) -> None:
    """Put the files of `folder` under `prefix` into a new bucket of the object server at `port`."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        client.put(f"/{bucket}").raise_for_status()
        for file in folder.iterdir():
            path = f"/{bucket}/{prefix}/{file.name}"
            answer = client.put(path, content=file.read_bytes(), headers={"x-amz-acl": "public-read"})
            answer.raise_for_status()


@dataclass(frozen=True)
class Fault:
    """What one connection suffers: it is `reset` at once, or answered with `busy` (503); or `after` so many bytes of
    the answer, headers included, it stalls, is cut, or has one byte flipped."""

    kind: Literal["reset", "busy", "stall", "cut", "flip"]
    after: int = 0


class FaultyLine:
    """A relay `at` a port to `port` of this machine.

    Each connection that asks for `suffering` (in the path of its one request) suffers the next fault; then all is well.
    """

    def __init__(self, port: int, *faults: Fault, at: int = 0, suffering: bytes = b"") -> None:
        self._server_port, self._faults, self._suffering = port, deque(faults), suffering
        self._listener = socket.create_server(("127.0.0.1", at))
        self.port: int = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.requests: list[bytes] = []
        self.ended, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> FaultyLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._relay, args=(client,)))
            self._threads[-1].start()

    def _relay(self, client: socket.socket) -> None:
        # Either side may go away at any moment: that is what these tests are about.
        with client, suppress(OSError):
            client.settimeout(30)
            request = client.recv(1 << 16)
            self.requests.append(request)
            fault = self._next(request.partition(b"\r\n")[0])
            if fault and fault.kind == "reset":
                # Closed with a linger of 0 seconds, a connection is reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault and fault.kind == "busy":
                client.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                with socket.create_connection(("127.0.0.1", self._server_port), 30) as server:
                    server.sendall(request)
                    self._answer(server, client, fault)

    def _next(self, asked: bytes) -> Fault | None:
        with self._lock:
            return self._faults.popleft() if self._faults and self._suffering in asked else None

    def _answer(self, server: socket.socket, client: socket.socket, fault: Fault | None) -> None:
        """Pass the one answer of a connection on, up to the fault."""
        passed = 0
        while data := server.recv(1 << 16):
            end = passed + len(data)
            if fault is not None and passed <= fault.after < end:
                at = fault.after - passed
                if fault.kind == "flip":
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                else:
                    client.sendall(data[:at])
                    if fault.kind == "stall":
                        self.ended.wait(60)
                    return
            client.sendall(data)
            passed = end
