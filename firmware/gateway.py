"""Bytes of the links <-> events and answers: framing, handshake and records, one session a link. Sans-IO.

It authenticates; it never authorises. Whether a handshake may go on, and what a booking may do, is asked of the
core. A peer can cause nothing here but a refusal and, in the end, being hung up on.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec

from firmware.core.events import (
    Event,
    HandshakeBegun,
    HandshakeFailed,
    KeyPresented,
    LinkActive,
    OrderReceived,
    OrderUnreadable,
    RequestReceived,
    TokenPresented,
)
from firmware.ports import Entropy, LinkId
from protocol import credential, framing, keys, messages, orders, sealing, selftest, sharing, telemetry, tokens
from protocol.credential import Credential
from protocol.edhoc import EdhocError, Responder
from protocol.errors import Code, ProtocolError, Refusal, refuse
from protocol.framing import FramingError, Reassembler
from protocol.messages import MessageType, Operation, Push, Reply
from protocol.selftest import Report
from protocol.session import SecureChannel, SessionError, key_log_line
from protocol.sharing import Activation, Key
from protocol.telemetry import Channel
from protocol.tokens import Booking, EndReceipt, Trust

SEQUENCE_NUMBERS: Final = 64
"""Fragments are counted modulo this (SPEC section 4)."""
MOST_DRAWS: Final = 8
"""Of 2^256 values about 2^32 are no private key: needing this many draws means that the entropy source is broken."""
CHECKS_AT_ONCE: Final = 8
"""Signatures that a link may have checked before it has to wait: a handshake, another with the next booking, and
everything that a phone carries from the backend. A stranger gets no more out of the processor (SEC-2)."""
CHECK_EVERY_MS: Final = 1_000
"""After that one a second. A check takes about 0.1 ms on a laptop and some ms on a small board."""
HANDSHAKE_CHECKS: Final = 2
"""The issuer's signature of the token and the holder's of the handshake. Charged with the first message, which costs
as much in key agreement, so that no third message has to be turned away."""
SHARE_CHECKS: Final = 2
"""What a shared key costs besides: the main user's signature, and the key agreement that opens its activation code."""
_FETCH: Final = "Fetch the key anew in the app while you have a connection."
_SHARE: Final = "Ask the main user to share the key anew."
_UNREADABLE: Final = (Code.UNKNOWN_ISSUER, Code.SIGNATURE_INVALID, Code.TOKEN_MALFORMED)
_OF_KEYS: Final = {
    Code.WRONG_VEHICLE: "This key is for another car: walk to that one.",
    Code.HOLDER_KEY_MISMATCH: "Use the phone that the key was made for.",
}
_REMEDIES: Final[dict[int, dict[Code, str]]] = {
    credential.STANDING_KEY: _OF_KEYS | dict.fromkeys(_UNREADABLE, _FETCH),
    credential.SHARED_KEY: _OF_KEYS | dict.fromkeys(_UNREADABLE, _SHARE),
}
"""Where that of the catalogue speaks of a booking."""
_LAST_INT_METHOD: Final = 0x17
"""A first handshake message begins with its method, a small CBOR integer; a third one with a byte string."""


class Heard(msgspec.Struct):
    """What came of a fragment: facts for the core, fragments to send back, and whether the peer has gone too far."""

    events: list[Event] = []
    fragments: list[bytes] = []
    hang_up: bool = False


class _Shown(NamedTuple):
    """What a phone authenticates with. `parent`: the standing key that a shared one came from."""

    credential: Credential
    claims: Booking | Key
    parent: Key | None = None


class _Session:
    """One link."""

    def __init__(self, payload: int) -> None:
        self.payload = payload
        self.reassembler = Reassembler(framing.MAX_MESSAGE_BYTES)
        self.sequence = 0
        self.violations = 0
        self.waiting: bytes | None = None
        self.responder: Responder | None = None
        self.first_message = b""
        self.channel: SecureChannel | None = None
        self._checks_paid_until_ms: int | None = None

    def retry_in_ms(self, checks: int, now_ms: int) -> int:
        """0, and that many signature checks are taken from what the link may cost; or how long it has to wait."""
        full_ms = now_ms - CHECKS_AT_ONCE * CHECK_EVERY_MS
        paid = full_ms if self._checks_paid_until_ms is None else max(full_ms, self._checks_paid_until_ms)
        paid += checks * CHECK_EVERY_MS
        if paid > now_ms:
            return paid - now_ms
        self._checks_paid_until_ms = paid
        return 0

    def owe(self, checks: int, now_ms: int) -> None:
        """What follows has to wait for so many checks that nobody could know of before."""
        paid = now_ms if self._checks_paid_until_ms is None else self._checks_paid_until_ms
        self._checks_paid_until_ms = paid + checks * CHECK_EVERY_MS

    def fragments(self, kind: MessageType, body: bytes) -> list[bytes]:
        """A message as it goes over the air."""
        parts = framing.fragments(bytes([kind]) + body, self.payload, self.sequence)
        self.sequence = (self.sequence + len(parts)) % SEQUENCE_NUMBERS
        return parts


class Gateway:
    """All links of one module. `handshake` and `signing` are the module's private keys, P-256.

    `key_log` is given the secrets of each session, a line each: for tests only (docs/captures.md).
    """

    def __init__(
        self,
        handshake: keys.PrivateKey,
        signing: keys.PrivateKey,
        trust: Trust,
        entropy: Entropy,
        *,
        key_log: Callable[[str], None] | None = None,
    ) -> None:
        self._handshake_key = handshake
        self._identity: Credential = credential.module_credential(handshake.public_key(), handshake)
        self._signing = signing
        self._trust = trust
        self._entropy = entropy
        self._overheard: Callable[[bytes], None] | None = None
        self._key_log = key_log
        self._sessions: dict[LinkId, _Session] = {}

    def overhear(self, drew: Callable[[bytes], None]) -> None:
        """From now on tell `drew` all entropy as it is drawn: with it, the same gateway says the same again."""
        self._overheard = drew

    # ------------------------------------------------------------ links
    def opened(self, link: LinkId, payload: int) -> None:
        """A central connected; `payload` bytes fit one fragment."""
        self._sessions[link] = _Session(payload)

    def payload_changed(self, link: LinkId, payload: int) -> None:
        """The MTU was negotiated."""
        if link in self._sessions:
            self._sessions[link].payload = payload

    def closed(self, link: LinkId) -> None:
        """Forget the link and its keys."""
        self._sessions.pop(link, None)

    # ------------------------------------------------------------ inwards
    def received(self, link: LinkId, fragment: bytes, now_ms: int) -> Heard:
        """Take one fragment."""
        session = self._sessions.get(link)
        if session is None:
            return Heard()
        try:
            message = session.reassembler.receive(fragment, now_ms)
        except FramingError as error:
            return self._violated(session, error)
        if message is None:
            return Heard()
        try:
            kind = MessageType(message[0])
        except ValueError:
            return self._violated(session, ProtocolError(Code.FRAMING, "unknown type of message"))
        if kind is MessageType.RECORD:
            return self._record(link, session, message[1:], now_ms)
        if kind is MessageType.EDHOC:
            return self._handshake(link, session, message[1:], now_ms)
        return Heard()

    def _violated(self, session: _Session, error: ProtocolError, remedy: str = "") -> Heard:
        """Answer once a violation, so that an honest peer learns; the third one is the last."""
        session.violations += 1
        refusal = refuse(error.code, remedy=remedy)
        fragments = session.fragments(MessageType.ERROR, messages.encode_error(refusal))
        return Heard([], fragments, session.violations >= framing.MAX_VIOLATIONS)

    def _handshake(self, link: LinkId, session: _Session, body: bytes, now_ms: int) -> Heard:
        if not body or body[0] <= _LAST_INT_METHOD:
            wait_ms = session.retry_in_ms(HANDSHAKE_CHECKS, now_ms)
            if wait_ms:
                refusal = _later(Code.TOO_MANY_HANDSHAKES, wait_ms)
                return Heard([], session.fragments(MessageType.ERROR, messages.encode_error(refusal)))
            session.waiting, session.responder = body, None
            return Heard([HandshakeBegun(link)])
        responder, session.responder = session.responder, None
        if responder is None:
            return self._handshake_failed(link, session, EdhocError(Code.HANDSHAKE_FAILED, "no handshake is under way"))
        shown: list[_Shown] = []
        remedies: Mapping[Code, str] = {}

        def holder(label: int, value: bytes) -> Credential:
            nonlocal remedies
            remedies = _REMEDIES.get(label, remedies)
            if label == credential.SHARED_KEY:
                session.owe(SHARE_CHECKS, now_ms)
            shown.append(self._verified(label, value))
            return shown[0].credential

        try:
            answer = responder.message_3(body, holder)
            event = self._presented(link, shown[0])
        except ProtocolError as error:
            return self._handshake_failed(link, session, error, remedies.get(error.code, ""))
        session.channel = SecureChannel.from_exporter(responder.export, module_side=True)
        if self._key_log is not None:
            self._key_log(key_log_line(session.first_message, responder.export))
        session.reassembler.max_bytes = framing.MAX_SESSION_MESSAGE_BYTES
        return Heard([event], session.fragments(MessageType.EDHOC, answer))

    def _verified(self, label: int, value: bytes) -> _Shown:
        """What a phone showed, by value: a booking, a standing key, or a share with what it was shared from."""
        match label:
            case credential.KCWT:
                booking = tokens.verify_booking(value, self._trust)
                return _Shown(credential.booking_credential(value, _point(booking.holder)), booking)
            case credential.STANDING_KEY:
                key = sharing.verify_key(value, self._trust)
                return _Shown(credential.key_credential(value, _point(key.holder)), key)
            case credential.SHARED_KEY:
                parent, share = credential.split_chain(value)
                standing, key = sharing.verify_share(parent, share, self._trust)
                return _Shown(credential.share_credential(parent, share, _point(key.holder)), key, standing)
            case _:
                raise ProtocolError(Code.NOT_ADMITTED, "the phone presented neither a booking nor a key")

    def _presented(self, link: LinkId, shown: _Shown) -> Event:
        """Who has authenticated. An activation code is opened here and goes no further. Raises ProtocolError."""
        claims = shown.claims
        if isinstance(claims, Booking):
            return TokenPresented(link, claims)
        if claims.activation is Activation.NONE:
            return KeyPresented(link, claims, parent=shown.parent)
        code = sealing.unseal(claims.sealed_code, self._handshake_key, claims.token_id)
        return KeyPresented(link, claims, self.code_print(code), shown.parent)

    def _handshake_failed(self, link: LinkId, session: _Session, error: ProtocolError, remedy: str = "") -> Heard:
        heard = self._violated(session, error, remedy)
        return Heard([HandshakeFailed(link)], heard.fragments, heard.hang_up)

    def _record(self, link: LinkId, session: _Session, body: bytes, now_ms: int) -> Heard:
        if session.channel is None:
            return self._violated(session, SessionError("no session yet"))
        try:
            plaintext = session.channel.open(body)
        except SessionError as error:
            return self._violated(session, error)
        try:
            request = messages.decode_request(plaintext)
            if request.operation is Operation.PUT and (wait_ms := session.retry_in_ms(1, now_ms)):
                busy = Reply(request.id, Code.BUSY, _later(Code.BUSY, wait_ms))
                return Heard([LinkActive(link)], self.answer(link, busy))
            signed = tokens.verify_signed(request.body, self._trust) if request.operation is Operation.PUT else None
        except ProtocolError as error:
            reply = Reply(messages.readable_request_id(plaintext), error.code, refuse(error.code))
            return Heard([LinkActive(link)], self.answer(link, reply) if reply.id else [])
        return Heard([RequestReceived(link, request, signed, self._draw(16))])

    # ------------------------------------------------------------ outwards
    def continue_handshake(self, link: LinkId) -> Heard:
        """The core let the waiting handshake go on: answer its first message."""
        session = self._sessions.get(link)
        if session is None or session.waiting is None:
            return Heard()
        waiting, session.waiting = session.waiting, None
        responder = Responder(self._identity, self._ephemeral())
        try:
            answer = responder.message_1(waiting)
        except EdhocError as error:
            return self._handshake_failed(link, session, error)
        session.responder, session.first_message = responder, waiting
        return Heard([], session.fragments(MessageType.EDHOC, answer))

    def refuse_handshake(self, link: LinkId, refusal: Refusal) -> list[bytes]:
        """The core did not: say why, unprotected."""
        session = self._sessions.get(link)
        if session is None:
            return []
        session.waiting = None
        return session.fragments(MessageType.ERROR, messages.encode_error(refusal))

    def answer(self, link: LinkId, answer: Reply | Push) -> list[bytes]:
        """The fragments of a sealed reply or push; none when the session is gone or used up."""
        session = self._sessions.get(link)
        if session is None or session.channel is None:
            return []
        plain = messages.encode_reply(answer) if isinstance(answer, Reply) else messages.encode_push(answer)
        try:
            return session.fragments(MessageType.RECORD, session.channel.seal(plain))
        except SessionError:
            return []

    # ------------------------------------------------------------ signatures and codes
    def code_print(self, code: str) -> bytes:
        """What stands for an activation code outside this room: the menu makes the same of what is entered (KEY-4)."""
        return sealing.code_print(code, self._handshake_key)

    def self_test(self, report: Report) -> bytes:
        """The signed report of a self-test (OWN-1)."""
        return selftest.mint(report, self._signing)

    def receipt(self, receipt: EndReceipt) -> bytes:
        """The signed end receipt (BKG-4)."""
        return tokens.mint_receipt(receipt, self._signing)

    def order(self, topic: str, payload: bytes, correlation: bytes) -> Event:
        """What the broker delivered, as a fact: a verified order or list, or why it is none. Whatever it says on
        another topic than that of this module's orders was not asked for."""
        if len(correlation) > orders.MOST_CORRELATION_BYTES:
            return OrderUnreadable(Code.MALFORMED)
        if topic != telemetry.topic(self._trust.module_id, Channel.ORDER):
            return OrderUnreadable(Code.MALFORMED, correlation)
        try:
            signed = tokens.verify_signed(payload, self._trust)
        except ProtocolError as error:
            return OrderUnreadable(error.code, correlation)
        if isinstance(signed, tokens.TimeAttestation):
            return OrderUnreadable(Code.ORDER_UNSUPPORTED, correlation)
        return OrderReceived(signed, correlation)

    def _draw(self, count: int) -> bytes:
        drawn = self._entropy(count)
        if self._overheard is not None:
            self._overheard(drawn)
        return drawn

    def _ephemeral(self) -> keys.PrivateKey:
        """A fresh key from this module's entropy."""
        for _ in range(MOST_DRAWS):
            try:
                return keys.private_from_bytes(self._draw(32))
            except ProtocolError:
                continue
        raise RuntimeError("the entropy source is broken: it yields no private key")


def _point(compressed: bytes) -> keys.PublicKey:
    """A holder's key. Of a booking's nobody has looked before whether it lies on the curve."""
    try:
        return keys.public_from_bytes(compressed)
    except ProtocolError as error:
        raise ProtocolError(Code.TOKEN_MALFORMED, error.detail) from None


def _later(code: Code, wait_ms: int) -> Refusal:
    """Too many signatures were to be checked on this link: nothing was looked at."""
    remedy = f"Try again in {-(-wait_ms // 1000)} s."
    return refuse(code, rule="SEC-2", numbers=(("retry_in_ms", wait_ms),), remedy=remedy)
