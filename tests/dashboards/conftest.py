"""One real MLflow server for the session, and studies recorded into it as the executor records them.

The numbers are drawn from a seeded generator; everything that they pass through is the real ledger.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import streamlit as st
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from paribus.metrics.examples import Examples
from paribus.study import Claim, Study
from paribus.study.document import write_study
from paribus.study.settings import settings_of
from paribus.study.words import Arm
from paribus.tracking import MlflowRest, Recorder, StudyHeader, StudyRun, TrialLog, TrialRecord
from paribus.tracking import open_study as open_study_run
from paribus.tracking.mlflow.server import ServerProcess, start_server
from paribus.tracking.outbox.artifacts import EXAMPLES, encode_examples

NUM_EVAL = 397
NUM_EPOCHS = 8
STEPS_PER_EPOCH = 11
SCALE = "model.residual_scale"
DASHBOARDS = Path(__file__).parents[2] / "dashboards"

Fate = Callable[[Arm, int], str]
Facts = Callable[[Arm, int], dict[str, Any]]


@dataclass(frozen=True)
class Filler:
    """Records studies into one server. `fate` says how each trial ends: an outcome, `running` or `missing`."""

    uri: str
    outbox: Path

    def finished(
        self,
        study: Study,
        fate: Fate = lambda arm, replicate: "finished",
        declared: Study | None = None,
        facts: Facts = lambda arm, replicate: {},
    ) -> None:
        """A study whose driver ended."""
        ends = {fate(arm, replicate) for arm, replicate in _planned(study)}
        with self.driver(study, fate, declared, facts) as run:
            run.finish(
                "KILLED" if "missing" in ends else "FAILED" if "failed" in ends else "FINISHED", _counts(study, fate)
            )

    def record(
        self, study: Study, fate: Fate, replicates: Iterable[int], facts: Facts = lambda arm, replicate: {}
    ) -> None:
        """Record these replicates' trials."""
        with Recorder(self.outbox, self.uri, flush_s=0.05) as recorder:
            for arm, replicate in _planned(study):
                if replicate in replicates and (end := fate(arm, replicate)) != "missing":
                    _record(recorder, study, arm, replicate, end, facts(arm, replicate))

    @contextmanager
    def driver(
        self,
        study: Study,
        fate: Fate,
        declared: Study | None = None,
        facts: Facts = lambda arm, replicate: {},
    ) -> Iterator[StudyRun]:
        """A study that this process drives: running as long as the block lasts; its running trials stay so after it.

        `declared` is the study of which it is a variation; None: as the last release recorded it, without settings.
        """
        rest = MlflowRest(self.uri)
        run = open_study_run(rest, replace(_header(study), settings=declared and settings_of(study, declared)))
        run.artifact("study.json", write_study(study).encode())
        run.artifact("trials.json", json.dumps([_trial_id(study, arm, r) for arm, r in _planned(study)]).encode())
        run.claim_lease()
        self.record(study, fate, range(1, study.replicates + 1), facts)
        run.heartbeat(_counts(study, fate))
        yield run
        rest.close()


def _planned(study: Study) -> list[tuple[Arm, int]]:
    return [(arm, replicate) for replicate in range(1, study.replicates + 1) for arm in study.arms]


def _trial_id(study: Study, arm: Arm, replicate: int) -> str:
    return hashlib.sha256(f"{study.name} {study.base} {study.fixed or ''}{arm.name} {replicate}".encode()).hexdigest()


def _header(study: Study) -> StudyHeader:
    return StudyHeader(
        name=study.name,
        question=study.question,
        claim=asdict(study.claim) if study.claim else None,
        caveats=tuple(f"{path} = {value}" for path, value in study.caveats().items()),
        design=study.design,
        num_planned=len(study.arms) * study.replicates,
        code="c0de" * 4,
    )


def _counts(study: Study, fate: Fate) -> dict[str, int]:
    ends = [fate(arm, replicate) for arm, replicate in _planned(study)]
    return {end: ends.count(end) for end in dict.fromkeys(ends) if end not in ("missing", "running")}


def _record(recorder: Recorder, study: Study, arm: Arm, replicate: int, end: str, more: dict[str, Any]) -> None:
    trial_id = _trial_id(study, arm, replicate)
    num_steps = NUM_EPOCHS * STEPS_PER_EPOCH
    log = recorder.trial(
        TrialRecord(
            study=study.name,
            trial_id=trial_id,
            arm=arm,
            arm_name=arm.name,
            replicate=replicate,
            params={path: str(level) for path, level in arm.levels},
            **{"code": "c0de" * 4, "total_steps": num_steps, **more},
        ).begun(),
        is_new=True,
    )
    rng = np.random.default_rng(int(trial_id[:12], 16))
    last = {"finished": NUM_EPOCHS, "running": 3, "failed": 2}.get(end, 4)
    final = _learn(log, arm, replicate, last, rng)
    now = replace(log.record, num_steps=last * STEPS_PER_EPOCH)
    if end == "running":
        return
    if end == "failed":
        log.finish("failed", {}, replace(now, reason="oom: the worker was killed at 3.2 GiB of memory"))
        return
    if end in ("diverged", "dead"):
        now = replace(now, outcome_step=last * STEPS_PER_EPOCH)
        final = {"train_loss": float("nan")}
    else:
        correct = rng.random(NUM_EVAL) < final["top1"] / 100
        final["top1"] = 100 * float(correct.mean())
        likelihood = rng.normal(final["log_likelihood"], 0.3, NUM_EVAL).astype(np.float32)
        final["num_params"] = 10_000.0 * float(str(arm.as_dict().get("model.depth", 16)))
        log.artifact(EXAMPLES, encode_examples(_examples(correct, likelihood)))
    log.finish(end, final, now)


def _examples(correct: NDArray[np.bool_], likelihood: NDArray[np.float32]) -> Examples:
    """Ten classes in turn; what is wrong is taken for the next one."""
    label = np.arange(NUM_EVAL, dtype=np.int32) % 10
    return Examples(
        label=label,
        predicted=np.where(correct, label, (label + 1) % 10).astype(np.int32),
        correct=correct,
        log_likelihood=likelihood,
        top_probability=np.where(correct, 0.95, 0.55).astype(np.float32),
        keys=[f"test/{at:04d}" for at in range(NUM_EVAL)],
    )


def _learn(log: TrialLog, arm: Arm, replicate: int, num_epochs: int, rng: np.random.Generator) -> dict[str, float]:
    scale = float(str(arm.as_dict().get(SCALE, 1.0)))
    limit = 97.5 - 3.0 * scale + 0.3 * np.sin(replicate) + rng.normal(0, 0.2)
    metrics: dict[str, float] = {}
    for epoch in range(1, num_epochs + 1):
        top1 = limit - (limit - 12) * float(np.exp(-0.8 * epoch)) + rng.normal(0, 0.3)
        loss = 0.05 + 2.2 * float(np.exp(-0.7 * epoch)) + abs(rng.normal(0, 0.02))
        metrics = {"top1": top1, "log_likelihood": -loss - 0.02, "eval_loss": loss + 0.02, "train_loss": loss}
        metrics |= {"lr": 0.1, "grad_norm": 1 + loss, "images_per_s": 5200.0, "dead_channels": 0.0}
        log.metrics(metrics, step=epoch * STEPS_PER_EPOCH, epoch=epoch)
    return metrics


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the whole session shares; tests that stop one start their own."""
    server = start_server(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Studies like `studies/residual_scale.py`: `make_study("name", replicates=2)`."""

    def make(name: str, **changes: object) -> Study:
        fields: dict[str, object] = {
            "name": name,
            "base": "digits",
            "factors": {SCALE: (0.1, 0.2, 0.3, 1.0), "model.depth": (16, 40)},
            "baseline": {SCALE: 1.0},
            "replicates": 5,
            "margin": 1.0,
            "question": "Does damping the residual branch keep deep, wide nets alive?",
            "claim": Claim(
                "scaling by 0.1-0.3 stabilises training and does not change final accuracy",
                source="Inception-v4, section 3.3",
                setting="ImageNet, Inception-ResNet-v2",
            ),
        }
        return Study(**(fields | changes))  # type: ignore[arg-type]

    return make


def unstable_at_depth_40(arm: Arm, replicate: int) -> str:
    """Unscaled, half of the deep nets diverge."""
    levels = arm.as_dict()
    return "diverged" if levels[SCALE] == 1.0 and levels["model.depth"] == 40 and replicate % 2 else "finished"


@pytest.fixture(scope="session")
def filler(mlflow_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Filler:
    return Filler(mlflow_server.uri, tmp_path_factory.mktemp("spool"))


@pytest.fixture(scope="session")
def whole_study(filler: Filler, make_study: Callable[..., Study]) -> Study:
    """A finished study in which some trials diverged."""
    study = make_study("residual_scale")
    filler.finished(study, unstable_at_depth_40)
    return study


class Wire:
    """A port that leads to the server until it is cut: an outage without waiting for a server to start again."""

    def __init__(self, target: str) -> None:
        self._target = (str(urlsplit(target).hostname), int(urlsplit(target).port or 0))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._address = probe.getsockname()
        self.uri = f"http://127.0.0.1:{self._address[1]}"
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        """Lead to the server (again)."""
        self._listener = socket.create_server(self._address)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections and break those that there are."""
        assert self._listener is not None
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open = []

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_producer, args=(source, sink), daemon=True).start()


def _producer(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="session")
def wire_to() -> Iterator[Callable[[str], Wire]]:
    """`wire_to(uri)`: a line to a server."""
    lines: list[Wire] = []

    def lay(target: str) -> Wire:
        lines.append(Wire(target))
        return lines[-1]

    yield lay
    for line in lines:
        line.cut()


@pytest.fixture
def wire(mlflow_server: ServerProcess) -> Iterator[Wire]:
    """A line to the session's server that a test may cut and mend."""
    line = Wire(mlflow_server.uri)
    yield line
    line.cut()


class Package:
    """An installed distribution whose metadata is parsed once and not each time that it is asked for."""

    def __init__(self, found: importlib.metadata.Distribution) -> None:
        self._found, self.name, self.metadata = found, found.name, found.metadata

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


@pytest.fixture(scope="session", autouse=True)
def packages_read_once() -> Iterator[None]:
    """Streamlit looks through all packages for components whenever an app starts: a second of a core, for each test."""
    distributions = importlib.metadata.distributions
    packages = [Package(found) for found in distributions()]

    def known(**context: Any) -> Iterable[Any]:
        return distributions(**context) if context else packages

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "distributions", known)
        yield


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Every test opens the dashboard for the first time."""
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """`open_home(uri)`: Home over that ledger, run once."""

    def start(uri: str) -> AppTest:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        return AppTest.from_file(DASHBOARDS / "navigation.py", default_timeout=60).run()

    return start


@pytest.fixture
def open_study(open_home: Callable[[str], AppTest]) -> Callable[..., AppTest]:
    """`open_study(uri, name)`: the Study page at `?study=name`, run once; `page="curves"` another page of the study."""

    def start(uri: str, name: str, page: str = "study", **address: str) -> AppTest:
        app = open_home(uri)
        app.switch_page(f"pages/{page}.py")
        for word, value in {"study": name, **address}.items():
            if value:
                app.query_params[word] = value
        return app.run()

    return start


@pytest.fixture
def said() -> Callable[[AppTest], str]:
    """Everything that a page says. No page may ever show an exception."""

    def read(app: AppTest) -> str:
        assert not app.exception, [each.message for each in app.exception]
        parts = (*app.title, *app.header, *app.markdown, *app.caption, *app.warning, *app.info)
        return "\n".join([*(str(part.value) for part in parts), *(bar.text for bar in app.get("progress"))])

    return read
