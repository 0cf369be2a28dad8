"""Clients of obstore for addresses: credentials from where each service's own tools find them, no retries inside."""

import netrc
import os
from base64 import b64encode
from configparser import ConfigParser
from configparser import Error as ConfigError
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import GCSStore, HTTPStore, S3Store

from paribus.errors import DataError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig


# obstore takes them unseen, and panics.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "GOOGLE_BASE_URL")


def open_store(root: str, connect_s: float, stall_s: float) -> "ObjectStore":
    """The files under `root`; the two times bound a connection's making and its silence, nothing bounds the whole.

    DataError if the address or the environment's settings for it make no sense, or its credentials cannot be read.
    """
    for name in _ENDPOINTS:
        endpoint = urlsplit(os.environ.get(name, "http://none"))
        if endpoint.scheme not in ("http", "https") or not endpoint.netloc:
            raise DataError(f"{name} names no server: it must be http://HOST:PORT or https://HOST, or not be set")
    try:
        return _open(root, connect_s, stall_s)
    except (BaseError, ValueError) as error:
        # The first line alone: what follows is Rust's view of it.
        what = str(error).partition("\n")[0]
        raise DataError(
            f"{root} cannot be opened ({what}): see that the address and the environment's settings for it are right"
        ) from None


def _open(root: str, connect_s: float, stall_s: float) -> "ObjectStore":
    parts = urlsplit(root)
    options: ClientConfig = {
        # An address with TLS never falls back to one without; s3 and gs say it in the endpoint of their environment.
        "allow_http": parts.scheme != "https",
        "connect_timeout": timedelta(seconds=connect_s),
        "read_timeout": timedelta(seconds=stall_s),
        "timeout": timedelta(days=7),
    }
    # Retries are ours: obstore's keep to themselves what happened, and do not know what the file should be.
    once: RetryConfig = {"max_retries": 0}
    if parts.scheme in ("http", "https"):
        if user := _netrc(parts.hostname or ""):
            options["default_headers"] = {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}
        return HTTPStore(root, client_options=options, retry_config=once)
    prefix = parts.path.strip("/") or None
    if parts.scheme == "s3":
        return S3Store(parts.netloc, prefix=prefix, client_options=options, retry_config=once, **_aws_profile())
    return GCSStore(parts.netloc, prefix=prefix, client_options=options, retry_config=once)


def _netrc(host: str) -> str | None:
    """`user:password` of `host` in NETRC or ~/.netrc."""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        found = netrc.netrc(path).authenticators(host) if path.exists() else None
    except (OSError, netrc.NetrcParseError) as error:
        raise DataError(f"{path} cannot be read ({error}): repair or remove it") from None
    return f"{found[0]}:{found[2]}" if found else None


def _aws_profile() -> dict[str, Any]:
    """The keys of a profile of ~/.aws/credentials, which obstore does not read; after the environment's, as in AWS."""
    if any(name in os.environ for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")):
        return {}
    path = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")).expanduser()
    profile, named = os.environ.get("AWS_PROFILE", "default"), "AWS_PROFILE" in os.environ
    profiles = ConfigParser(interpolation=None)
    try:
        profiles.read(path)
    except ConfigError as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}): repair or remove it") from None
    if named and not profiles.has_section(profile):
        raise DataError(f"AWS_PROFILE is {profile!r}, and {path} has {', '.join(profiles.sections()) or 'no profile'}")
    names = {
        "aws_access_key_id": "access_key_id",
        "aws_secret_access_key": "secret_access_key",
        "aws_session_token": "session_token",
    }
    section = profiles[profile] if profiles.has_section(profile) else {}
    return {ours: section[theirs] for theirs, ours in names.items() if theirs in section}
