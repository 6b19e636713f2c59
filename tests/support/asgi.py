"""A web application asked without a network: one request in, what it answered out."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Scope


class Answered(NamedTuple):
    """Header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def scope(method: str, target: str, headers: Mapping[str, str]) -> Scope:
    """As a server would make it."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8080),
    }


async def ask(app: ASGIApp, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answered:
    """The whole answer."""
    sent: list[MutableMapping[str, Any]] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return parts.pop() if parts else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope(method, target, headers), receive, send)
    start = sent[0]
    given = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answered(start["status"], given, b"".join(part.get("body", b"") for part in sent[1:]))


@asynccontextmanager
async def streaming(app: ASGIApp, target: str, headers: Mapping[str, str]) -> AsyncIterator["asyncio.Queue[bytes]"]:
    """The parts of an answer that does not end, as they come; leaving hangs up."""
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            parts.put_nowait(message["body"])

    async with asyncio.TaskGroup() as group:
        group.create_task(_run(app, scope("GET", target, headers), receive, send))
        yield parts
        gone.set()


async def _run(app: ASGIApp, asked: Scope, receive: Any, send: Any) -> None:
    await app(asked, receive, send)
