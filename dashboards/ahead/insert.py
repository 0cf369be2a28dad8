"""Puts what is known of a page into the HTML that its address answers with, until Streamlit has drawn the page.

A browser needs seconds of its processor for Streamlit's code, and only then asks the server for what is to be seen. So
the first answer says it already, as a still that lies over the empty page and leaves when the page itself is there;
and the server reads the ledger while the browser is busy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paribus.report.reading import LedgerError

_LOG = logging.getLogger(__name__)

# What a page is known by: its name, as the address has it ("" for Home), and the address' words.
Known = Callable[[str, Mapping[str, str]], str]
# As long as an answer waits for what is not at hand; then it goes out with what `waiting` says.
WAIT_S: Final = 0.5
# As many ledgers that do not answer do not hold up more than these.
_MOST_THREADS: Final = 4
# The page is another one each time, so that nobody is told to go on with what he has; and it is packed after this.
_NOT_ASKED: Final = (b"if-none-match", b"if-modified-since", b"accept-encoding")
_PLACE: Final = b'<div id="root"></div>'
# It leaves a moment after the script that draws the page has ended and no part waits for its code; one that says no
# more than that it waits leaves as soon as the page has a heading. After 20 s it leaves, whatever the page says.
_LEAVE: Final = """<script>(() => {
const still = document.getElementById("ahead"), whole = still.hasAttribute("data-whole");
const there = () => {
  const app = document.querySelector('[data-testid="stApp"]');
  if (!app || !app.querySelector('h1, [data-testid="stException"]')) return false;
  return !whole || app.dataset.testScriptState === "notRunning" && !app.querySelector('[data-testid="stSkeleton"]');
};
const look = () => performance.now() > 20000 || there()
  ? setTimeout(() => still.remove(), whole ? 200 : 0) : setTimeout(look, 50);
look();
})()</script>"""


class Ahead:
    """Middleware: `known` says a page as HTML, `brief` what of it takes no time; both are asked in threads. `waiting`
    says what to show where neither answers soon.

    An address of which `pages` has no name passes as it is, and so does one that another site could have led here.
    """

    def __init__(self, app: ASGIApp, pages: frozenset[str], known: Known, brief: Known, waiting: Known) -> None:
        self._app, self._pages = app, pages
        self._known, self._brief, self._waiting = known, brief, waiting
        self._asked: dict[tuple[Known, str, frozenset[tuple[str, str]]], asyncio.Future[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the still in it where it is a page's."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _own_host(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        name = scope["path"].removeprefix(scope.get("root_path", "")).strip("/")
        if name not in self._pages:
            await self._app(scope, receive, send)
            return
        words = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        kept = [(key, value) for key, value in scope["headers"] if key not in _NOT_ASKED]
        answer = _Inserted(send, await self._still(name, words))
        await self._app({**scope, "headers": kept}, receive, answer)

    async def _still(self, name: str, words: Mapping[str, str]) -> bytes:
        brief, found = self._ask(self._brief, name, words), self._ask(self._known, name, words)
        await asyncio.wait([found], timeout=WAIT_S)
        html, less = (each.result() if each.done() else "" for each in (found, brief))
        whole = " data-whole" if html else ""
        return f'<div id="ahead"{whole}>{html or less or self._waiting(name, words)}</div>{_LEAVE}'.encode()

    def _ask(self, say: Known, name: str, words: Mapping[str, str]) -> asyncio.Future[str]:
        """What it says, in a thread that ends with the process; who asks the same meanwhile gets the same answer."""
        key, loop = (say, name, frozenset(words.items())), asyncio.get_running_loop()
        if key in self._asked:
            return self._asked[key]
        found: asyncio.Future[str] = loop.create_future()
        if sum(each[0] == say for each in self._asked) >= _MOST_THREADS:
            found.set_result("")
            return found
        self._asked[key] = found
        found.add_done_callback(lambda done: self._asked.pop(key))
        threading.Thread(target=_say, args=(loop, found, say, name, words), daemon=True).start()
        return found


def _say(
    loop: asyncio.AbstractEventLoop, found: asyncio.Future[str], say: Known, name: str, words: Mapping[str, str]
) -> None:
    html = ""
    try:
        html = say(name, words)
    except LedgerError:
        pass  # the page itself tells it
    except Exception:
        _LOG.exception("the still of %s failed; the page itself comes without it", name or "Home")
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(found.set_result, html)


class _Inserted:
    """Sends an answer on, with `still` before the place where Streamlit puts the page; other than HTML unchanged."""

    def __init__(self, send: Send, still: bytes) -> None:
        self._send, self._still = send, still
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """One message of the answer; the first is kept back until the length is known."""
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._whole(self._start)
        else:
            await self._send(message)

    async def _whole(self, start: Message) -> None:
        body = self._body.replace(_PLACE, self._still + _PLACE, 1)
        headers = MutableHeaders(raw=list(start["headers"]))
        for name in ("etag", "last-modified"):
            with suppress(KeyError):
                del headers[name]
        headers["content-length"] = str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _is_page(start: Message) -> bool:
    kind = MutableHeaders(raw=list(start["headers"])).get("content-type", "")
    return start["status"] == 200 and kind.startswith("text/html")


def _own_host(host: str) -> bool:
    """Whether only this server can have that name: a number, one without a dot, or the one that it is told to have.

    A name of another site that leads here (DNS rebinding) would let that site's scripts read what the page says.
    """
    name = host if host.count(":") > 1 else host.partition(":")[0]
    name = host.partition("]")[0].strip("[") if host.startswith("[") else name
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return "." not in name or name == st.get_option("browser.serverAddress")
