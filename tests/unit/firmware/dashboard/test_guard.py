"""Who may talk to the page's server."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from firmware.dashboard.guard import HEADERS, Guard, objection
from tests.support.asgi import ask

PAGE = {"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"}
KEY = {"x-sharebox-key": "secret"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {"host": "127.0.0.1:8080"}),
        ("GET", "/", {"host": "localhost:8080", "sec-fetch-site": "none", "sec-fetch-mode": "navigate"}),
        ("GET", "/", {"host": "[::1]:8080", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}),
        ("GET", "/static/app.js", PAGE),
        ("GET", "/events", PAGE | KEY),
        ("POST", "/act", PAGE | KEY),
        ("POST", "/act", {"host": "127.0.0.1:8080"} | KEY),
    ],
)
def test_the_page_itself_is_served(method: str, path: str, headers: dict[str, str]) -> None:
    assert objection(method, path, headers, 8080, "secret") is None


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/", {"host": "127.0.0.1"}),
        ("GET", "/", {"host": "127.0.0.1:8081"}),
        ("GET", "/", {"host": "rebound.example:8080"}),
        ("GET", "/events", PAGE),
        ("GET", "/events", PAGE | {"cookie": "x-sharebox-key=secret"}),
        ("GET", "/events", PAGE | KEY | {"origin": "http://evil.example"}),
        ("GET", "/events", PAGE | KEY | {"origin": "null"}),
        ("GET", "/events", PAGE | KEY | {"origin": "http://localhost:8080"}),
        ("GET", "/events", {"host": "127.0.0.1:8080", "sec-fetch-site": "cross-site"} | KEY),
        ("GET", "/events", {"host": "127.0.0.1:8080", "sec-fetch-site": "same-site"} | KEY),
        (
            "GET",
            "/events",
            {"host": "127.0.0.1:8080", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"} | KEY,
        ),
        ("POST", "/act", PAGE),
        ("POST", "/act", PAGE | {"x-sharebox-key": "Secret"}),
        ("POST", "/act", PAGE | {"x-sharebox-key": "sécret"}),
        ("POST", "/", {"host": "127.0.0.1:8080", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"} | KEY),
    ],
)
def test_nobody_else_is(method: str, path: str, headers: dict[str, str]) -> None:
    assert objection(method, path, headers, 8080, "secret") is not None


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "evil.example"])
async def test_every_answer_tells_the_browser_what_it_may_do(host: str) -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        assert callable(send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    answered = await ask(Guard(app, 8080, "secret"), "GET", "/", {"host": host})
    assert HEADERS.items() <= answered.headers.items()
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    assert "unsafe" not in answered.headers["content-security-policy"]
    assert (answered.status == 200) == (answered.body == b"inside") == (host != "evil.example")


async def test_what_is_no_request_is_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing() -> Message:
        return {"type": "lifespan.startup"}

    async def nowhere(message: Message) -> None:
        seen.append(message["type"])

    await Guard(app, 8080, "secret")({"type": "lifespan"}, nothing, nowhere)
    assert seen == ["lifespan"]


def test_the_port_that_browsers_leave_out_may_be_left_out() -> None:
    page = {"host": "127.0.0.1", "origin": "http://127.0.0.1"} | KEY
    assert objection("GET", "/events", page, 80, "secret") is None
    assert objection("GET", "/events", page, 8080, "secret") is not None
