#!/usr/bin/env python
"""Mutants of the rule, and which of them no test notices.  About 0.1 to 0.3 s a mutant; the README beside says how.

`run.py RESULTS analysis/verdicts.py study/power.py` tries every mutant of those files of `platform/paribus` and writes
a line of JSON for each into RESULTS. What stands there already is not tried again, but for `--again` those alive that
nobody has judged equivalent.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from changes import Mutant, mutants, mutated
from patch import forget, patch
from table import EQUIVALENT

ROOT = Path("platform/paribus")
# Of the folder's tests those that start servers, draw or simulate for long say nothing of a number that others do not.
TESTS = ("tests/analysis", "tests/study", "tests/engine", "tests/report")
LEFT_OUT = ("test_error_rates", "test_plots")
SLOW_S, LIMIT_S = 2.0, 5.0
_MEMORY = 6 << 30


class Tests:
    """pytest's own items, run again and again in forks: collected once, with what each covers of which file."""

    def __init__(self, files: Sequence[str], results: Path, again: bool, budget_s: float, slow_s: float) -> None:
        self.files, self.results, self.again, self.budget_s, self.slow_s = files, results, again, budget_s, slow_s
        self.sources = {file: (ROOT / file).read_text() for file in files}
        self.lines: dict[str, dict[str, set[int]]] = {}
        self.seconds: dict[str, float] = {}
        self.broken: str | None = None
        self.kills = Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure, of a fixture or a test, is the mutant's end."""
        if report.failed and self.broken is None:
            self.broken = report.nodeid

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Without what is left out."""
        items[:] = [item for item in items if not any(name in item.nodeid for name in LEFT_OUT)]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Every test once, traced, and then every mutant in a fork of what is warm."""
        known, settled = self._known(), ("killed", "timeout") if self.again else ("killed", "timeout", "alive")
        judged = json.loads(EQUIVALENT.read_text())
        self._trace(session.items)
        gc.collect()
        gc.freeze()
        with self.results.open("a") as out:
            for file in self.files:
                self.kills.clear()
                for mutant in mutants(self.sources[file]):
                    status = known.get((file, mutant.name))
                    if status in settled or (status and mutant.name in judged.get(file, {})):
                        continue
                    status, by, tried = self._try(session, file, mutant)
                    row = {"file": file, "name": mutant.name, "line": mutant.line, "status": status, "by": by}
                    print(json.dumps({**row, "tests": tried}), file=out, flush=True)
        return True

    def _known(self) -> dict[tuple[str, str], str]:
        rows = map(json.loads, self.results.read_text().splitlines()) if self.results.exists() else ()
        return {(row["file"], row["name"]): row["status"] for row in rows}

    def _trace(self, items: Sequence[pytest.Item]) -> None:
        """Runs each item once, which also warms what tests import late; none may fail without a mutant."""
        wanted = {str((ROOT / file).resolve()): file for file in self.files}
        for item, following in zip(items, [*items[1:], None], strict=True):
            for file in self.files:  # what an earlier test had computed would hide the lines from this one
                forget(_module(file))
            lines: dict[str, set[int]] = {}

            def each(frame: object, event: str, argument: object, lines: dict[str, set[int]] = lines) -> object:
                code = frame.f_code  # type: ignore[attr-defined]
                if file := wanted.get(code.co_filename):
                    lines.setdefault(file, set()).add(frame.f_lineno)  # type: ignore[attr-defined]
                    return each
                return None

            start = time.process_time()
            sys.settrace(each)  # type: ignore[arg-type]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            sys.settrace(None)
            self.seconds[item.nodeid] = time.process_time() - start
            self.lines[item.nodeid] = lines
            if self.broken:
                pytest.exit(f"{self.broken} fails without any mutant", returncode=1)

    def _chosen(self, items: Sequence[pytest.Item], file: str, line: int) -> Iterator[pytest.Item]:
        """Those that run the line, or at import the file: first what killed most so far, own ones, quick ones."""
        own = f"test_{Path(file).stem}"
        covering = [item for item in items if line in self.lines[item.nodeid].get(file, ())]
        covering = covering or [item for item in items if file in self.lines[item.nodeid]]
        spent, kills = 0.0, self.kills
        for item in sorted(covering, key=lambda i: (-kills[i.nodeid], own not in i.nodeid, self.seconds[i.nodeid])):
            seconds = self.seconds[item.nodeid]
            if seconds < self.slow_s and (own in item.nodeid or spent < self.budget_s):
                spent += seconds
                yield item

    def _try(self, session: pytest.Session, file: str, mutant: Mutant) -> tuple[str, str, int]:
        chosen = list(self._chosen(session.items, file, mutant.line))
        # What all of them took while they were traced, and some more: a mutant that takes longer turns in a circle.
        limit_s = int(LIMIT_S + sum(self.seconds[item.nodeid] for item in chosen))
        end, begin = os.pipe()
        child = os.fork()
        if child == 0:
            gc.disable()
            resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 1))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            os.write(begin, self._failing(chosen, file, mutated(self.sources[file], mutant)).encode())
            os._exit(0)
        os.close(begin)
        with os.fdopen(end) as told:
            by = told.read()
        self.kills[by] += 1
        died = os.waitpid(child, 0)[1] != 0
        return ("timeout" if died else "killed" if by else "alive"), by, len(chosen)

    def _failing(self, chosen: Sequence[pytest.Item], file: str, tree: ast.Module) -> str:
        """In the fork: the first test that fails with the mutant in place, "" where none does."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            module = importlib.import_module(_module(file))
            patch(module, tree)
            forget(module.__name__)
            for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self.broken:
                    return self.broken
        except BaseException as error:
            return f"{type(error).__name__}: {error}"[:200] or "error"
        return ""


def _module(file: str) -> str:
    return "paribus." + file.removesuffix(".py").replace("/", ".")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--again", action="store_true", help="try those that were alive again")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds of other files' tests for each mutant")
    parser.add_argument("--slow", type=float, default=SLOW_S, help="seconds above which a test is left out")
    parser.add_argument("--tests", nargs="+", default=TESTS)
    given = parser.parse_args()
    options = ["-q", "-s", "-m", "not cluster and not gpu and not browser and not slow", "-p", "no:cacheprovider"]
    tests = Tests(given.files, given.results, given.again, given.budget, given.slow)
    sys.exit(pytest.main([*options, *given.tests], plugins=[tests]))
