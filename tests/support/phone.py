"""A phone as bytes: it cuts and joins fragments, shakes hands, seals and opens records. It has no radio."""

from collections.abc import Callable, Iterable

from protocol import credential, edhoc, framing, messages
from protocol.errors import Refusal
from protocol.keys import PrivateKey
from protocol.messages import MessageType, Push, Reply, Request
from protocol.session import SecureChannel
from tests.support import credentials


class Phone:
    """`token` by default the ordinary one, or `own`: any credential; `name` makes its ephemeral key."""

    def __init__(
        self,
        token: bytes | None = None,
        holder: PrivateKey = credentials.HOLDER,
        name: str = "phone",
        payload: int = 244,
        own: credential.Credential | None = None,
    ) -> None:
        self.own = own or credential.booking_credential(token or credentials.token(), holder.public_key(), holder)
        self.name = name
        self.payload = payload
        self.sequence = 0
        self.reassembler = framing.Reassembler(framing.MAX_SESSION_MESSAGE_BYTES)
        self.channel: SecureChannel | None = None
        self.initiator: edhoc.Initiator | None = None

    # ------------------------------------------------------------ towards the module
    def fragments(self, kind: int, body: bytes) -> list[bytes]:
        """A message as this phone would write it."""
        parts = framing.fragments(bytes([kind]) + body, self.payload, self.sequence)
        self.sequence = (self.sequence + len(parts)) % 64
        return parts

    def message_1(self) -> list[bytes]:
        """The beginning of a handshake."""
        self.initiator = edhoc.Initiator(self.own, credentials.key(f"ephemeral, {self.name}"))
        return self.fragments(MessageType.EDHOC, self.initiator.message_1())

    def message_3(self, answer: Iterable[bytes]) -> list[bytes]:
        """Its end, after the module's answer."""
        assert self.initiator is not None
        kind, body = self.message(answer)
        assert kind is MessageType.EDHOC
        self.initiator.message_2(body, lambda *_: edhoc.module_credential(credentials.HANDSHAKE.public_key()))
        return self.fragments(MessageType.EDHOC, self.initiator.message_3())

    def finish(self, answer: Iterable[bytes]) -> None:
        """Take the module's confirmation: from here on there is a session."""
        assert self.initiator is not None
        kind, body = self.message(answer)
        assert kind is MessageType.EDHOC
        self.initiator.message_4(body)
        self.channel = SecureChannel.from_exporter(self.initiator.export, module_side=False)

    def request(self, request: Request) -> list[bytes]:
        """A request in a record."""
        return self.record(messages.encode_request(request))

    def record(self, plaintext: bytes) -> list[bytes]:
        """Anything in a record."""
        assert self.channel is not None
        return self.fragments(MessageType.RECORD, self.channel.seal(plaintext))

    # ------------------------------------------------------------ from the module
    def messages(self, fragments: Iterable[bytes]) -> list[tuple[MessageType, bytes]]:
        """What the module's fragments say."""
        whole = (self.reassembler.receive(fragment, 0) for fragment in fragments)
        return [(MessageType(message[0]), message[1:]) for message in whole if message is not None]

    def message(self, fragments: Iterable[bytes]) -> tuple[MessageType, bytes]:
        """The only message."""
        (message,) = self.messages(fragments)
        return message

    def refusal(self, fragments: Iterable[bytes]) -> Refusal:
        """The only message, an unprotected refusal."""
        kind, body = self.message(fragments)
        assert kind is MessageType.ERROR
        return messages.decode_error(body)

    def answers(self, fragments: Iterable[bytes]) -> list[Reply | Push]:
        """What came in records."""
        assert self.channel is not None
        channel = self.channel
        answers = [
            messages.decode_answer(channel.open(body))
            for kind, body in self.messages(fragments)
            if kind is MessageType.RECORD
        ]
        return [answer for answer in answers if answer is not None]

    def answer(self, fragments: Iterable[bytes]) -> Reply | Push:
        """The only answer."""
        (answer,) = self.answers(fragments)
        return answer


def chaos() -> Callable[[int], bytes]:
    """Entropy that is different each time and the same in every run."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(4, "big").rjust(size, b"e")[:size]

    return draw
