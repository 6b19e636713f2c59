"""The phone of docs/phone-js, which was written from the specification alone: it does the whole job with a real module.

The module is a process with a virtual radio, the phone another one; what they have in common is the air.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.support.command import Ran, in_loop
from tests.support.h4_line import h4_line
from tests.support.phone_js import LIMIT_S, PHONE, Node, node
from tests.support.programs import Program, free_port
from tests.support.whole_job import JOB, Line, Transcript

pytestmark = [pytest.mark.asyncio(loop_factories=["real"]), pytest.mark.needs("node", "noble")]


class Street:
    """A module with its car, and what stands beside it: the bench, and lines for radios."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.port = free_port()
        self._capsys = capsys

    async def ctl(self, *tokens: str) -> Ran:
        async with asyncio.timeout(20):
            ran = await in_loop(self._capsys, *tokens)
        assert ran.code == 0, ran.err
        return ran

    async def bench(self, words: str) -> str:
        """One command of the module's console."""
        return (await self.ctl("module", "do", *words.split())).out

    async def drive(self) -> Line:
        """Down the road; the car counts as parked once it has stood for a while."""
        begun = time.monotonic()
        for words in ("ignition on", "drive 50", "time move 1m", "park", "time move 20s"):
            await self.bench(words)
        return Line("js", "drive", (time.monotonic() - begun) * 1000)


@pytest.fixture
async def street(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Street]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    street = Street(tmp_path, capsys)
    await street.ctl("module", "init", ".", "--hub-port", str(street.port))
    file = tmp_path / "sharebox.toml"
    before, _, rest = file.read_text().partition("[broker]")
    file.write_text(before + rest[rest.index("[vehicle]") :])
    module = await Program.start("firmware", "run", "--config", file.name, directory=tmp_path)
    try:
        await module.said("on the air")
        yield street
    finally:
        await module.kill()


def phone(street: Street, line: Path, *tokens: str) -> AbstractAsyncContextManager[Node]:
    return node(street.directory, PHONE / "phone.js", "--uart", line, "--within", "60", "--json", *tokens, "-")


@pytest.mark.req("ACC-1", "ACC-5", "ACC-8", "BLE-1", "BLE-3", "BKG-3")
async def test_a_phone_written_from_the_specification_alone_does_the_whole_job(street: Street) -> None:
    await street.ctl("issuer", "booking", "--for", "2h")
    async with h4_line(street.port) as port, phone(street, port) as js:
        assert "Access granted: unlock, drive, lock" in (await js.do("status")).note
        assert (await js.do("unlock")).note == "Unlocked."
        assert (await js.do("unlock")).note == "It was unlocked already."
        await js.do("start", "start (immobiliser off)")
        await street.bench("ignition on")
        async with asyncio.timeout(LIMIT_S):
            while "ignition on" not in (await js.do("status")).note:
                pass
        refused = await js.do("stop", "stop (immobiliser on)")
        assert refused.outcome == "NOT_PARKED"
        assert "rule CUT-3" in refused.note
        driven = await street.drive()
        await js.do("stop", "stop (immobiliser on)")
        await js.do("lock")
        ended = (await js.do("end")).note
        assert ended.startswith("The booking ended at ")
        assert "The car signed it, knows where it stands and had no connection" in ended
        assert (await js.do("unlock")).outcome == "BOOKING_ENDED"
        await js.do("hang-up", "hang up")
        assert await js.ended() == 3  # something was refused
    assert [said.note for said in js.told if said.told == "passed"] == []
    told = Transcript("js")
    first: dict[str, Line] = {}
    for line in js.lines:
        if line.outcome == "ok":
            first.setdefault(line.operation, line)
    told.lines = list(first.values())
    told.lines.insert([line.operation for line in told.lines].index("stop (immobiliser on)"), driven)
    told.write(street.directory / "js.jsonl")
    print((street.directory / "js.jsonl").read_text())
    assert [line.operation for line in told.lines] == list(JOB)
    assert {line.stack for line in told.lines} == {"js"}
    notes = {line.operation: line.note for line in told.lines}
    assert notes["scan"].endswith("known by its beacon")
    assert (notes["discover"], notes["mtu"], notes["public information"]) == ("3 characteristics", "517", "version 1")


@pytest.mark.req("CUT-1", "CUT-2", "CUT-6")
async def test_the_foreign_phone_is_warned_hung_up_on_at_the_cutoff_and_not_let_in_again(street: Street) -> None:
    await street.ctl("issuer", "booking", "--for", "5m")
    async with h4_line(street.port) as port, phone(street, port) as js:
        await js.do("unlock")
        for _ in range(4):
            await street.bench("time move 8m")
            await js.do("status")
        js.tell("wait")
        await street.bench("time move 4m")
        assert (await js.until("cut off")).note == "the module hung up"
        notices = [said.note for said in js.told if said.told == "notice"]
        assert [words.partition(",")[0] for words in notices] == [
            "the booking is overdue", "five minutes to the cutoff", "the booking was cut off",
        ]  # fmt: skip
        assert (await js.do("reconnect")).outcome == "BOOKING_CUT_OFF"
        assert (await js.do("unlock")).outcome == "BOOKING_CUT_OFF"
        assert await js.ended() == 3


@pytest.mark.req("ACC-6", "KEY-1", "KEY-3")
async def test_foreign_phones_of_an_owner_and_a_guest_and_one_that_is_neither(street: Street) -> None:
    await street.ctl("key", "create")
    await street.ctl("phone", "init", "ana")
    with contextlib.chdir("ana"):
        await street.ctl("key", "request", "Ana")
    shared = await street.ctl("key", "share", "ana/invitation.json", "--for", "7d")
    (code,) = re.findall(r"code: (\d{6})", shared.out + shared.err)

    async with h4_line(street.port) as one, h4_line(street.port) as other:
        thief = phone(street, other, "--booking", "share.json", "--key", "holder.pem")
        async with thief as js:
            assert await js.ended() == 3
            said = await js.complaint()
        assert said == "phone.js: HOLDER_KEY_MISMATCH (rule ACC-6). Use the phone that the key was made for.\n"

        guest = phone(street, other, "--booking", "share.json", "--key", "ana/holder.pem")
        async with phone(street, one, "--booking", "owner-key.json") as owner:
            assert "unlock, drive, lock, locate, boot" in (await owner.do("status")).note
            async with guest as js:  # now, for who is not there is told nothing
                assert (await js.do("unlock")).outcome == "ACTIVATION_REQUIRED"
                await street.bench("time move 10s")  # the menu takes no code before it knows that the ignition is off
                assert "activated" in await street.bench(f"menu activate {code}")
                assert (await js.do("unlock")).note == "Unlocked."
            assert (await owner.do("keys")).note == "1 Ana"
            notices = [said.note for said in owner.told if said.told == "notice"]
    assert notices == ["a shared key was accepted", "a shared key was activated"]


async def test_the_tests_of_the_foreign_phone_pass() -> None:
    tests = sorted((PHONE / "test").glob("*.test.js"))
    async with node(PHONE, "--test", "--test-reporter=tap", *tests) as run:
        out, _ = await run.process.communicate()
    said = out.decode().splitlines()
    assert run.process.returncode == 0, [line for line in said if line.startswith("not ok")]
    assert int(next(line for line in said if line.startswith("# pass ")).split()[-1]) > 60
