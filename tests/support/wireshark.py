"""Captures of the project, read with tshark and the project's dissector."""

import asyncio
import json
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware.demo.rig import BEGINS_S
from host_tools.bench.capture import Capture
from host_tools.bench.dissector import DISSECTOR
from tests.support.command import ENVIRONMENT

Packet = dict[str, list[str]]
"""Fields of one packet, by Wireshark's names."""


@contextmanager
def captured(path: Path, begins_s: int = BEGINS_S) -> Iterator[Capture]:
    """A capture on the running loop's virtual time."""

    def utc_us() -> int:
        return begins_s * 1_000_000 + round(asyncio.get_running_loop().time() * 1e6)

    with Capture(path, utc_us) as capture:
        yield capture


def read(path: Path, fields: tuple[str, ...], *, keys: Path | None = None, only: str = "sharebox") -> list[Packet]:
    """The packets that fit the display filter `only`, with these fields. An error of the dissector fails the test."""
    tokens = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", str(path), "-Y", only, "-T", "json"]
    tokens += ["-o", f"sharebox.keylog:{keys or ''}"]
    for field in fields:
        tokens += ["-e", field]
    ran = subprocess.run(tokens, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT)
    assert "Lua" not in ran.stderr, ran.stderr
    assert ran.returncode == 0 or "cut short in the middle of a packet" in ran.stderr, ran.stderr
    packets = json.loads(ran.stdout or "[]")
    return [packet["_source"]["layers"] for packet in packets]


def complaints(path: Path, keys: Path) -> str:
    """What tshark says of a capture when it shows everything of it, errors of the dissector included."""
    tokens = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", str(path), "-2", "-V"]
    tokens += ["-o", f"sharebox.keylog:{keys}"]
    ran = subprocess.run(tokens, capture_output=True, timeout=60, check=False, env=ENVIRONMENT)
    lines = (ran.stdout + ran.stderr).decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if "Lua" in line or "Dissector bug" in line)


def mangled(source: Path, target: Path, change: Callable[[bytes], bytes]) -> int:
    """Copy a pcapng file with the data of each packet changed, its length kept. How many packets there are."""
    data, out, count = source.read_bytes(), bytearray(), 0
    while data:
        kind, size = struct.unpack_from("<II", data)
        block, data = bytearray(data[:size]), data[size:]
        if kind == 6:
            (length,) = struct.unpack_from("<I", block, 20)
            changed = change(bytes(block[28 : 28 + length]))
            assert len(changed) == length
            block[28 : 28 + length] = changed
            count += 1
        out += block
    target.write_bytes(out)
    return count
