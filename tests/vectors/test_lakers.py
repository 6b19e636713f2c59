"""Handshakes with lakers, an independent implementation of EDHOC, in both roles (method 3, cipher suite 2)."""

import lakers  # type: ignore[import-untyped]  # it has no types
import pytest

from protocol import cbor, edhoc, keys
from tests.support import credentials

PHONE_KEY = credentials.key("phone")
MODULE_KEY = credentials.key("module")
PHONE_KID, MODULE_KID = b"\x2b", b"\x0a"


def claims_set(kid: bytes, public: keys.PublicKey) -> bytes:
    """A CWT claims set as lakers reads it: with y in full."""
    numbers = public.public_numbers()
    key: dict[cbor.Value, cbor.Value] = {
        1: 2,
        2: kid,
        -1: 1,
        -2: numbers.x.to_bytes(32, "big"),
        -3: numbers.y.to_bytes(32, "big"),
    }
    return cbor.encode({2: "subject", 8: {1: key}})


def credential(kid: bytes, private: keys.PrivateKey) -> edhoc.Credential:
    public = private.public_key()
    return edhoc.Credential(cbor.encode({4: kid}), claims_set(kid, public), public, private)


PHONE = credential(PHONE_KID, PHONE_KEY)
MODULE = credential(MODULE_KID, MODULE_KEY)


@pytest.mark.parametrize("number", range(10))
def test_our_module_with_their_phone(number: int) -> None:
    phone = lakers.EdhocInitiator()
    module = edhoc.Responder(MODULE, credentials.key(f"ephemeral {number}"), methods=(3,), suites=(2,))
    second = module.message_1(bytes(phone.prepare_message_1(c_i=None)))
    _, named, _ = phone.parse_message_2(second)
    phone.verify_message_2(
        keys.private_to_bytes(PHONE_KEY), PHONE.cred, lakers.credential_check_or_fetch(named, MODULE.cred)
    )
    third, _ = phone.prepare_message_3(lakers.CredentialTransfer.ByReference, [])

    def resolve(label: int, value: bytes) -> edhoc.Credential:
        assert (label, value) == (4, PHONE_KID)
        return PHONE

    phone.process_message_4(module.message_3(bytes(third), resolve))
    assert bytes(phone.edhoc_exporter(0, [], 16)) == module.export(0, b"", 16)


@pytest.mark.parametrize("number", range(10))
def test_our_phone_with_their_module(number: int) -> None:
    phone = edhoc.Initiator(PHONE, credentials.key(f"ephemeral {number}"), method=3, suite=2)
    module = lakers.EdhocResponder(keys.private_to_bytes(MODULE_KEY), MODULE.cred)
    module.process_message_1(phone.message_1())

    def resolve(label: int, value: bytes) -> edhoc.Credential:
        assert (label, value) == (4, MODULE_KID)
        return MODULE

    second = module.prepare_message_2(lakers.CredentialTransfer.ByReference, None, [])
    phone.message_2(bytes(second), resolve)
    named, _ = module.parse_message_3(phone.message_3())
    module.verify_message_3(lakers.credential_check_or_fetch(named, PHONE.cred))
    phone.message_4(bytes(module.prepare_message_4()))
    assert bytes(module.edhoc_exporter(0, [], 16)) == phone.export(0, b"", 16)
