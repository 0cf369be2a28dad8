"""Passwords and tokens out of whatever is shown or kept: addresses, signed URLs, and lines of a diff."""

from __future__ import annotations

import re
from typing import overload

HIDDEN = "***"
# user:password@ or token@ of an address; the name of a user alone may be a token too.
_USERINFO = re.compile(r"(?<=://)[^\s/?#'\"<>]+@")
# ?X-Amz-Signature=...&token=... of a signed address.
_SIGNED = re.compile(
    r"(?i)(?<=[?&;])((?:x-amz-(?:signature|credential|security-token)|awsaccesskeyid|signature|sig|(?:[\w-]*[_-])?token|"
    r"(?:[\w-]*[_-])?(?:api|access|secret)?[_-]?key|passw(?:or)?d|pwd|secret|sas)=)[^&;\s'\"<>#]+"
)
# password = "...", API_KEY: ..., and what is known by its shape: AWS, GitHub, Hugging Face, Slack, OpenAI, JWT.
_ASSIGNED = re.compile(
    r"(?i)(\b[\w.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|credential)[\w.-]*['\"]?\s*"
    r"(?::|=|=>)\s*)(?!\s)(['\"]?)([^\s'\",;]{4,})"
)
_SHAPES = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bhf_\w{20,}|\bxox[abpr]-[\w-]{10,}|"
    r"\bsk-[\w-]{20,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+"
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


@overload
def without_secrets(text: str) -> str: ...
@overload
def without_secrets(text: bytes) -> bytes: ...
def without_secrets(text: str | bytes) -> str | bytes:
    """The text with `***` for the password of each address in it and for the signature of each signed one."""
    if isinstance(text, bytes):
        return without_secrets(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return _SIGNED.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", text))


def without_secrets_in_code(text: str) -> str:
    """`without_secrets` for code and settings: also what is assigned to a password's name, or has a token's shape."""
    text = _KEY_BLOCK.sub(HIDDEN, without_secrets(text))
    return _SHAPES.sub(HIDDEN, _ASSIGNED.sub(rf"\g<1>\g<2>{HIDDEN}", text))
