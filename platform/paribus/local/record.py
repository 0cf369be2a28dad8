"""What `up` started, kept in PARIBUS_HOME/stack.json so that a later command can find and end exactly that."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from paribus.host.home import private_folder
from paribus.host.process_family import Process
from paribus.local.errors import StackError

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One part that `up` started: its process, where it answers and what it was told about the others.

    `token_file`: where the token lies that Ray asks for, "" where it asks for none; the token itself is nowhere here.
    `host`: where other machines find Ray.
    """

    process: Process
    port: int
    url: str
    log: str
    folder: str
    tracking_uri: str
    gcs_port: int = 0
    ray_temp: str = ""
    token_file: str = ""
    host: str = "127.0.0.1"


def path(home: Path) -> Path:
    return home / "stack.json"


def read(home: Path) -> dict[str, Entry]:
    """The entries by part name; none where nothing was started. Raises StackError for a file that is not ours."""
    try:
        text = path(home).read_text()
    except FileNotFoundError:
        return {}
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}, and this Paribus reads {FORMAT}")
        return {
            name: Entry(**{**fields, "process": _process(**fields["process"])})
            for name, fields in data["parts"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError(
            f"{path(home)} is not a record of the stack ({error}): move it away and end what still runs by hand"
        ) from error


def _process(pid: int, started: str | float, mark: str) -> Process:
    # An earlier release wrote seconds since the epoch.
    return Process(pid=pid, started=started if isinstance(started, str) else f"{started:.2f}", mark=mark)


def write(home: Path, entries: Mapping[str, Entry]) -> None:
    """Replace the record in one step, so that no reader ever sees half of it."""
    private_folder(home)
    if not entries:
        path(home).unlink(missing_ok=True)
        return
    text = json.dumps({"format": FORMAT, "parts": {n: asdict(e) for n, e in entries.items()}}, indent=2)
    draft = path(home).with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(text + "\n")
    draft.replace(path(home))


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the stack of `home` for this process: a second `up` or `down` waits for the first."""
    private_folder(home)
    with (home / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
