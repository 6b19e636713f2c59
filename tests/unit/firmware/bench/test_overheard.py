"""Refusals that are sent before there is a session are heard; nothing else is, and damage is survived."""

from firmware.bench.overheard import Overheard
from firmware.bench.switches import LinkNews
from protocol import framing, messages
from protocol.errors import Code, refuse
from protocol.messages import MessageType


def test_only_unprotected_refusals_are_heard_link_by_link() -> None:
    heard: list[tuple[int, Code]] = []
    overheard = Overheard(lambda: 0, lambda link, refusal: heard.append((link, refusal.code)))
    error = bytes([MessageType.ERROR]) + messages.encode_error(refuse(Code.TOO_MANY_HANDSHAKES))
    record = bytes([MessageType.RECORD]) + b"sealed"
    for link, message in ((1, record), (2, error)):
        for part in framing.fragments(message, 20, 0):
            overheard(link, LinkNews.RECEIVED, part)
            overheard(link, LinkNews.SENT, part)
    assert heard == [(2, Code.TOO_MANY_HANDSHAKES)]


def test_damage_is_survived_and_a_link_that_is_gone_is_forgotten() -> None:
    heard: list[Code] = []
    overheard = Overheard(lambda: 0, lambda _, refusal: heard.append(refusal.code))
    error = bytes([MessageType.ERROR]) + messages.encode_error(refuse(Code.FRAMING))
    overheard(1, LinkNews.SENT, b"\x00")
    for part in framing.fragments(bytes([MessageType.ERROR]) + b"\xff", 20, 0):
        overheard(1, LinkNews.SENT, part)
    overheard(1, LinkNews.CLOSED, b"")
    for part in framing.fragments(error, 20, 0):
        overheard(1, LinkNews.SENT, part)
    assert heard == [Code.FRAMING]
