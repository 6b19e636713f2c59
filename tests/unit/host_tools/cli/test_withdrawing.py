"""The file of the revocation list."""

from pathlib import Path

import pytest

from host_tools.backend.issuer import Issuer
from host_tools.backend.withdrawals import Withdrawal
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.withdrawing import withdraw
from host_tools.phone.handshake import fresh_key
from host_tools.phone.keyring import KeyringError
from protocol.orders import OrderKind
from protocol.sharing import Deletion
from protocol.tokens import RevocationList
from tests.support.module_peer import seeded

MODULE = bytes(range(8))
NOW_S = 1_780_000_000
PATH = Path("list.cose")
ENTROPY = seeded(3)
ISSUER = Issuer(fresh_key(ENTROPY), ENTROPY)


def written(*added: Withdrawal, module: bytes = MODULE) -> RevocationList:
    listed, signed = withdraw(PATH, added, ISSUER, module_id=module, now_s=NOW_S)
    assert PATH.read_bytes() == signed
    return listed


@pytest.mark.req("KEY-6")
def test_the_next_list_goes_on_from_the_one_that_lies_there() -> None:
    written(Withdrawal(b"\x01" * 16, Deletion.UNTIL_KEY_CYCLE, NOW_S + 9))
    later = written(Withdrawal(b"\x02" * 16, Deletion.IMMEDIATE, NOW_S + 9))
    assert (len(later.revoked), len(later.fading), later.number) == (1, 1, NOW_S + 1)


def test_a_list_that_would_be_too_long_leaves_the_last_one_there() -> None:
    written()
    kept = PATH.read_bytes()
    with pytest.raises(CliError, match="200 entries are too many") as caught:
        written(*(Withdrawal(number.to_bytes(16, "big"), Deletion.IMMEDIATE, NOW_S + 9) for number in range(200)))
    assert caught.value.exit_code is Exit.USAGE
    assert PATH.read_bytes() == kept


def test_what_is_no_list_of_this_issuer_and_module_is_named_and_left_alone() -> None:
    written()
    kept = PATH.read_bytes()
    with pytest.raises(KeyringError, match=r"list\.cose is no list of this issuer and module"):
        written(module=bytes(8))
    order = ISSUER.remote_order(OrderKind.LOCK, module_id=MODULE, now_s=NOW_S)
    assert PATH.read_bytes() == kept
    PATH.write_bytes(order)
    with pytest.raises(KeyringError, match=r"list\.cose is no revocation list: it says something else"):
        written()
