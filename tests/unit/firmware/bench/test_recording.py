"""A recording as a file: its header, its lines, and what a power cut leaves of the last one."""

from pathlib import Path

import msgspec
import pytest

from firmware.bench import recording
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.recording import Closed, Fragment, Opened, Recording, Said, Stepped, header
from protocol.provisioning import decode_provisioning
from tests.support import core
from tests.support.module_files import PROVISIONING

pytestmark = pytest.mark.req("BEN-4")

LINES = (
    Opened(1, 7, 20),
    Fragment(2, 100, 7, "c0", Said(({"is": "LinkActive", "link": 7},), ("00",), ("ff",), True, True)),
    Stepped(3, 110, "0011", (2, 0), True, {"links[0]": None}, ({"is": "Ticked"},)),
    Closed(4, 7),
)


def a_file(directory: Path, *lines: bytes, with_keys: bool = False) -> Path:
    path = directory / "it.jsonl"
    first = recording.encode(header(PROVISIONING, "1.2.3", with_keys=with_keys))
    path.write_bytes(b"\n".join((first, *lines)) + b"\n")
    return path


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = Recording(a_file(tmp_path, *map(recording.encode, LINES)))
    assert tuple(found.lines()) == LINES
    assert tuple(found.lines()) == LINES
    assert found.torn == ""
    assert (found.header.version, found.header.module) == ("1.2.3", PROVISIONING.module_id.hex())


@pytest.mark.req("SEC-2")
def test_private_keys_are_in_it_only_when_that_was_asked_for(tmp_path: Path) -> None:
    without = a_file(tmp_path)
    assert PROVISIONING.signing_private.hex() not in without.read_text()
    assert Recording(without).header.provisioning is None
    kept = Recording(a_file(tmp_path, with_keys=True)).header.provisioning
    assert decode_provisioning(msgspec.json.encode(kept).decode()) == PROVISIONING


@pytest.mark.req("PWR-1")
@pytest.mark.parametrize("torn", [b'{"kind":"cl', b"", b'{"kind":"closed","n":4,"link":7,"x'])
def test_a_torn_last_line_is_told_and_the_rest_is_read(tmp_path: Path, torn: bytes) -> None:
    path = a_file(tmp_path, *map(recording.encode, LINES[:3]))
    path.write_bytes(path.read_bytes() + torn)
    found = Recording(path)
    assert tuple(found.lines()) == LINES[:3]
    assert found.torn == (
        "line 5, the last one, is torn: the power was cut while it was written, or it is not whole yet" if torn else ""
    )


@pytest.mark.parametrize("line", [b"{}", b"\xff", b'{"kind":"dance","n":1}', b'{"kind":"opened","n":"one"}'])
def test_a_line_in_the_middle_that_can_not_be_read_is_an_error_with_its_place(tmp_path: Path, line: bytes) -> None:
    path = a_file(tmp_path, recording.encode(LINES[0]), line, recording.encode(LINES[3]))
    with pytest.raises(RecordingFailed, match=r"it\.jsonl: line 3 can not be read") as caught:
        tuple(Recording(path).lines())
    assert "\n" not in str(caught.value)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other"
    for content in (b"", b"hello\n", b"\xff\n", b'{"format":"sharebox-recording/1"}\n'):
        path.write_bytes(content)
        with pytest.raises(RecordingFailed, match="it is no recording"):
            Recording(path)
    newer = msgspec.structs.replace(header(PROVISIONING, "9", with_keys=False), format="sharebox-recording/2")
    path.write_bytes(recording.encode(newer) + b"\n")
    with pytest.raises(RecordingFailed, match="format is 'sharebox-recording/2'"):
        Recording(path)
    with pytest.raises(RecordingFailed, match="Is a directory"):
        Recording(tmp_path)


def test_a_digest_changes_with_the_state() -> None:
    one = core.running()
    assert recording.digest(one) == recording.digest(core.running())
    assert recording.digest(one) != recording.digest(core.durably(one, drive_enabled=True))
    assert len(recording.digest(one)) == 16
