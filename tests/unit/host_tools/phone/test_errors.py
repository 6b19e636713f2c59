"""What can go wrong, as the caller sees it."""

from host_tools.phone.errors import HandshakeRefused, LinkClosed, NotFound, PhoneError, Refused
from protocol.errors import Code, refuse


def test_every_error_is_one_line_with_what_why_and_what_to_do() -> None:
    error = NotFound("the car was not found", "no module was heard", "Go nearer.")
    assert isinstance(error, PhoneError)
    assert (error.what, error.why, error.remedy) == ("the car was not found", "no module was heard", "Go nearer.")
    assert str(error) == "the car was not found: no module was heard. Go nearer."


def test_what_a_peer_says_can_not_break_the_line() -> None:
    error = Refused(refuse(Code.BUSY, remedy="Wait.\r\n\x1b[2JAll is well."))
    assert str(error).isprintable()
    assert error.remedy.isprintable()


def test_a_lost_link_says_whether_a_command_is_in_doubt() -> None:
    assert "connect again and ask" in str(LinkClosed("gone", command_id=bytes(8), may_have_succeeded=True))
    assert "connect again and ask" not in str(LinkClosed("gone"))


def test_a_refusal_keeps_its_parts_and_a_handshakes_code_is_at_hand() -> None:
    refusal = refuse(Code.BUSY)
    assert Refused(refusal).refusal is refusal
    refused = HandshakeRefused(refuse(Code.UNKNOWN_ISSUER))
    assert (refused.code, refused.wrong_module) == (Code.UNKNOWN_ISSUER, False)
