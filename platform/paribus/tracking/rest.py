"""MLflow's public REST API over httpx: retries, typed errors, and no import of mlflow (which takes seconds)."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from paribus.recipe.secrets import without_secrets

from .errors import LedgerError, LedgerUnreachable

if TYPE_CHECKING:
    import ssl

    import httpx

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
TEXTS = (".json", ".md", ".txt")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
RETRIED_STATUS = {429, 502, 503, 504}
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

Json = dict[str, Any]


def check_uri(uri: str) -> str:
    """`uri` without its trailing slash; raises LedgerError unless it is the http(s) address of a server."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        return uri.rstrip("/")
    raise LedgerError(
        f"The tracking address is {without_secrets(uri)!r}; Paribus speaks to an MLflow server over http:// or "
        "https:// only. "
        "Put a server in front of a database or folder: `make up`, or "
        "`mlflow server --backend-store-uri sqlite:///mlflow.db --serve-artifacts`, "
        "then set MLFLOW_TRACKING_URI=http://127.0.0.1:PORT"
    )


class MlflowRest:
    """One MLflow server; `uri` is its address without a password, for people and the ledger. Thread-safe.

    Connections are kept alive; make a new one after a fork. A request that meets a refused or broken connection, a
    429, 502, 503, 504 or a locked database is repeated with growing, jittered waits for `budget_s` seconds, then raises
    LedgerUnreachable. Any other error raises LedgerError.
    """

    def __init__(self, uri: str, *, budget_s: float = 15.0, timeout_s: float = 60.0) -> None:
        self._address = check_uri(uri)
        self.uri = without_secrets(self._address)
        self.budget_s = budget_s
        self.timeout_s = timeout_s
        self.num_requests = 0
        self._stop = threading.Event()
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def get(self, path: str, **params: str | int | list[str]) -> Json:
        """GET `path` of the API; returns the decoded answer."""
        return self._decoded(self.request("GET", API + path, params=params))

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """POST `body` to `path` of the API; returns the decoded answer."""
        return self._decoded(self.request("POST", API + path, json=body))

    def put_artifact(self, artifact_uri: str, name: str, data: bytes) -> None:
        """Store `data` as the artifact `name` (a relative path) of the run whose root is `artifact_uri`."""
        kept = without_secrets(data) if name.endswith(TEXTS) else data
        self.request("PUT", artifact_path(artifact_uri, name), content=kept)

    def get_artifact(self, artifact_uri: str, name: str) -> bytes:
        """The bytes of the artifact `name` of the run whose root is `artifact_uri`; LedgerError 404 if absent."""
        return self.request("GET", artifact_path(artifact_uri, name)).content

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send one request, repeating it as the class says."""
        import httpx

        deadline = time.monotonic() + self.budget_s
        wait_s = FIRST_WAIT_S
        while True:
            self.num_requests += 1
            try:
                response = self._connected().request(method, path, **kwargs)
                problem = None if not is_passing(response) else f"HTTP {response.status_code}"
            except httpx.RequestError as error:
                problem = without_secrets(f"{type(error).__name__}: {error}")
            if problem is None:
                raise_for_status(response, method, path)
                return response
            if time.monotonic() + wait_s > deadline or self._stop.wait(wait_s * random.uniform(0.5, 1.0)):
                raise LedgerUnreachable(
                    f"No MLflow server answers at {self.uri} ({problem}; tried for {self.budget_s:.0f} s). "
                    "Start the local stack with `make up`, or check MLFLOW_TRACKING_URI."
                )
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def healthy(self) -> bool:
        """Whether the server answers its health check at once."""
        import httpx

        try:
            return self._connected().get("/health", timeout=2.0).status_code == 200
        except httpx.HTTPError:
            return False

    def abandon(self) -> None:
        """Make requests that are waiting for a retry give up now."""
        self._stop.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = _client(self._address, self.timeout_s)
            return self._client

    def _decoded(self, response: httpx.Response) -> Json:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        raise LedgerError(f"{self.uri} does not answer as an MLflow server does: {response.text[:200]!r}")


def artifact_path(artifact_uri: str, name: str) -> str:
    """The server's path for the artifact `name` under a run's `mlflow-artifacts:` root."""
    parts = urlsplit(artifact_uri)
    if parts.scheme != "mlflow-artifacts":
        raise LedgerError(
            f"The run keeps its artifacts at {artifact_uri!r}, which the server does not serve over HTTP. "
            "Start it as `mlflow server --serve-artifacts --artifacts-destination ...` and use a new experiment."
        )
    return ARTIFACTS + quote(f"{parts.path.strip('/')}/{name}")


def is_passing(response: httpx.Response) -> bool:
    """Whether the trouble that `response` reports may be over soon."""
    if response.status_code in RETRIED_STATUS:
        return True
    return response.status_code == 500 and "database is locked" in response.text


def raise_for_status(response: httpx.Response, method: str, path: str) -> None:
    """Raise LedgerError with the server's own message if `response` is an error."""
    if response.is_success:
        return
    text, code = response.text, ""
    try:
        answer = response.json()
        text, code = str(answer.get("message", text)), str(answer.get("error_code", ""))
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]+>|\s+", " ", text).strip()
    hint = ""
    if response.status_code == 403 and "Host header" in text:
        hint = " (start the server with `--allowed-hosts HOST:PORT`, or use its address as it knows it)"
    if response.status_code == 401:
        hint = " (set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN)"
    raise LedgerError(f"MLflow refused {method} {path}: {text[:2000]}{hint}", code=code, status=response.status_code)


def _verification() -> ssl.SSLContext | bool:
    import ssl

    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    certificate = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    return ssl.create_default_context(cafile=certificate) if certificate else True


def _client(uri: str, timeout_s: float) -> httpx.Client:
    import httpx

    headers, auth = {}, None
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    elif user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        auth = httpx.BasicAuth(user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    return httpx.Client(
        base_url=uri,
        auth=auth,
        headers=headers,
        timeout=httpx.Timeout(timeout_s, connect=5.0),
        # Plain http has no certificate to look at, and reading the authorities takes tens of milliseconds.
        verify=_verification() if uri.startswith("https") else False,
        # A proxy from the environment can't reach a server on this machine's own loopback.
        trust_env=urlsplit(uri).hostname not in LOOPBACK,
    )
