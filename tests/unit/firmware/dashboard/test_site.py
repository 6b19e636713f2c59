"""The page's server, asked without a network."""

import asyncio
import hashlib
import json
import re

import pytest

from firmware.dashboard.acts import MOST_BYTES, Act, ActRefused, DeskAct
from firmware.dashboard.feed import MOST_READERS, Feed, Line
from firmware.dashboard.site import ACT_LIMIT_S, STATIC, Site, read_files
from tests.support.asgi import Answered, ask, streaming

HOST = {"host": "127.0.0.1:8080"}
KEY = HOST | {"x-sharebox-key": "secret"}
POST = KEY | {"content-type": "application/json"}
EXTERNAL = re.compile(rb"""(?:src|href|url|import|fetch)\s*[=(]?\s*["'(]\s*(?:https?:)?//""")


class Stage:
    """Carries out what it is asked, as told."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.takes_s = 0.0

    async def perform(self, act: Act) -> tuple[str, ...]:
        self.acts.append(act)
        await asyncio.sleep(self.takes_s)
        if act == DeskAct("refuse"):
            raise ActRefused("this is why")
        return ("done",)


def site(stage: Stage | None = None, feed: Feed | None = None) -> Site:
    return Site(feed or Feed("run"), (stage or Stage()).perform, port=8080, key="secret")


async def act(to: Site, body: bytes) -> Answered:
    return await ask(to.asgi, "POST", "/act", POST, body)


async def test_what_everybody_on_this_computer_may_fetch_does_not_hold_the_key_and_nothing_else_is_told() -> None:
    feed = Feed("run")
    feed.show({"car": {"place": "here"}})
    stage = Stage()
    there = site(stage, feed)
    for path in ("/", *(f"/static/{name}" for name in read_files() if name != "index.html")):
        answered = await ask(there.asgi, "GET", path, HOST)
        assert answered.status == 200, path
        assert b"secret" not in answered.body, path
        assert "set-cookie" not in answered.headers
    for method, path in (("GET", "/events"), ("POST", "/act"), ("GET", "/nothing")):
        answered = await ask(there.asgi, method, path, HOST, b'{"act":"next"}')
        assert answered.status == 403, path
        assert "open the address that `sharebox dashboard` printed" in json.loads(answered.body)["message"]
    assert (stage.acts, feed.readers) == ([], 0)


async def test_the_page_is_kept_nowhere() -> None:
    answered = await ask(site().asgi, "GET", "/", HOST)
    assert (answered.status, answered.headers["cache-control"]) == (200, "no-store")


async def test_all_that_the_page_names_is_there_and_has_its_type() -> None:
    asked = {
        name.decode() for name in re.findall(rb'(?:src|href)="(/static/[^"]+)"', (STATIC / "index.html").read_bytes())
    }
    assert len(asked) >= 5
    for name in [*asked, "/static/map.js", "/static/car.svg"]:
        answered = await ask(site().asgi, "GET", name, HOST)
        assert answered.status == 200, name
        kind = answered.headers["content-type"].partition(";")[0]
        assert kind == {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.rpartition(".")[2]]


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/nothing.js",
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/static/index.html",
        "/nothing",
    ],
)
async def test_there_is_nothing_else(path: str) -> None:
    assert (await ask(site().asgi, "GET", path, KEY)).status == 404


def test_no_file_asks_for_anything_from_elsewhere_or_brings_code_or_style_inline() -> None:
    for name, (data, _) in read_files().items():
        if not name.startswith("vendor/"):
            assert not EXTERNAL.search(data), name
            assert not re.search(rb"<script(?![^>]* src=)|<style| style=| on[a-z]+=", data), name
            assert b"innerHTML" not in data, name


def test_what_others_have_made_is_as_they_published_it() -> None:
    told = (STATIC / "vendor" / "README.md").read_text("utf-8")
    for name in ("leaflet.js", "leaflet.css"):
        (sum_,) = re.findall(rf"\| `{name}` \| sha256 `([0-9a-f]+)` \|", told)
        assert hashlib.sha256((STATIC / "vendor" / "leaflet" / name).read_bytes()).hexdigest() == sum_
    assert "BSD 2-Clause" in (STATIC / "vendor" / "leaflet" / "LICENSE").read_text("utf-8")


async def test_a_press_is_carried_out_and_answered() -> None:
    stage = Stage()
    answered = await act(site(stage), b'{"act":"desk","line":"why"}')
    assert (answered.status, json.loads(answered.body)) == (200, {"lines": ["done"]})
    assert stage.acts == [DeskAct("why")]


async def test_a_refusal_is_an_answer_of_one_line() -> None:
    answered = await act(site(), b'{"act":"desk","line":"refuse"}')
    assert (answered.status, json.loads(answered.body)) == (200, {"refused": "this is why"})


@pytest.mark.parametrize(
    ("body", "why"), [(b"nonsense", "load it again"), (b" " * (MOST_BYTES + 1), f"longer than {MOST_BYTES} bytes")]
)
async def test_what_is_no_press_is_a_bad_request(body: bytes, why: str) -> None:
    stage = Stage()
    answered = await act(site(stage), body)
    assert answered.status == 400
    assert why in json.loads(answered.body)["refused"]
    assert stage.acts == []


async def test_what_takes_long_goes_on_without_the_page() -> None:
    stage = Stage()
    stage.takes_s = ACT_LIMIT_S + 5
    answered = await act(site(stage), b'{"act":"desk","line":"refuse"}')
    assert answered.status == 202
    await asyncio.sleep(10)
    assert len(stage.acts) == 1


async def test_the_stream_begins_with_a_snapshot_or_where_the_page_was() -> None:
    feed = Feed("run")
    feed.say(Line("10:00:00", "bench", "first"))
    feed.say(Line("10:00:01", "bench", "second"))
    there = site(feed=feed)
    async with streaming(there.asgi, "/events", KEY) as parts:
        assert b"event: snapshot" in await parts.get()
    async with streaming(there.asgi, "/events?after=run-1", KEY) as parts:
        assert b"event: resumed" in await parts.get()
        assert b"second" in await parts.get()
    async with streaming(there.asgi, "/events?after=run-2", KEY) as parts:
        assert b"id: run-2\nevent: resumed" in await parts.get()
    await asyncio.sleep(0)
    assert feed.readers == 0


async def test_too_many_pages_are_told_so() -> None:
    feed = Feed("run")
    readers = [feed.read() for _ in range(MOST_READERS)]
    for reader in readers:
        await anext(reader)
    answered = await ask(site(feed=feed).asgi, "GET", "/events", KEY)
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")
    for reader in readers:
        await reader.aclose()


READ_ON = [
    *(("ink", ground) for ground in ("ground", "card", "sunken", "grey-ground", "blue-ground")),
    *(("soft", ground) for ground in ("ground", "card", "sunken")),
    ("on-blue", "blue"),
    ("card", "ink"),
    *((colour, "card") for colour in ("blue", "green", "amber", "red")),
    *((colour, f"{colour}-ground") for colour in ("blue", "amber", "red")),
    *((colour, "sunken") for colour in ("red", "green")),
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), READ_ON)
def test_every_text_can_be_read_on_its_ground(scheme: str, text: str, ground: str) -> None:
    blocks = (STATIC / "style.css").read_text("utf-8").split(":root {")[1:]
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block.partition("}")[0])) for block in blocks)
    colours = light | dark if scheme == "dark" else light
    first, second = sorted((luminance(colours[text]), luminance(colours[ground])))
    assert (second + 0.05) / (first + 0.05) >= 4.5
