"""A PostgreSQL server of a test's own, in a folder of its own, with a password, as a user that is not root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import needed

USER, PASSWORD = "paribus", "a secret of the tests"


def program(name: str) -> str:
    """A program of PostgreSQL's server; skips without it, and fails where nothing may be skipped."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return needed.program(name, "PostgreSQL", path=os.pathsep.join([*map(str, places), os.environ["PATH"]]))


def _nobody() -> dict[str, str]:
    return {"user": "nobody"} if os.geteuid() == 0 else {}  # PostgreSQL refuses root


@dataclass
class Postgres:
    """A server on loopback, which takes `USER` with `PASSWORD` and nobody else."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def pgpass(self) -> Path:
        return self.folder / "pgpass"

    def address(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        words = [program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), "-p", str(self.port)]
        quick = ["-c", "shared_buffers=32MB", "-c", "max_connections=60", "-c", "listen_addresses=127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*words, *quick], stdout=log, stderr=log, cwd="/", **_nobody())
        deadline = time.monotonic() + 60
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            alive = self.process.poll() is None and time.monotonic() < deadline
            assert alive, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, connections, transactions and all, as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)  # "immediate": its children go too, and nothing is written
        self.process.wait(30)

    def create(self, database: str) -> str:
        """An empty database, and its address."""
        words = [program("createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, database]
        subprocess.run(words, check=True, env={**os.environ, "PGPASSFILE": str(self.pgpass)})
        return self.address(database)


@contextmanager
def serve() -> Iterator[Postgres]:
    """A server with no database yet but PostgreSQL's own."""
    initdb = program("initdb")
    folder = Path(tempfile.mkdtemp(prefix="paribus-pg", dir="/tmp"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        made = Postgres(folder, probe.getsockname()[1])
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
            shutil.chown(folder / "password", "nobody")
        words = [initdb, "-D", str(folder / "data"), "-U", USER, "--pwfile", str(folder / "password"), "-E", "UTF8"]
        how = ["-A", "scram-sha-256", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([*words, *how], check=True, stdout=subprocess.DEVNULL, cwd="/", **_nobody())
        made.pgpass.touch(0o600)
        made.pgpass.write_text(f"127.0.0.1:{made.port}:*:{USER}:{PASSWORD}\n")
        made.start()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        shutil.rmtree(folder, ignore_errors=True)
