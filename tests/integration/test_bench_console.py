"""`sharebox run` with a bench, and an engineer at its serial line."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from firmware import app
from firmware.pace import PacedLoop
from protocol import serial
from protocol.serial import Frame, Kind
from tests.support.module_files import config

BENCH = '[bench]\nenabled = true\nuplink = "recorded"\n[[serial]]\nlevel = "service"\n[ble]\nhub_port = 0\n'


class Engineer:
    """In machine mode, at the other end of a pseudo-terminal."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._begun = b""
        asyncio.get_running_loop().add_reader(self._file, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)

    def _read(self) -> None:
        *lines, self._begun = (self._begun + os.read(self._file, 65_536)).split(b"\n")
        for line in lines:
            self._lines.put_nowait(line)

    async def enter(self) -> None:
        os.write(self._file, b"\x01")
        await self.heard("hello")

    async def do(self, command: str) -> dict[str, object]:
        os.write(self._file, json.dumps({"id": 1, "do": command}).encode() + b"\n")
        data = (await self.heard("result"))["data"]
        assert isinstance(data, dict)
        return data

    async def heard(self, kind: str) -> dict[str, object]:
        """The next object of that type."""
        while True:
            line = await self._lines.get()
            if line.startswith(b"{"):
                found = json.loads(line)
                assert isinstance(found, dict)
                assert found["type"] != "error", found
                if found["type"] == kind:
                    return found


async def until_logged(logged: Sequence[Mapping[str, object]], what: str) -> None:
    while not any(line["event"] == what for line in logged):
        await asyncio.sleep(0.01)


@pytest.mark.req("BEN-1", "PWR-1")
def test_an_engineer_at_the_serial_line_moves_time_and_cuts_the_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)

    async def main() -> None:
        with capture_logs() as logged:
            running = asyncio.create_task(app.run(config(tmp_path, BENCH)))
            await until_logged(logged, "on the air")
            engineer = Engineer(tmp_path / "state/run/console")
            try:
                await engineer.enter()
                await engineer.do("time freeze")
                before = (await engineer.do("time"))["utc_ms"]
                after = (await engineer.do("time move 30m"))["utc_ms"]
                assert isinstance(before, int)
                assert after == before + 1_800_000
                assert (await engineer.do("power cut"))["power"] is False
                assert (await engineer.do("power on"))["boot"] == 2
                await engineer.do("time move 10s")
                assert (await engineer.do("owner"))["position"] is not None
                os.kill(os.getpid(), signal.SIGTERM)
                await running
            finally:
                engineer.close()

    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        runner.run(main())


@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.req("BEN-1")
async def test_without_a_bench_a_serial_line_carries_phones_and_nobody_answers_an_engineer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with capture_logs() as logged:
        running = asyncio.create_task(app.run(config(tmp_path, '[[serial]]\nlevel = "service"\n[ble]\nhub_port = 0\n')))
        async with asyncio.timeout(60):
            await until_logged(logged, "on the air")
            line = os.open(tmp_path / "state/run/console", os.O_RDWR | os.O_NOCTTY)
            try:
                os.write(line, b'\rhelp\r\x01{"do": "power cut"}\n' + serial.encode(Frame(Kind.INFO, 0)))
                decoder, found = serial.Decoder(), list[Frame | bytes]()
                while not found:
                    found = decoder.feed(await asyncio.to_thread(os.read, line, 4096))
            finally:
                os.close(line)
            running.cancel()
            await asyncio.wait({running})
    (answer,) = found
    assert isinstance(answer, Frame)
    assert answer.kind is Kind.INFO
