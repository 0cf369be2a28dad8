"""Which port each part of the stack listens on, and who holds one that is taken."""

import os
import socket
from collections.abc import Collection, Mapping

import psutil

from paribus.local.errors import StackError

DEFAULTS = {"ray": 8265, "gcs": 6379, "client": 10001, "mlflow": 5000, "dashboard": 8501}
VARIABLES = {
    "ray": "PARIBUS_RAY_PORT",
    "gcs": "PARIBUS_RAY_GCS_PORT",
    "client": "PARIBUS_RAY_CLIENT_PORT",
    "mlflow": "PARIBUS_MLFLOW_PORT",
    "dashboard": "PARIBUS_DASHBOARD_PORT",
}
# Ray gives these to its workers (--min-worker-port, --max-worker-port), and starts no head that listens on one of them.
WORKERS = range(10002, 20000)
_OF_RAY = ("ray", "gcs", "client")
_TRIES = 200


def from_environment(env: Mapping[str, str] | None = None) -> dict[str, int]:
    """The ports that PARIBUS_*_PORT name. Raises StackError for anything but a port number."""
    env = os.environ if env is None else env
    ports = {}
    for name, variable in VARIABLES.items():
        if text := env.get(variable, ""):
            if not text.isdecimal() or not 1 <= int(text) <= 65535:
                raise StackError(f"{variable}={text!r} is no port: give a number from 1 to 65535, or unset it")
            ports[name] = int(text)
    return ports


def collision(name: str, ports: Mapping[str, int]) -> str:
    """Why the port that is asked for `name` collides with Ray's workers or with another one asked for; "" if not."""
    port = ports[name]
    twins = [VARIABLES[other] for other, theirs in ports.items() if theirs == port and other != name]
    if twins:
        return f"{port} is asked for by {' and '.join([VARIABLES[name], *twins])}"
    if port in WORKERS:
        return f"{VARIABLES[name]}={port} lies among the ports of Ray's workers, {WORKERS[0]} to {WORKERS[-1]}"
    return ""


def is_free(port: int) -> bool:
    """True if a server could listen on `port` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def choose(name: str, asked: Mapping[str, int], taken: Collection[int] = ()) -> int:
    """The asked port, which has to be free; else the default, or the next free one above it, or below.

    None of those that Ray's workers get.
    """
    if name in asked:
        if (found := collision(name, asked)) and (name in _OF_RAY or asked[name] not in WORKERS):
            raise StackError(f"{found}: set another port")
        if not is_free(asked[name]):
            raise StackError(
                f"port {asked[name]}, asked for {name} ({VARIABLES[name]}), is held by {holder(asked[name])}: "
                f"end that, or ask for another port"
            )
        return asked[name]
    first = DEFAULTS[name]
    near: list[int] = [*range(first, first + _TRIES), *range(first - 1, first - _TRIES, -1)]
    for port in near:
        if port not in taken and port not in WORKERS and is_free(port):
            return port
    raise StackError(f"no free port for {name} within {_TRIES} of {first}: set {VARIABLES[name]}")


def holder_pid(port: int) -> int | None:
    """The process that listens on `port`, or None where the system does not tell us (another user's process)."""
    try:
        sockets = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for listening in sockets:
        if listening.status == psutil.CONN_LISTEN and listening.laddr.port == port:
            return int(listening.pid) if listening.pid else None
    return None


def holder(port: int) -> str:
    """Who listens on `port`, in words."""
    pid = holder_pid(port)
    if pid is None:
        return "another program"
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"
