"""A booking as a test holds it."""

from pathlib import Path

import pytest

from firmware.demo.rig import Holder, seeded
from firmware.inprocess.booked import Booked, seconds
from host_tools.phone.keyring import read_booking, read_key
from protocol import keys
from protocol.errors import Role
from tests.support.module_peer import ModulePeer


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("90s", 90), ("45m", 2700), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172_800), (7, 7), (0.5, 0.5)],
)
def test_durations_are_written_as_people_say_them(text: str | float, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "5", "h", "5 m", "-5m", "5x", "m5"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 90s, 45m, 1h30m or 2d"):
        seconds(text)


@pytest.mark.req("BEN-2")
def test_a_booking_is_what_an_app_is_given(tmp_path: Path) -> None:
    peer = ModulePeer()
    file = peer.booking_file()
    booked = Booked(Holder("Anna", Role.DRIVER, seeded("Anna")), file, 1000, 2000)
    assert (booked.token, booked.pushes) == (file.token, [])
    booked.save(tmp_path)
    assert read_booking(tmp_path / "booking.json") == file
    assert (tmp_path / "booking.json").read_text() == booked.json()
    assert keys.private_to_bytes(read_key(tmp_path / "holder.pem")) == booked.holder_private
