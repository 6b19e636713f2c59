"""Keys and bookings on disk."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_tools.phone.keyring import (
    Keyring,
    KeyringError,
    new_key,
    read_booking,
    read_key,
    read_shown,
    write_booking,
    write_key,
    write_shown,
)
from protocol import keys
from protocol.provisioning import PhoneFile
from tests.support.module_peer import ModulePeer


def test_a_key_comes_back_as_it_was_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    private = new_key()
    path = tmp_path / "deep" / "holder.pem"
    write_key(path, private)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.private_to_bytes(read_key(path)) == keys.private_to_bytes(private)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
@pytest.mark.req("SEC-2")
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "holder.pem"
    write_key(path, new_key())
    path.chmod(mode)
    with pytest.raises(KeyringError, match="chmod 600"):
        read_key(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "holder.pem"
    write_key(path, new_key())
    with pytest.raises(KeyringError, match="not overwritten"):
        write_key(path, new_key())


def _pem(private: object) -> bytes:
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no key at all", "not an unencrypted PEM file"),
        (_pem(ec.generate_private_key(ec.SECP384R1())), "not on P-256"),
        (bytes(65 * 1024), "too long"),
    ],
)
def test_a_file_that_is_no_key_is_refused_with_the_reason(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "holder.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(KeyringError, match=why):
        read_key(path)


def test_files_that_cannot_be_read_or_written_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="cannot read"):
        read_key(tmp_path / "missing.pem")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeyringError, match="cannot write"):
        write_key(tmp_path / "file" / "holder.pem", new_key())
    (tmp_path / "booking.json").mkdir()
    with pytest.raises(KeyringError, match="cannot write"):
        write_booking(tmp_path / "booking.json", ModulePeer().booking_file())


def test_a_booking_file_comes_back_and_is_replaced_whole(tmp_path: Path) -> None:
    peer = ModulePeer()
    path = tmp_path / "booking.json"
    write_booking(path, peer.booking_file())
    newer = peer.booking_file()
    write_booking(path, newer)
    assert read_booking(path) == newer
    assert os.listdir(tmp_path) == ["booking.json"]


@pytest.mark.parametrize("data", [b"{}", b"\xff\xfe", b"not json"])
def test_a_file_that_is_no_booking_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "booking.json"
    path.write_bytes(data)
    with pytest.raises(KeyringError, match="Fetch the booking anew"):
        read_booking(path)


@pytest.mark.req("KEY-1")
def test_whatever_a_phone_shows_has_its_file(tmp_path: Path) -> None:
    peer = ModulePeer()
    files: tuple[PhoneFile, ...] = (peer.booking_file(), peer.key_file())
    for number, shown in enumerate(files):
        path = tmp_path / f"{number}.json"
        write_shown(path, shown)
        assert read_shown(path) == shown
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "is wrong: booking file"),
        (b"\xff\xfe", "it is not text"),
        (b'{"format": "sharebox-share/1"}', "is wrong: share file"),
    ],
)
def test_a_file_that_a_phone_can_not_show_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "shown.json"
    path.write_bytes(data)
    with pytest.raises(KeyringError, match=why):
        read_shown(path)


@pytest.mark.req("ACC-12")
def test_a_keyring_holds_bookings_and_keys_for_many_vehicles_newest_first(tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    mine, work = ring.create("me"), ring.create("work")
    assert ring.names() == ["me", "work"]
    first, second = ModulePeer(1), ModulePeer(2)
    first.holder = mine
    old, new = first.booking_file(mine), first.key_file()
    ring.add(old, "me")
    ring.add(new, "me")
    assert ring.add(new, "me") == ring.held(first.module_id)[0].path
    ring.add(second.booking_file(work), "work")
    assert ring.vehicles() == sorted([first.module_id, second.module_id])
    assert [held.shown for held in ring.held(first.module_id)] == [new, old]
    assert [held.key_name for held in ring.held(second.module_id)] == ["work"]
    assert len(ring.held()) == 3
    held = ring.held(second.module_id)[0]
    ring.forget(held)
    ring.forget(held)
    assert ring.vehicles() == [first.module_id]


def test_a_keyring_refuses_strange_names_and_bookings_for_keys_it_does_not_have(tmp_path: Path) -> None:
    ring = Keyring(tmp_path)
    with pytest.raises(KeyringError, match="no name for a key"):
        ring.create("../escape")
    with pytest.raises(KeyringError, match="cannot read"):
        ring.add(ModulePeer().booking_file(), "nobody")
