"""Invitations: a name and a public key."""

import pytest

from host_tools.phone.handshake import fresh_key
from host_tools.phone.invitation import Invitation, decode_invitation, encode_invitation, is_name
from protocol import keys
from protocol.errors import Code, ProtocolError
from tests.support.module_peer import seeded

HOLDER = keys.public_to_bytes(fresh_key(seeded(5)).public_key())


@pytest.mark.req("KEY-2", "KEY-7")
def test_what_was_written_is_read_and_holds_a_name_and_a_public_key_alone() -> None:
    ana = Invitation("Ana Ä.", HOLDER)
    assert decode_invitation(encode_invitation(ana)) == ana
    assert encode_invitation(ana).count(":") == 3


def test_a_name_is_one_short_line() -> None:
    assert is_name("ä" * 16)
    for text in ("", "ä" * 17, "a\nb", "a\x1b[2J", "\udcff"):
        assert not is_name(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "missing required field"),
        ('{"format": "sharebox-invitation/1", "name": "Ana", "holder": "", "x": 1}', "unknown field"),
        ('{"format": "other/1", "name": "Ana", "holder": ""}', "its format is 'other/1'"),
        ('{"format": "sharebox-invitation/1", "name": "", "holder": ""}', "the name is no text of 1 to 32 bytes"),
        ('{"format": "sharebox-invitation/1", "name": "Ana", "holder": "xy"}', "holder is not hexadecimal"),
        ('{"format": "sharebox-invitation/1", "name": "Ana", "holder": "00"}', "holder: "),
    ],
)
def test_what_is_no_invitation_says_why(text: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        decode_invitation(text)
    assert caught.value.code is Code.MALFORMED
