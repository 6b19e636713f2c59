"""The bytes of capture files; what Wireshark makes of them is in tests/integration/test_captures.py."""

import resource
import struct
import zlib
from pathlib import Path

import pytest

from host_tools.bench import capture
from host_tools.bench.capture import Capture, CaptureError
from protocol.serial import Frame, Kind

AT_US = 1_793_354_400_123_456


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of each block of a pcapng file."""
    found = []
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert data[size - 4 : size] == data[4:8]
        found.append((kind, data[8 : size - 4]))
        data = data[size:]
    return found


@pytest.mark.req("BEN-4")
def test_a_pcapng_file_holds_each_radio_and_line_as_an_interface_with_times_and_directions(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with Capture(path, lambda: AT_US) as written:
        radio, line = written.hci("module"), written.serial("console")
        radio(b"\x01\x03\x0c\x00", True)
        radio(b"\x04\x0e\x00", False)
        line(Frame(Kind.FRAGMENT, 2, b"abc"), True)
        line(Frame(Kind.CLOSED, 2, b""), False)
    section, first, second, *packets = blocks(path.read_bytes())
    assert (section[0], section[1][:4]) == (0x0A0D0D0A, b"\x4d\x3c\x2b\x1a")
    assert [(kind, struct.unpack_from("<H", body)[0]) for kind, body in (first, second)] == [(1, 201), (1, 147)]
    assert b"module" in first[1]
    assert b"console" in second[1]
    told = []
    for kind, body in packets:
        interface, high, low, size, whole = struct.unpack_from("<IIIII", body)
        flags = struct.unpack_from("<HHI", body, 20 + size + -size % 4)
        told.append((kind, interface, (high << 32 | low) - AT_US, whole, body[20 : 20 + size], flags))
    assert told == [
        (6, 0, 0, 8, bytes(4) + b"\x01\x03\x0c\x00", (2, 4, 2)),
        (6, 0, 0, 7, b"\0\0\0\x01\x04\x0e\x00", (2, 4, 1)),
        (6, 1, 0, 10, b"\x00\x03\x02abc" + zlib.crc32(b"\x03\x02abc").to_bytes(4, "big"), (2, 4, 2)),
        (6, 1, 0, 7, b"\x01\x05\x02" + zlib.crc32(b"\x05\x02").to_bytes(4, "big"), (2, 4, 1)),
    ]


@pytest.mark.req("BEN-4")
def test_a_btsnoop_file_holds_one_radio(tmp_path: Path) -> None:
    path = tmp_path / "x.btsnoop"
    with Capture(path, lambda: AT_US) as written:
        radio = written.hci("module")
        radio(b"\x01\x03\x0c\x00", True)
        radio(b"\x02\x05", False)
        with pytest.raises(CaptureError, match=r"holds one radio only; write to a .pcapng file"):
            written.hci("another")
    data = path.read_bytes()
    assert data[:16] == b"btsnoop\0" + struct.pack(">II", 1, 1002)
    assert struct.unpack_from(">IIIIq", data, 16) == (4, 4, 2, 0, AT_US + 0x00DCDDB30F2F8000)
    assert data[40:44] == b"\x01\x03\x0c\x00"
    assert struct.unpack_from(">IIII", data, 44) == (2, 2, 1, 0)
    another = tmp_path / "y.btsnoop"
    with Capture(another, lambda: AT_US) as written, pytest.raises(CaptureError, match="no serial frames"):
        written.serial("console")


def test_a_file_of_another_kind_or_in_no_place_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"x.txt: a capture is a .pcapng or a .btsnoop file; name it so"):
        Capture(tmp_path / "x.txt", lambda: 0)
    with pytest.raises(CaptureError, match="No such file or directory; name a file that can be written"):
        Capture(tmp_path / "nowhere" / "x.pcapng", lambda: 0)


def test_a_capture_that_is_closed_full_or_broken_takes_nothing_more_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    path = tmp_path / "x.pcapng"
    written = Capture(path, lambda: 0, noted=said.append)
    radio = written.hci("module")
    radio(bytes(capture.LONGEST_PACKET + 1), True)
    before = path.stat().st_size
    monkeypatch.setattr(capture, "MOST_BYTES", before + 70)
    radio(b"\x01", True)
    radio(b"\x01", True)
    radio(b"\x01", True)
    assert before < path.stat().st_size <= before + 70
    assert said == [f"{path}: the capture has reached 0 MiB and ends here"]
    written.close()
    full = tmp_path / "full.pcapng"
    broken = Capture(full, lambda: 0, noted=said.append)
    radio = broken.hci("module")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (full.stat().st_size, limits[1]))
    try:
        radio(b"\x01", True)
        radio(b"\x01", True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said[1:] == [f"{full}: the capture ends here: File too large"]


@pytest.mark.req("SEC-2")
def test_a_capture_is_a_new_file_of_its_owner_alone(tmp_path: Path) -> None:
    path, link = tmp_path / "x.pcapng", tmp_path / "link.pcapng"
    Capture(path, lambda: 0).close()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes() + b"of somebody"
    path.write_bytes(before)
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(CaptureError, match=f"{name}: it is there already; give another name, or a directory"):
            Capture(name, lambda: 0)
    assert path.read_bytes() == before


def test_in_a_directory_each_capture_gets_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for _ in range(2):
        with Capture(tmp_path, lambda: AT_US) as written:
            written.serial("console")
            made.append(written.path)
    assert [path.name for path in made] == ["capture-20261030T100000Z.pcapng", "capture-20261030T100000Z-1.pcapng"]
    monkeypatch.setattr(capture, "MOST_NAMES", 2)
    with pytest.raises(CaptureError, match="2 captures begin in this second; give another directory"):
        Capture(tmp_path, lambda: AT_US)
