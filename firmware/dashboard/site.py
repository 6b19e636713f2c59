"""The page's server: its files, the stream of what happens, and the one place where presses arrive.

Decides nothing about cars. All files are read at the start, so a request can name no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from firmware.dashboard.acts import MOST_BYTES, Act, ActRefused, read_act
from firmware.dashboard.feed import MOST_READERS, Feed
from firmware.dashboard.guard import Guard

STATIC: Final = Path(__file__).parent / "static"
ACT_LIMIT_S: Final = 20.0
"""Longer than this a page does not wait; what it asked for goes on."""
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

Perform = Callable[[Act], Awaitable[tuple[str, ...]]]
"""Carries an act out; returns what there is to say. Raises ActRefused."""


def read_files(folder: Path = STATIC) -> dict[str, tuple[bytes, str]]:
    """Each file of the page by its path below `folder`, with its media type."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES
    }


class Site:
    """One dashboard. `asgi` is the application, guarded."""

    def __init__(self, feed: Feed, perform: Perform, *, port: int, key: str) -> None:
        self._feed = feed
        self._perform = perform
        self._files = read_files()
        self._page = self._files.pop("index.html")
        self._acting: set[asyncio.Task[tuple[str, ...]]] = set()
        routes = [
            Route("/", self._index, methods=["GET"]),
            Route("/static/{path:path}", self._static, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/act", self._act, methods=["POST"]),
        ]
        self.asgi: ASGIApp = Guard(Starlette(routes=routes), port, key)

    async def _index(self, _: Request) -> Response:
        body, kind = self._page
        return Response(body, media_type=kind, headers={"cache-control": "no-store"})

    async def _static(self, request: Request) -> Response:
        found = self._files.get(request.path_params["path"])
        if found is None:
            return JSONResponse({"message": "there is no such file"}, status_code=404)
        body, kind = found
        return Response(body, media_type=kind, headers={"cache-control": "no-cache"})

    async def _events(self, request: Request) -> Response:
        if self._feed.crowded:
            message = f"{MOST_READERS} pages are open already: close one"
            return JSONResponse({"message": message}, status_code=503, headers={"retry-after": "5"})
        after = request.query_params.get("after", "")
        events: AsyncIterator[bytes] = self._feed.read(after[:64])
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _act(self, request: Request) -> Response:
        """A refusal is an answer like any other: the page asked for nothing wrong."""
        try:
            act = read_act(await _body(request))
        except ActRefused as refused:
            return JSONResponse({"refused": str(refused)}, status_code=400)
        except ClientDisconnect:
            return Response(status_code=400)
        acting = asyncio.ensure_future(self._perform(act))
        self._acting.add(acting)
        acting.add_done_callback(self._done)
        try:
            async with asyncio.timeout(ACT_LIMIT_S):
                return JSONResponse({"lines": list(await asyncio.shield(acting))})
        except ActRefused as refused:
            return JSONResponse({"refused": str(refused)})
        except TimeoutError:
            return JSONResponse({"lines": ["It is still under way."]}, status_code=202)

    def _done(self, acting: "asyncio.Task[tuple[str, ...]]") -> None:
        self._acting.discard(acting)
        if not acting.cancelled():
            acting.exception()


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise ActRefused(f"the request is longer than {MOST_BYTES} bytes")
    return body
