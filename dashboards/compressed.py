"""Streamlit's own files sent as gzip: it sends them as they are, a megabyte of JavaScript for 0.3 that a wire needs."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Below a network's packet there is nothing to win; images and fonts are compressed already.
_LEAST: Final = 1_400
_KINDS: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_LEVEL: Final = 6


class Compressed:
    """Middleware: what the inner application serves under `/static/` goes out as gzip to whoever takes it.

    Such a file bears a hash of its content in its name and never changes, so it is compressed once and kept: a few
    megabytes in all. Every other answer, and every request for a part of a file, passes as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if not _asks_for_it(scope):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path not in self._kept:
            await self._app(scope, receive, _Gathered(send, self._kept, path))
            return
        start, body = self._kept[path]
        await send(start)
        await send({"type": "http.response.body", "body": body})


class _Gathered:
    """What sends an answer: whole and compressed where that is worth it, else as it comes."""

    def __init__(self, send: Send, kept: dict[str, tuple[Message, bytes]], path: str) -> None:
        self._send, self._kept, self._path = send, kept, path
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_worth_it(message):
            self._start = message
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = await asyncio.to_thread(gzip.compress, b"".join(self._parts), _LEVEL, mtime=0)
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        headers.add_vary_header("Accept-Encoding")
        if "ETag" in headers and not headers["ETag"].startswith("W/"):
            headers["ETag"] = f"W/{headers['ETag']}"  # the same content in other bytes
        start = {**start, "headers": headers.raw}
        self._kept[self._path] = start, body
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _asks_for_it(scope: Scope) -> bool:
    """True for a whole file of Streamlit's that may come as gzip, also where an address goes before `/static/`."""
    if scope["type"] != "http" or scope["method"] != "GET" or "/static/" not in scope["path"]:
        return False
    headers = Headers(scope=scope)
    if any(name in headers for name in ("range", "if-none-match", "if-modified-since")):
        return False
    return _takes_gzip(headers.getlist("accept-encoding"))


def _takes_gzip(asked: Iterable[str]) -> bool:
    """True unless the browser does not name gzip, or refuses it by `q=0`."""
    for each in ",".join(asked).split(","):
        name, _, weight = each.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    if start["status"] != 200 or "content-encoding" in headers or "immutable" not in headers.get("cache-control", ""):
        return False
    return headers.get("content-type", "").startswith(_KINDS) and int(headers.get("content-length", 0)) >= _LEAST
