"""What went wrong between a server and this machine, whether asking again may help, and what a person can do."""

import re

CREDENTIALS = {
    "s3": (
        "give this process credentials that may read it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile of "
        "~/.aws/credentials (AWS_PROFILE), or for a public bucket AWS_SKIP_SIGNATURE=true; a server of your own is "
        "named by AWS_ENDPOINT_URL"
    ),
    "gs": (
        "give this process credentials that may read it: GOOGLE_APPLICATION_CREDENTIALS, or for a public bucket "
        "GOOGLE_SKIP_SIGNATURE=true"
    ),
    "http": "put this host's user and password into ~/.netrc, or have the server let this machine read it",
}
RESTORE = "restore it or make the shards again"
WAIT = "see that the server is up and that this machine reaches it, then start again: what is complete is kept"
ADDRESS = "this does not pass by itself: see that the address is right, and for s3 AWS_REGION and AWS_ENDPOINT_URL"
TRUST = "name the file of the authority that signed it with SSL_CERT_FILE, or renew it"
# A second look tells a stale proxy or a bit flipped on the way from a file that is another one.
_ALTERED_ATTEMPTS = 2
_MANY = 1_000_000
_PASSING = {408, 429, 500, 502, 503, 504}
_STATUS = re.compile(r"status code: (\d{3})")
# obstore gives one exception for all that befalls a connection; its text names the cause, outermost last.
_CAUSES = (
    (re.compile("dns error"), "host name not found"),
    (re.compile("ConnectionRefused"), "connection refused"),
    (re.compile("kind: Timeout|TimedOut"), "no answer for {stall_s:g} s"),
    (re.compile("UnexpectedEof|IncompleteBody|kind: Body"), "connection cut in mid-file"),
    (re.compile("ConnectionReset|BrokenPipe|IncompleteMessage|ConnectionAborted"), "connection reset"),
    (re.compile("kind: Connect"), "no connection"),
)
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
# How a node of a cloud asks for its credentials, which off that cloud nobody answers; files are only ever read by GET.
_CREDENTIALS = re.compile(r"performing (PUT|POST) |token request|//169\.254\.|//\[fd00:ec2:")


class LineError(Exception):
    """One attempt's end. `attempts`: how often this kind may happen; `from_start`: without a range it might not."""

    def __init__(
        self, kind: str, *, verb: str = "cannot be read", detail: str = "", attempts: int = _MANY, advice: str = WAIT
    ) -> None:
        super().__init__(kind)
        self.kind, self.verb, self.detail, self.attempts = kind, verb, detail or kind, attempts
        self.from_start = False
        self._advice = advice

    def advice(self, root: str) -> str:
        """What to do about it at the address `root`."""
        scheme = root.partition("://")[0].removesuffix("s") if root.startswith("http") else root.partition("://")[0]
        return CREDENTIALS[scheme] if self._advice == "credentials" else self._advice


def altered(detail: str) -> LineError:
    """The file there is not the one asked for."""
    return LineError(
        "another file", verb="is not the manifest's file", detail=detail, attempts=_ALTERED_ATTEMPTS, advice=RESTORE
    )


def too_short(done: int, num_bytes: int) -> LineError:
    """The line ended early, and nobody said so."""
    return LineError("connection cut in mid-file", detail=f"cut after {done:,} of {num_bytes:,} bytes")


def fault_of(error: Exception, stall_s: float) -> LineError:
    """What an error of obstore means; an error of our own passes through."""
    if isinstance(error, LineError):
        return error
    text = str(error)
    first = text.partition("\n")[0]
    status = int(found[1]) if (found := _STATUS.search(first)) else None
    if _CREDENTIALS.search(first):
        return LineError("no credentials found", verb="may not be read", attempts=2, advice="credentials")
    if isinstance(error, FileNotFoundError):
        return LineError("HTTP 404", verb="is missing", attempts=1, advice=RESTORE)
    if status in (401, 403):
        return LineError(f"HTTP {status}", verb="may not be read", attempts=1, advice="credentials")
    if status in _PASSING:
        return LineError(f"HTTP {status}")
    if status is not None:
        fault = LineError(f"HTTP {status}", attempts=1, advice=ADDRESS)
        fault.from_start = status == 416
        return fault
    if type(error).__name__ == "NotSupportedError":
        fault = LineError("no ranges", attempts=1)
        fault.from_start = True
        return fault
    if found := _CERTIFICATE.search(text):
        return LineError(f"certificate refused ({found[1]})", attempts=1, advice=TRUST)
    for pattern, kind in _CAUSES:
        if pattern.search(text):
            return LineError(kind.format(stall_s=stall_s))
    return LineError(first.partition(" - ")[0])
