"""MLflow's public REST API over httpx: retries, typed errors, and no import of mlflow (which takes seconds)."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import SplitResult, quote, urlsplit

from paribus.host.secrets import without_secrets
from paribus.tracking.errors import LedgerBarred, LedgerError, LedgerUnreachable

if TYPE_CHECKING:
    import ssl

    import httpx

_API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_TEXTS = (".json", ".md", ".txt")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Besides every 5xx but those that say "never": a server's fault, a full disk (507), a proxy's time-out.
_PASSING_STATUS = {408, 425, 429}
_LASTING_STATUS = {501, 505}
_BARRED_STATUS = {401, 403, 407}
# A server that has no connection to its database left says so with a 400, which would be about the request.
_NO_CONNECTION = "QueuePool limit of size"
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0

Json = dict[str, Any]


def check_uri(uri: str) -> str:
    """`uri` without its trailing slash; raises LedgerError unless it is the http(s) address of a server."""
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and parts.hostname:
            return _checked(uri, parts)
        problem = "Paribus speaks to an MLflow server over http:// or https:// only"
    except ValueError as error:  # a bracket that is not closed, a port that is no number
        problem = f"that is no address ({error})"
    raise LedgerError(
        f"The tracking address is {without_secrets(uri)!r}; {problem}. "
        "Put a server in front of a database or folder: `paribus up`, or "
        "`mlflow server --backend-store-uri sqlite:///mlflow.db --serve-artifacts`, "
        "then set MLFLOW_TRACKING_URI=http://127.0.0.1:PORT"
    )


def _checked(uri: str, parts: SplitResult) -> str:
    if parts.port == 0:
        raise ValueError("port 0 is none")
    if re.search(r"[\s\x00-\x1f\x7f]", uri):
        raise ValueError("it has a blank or a control character in it")
    if parts.query or parts.fragment:
        raise ValueError("give the server's own address, without the page's part after ? or #")
    labels = str(parts.hostname).rstrip(".").split(".")
    if ":" not in str(parts.hostname) and any(not 0 < len(label) < 64 for label in labels):
        raise ValueError("each part of a host's name has 1 to 63 letters")
    return uri.rstrip("/")


class MlflowRest:
    """One MLflow server; `uri` is its address without a password, for people and the ledger. Thread-safe.

    Connections are kept alive; make a new one after a fork. A request that meets a refused or broken connection, a
    408, 425, 429 or a 5xx is repeated with growing, jittered waits for `budget_s` seconds, then raises
    LedgerUnreachable. What is not MLflow's own answer (a login page, a redirect, a 401 or 403, a page that is no JSON)
    raises LedgerBarred: it says nothing of the request. MLflow's own refusal raises LedgerError.
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
        return self._decoded(self.request("GET", _API + path, params=params))

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """POST `body` to `path` of the API; returns the decoded answer."""
        return self._decoded(self.request("POST", _API + path, json=body))

    def put_artifact(self, artifact_uri: str, name: str, data: bytes, *, budget_s: float | None = None) -> None:
        """Store `data` as the artifact `name` (a relative path) of the run whose root is `artifact_uri`.

        `budget_s` replaces the client's own; 0 tries once.
        """
        kept = without_secrets(data) if name.endswith(_TEXTS) else data
        response = self.request("PUT", artifact_path(artifact_uri, name), budget_s=budget_s, content=kept)
        if response.content:  # a proxy's login page comes with a 200 too; MLflow answers nothing or a JSON object
            self._decoded(response)

    def get_artifact(self, artifact_uri: str, name: str) -> bytes:
        """The bytes of the artifact `name` of the run whose root is `artifact_uri`; LedgerError 404 if absent."""
        return self.request("GET", artifact_path(artifact_uri, name)).content

    def request(self, method: str, path: str, *, budget_s: float | None = None, **kwargs: Any) -> httpx.Response:
        """Send one request, repeating it as the class says."""
        import httpx

        deadline = time.monotonic() + (self.budget_s if budget_s is None else budget_s)
        wait_s = _FIRST_WAIT_S
        while True:
            self.num_requests += 1
            status = 0
            try:
                response = self._connected().request(method, path, **kwargs)
                if not is_passing(response):
                    raise_for_status(response, self.uri, f"{method} {path}")
                    return response
                status = response.status_code
                problem = f"HTTP {status}: {_text_of(response)[:200]}".rstrip(": ")
            except httpx.RequestError as error:
                problem = without_secrets(f"{type(error).__name__}: {error}")
            except (httpx.InvalidURL, UnicodeError) as error:
                raise LedgerBarred(f"The tracking address is {self.uri!r}, which is none: {error}") from error
            if time.monotonic() + wait_s > deadline or self._stop.wait(wait_s * random.uniform(0.5, 1.0)):
                raise self._given_up(problem, status)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _given_up(self, problem: str, status: int) -> LedgerUnreachable:
        if status:
            return LedgerUnreachable(
                f"The MLflow server at {self.uri} fails ({problem}; tried for {self.budget_s:.0f} s). "
                "Its log says why: a full disk, a database that is down, a proxy's limit.",
                status=status,
            )
        return LedgerUnreachable(
            f"No MLflow server answers at {self.uri} ({problem}; tried for {self.budget_s:.0f} s). "
            "Start the local stack with `paribus up`, or check MLFLOW_TRACKING_URI."
        )

    def healthy(self) -> bool:
        """Whether the server answers its health check at once."""
        import httpx

        try:
            return self._connected().get("/health", timeout=2.0).status_code == 200
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
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
        answer = _json_of(response)
        if answer is not None:
            return answer
        raise LedgerBarred(
            f"{self.uri} does not answer as an MLflow server does (a login page, or another server?): "
            f"{_text_of(response)[:200]!r}"
        )


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
    """Whether the trouble that `response` reports may be over soon: it is the server's, or the line's."""
    status = response.status_code
    if status == 400:
        return _NO_CONNECTION in response.text
    return status in _PASSING_STATUS or (status >= 500 and status not in _LASTING_STATUS)


def raise_for_status(response: httpx.Response, uri: str, asked: str) -> None:
    """Raise LedgerError with the server's own message if `response` is an error, LedgerBarred if it is not MLflow's."""
    if response.is_success:
        return
    status, answer = response.status_code, _json_of(response) or {}
    text, code = str(answer.get("message", _text_of(response))), str(answer.get("error_code", ""))
    if response.is_redirect:
        place = response.headers.get("Location", "")
        raise LedgerBarred(
            f"{uri} sends on to {place or 'another address'} (HTTP {status}): that is a login page, or the server's "
            "own address, which MLFLOW_TRACKING_URI must then name",
            status=status,
        )
    hint = ""
    if status == 403 and "Host header" in text:
        hint = " (start the server with `--allowed-hosts HOST:PORT`, or use its address as it knows it)"
    if status == 401:
        hint = " (set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN)"
    message = f"MLflow at {uri} refused {asked} (HTTP {status}): {text[:2000]}{hint}"
    # A missing file comes without MLflow's words, and a proxy's limit on bodies is about this body.
    own = code or status == 413 or (status == 404 and ARTIFACTS in asked)
    kind = LedgerBarred if status in _BARRED_STATUS or not own else LedgerError
    raise kind(message, code=code, status=status)


def _json_of(response: httpx.Response) -> Json | None:
    """The JSON object that `response` holds; None if it holds none."""
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _text_of(response: httpx.Response) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", response.text).strip()


def _verification() -> ssl.SSLContext | bool:
    import ssl

    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    certificate = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    try:
        return ssl.create_default_context(cafile=certificate) if certificate else True
    except OSError as error:
        raise LedgerBarred(
            f"MLFLOW_TRACKING_SERVER_CERT_PATH={certificate!r} can't be read as certificates ({error}); "
            "name a PEM file, or unset it"
        ) from error


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
        trust_env=urlsplit(uri).hostname not in _LOOPBACK,
    )
