"""The local stack: a Ray head with its Jobs API, one MLflow server and the dashboard, all on this machine.

`up` starts what is not running, `down` ends what `up` started and nothing else, `status` tells. What was started is
on record in PARIBUS_HOME/stack.json, so each of them can be called from any process, any number of times.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from paribus.host import process_family as stack_process
from paribus.host.home import home as default_home
from paribus.host.processes import uninterrupted
from paribus.host.ray_access import LOOPBACK
from paribus.local import parts as stack_parts
from paribus.local import ports as stack_ports
from paribus.local import ray_head as stack_ray
from paribus.local import record as stack_record
from paribus.local.errors import StackError
from paribus.local.parts import TITLES
from paribus.local.record import Entry
from paribus.local.settings import Settings

__all__ = ["Part", "Settings", "StackError", "Status", "down", "status", "up"]

Say = Callable[[str], None]
_START_LIMIT_S = 120.0
_PATIENCE_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part as it is now: `up` (serves), `silent` (its process lives and does not serve) or `down`."""

    name: str
    title: str
    state: Literal["up", "silent", "down"]
    url: str = ""
    pid: int = 0
    log: str = ""
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The parts `ray`, `mlflow` and `dashboard`, in this order."""

    home: Path
    parts: tuple[Part, ...]

    def is_up(self, name: str) -> bool:
        """Whether a part is up."""
        return any(part.name == name and part.state == "up" for part in self.parts)

    def url(self, name: str) -> str:
        """The address of a part that is up. Raises StackError if it is not."""
        if not self.is_up(name):
            raise StackError(f"{TITLES[name]} is not up: `paribus up` starts it")
        return next(part.url for part in self.parts if part.name == name)

    def as_dict(self) -> dict[str, Any]:
        return {"home": str(self.home), "parts": [asdict(part) for part in self.parts]}


def up(settings: Settings | None = None, say: Say = print) -> Status:
    """Start every part that does not run, all at once, and wait until they answer.

    Raises StackError, with the end of the log, if a part does not come up; the others stay.
    """
    settings = settings or Settings()
    stack_parts.require(settings)
    with stack_record.locked(settings.home):
        entries = _read(settings.home)
        dead = [name for name in TITLES if name not in entries or stack_parts.fault(name, entries[name])]
        for name in dead:
            # What is left of a part that died may still hold its port.
            if name in entries:
                say(f"{TITLES[name]} {stack_parts.fault(name, entries[name])} (its log: {entries[name].log})")
                stack_process.end(entries[name].process)
        if "ray" in dead:
            stack_ray.keep_access(settings, say)
        elif bool(settings.token_file) != bool(entries["ray"].token_file):
            asks = "asks for its token" if entries["ray"].token_file else "asks for no token"
            say(f"Ray was up, and {asks}: `paribus down` first changes that")
        ports = _ports(settings, entries, dead, say)
        for name in dead:
            with uninterrupted():
                entries[name] = stack_parts.launch(name, settings, ports)
                stack_record.write(settings.home, entries)
        _wait(settings, entries, dead, ports, say)
        if not stack_ray.claim_default(Path(entries["ray"].ray_temp)):
            say(f"Another Ray cluster is running too. To reach this one: {_export(entries['ray'])}")
        if "ray" in dead and settings.host != LOOPBACK:
            say(stack_ray.invitation(settings, entries["ray"].gcs_port))
    return status(settings.home)


def down(home: Path | None = None, say: Say = print) -> tuple[str, ...]:
    """End what `up` started, jobs included, and return the names of the parts that were ended."""
    home = home or default_home()
    with stack_record.locked(home):
        entries = _read(home)
        if not entries:
            say("Nothing to end: `up` has started nothing here.")
        # The dashboard and the cluster use the ledger: it goes last.
        names = [name for name in ("dashboard", "ray", "mlflow") if name in entries]
        for name in names:
            if name == "ray" and stack_process.guests(entries[name].process):
                say("Ray: asking the running jobs to stop")
            count = stack_process.end(entries[name].process)
            if name == "ray":
                stack_ray.release_default(Path(entries[name].ray_temp))
            say(f"{TITLES[name]:<10} ended ({count} processes)" if count else f"{TITLES[name]:<10} had ended")
            del entries[name]
            stack_record.write(home, entries)
    return tuple(names)


def status(home: Path | None = None) -> Status:
    """What of the stack is up now, and where. Starts nothing."""
    home = home or default_home()
    entries = _read(home)
    return Status(home=home, parts=tuple(_part(name, entries.get(name)) for name in TITLES))


def _read(home: Path) -> dict[str, Entry]:
    """What is on record. An `up` that was cut short has left the process that starts MLflow there: find the server."""
    entries = stack_record.read(home)
    if "mlflow" in entries and not entries["mlflow"].process.alive:
        server = stack_parts.mlflow_process(home, entries["mlflow"].process.mark)
        if server is not None:
            entries["mlflow"] = replace(entries["mlflow"], process=server)
    return entries


def _part(name: str, entry: Entry | None) -> Part:
    if entry is None or not entry.process.alive:
        return Part(name=name, title=TITLES[name], state="down", log=entry.log if entry else "")
    fault = stack_parts.fault(name, entry) or ("" if stack_parts.answers(name, entry.url) else "does not answer")
    state: Literal["up", "silent"] = "silent" if fault else "up"
    pid = entry.process.pid
    return Part(name=name, title=TITLES[name], state=state, url=entry.url, pid=pid, log=entry.log, fault=fault)


def _ports(settings: Settings, entries: Mapping[str, Entry], dead: list[str], say: Say) -> dict[str, int]:
    """The ports of the parts that run, and free ones for those to start."""
    alive = {name: entry for name, entry in entries.items() if name not in dead}
    ports = {name: entry.port for name, entry in alive.items()}
    asked = dict(settings.ports)
    if alive and "mlflow" in dead:
        # The cluster and the dashboard that run know the ledger by its address: it has to come back there.
        asked["mlflow"] = int(next(iter(alive.values())).tracking_uri.rpartition(":")[2])
    for name in (*dead, *(("gcs", "client") if "ray" in dead else ())):
        ports[name] = stack_ports.choose(name, asked, set(ports.values()))
        default = stack_ports.DEFAULTS[name]
        if name not in asked and ports[name] != default:
            say(f"Port {default} is held by {stack_ports.holder(default)}: taking {ports[name]} for {name}")
    return ports


def _wait(settings: Settings, entries: dict[str, Entry], dead: list[str], ports: Mapping[str, int], say: Say) -> None:
    begun = told = time.monotonic()
    waiting, starting = list(TITLES), set(dead)
    while waiting:
        now = time.monotonic()
        if "ray" in starting and not entries["ray"].process.alive:
            starting.discard("ray")
            begun = now
            _try_again("ray", settings, entries, ports, say)
        for name in [name for name in waiting if _is_ready(name, settings, entries, starting)]:
            waiting.remove(name)
            took = f"{now - begun:.1f} s" if name in dead else "was up"
            say(f"{TITLES[name]:<10} {entries[name].url:<24} {took}")
            told = now
        if waiting and now - begun > _START_LIMIT_S:
            late = waiting[0]
            raise StackError(
                f"{TITLES[late]} runs (process {entries[late].process.pid}) but does not answer at "
                f"{entries[late].url} after {now - begun:.0f} s: `paribus down`, then `paribus up` again.\n"
                f"{_tail(entries[late])}"
            )
        if waiting and now - told > _PATIENCE_S:
            say(f"still waiting for {', '.join(TITLES[name] for name in waiting)} ({now - begun:.0f} s)")
            told = now
        time.sleep(0.1)


def _try_again(name: str, settings: Settings, entries: dict[str, Entry], ports: Mapping[str, int], say: Say) -> None:
    """Start a part once more: Ray gives its raylet 30 s and then gives up, which a crowded machine may exceed."""
    say(f"{TITLES[name]} ended while it was starting (its log: {entries[name].log}): trying once more")
    stack_process.end(entries[name].process)
    with uninterrupted():
        entries[name] = stack_parts.launch(name, settings, ports)
        stack_record.write(settings.home, entries)


def _is_ready(name: str, settings: Settings, entries: dict[str, Entry], starting: set[str]) -> bool:
    """True once part `name` answers. Raises StackError if its process has ended instead."""
    if name == "mlflow" and name in starting:
        return _mlflow_is_ready(settings, entries, starting)
    entry = entries[name]
    if not entry.process.alive:
        raise _ended(name, entry)
    # A head that was killed has left its note behind: the new one's raylet counts too.
    if name == "ray" and (
        not stack_ray.is_settled(Path(entry.ray_temp), entry.gcs_port) or stack_parts.fault(name, entry)
    ):
        return False
    return stack_parts.answers(name, entry.url)


def _mlflow_is_ready(settings: Settings, entries: dict[str, Entry], starting: set[str]) -> bool:
    """The process that starts MLflow ends when the server answers; from then on the server is on record."""
    entry = entries["mlflow"]
    code = stack_process.exit_code(entry.process)
    if code is None:
        return False
    server = stack_parts.mlflow_process(settings.home, entry.process.mark) if code == 0 else None
    if server is None:
        raise _ended("mlflow", entry)
    entries["mlflow"] = replace(entry, process=server)
    stack_record.write(settings.home, entries)
    starting.discard("mlflow")
    return True


def _ended(name: str, entry: Entry) -> StackError:
    code = stack_process.exit_code(entry.process)
    how = f"with exit code {code} " if code is not None else ""
    return StackError(f"{TITLES[name]} ended {how}while it was starting: `paribus up` tries again.\n{_tail(entry)}")


def _tail(entry: Entry, num_lines: int = 20) -> str:
    lines = Path(entry.log).read_text(errors="replace").splitlines()[-num_lines:]
    return "\n".join([f"The end of {entry.log}:", *lines])


def _export(ray: Entry) -> str:
    return f"export RAY_API_SERVER_ADDRESS={ray.url}"
