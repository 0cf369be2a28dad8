"""One file over real sockets: what is asked for again, what is not, and what a person is told."""

import random
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from certificates import certificates
from data_servers import QUICK, Fault, FaultyLine, Nginx, free_port, serve, upload

from paribus.errors import DataError
from paribus.shards.storage.remote import Remote, RetryPolicy

DATA = random.Random(1).randbytes(1_000_000)
DIGEST = sha256(DATA).hexdigest()
FILE = "train 0.tar"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a set")
    (folder / FILE).write_bytes(DATA)
    return folder


@pytest.fixture(scope="module")
def bucket(objects: int, folder: Path) -> str:
    upload(folder, objects, "files", "sets/a set")
    return "files/sets/a set"


def download(root: str, digest: str = DIGEST, num_bytes: int = len(DATA), retry_policy: RetryPolicy = QUICK) -> bytes:
    sink = BytesIO()
    Remote(root, retry_policy).download(FILE, sink, num_bytes, digest)
    return sink.getvalue()


def refusal(root: str, *expected: object) -> str:
    with pytest.raises(DataError) as error:
        download(root, *expected)  # type: ignore[arg-type]
    text = str(error.value)
    assert f"{root}/{FILE}" in text
    return text


FAULTS = [
    Fault("reset"),
    Fault("busy"),
    Fault("stall", 100),
    Fault("stall", 600_000),
    Fault("cut", 100),
    Fault("cut", 600_000),
    Fault("flip", 600_000),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_that_passes_leaves_no_trace(web: Nginx, folder: Path, fault: Fault) -> None:
    with FaultyLine(web.port, fault, Fault("cut", 300_000)) as line:
        assert download(line.address + web.path(folder)) == DATA
        assert len(line.requests) == 3


@pytest.mark.parametrize("fault", [Fault("busy"), Fault("stall", 600_000), Fault("cut", 600_000)], ids=str)
@pytest.mark.parametrize(("scheme", "endpoint"), [("s3", "AWS_ENDPOINT_URL"), ("gs", "GOOGLE_BASE_URL")])
@pytest.mark.usefixtures("keys")
def test_object_stores_are_asked_again_too(
    objects: int, bucket: str, fault: Fault, scheme: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyLine(objects, fault) as line:
        monkeypatch.setenv(endpoint, line.address)
        assert download(f"{scheme}://{bucket}") == DATA
        assert Remote(f"{scheme}://{bucket}", QUICK).read(FILE) == DATA
        assert len(line.requests) == 3
        ranged = [b"bytes=" in request for request in line.requests]
        assert ranged == [False, fault.after > 0, False]


def test_a_cut_download_goes_on_where_it_ended(web: Nginx, folder: Path) -> None:
    before = len(web.asked())
    with FaultyLine(web.port, Fault("cut", 400_000), Fault("cut", 400_000)) as line:
        assert download(line.address + web.path(folder)) == DATA
    asked = [line.split(" /")[0] for line in web.asked()[before:]]
    assert asked[0] == "200 -"
    starts = [int(line.removeprefix("206 bytes=").rstrip("-")) for line in asked[1:]]
    assert 0 < starts[0] <= 400_000 < starts[1] <= 800_000


def test_a_server_without_ranges_is_asked_from_the_start(web: Nginx, folder: Path) -> None:
    before = len(web.asked())
    with FaultyLine(web.port, Fault("cut", 400_000)) as line:
        assert download(f"{line.address}/whole{web.path(folder)}") == DATA
    assert [line.split(" /")[0][:9] for line in web.asked()[before:]] == ["200 -", "200 bytes", "200 -"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_for_until_patience_ends(web: Nginx, status: int) -> None:
    text = refusal(f"{web.address}/{status}/set")
    assert "cannot be read: 4 attempts in 0." in text
    assert f"(4 x HTTP {status})" in text
    assert "start again" in text
    assert len(web.asked(f"/{status}/set/train%200.tar")) == 4


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, ["may not be read", "~/.netrc"]), (403, ["may not be read"]), (404, ["is missing", "make"])],
)
def test_what_will_not_pass_is_asked_for_once(web: Nginx, status: int, words: list[str]) -> None:
    text = refusal(f"{web.address}/{status}/set")
    assert f"HTTP {status}" in text
    assert all(word in text for word in words)
    assert len(web.asked(f"/{status}/set/train%200.tar")) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("stall", 100), "no answer for 0.4 s"),
        (Fault("stall", 20_000), "no answer for 0.4 s"),
        (Fault("cut", 10_000), "connection cut in mid-file"),
        (Fault("reset"), "connection reset"),
    ],
    ids=str,
)
def test_a_fault_that_stays_is_told_with_its_count(web: Nginx, folder: Path, fault: Fault, kind: str) -> None:
    with FaultyLine(web.port, *[fault] * 4) as line:
        assert f"(4 x {kind})" in refusal(line.address + web.path(folder))


def test_faults_of_several_kinds_are_told_apart(web: Nginx, folder: Path) -> None:
    with FaultyLine(web.port, Fault("busy"), Fault("cut", 10_000), Fault("busy"), Fault("reset")) as line:
        text = refusal(line.address + web.path(folder))
    assert "(2 x HTTP 503, 1 x connection cut in mid-file, 1 x connection reset)" in text


def test_a_server_that_is_not_there_is_told() -> None:
    assert "4 x connection refused" in refusal(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_comes_up_meanwhile_is_found(web: Nginx, folder: Path) -> None:
    port = free_port()
    patient = replace(QUICK, attempts=1_000)
    found: list[bytes] = []
    asking = threading.Thread(
        target=lambda: found.append(download(f"http://127.0.0.1:{port}{web.path(folder)}", retry_policy=patient))
    )
    asking.start()
    time.sleep(0.2)
    with FaultyLine(web.port, at=port):
        asking.join(20)
    assert found == [DATA]


@pytest.mark.parametrize(
    ("digest", "num_bytes", "words"),
    [("0" * 64, len(DATA), "its SHA-256 there is"), (DIGEST, 999_999, "it has 1,000,000 bytes there, not 999,999")],
)
def test_another_file_under_the_name_is_looked_at_twice(
    web: Nginx, folder: Path, digest: str, num_bytes: int, words: str
) -> None:
    text = refusal(web.address + web.path(folder), digest, num_bytes)
    assert words in text
    assert "is not the manifest's file: 2 attempts" in text
    assert "restore it or make the shards again" in text


def test_a_file_that_is_replaced_in_mid_download_is_told(web: Nginx, tmp_path: Path) -> None:
    """It was longer: the place to go on from is no longer there."""
    (tmp_path / FILE).write_bytes(DATA)
    with FaultyLine(web.port, Fault("stall", 600_000)) as line:
        threading.Timer(0.2, lambda: (tmp_path / FILE).write_bytes(b"new")).start()
        assert "it has 3 bytes there, not 1,000,000" in refusal(line.address + web.path(tmp_path))
    assert any(line.startswith("416 bytes=") for line in web.asked(f"{web.path(tmp_path)}/train%200.tar"))


def test_a_file_that_is_repaired_in_mid_download_is_had(web: Nginx, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(bytes(len(DATA)))
    with FaultyLine(web.port, Fault("stall", 600_000)) as line:
        threading.Timer(0.2, lambda: (tmp_path / FILE).write_bytes(DATA)).start()
        assert download(line.address + web.path(tmp_path)) == DATA


def test_no_attempt_begins_after_the_time_is_up() -> None:
    retry_policy = replace(QUICK, attempts=1_000_000, total_s=0.3)
    with pytest.raises(DataError, match=r"attempts in 0\.[0-3]"):
        download(f"http://127.0.0.1:{free_port()}", retry_policy=retry_policy)


@pytest.mark.parametrize("fault", [Fault("busy"), Fault("stall", 20_000)], ids=str)
def test_a_download_that_nobody_wants_ends(web: Nginx, folder: Path, fault: Fault) -> None:
    cancelled = threading.Event()
    retry_policy = replace(QUICK, attempts=1_000_000, total_s=1_000, longest_wait_s=60, first_wait_s=60)
    with FaultyLine(web.port, fault) as line:
        timer = threading.Timer(0.2, cancelled.set)
        timer.start()
        with pytest.raises(CancelledError):
            Remote(line.address + web.path(folder), retry_policy).download(
                FILE, BytesIO(), len(DATA), DIGEST, cancelled
            )
        timer.join()
        assert len(line.requests) == 1


def test_waiting_draws_from_no_generator_of_the_process() -> None:
    before = random.getstate()
    refusal(f"http://127.0.0.1:{free_port()}")
    assert random.getstate() == before


def test_a_password_comes_from_netrc(web: Nginx, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = f"{web.address}/guarded{web.path(folder)}"
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert "HTTP 401" in refusal(root)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login reader password sesame\n")
    (tmp_path / "netrc").chmod(0o600)
    assert download(root) == DATA
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login reader password wrong-sesame\n")
    assert "wrong-sesame" not in refusal(root)


def test_a_certificate_is_checked(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, certificate = certificates(tmp_path)
    with serve(folder, certificate) as web:
        root = web.address.replace("http", "https")
        assert "cannot be read: certificate refused (UnknownIssuer); name the file" in refusal(root)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert download(root) == DATA


@pytest.mark.usefixtures("keys")
def test_keys_come_from_the_environment_or_a_profile(
    objects: int, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = "[default]\naws_access_key_id = nobody\n[lab]\naws_access_key_id = ours\naws_secret_access_key = a%b\n"
    (tmp_path / "credentials").write_text(profiles)
    with FaultyLine(objects) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_PROFILE", "lab")
        assert download(f"s3://{bucket}") == DATA
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        assert download(f"s3://{bucket}") == DATA
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        assert download(f"s3://{bucket}") == DATA
        assert [request.partition(b"Credential=")[2][:4] for request in line.requests] == [b"key/", b"ours", b""]
        monkeypatch.delenv("AWS_SKIP_SIGNATURE")
        monkeypatch.setenv("AWS_PROFILE", "lap")
        with pytest.raises(DataError, match=r"AWS_PROFILE is 'lap'.*default, lab"):
            download(f"s3://{bucket}")


def test_no_keys_at_all_is_told(objects: int, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{objects}")
    text = refusal(f"s3://{bucket}")
    assert "no credentials found" in text
    assert "AWS_ACCESS_KEY_ID" in text


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("root", "variable", "value", "words"),
    [
        ("http://a host/set", "", "", "http://a host/set cannot be opened"),
        ("http://host:99999/set", "", "", "(invalid port number)"),
        ("s3://bucket/a//set", "", "", "empty path segment"),
        ("s3://bucket/set", "AWS_ENDPOINT_URL", "localhost:9000", "AWS_ENDPOINT_URL names no server"),
        ("gs://bucket/set", "GOOGLE_APPLICATION_CREDENTIALS", "/no/such.json", "Unable to open service account file"),
    ],
)
def test_settings_that_make_no_sense_are_told(
    root: str, variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, value)
    with pytest.raises(DataError) as error:
        download(root)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("root", ["s3://files/elsewhere", "s3://no-bucket/set"])
def test_a_bucket_without_the_file_is_told(
    objects: int, bucket: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{objects}")
    assert "is missing: HTTP 404; restore it or make the shards again" in refusal(root)


def test_a_forked_process_is_refused_instead_of_waiting_for_ever(web: Nginx, folder: Path) -> None:
    code = """
import os, sys
from paribus.errors import DataError
from paribus.shards.storage.locations import ShardLocation
place = ShardLocation(sys.argv[1])
place.read(sys.argv[2])
if os.fork() == 0:
    try:
        place.read(sys.argv[2])
    except DataError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    command = [sys.executable, "-c", code, web.address + web.path(folder), FILE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "start it by spawn" in done.stdout
