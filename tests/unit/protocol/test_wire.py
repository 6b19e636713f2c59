"""`wire.cddl` against what the code really makes."""

from pathlib import Path

import cbor2
import pytest

from protocol import cbor, credential, messages, selftest, sharing, tokens
from protocol.errors import Code, refuse
from protocol.session import SecureChannel
from protocol.values import (
    Accepted,
    Access,
    Body,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Notice,
    NoticeKind,
    Operation,
    Outcome,
    Phase,
    Position,
    PublicInfo,
    Push,
    PushKind,
    Reply,
    Request,
    SelfTested,
    Status,
    VehicleState,
)
from tests.support import credentials, handshakes
from tests.support.cddl import Schema

SCHEMA = Schema(Path("protocol/wire.cddl").read_text("utf-8"))

BUSY = refuse(Code.BUSY, numbers=(("retry_in_ms", 2_000),))
GRANTED = Access(True, Phase.ACTIVE, 15, 1, 2, 3)
DENIED = Access(False, Phase.CUT_OFF, refusal=BUSY)
SEEN = VehicleState(True, False, False, False, True, True, 55, 1_000, 299)
BODIES: list[Body] = [
    Done(),
    Ended(1),
    Ended(1, 2, 3, b"receipt"),
    Status(GRANTED),
    Status(DENIED, VehicleState()),
    Status(GRANTED, SEEN),
    Nonce(bytes(16), bytes(8), 300_000),
    Position(-1, 1, 0),
    Accepted(pending=True),
    Outcome(Operation.UNLOCK, Code.VEHICLE_NO_RESPONSE, may_have_succeeded=True),
    KeyList(),
    KeyList((KeyEntry(1, bytes(16), "Zoë", 5, 1_790_600_000_000, activated=True),)),
    SelfTested(b"report"),
]


def a_record() -> bytes:
    phone, _, _ = handshakes.finished()
    return SecureChannel.from_exporter(phone.export, module_side=False).seal(b"text")


def request(operation: Operation) -> bytes:
    if operation is Operation.PUT:
        return messages.encode_request(Request(1, operation, body=b"signed"))
    carries = operation in messages.COMMANDS or operation is Operation.OUTCOME
    return messages.encode_request(Request(1, operation, command_id=bytes(8) if carries else b""))


STANDING_TOKEN = credentials.standing()
ITEMS: list[tuple[str, bytes]] = [
    ("booking-token", credentials.token()),
    *(("order", tokens.mint_order(order, credentials.ISSUER)) for order in credentials.ORDERS),
    *(
        ("revocation-list", tokens.mint_revocation_list(listed, credentials.ISSUER))
        for listed in (credentials.REVOCATION_LIST, credentials.FADING_LIST)
    ),
    ("standing-key", STANDING_TOKEN),
    ("standing-key", sharing.mint_key(credentials.SERVICE, credentials.ISSUER)),
    ("share", credentials.share()),
    ("share", sharing.mint_share(credentials.PLAIN_SHARE, STANDING_TOKEN, credentials.OWNER)),
    ("self-test-report", selftest.mint(credentials.REPORT, credentials.SIGNER)),
    ("time-attestation", tokens.mint_time_attestation(credentials.ATTESTATION, credentials.ISSUER)),
    ("end-receipt", tokens.mint_receipt(credentials.RECEIPT, credentials.SIGNER)),
    ("module-credential", handshakes.MODULE.cred),
    ("id-cred-r", handshakes.MODULE.id_cred),
    ("id-cred-i", b"\xa1\x0d" + credentials.token()),
    ("id-cred-i", credential.key_credential(STANDING_TOKEN, credentials.OWNER.public_key()).id_cred),
    (
        "id-cred-i",
        credential.share_credential(STANDING_TOKEN, credentials.share(), credentials.GUEST.public_key()).id_cred,
    ),
    ("record", a_record()),
    *(("request", request(operation)) for operation in Operation),
    *(("reply", messages.encode_reply(Reply(1, Code.OK, body))) for body in BODIES),
    ("reply", messages.encode_reply(Reply(1, Code.OUTSIDE_HOME_AREA, Ended(1)))),
    ("reply", messages.encode_reply(Reply(1, Code.BUSY, BUSY))),
    ("push", messages.encode_push(Push(PushKind.ACCESS, DENIED))),
    *(("push", messages.encode_push(Push(PushKind.NOTICE, Notice(kind, 300_000)))) for kind in NoticeKind),
    ("error", messages.encode_error(BUSY)),
    ("public-information", messages.encode_public_info(PublicInfo())),
]
OF_THE_WIRE = {"credential", "message-body"}


@pytest.mark.parametrize(("rule", "data"), ITEMS)
def test_what_the_code_makes_is_of_its_rule(rule: str, data: bytes) -> None:
    assert SCHEMA.matches(rule, data)


@pytest.mark.parametrize(("rule", "data"), ITEMS)
def test_the_schema_is_strict(rule: str, data: bytes) -> None:
    """One thing too many, or of another type, and it is none."""
    value = cbor2.loads(data)
    worse = [*value, 0] if isinstance(value, list) else {**value, -99: 0}
    assert not SCHEMA.matches(rule, cbor2.dumps(worse))
    assert not SCHEMA.matches(rule, cbor.encode("text"))


def test_every_kind_of_credential_and_message_is_in_one_of_the_choices() -> None:
    for rule, data in ITEMS:
        part_of_handshake = rule.startswith(("module-", "id-cred")) or rule == "record"
        assert part_of_handshake or SCHEMA.matches("wire", data), rule


def test_no_kind_of_credential_is_another() -> None:
    kinds = {rule: data for rule, data in ITEMS if data[:2] == b"\x84\x51"}
    assert len(kinds) == len(tokens.Typ)
    for rule, data in kinds.items():
        assert [other for other in kinds if SCHEMA.matches(other, data)] == [rule]


@pytest.mark.parametrize("text", ["a = &b", "a = [ 1", "a b"])
def test_a_schema_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        Schema(text)
