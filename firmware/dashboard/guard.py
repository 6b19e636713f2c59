"""Who may talk to the page's server: this computer's browser, from the page itself.

Decides that a page of another origin gets nothing (Host, Origin, Sec-Fetch-Site), that without this run's key there is
nothing but the empty page, and what a browser may do with what it gets (content security policy). Refuses to know what
is asked for.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY_HEADER: Final = "x-sharebox-key"
"""A header and no cookie: a browser sends cookies to every port of this computer, whoever listens there."""
HTTP_PORT: Final = 80
"""Browsers leave it out."""
LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")

HEADERS: Final = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def objection(method: str, path: str, headers: Mapping[str, str], port: int, key: str) -> str | None:
    """Why a request is not served, None when it is. `headers` in small letters; `key`: this run's."""
    host = headers.get("host", "")
    if host not in (*(f"{name}:{port}" for name in LOCAL_NAMES), *(LOCAL_NAMES if port == HTTP_PORT else ())):
        return "this server answers to loopback names only"
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return "the request comes from a page of another origin"
    walked_in = path == "/" and method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not walked_in:
        return "the request comes from a page of another site"
    is_empty_page = method in ("GET", "HEAD") and (path == "/" or path.startswith("/static/"))
    if not is_empty_page and not _same(headers.get(KEY_HEADER, ""), key):
        return "the key is not this run's: open the address that `sharebox dashboard` printed"
    return None


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), key.encode())


class Guard:
    """In front of the application."""

    def __init__(self, app: ASGIApp, port: int, key: str) -> None:
        self._app = app
        self._port = port
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        why = objection(scope["method"], scope["path"], Headers(scope=scope), self._port, self._key)
        answer = self._app if why is None else JSONResponse({"message": why}, status_code=403)
        await answer(scope, receive, send_with_headers)
