"""The doctor on what listens: the ports, the Ray head, MLflow and the dashboard."""

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import httpx

from paribus.host import process_family as stack_process
from paribus.host.secrets import without_secrets
from paribus.local import ports as stack_ports
from paribus.local import record as stack_record
from paribus.local.cluster import refusal, stack_ray
from paribus.local.doctor_check import Check, ok, problem, warning
from paribus.local.errors import StackError
from paribus.local.stack import Part, Status
from paribus.tracking.address import folder_of, left_server


def ports(home: Path, env: Mapping[str, str]) -> list[Check]:
    """One check per port: free, ours, or someone else's."""
    asked = stack_ports.from_environment(env)
    entries = stack_record.read(home)
    ours = {entry.port: name for name, entry in entries.items() if entry.process.alive}
    if "ray" in entries and entries["ray"].process.alive:
        members = {member.pid for member in stack_process.members(entries["ray"].process)}
    else:
        members = set()
    return [_port(name, asked, ours, members) for name in stack_ports.DEFAULTS]


def _port(name: str, asked: Mapping[str, int], ours: Mapping[int, str], members: set[int]) -> Check:
    port = asked.get(name, stack_ports.DEFAULTS[name])
    label = f"port {port}"
    if name in asked and (found := stack_ports.collision(name, asked)):
        return problem(label, found, f"set {stack_ports.VARIABLES[name]} to another port")
    if stack_ports.is_free(port):
        return ok(label, f"free ({name})")
    if port in ours or stack_ports.holder_pid(port) in members:
        return ok(label, f"ours ({name})")
    text = f"held by {stack_ports.holder(port)}"
    if name in asked:
        return problem(label, text, f"end that, or set {stack_ports.VARIABLES[name]} to another port")
    return warning(label, text, f"`paribus up` takes another for {name}; {stack_ports.VARIABLES[name]} names one")


def part(now: Part) -> Check:
    """A part that was never started is no problem; one that was, and does not answer, is."""
    if now.state == "up":
        return ok(now.title, f"answers at {now.url}")
    if now.state == "silent":
        return problem(now.title, f"process {now.pid} at {now.url} {now.fault}", "paribus down, then up")
    if now.log:
        return problem(now.title, f"has died (its log: {now.log})", "paribus up")
    return ok(now.title, "not started (paribus up starts it)")


def mlflow(now: Status, env: Mapping[str, str]) -> Check:
    """The ledger that a study would use: MLFLOW_TRACKING_URI, else the stack's own."""
    stack = next(each for each in now.parts if each.name == "mlflow")
    uri = env.get("MLFLOW_TRACKING_URI") or (stack.url if stack.state == "up" else "")
    if not uri:
        return part(stack)
    if not uri.startswith(("http://", "https://")):
        return problem(
            "MLflow",
            f"MLFLOW_TRACKING_URI={without_secrets(uri)} is no server",
            "serve that store: mlflow server, and give its URL",
        )
    named = " (MLFLOW_TRACKING_URI)" if env.get("MLFLOW_TRACKING_URI") else ""
    try:
        response = httpx.get(uri.rstrip("/") + "/version", timeout=1.0, trust_env=bool(named))
    except httpx.HTTPError as error:
        remedy = "start it, or unset MLFLOW_TRACKING_URI" if named else "paribus down, then up"
        return problem("MLflow", without_secrets(f"{uri}{named} does not answer: {error}"), remedy)
    return _mlflow_answer(without_secrets(uri) + named, response)


def _mlflow_answer(where: str, response: httpx.Response) -> Check:
    if response.status_code == 403:
        remedy = "name this host in the server's MLFLOW_SERVER_ALLOWED_HOSTS (or --allowed-hosts)"
        return problem("MLflow", f"{where} refuses us: {response.text.strip()[:80]}", remedy)
    if response.status_code in (401, 407):
        return problem("MLflow", f"{where} asks for a login", "set MLFLOW_TRACKING_USERNAME and _PASSWORD")
    if response.status_code != 200:
        remedy = "look at the server's log"
        return problem("MLflow", f"{where} answers {response.status_code}: {response.text.strip()[:80]}", remedy)
    ours, theirs = importlib.metadata.version("mlflow"), response.text.strip()
    if theirs.split(".")[0] != ours.split(".")[0]:
        return warning("MLflow", f"{where} is version {theirs}, tested with {ours}", f"serve MLflow {ours}")
    return ok("MLflow", f"{where}, version {theirs}")


def token(home: Path) -> Check:
    """Whether the stack's Ray asks for a token, and takes the one that lies where its own was."""
    entry = stack_ray(home)
    if entry is None:
        return ok("Ray's token", "asked for once `paribus up` has started Ray")
    if not entry.token_file:
        text = "none is asked for: whoever has an account here can run commands as you through Ray"
        return warning("Ray's token", text, "paribus down, then up, without --no-token")
    if why := refusal(entry):
        return problem("Ray's token", f"the stack's Ray {why}", "put its own back, or paribus down, then up")
    return ok("Ray's token", f"asked for, and taken: {entry.token_file}")


def temporary_ledger(home: Path) -> Check:
    """A server that a command started for its while: ours as long as a command uses it, else one was killed."""
    server = left_server(folder_of(home))
    if server is None:
        return ok("ledger alone", "none is left over")
    pid, in_use = server
    if in_use:
        return ok("ledger alone", f"process {pid}, which a running command has started for its while")
    text = f"process {pid} is left from a command that was killed"
    return warning("ledger alone", text, "the next command that needs a ledger uses it, and ends it")


def ray_address(now: Status, env: Mapping[str, str]) -> Check:
    """Where `ray job submit` would go from this shell."""
    name = next((each for each in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS") if env.get(each)), None)
    ray = next(each for each in now.parts if each.name == "ray")
    if name and ray.state == "up" and env[name].rstrip("/") != ray.url:
        remedy = f"export RAY_API_SERVER_ADDRESS={ray.url} to reach the local one"
        return warning("ray job submit", f"goes to {env[name]} ({name}), not to the local stack", remedy)
    where = f"goes to {env[name]} ({name})" if name else "finds the local cluster"
    return ok("ray job submit", where if name or ray.state == "up" else "waits for `paribus up`")


def record(home: Path) -> Check | None:
    """A problem if the record of the stack cannot be read: then nothing else about it is known."""
    try:
        stack_record.read(home)
    except StackError as error:
        return problem("stack", str(error), f"ps, then remove {stack_record.path(home)}")
    return None
