"""noble, which knows nothing of Sharebox, as a central: what a Bluetooth stack by others makes of the module."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from firmware.core.effects import Effect
from firmware.core.events import Event, LinkOpened
from firmware.core.state import State
from firmware.demo.rig import Rig
from firmware.pump import Observer
from host_tools.radio.air import VirtualAir
from host_tools.radio.hub import Hub
from protocol import gatt, keys
from protocol.errors import Code
from protocol.provisioning import encode_phone_file
from tests.support.h4_line import h4_line
from tests.support.needs import PACKAGES
from tests.support.phone_js import LIMIT_S, PHONE, Node, node
from tests.support.whole_job import Line

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.needs("node", "noble")]

SCRIPT: Final = Path(__file__).parents[1] / "support/noble_central.cjs"
SERVICE, TO_MODULE, FROM_MODULE, PUBLIC_INFORMATION = (
    uuid.replace("-", "")
    for uuid in (gatt.SERVICE_UUID, gatt.TO_MODULE_UUID, gatt.FROM_MODULE_UUID, gatt.PUBLIC_INFO_UUID)
)
PAIRING_NOT_SUPPORTED: Final = "0505"
STRAYS: Final = ("01ff", "02ff", "03ff")
"""Fragments of no message. They are different ones: a repetition would be ignored."""


@dataclass
class Place:
    """A module on the virtual air, and lines to radios in it."""

    rig: Rig
    port: int
    directory: Path

    def line(self) -> AbstractAsyncContextManager[Path]:
        return h4_line(self.port)

    def noble(self, line: Path) -> AbstractAsyncContextManager[Node]:
        return node(self.directory, SCRIPT, PACKAGES["noble"], line)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Rig() as rig, Hub(rig.air, port=0) as hub:
        yield Place(rig, hub.port, tmp_path)


async def ok(central: Node, words: str) -> object:
    """What noble says of a command that it carried out."""
    told: Line = await central.do(words, words.partition(" ")[0])
    assert told.outcome == "ok", told
    result: object = json.loads(told.note)
    return result


def equipped(rig: Rig, directory: Path) -> tuple[str | Path, ...]:
    """A booking and its key in `directory`; how the foreign phone is started with them, up to the name of its line."""
    anna = rig.holder("Anna")
    (directory / "booking.json").write_text(encode_phone_file(rig.book(anna, lasts_s=3600)[1]))
    (directory / "holder.key").write_text(keys.private_to_bytes(anna.key).hex())
    return PHONE / "phone.js", "--key", "holder.key", "--json", "--uart"


async def connected(central: Node) -> None:
    await ok(central, f"scan {SERVICE}")
    await ok(central, "connect")
    await ok(central, "discover")


@pytest.mark.req("BLE-1", "BLE-3", "PRV-7", "ACC-3")
async def test_noble_finds_the_module_lists_it_and_reads_what_is_public(place: Place) -> None:
    async with place.line() as line, place.noble(line) as central:
        assert await ok(central, f"scan {SERVICE}") == {
            "name": "Sharebox",
            "services": [SERVICE],
            "data": [[SERVICE, 13]],
            "addressType": "random",
            "connectable": True,
        }
        assert await ok(central, "connect 185") == {"mtu": gatt.MAX_ATT_MTU}
        listed = await ok(central, "discover")
        assert isinstance(listed, dict)
        assert listed[SERVICE] == {
            TO_MODULE: ["write", "writeWithoutResponse"],
            FROM_MODULE: ["notify"],
            PUBLIC_INFORMATION: ["read"],
        }
        assert listed["180a"] == {"2a29": ["read"], "2a24": ["read"]}
        assert await ok(central, f"descriptors {FROM_MODULE}") == ["2902"]
        information = await ok(central, f"read {PUBLIC_INFORMATION}")
        assert information == "a501010219040003191000048105058101"
        assert await ok(central, "read 2a29")
        await ok(central, f"subscribe {FROM_MODULE}")
        assert await ok(central, "hang-up") is None
        print("\n".join(f"{line.operation} {line.ms:.1f} ms" for line in central.lines))


@pytest.mark.req("BLE-1", "SEC-2")
async def test_noble_is_notified_while_it_subscribes_and_hung_up_on_at_the_third_violation(place: Place) -> None:
    async with place.line() as line, place.noble(line) as central:
        await connected(central)
        await ok(central, f"subscribe {FROM_MODULE}")
        for stray, kind in zip(STRAYS, ("request", "command"), strict=False):
            said = await ok(central, f"ask {TO_MODULE} {FROM_MODULE} {stray} {kind}")
            assert isinstance(said, str)
            assert bytes.fromhex(said)[3:6] == bytes((3, 0x82, 0x18))  # ERROR, and an array of a code above 23
            assert bytes.fromhex(said)[6] == Code.FRAMING
        central.tell(f"write {TO_MODULE} {STRAYS[2]} command")
        assert (await central.do("gone")).outcome == "ok"


@pytest.mark.req("BLE-1", "BLE-2")
async def test_noble_comes_and_goes_again_and_again_and_no_link_is_left(place: Place) -> None:
    async with place.line() as line, place.noble(line) as central:
        for mtu in (23, 64, 185, 247, 512, 517):
            await ok(central, f"scan {SERVICE}")
            await ok(central, f"connect {mtu}")
            await ok(central, "discover")
            assert await ok(central, f"read {PUBLIC_INFORMATION}")
            await ok(central, "hang-up")
        assert len(central.lines) == 30
    async with asyncio.timeout(LIMIT_S):
        while place.rig.pump.state.links:  # the module may hear of it a moment later
            await asyncio.sleep(0.01)


@pytest.mark.req("PRV-7", "BLE-1")
async def test_of_ten_modules_in_range_the_foreign_phone_turns_to_its_own_alone(tmp_path: Path) -> None:
    air = VirtualAir()
    opened: list[int] = []

    def observer(number: int) -> Observer:
        def observe(event: Event, _state: State, _effects: tuple[Effect, ...]) -> None:
            if isinstance(event, LinkOpened):
                opened.append(number)

        return observe

    async with AsyncExitStack() as stack:
        cars = [Rig(f"car {number}", air=air, observer=observer(number)) for number in range(10)]
        rigs = [await stack.enter_async_context(car) for car in cars]
        hub = await stack.enter_async_context(Hub(air, port=0))
        line = await stack.enter_async_context(h4_line(hub.port))
        tokens = equipped(rigs[7], tmp_path)
        js = await stack.enter_async_context(node(tmp_path, *tokens, line, "-"))
        assert (await js.do("unlock")).outcome == "ok"
        assert await js.ended() == 0
        assert rigs[7].vehicle.snapshot().locked is False
    assert opened == [7]


@pytest.mark.req("SEC-2", "BLE-1")
async def test_pairing_in_the_old_way_is_refused_and_weakens_nothing(place: Place) -> None:
    """noble can pair in the legacy way alone, without any proof. A phone with a session does not notice."""
    tokens = equipped(place.rig, place.directory)
    async with place.line() as one, place.line() as other, node(place.directory, *tokens, one, "-") as js:
        assert (await js.do("unlock")).outcome == "ok"
        async with place.noble(other) as central:
            await connected(central)
            for _ in range(3):
                assert await ok(central, "pair") == {"said": PAIRING_NOT_SUPPORTED, "outcome": "failed"}
            assert await ok(central, "encrypt") is False
            assert await ok(central, f"read {PUBLIC_INFORMATION}")
            await ok(central, "hang-up")
        assert (await js.do("lock")).outcome == "ok"
        assert await js.ended() == 0
    assert not any(said.told == "closed" for said in js.told)
