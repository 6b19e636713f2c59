"""What the main user has shared, in a file."""

from pathlib import Path

import msgspec
import pytest

from host_tools.phone import ledger
from host_tools.phone.keyring import KeyringError
from host_tools.phone.ledger import KEPT_S, Shared, entry_of, found_by, read_ledger, with_added, with_deleted
from protocol.errors import Role
from protocol.sharing import Activation, Deletion, Hours, Key

NOW_S = 1_780_000_000
ANA = Shared("0a" * 16, "01" * 8, "Ana", 7, NOW_S, NOW_S + 3600, Hours(480, 1080), code=True, code_until_s=NOW_S + 60)
BEN = Shared("0b" * 16, "01" * 8, "Ben", 1, NOW_S, NOW_S + 3600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shares.json"


@pytest.mark.req("KEY-4")
def test_what_is_kept_of_a_key_has_neither_its_code_nor_the_sealed_one() -> None:
    key = Key(
        token_id=b"\x0a" * 16,
        not_before_s=NOW_S,
        expires_s=NOW_S + 3600,
        issued_s=NOW_S,
        module_id=b"\x01" * 8,
        role=Role.GUEST,
        permissions=7,
        key_epoch=0,
        user=bytes(8),
        holder=bytes(33),
        name="Ana",
        activation=Activation.VEHICLE_CODE,
        code_until_s=NOW_S + 60,
        sealed_code=b"what the car alone can open",
        hours=Hours(480, 1080),
    )
    assert entry_of(key) == ANA
    assert key.sealed_code.hex() not in msgspec.json.encode(entry_of(key)).decode()


def test_what_was_written_is_read_and_only_its_owner_may(path: Path) -> None:
    assert read_ledger(path) == []
    ledger.write_ledger(path, [ANA, BEN])
    assert read_ledger(path) == [ANA, BEN]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ANA.token_id == b"\x0a" * 16


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "is wrong"),
        ("\xff", "is wrong"),
        ('{"format": "other/1", "shares": []}', "its format is not"),
        (
            msgspec.json.encode(
                {"format": ledger.FORMAT, "shares": [{**msgspec.to_builtins(BEN), "token": "xy"}]}
            ).decode(),
            "identifier",
        ),
        (
            msgspec.json.encode(
                {"format": ledger.FORMAT, "shares": [{**msgspec.to_builtins(BEN), "module": "01"}]}
            ).decode(),
            "identifier",
        ),
    ],
)
def test_a_file_that_is_something_else_is_named(path: Path, text: str, said: str) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(KeyringError, match=said):
        read_ledger(path)


def test_a_key_that_ended_long_ago_makes_room() -> None:
    assert with_added([ANA], BEN, NOW_S + 3600) == [ANA, BEN]
    assert with_added([ANA], BEN, ANA.expires_s + KEPT_S) == [BEN]
    full = [ANA] * ledger.MOST
    with pytest.raises(KeyringError, match=r"the list is full: 128 keys were shared\. Begin another"):
        with_added(full, BEN, NOW_S)
    assert with_added(full, BEN, ANA.expires_s + KEPT_S) == [BEN]


def test_a_key_is_found_by_its_name_or_the_begin_of_its_token() -> None:
    again = msgspec.structs.replace(ANA, token="0c" * 16)
    assert found_by([ANA, BEN], "Ana") == found_by([ANA, BEN], "0A0A") == ANA
    assert found_by([msgspec.structs.replace(ANA, deleted=Deletion.IMMEDIATE), again], "Ana") == again
    with pytest.raises(KeyringError, match=r"2 keys were shared with 'Ana': 0a0a0a0a, 0c0c0c0c\."):
        found_by([ANA, again], "Ana")
    for text in ("Eve", "0a", "0d0d0d0d"):
        with pytest.raises(KeyringError, match=f"no key was shared with '{text}'"):
            found_by([ANA, BEN], text)


@pytest.mark.req("KEY-6")
def test_a_deleted_key_stays_in_the_list_with_the_way_it_was_deleted() -> None:
    gone = with_deleted([ANA, BEN], ANA.token, Deletion.UNTIL_KEY_CYCLE)
    assert [one.deleted for one in gone] == [Deletion.UNTIL_KEY_CYCLE, None]


def test_a_full_list_can_be_read_again(path: Path) -> None:
    widest = msgspec.structs.replace(ANA, name="\U0001f511" * 8, expires_s=2**32 - 1, deleted=Deletion.IMMEDIATE)
    ledger.write_ledger(path, [widest] * ledger.MOST)
    assert len(read_ledger(path)) == ledger.MOST
