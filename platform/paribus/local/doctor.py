"""`paribus doctor`: what is missing, busy or wrong on this machine, and what to do. Starts and changes nothing."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from paribus.host.home import HomeError, checkout, lock, place_fault
from paribus.host.home import home as default_home
from paribus.local import doctor_machine as machine
from paribus.local import doctor_services as services
from paribus.local import stack
from paribus.local.doctor_check import Check, problem
from paribus.local.settings import default_folder

__all__ = ["Check", "examine", "main", "render"]

_SIGNS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


def examine(home: Path | None = None, folder: Path | None = None, env: Mapping[str, str] | None = None) -> list[Check]:
    """Look at everything, side by side: about a second, never more than three."""
    env = os.environ if env is None else env
    folder = folder or default_folder()
    at_work = checkout() is not None
    looks: list[Callable[[], Check | list[Check]]] = [
        machine.python,
        partial(machine.packages, lock(), None if at_work else machine.required()),
        machine.shared_memory,
        machine.gpu,
        machine.git,
        *([machine.browser] if at_work else []),  # for tests alone
        partial(machine.studies, folder),
        partial(machine.proxy, env),
        partial(_at_home, home, env),
    ]
    with ThreadPoolExecutor(len(looks)) as pool:
        found = [pool.submit(look) for look in looks]
        results = [future.result() for future in found]
    return [check for result in results for check in (result if isinstance(result, list) else [result])]


def render(checks: Sequence[Check]) -> str:
    """One line per check, the remedy below it, the sum at the end."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{_SIGNS[check.level]}  {check.name:<{width}}  {check.text}")
        if check.remedy:
            lines.append(f"{'':<{width + 9}}  -> {check.remedy}")
    counts = {level: sum(check.level == level for check in checks) for level in _SIGNS}
    lines.append(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['problem']} problems")
    return "\n".join(lines)


def main(as_json: bool = False) -> int:
    """Print what was found; the exit code is 1 if there is a problem."""
    checks = examine()
    print(json.dumps([asdict(check) for check in checks], indent=2) if as_json else render(checks))
    return int(any(check.level == "problem" for check in checks))


def _at_home(home: Path | None, env: Mapping[str, str]) -> list[Check]:
    try:
        home = home or default_home()
        return [machine.disk(home), *_services(home, env)]
    except HomeError as error:
        return [problem("home", str(error), "export PARIBUS_HOME=/a/folder/of/yours")]
    except OSError as error:
        return [problem("home", place_fault(error) or str(error), "export PARIBUS_HOME=/a/folder/of/yours")]


def _services(home: Path, env: Mapping[str, str]) -> list[Check]:
    if unreadable := services.record(home):
        return [unreadable]
    now = stack.status(home)
    try:
        ports = services.ports(home, env)
    except stack.StackError as error:
        ports = [problem("ports", str(error), "set it to a number, or unset it")]
    ray, _, dashboard = now.parts
    return [
        *ports,
        services.part(ray),
        services.token(home),
        services.ray_address(now, env),
        services.mlflow(now, env),
        services.part(dashboard),
        services.temporary_ledger(home),
    ]
