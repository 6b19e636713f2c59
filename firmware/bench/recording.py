"""A recording as lines of JSON: what each kind of line says, and how a file of them is read.

The first line is the header; each further one has its number `n` and says what the pump was told or did, in the
pump's own order (`firmware.witness`). Decides the form and what a torn last line is. What it means: `replay`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from firmware.bench.notation import Json
from firmware.bench.recordfile import RecordingFailed
from firmware.core.state import State
from protocol import keys
from protocol.errors import one_line
from protocol.provisioning import Provisioning, encode_provisioning

FORMAT: Final = "sharebox-recording/1"
MOST_LINE_BYTES: Final = 16 * 1024 * 1024
"""A state at its fullest is some 200 kB."""
DIGEST_BYTES: Final = 8

Number = int
"""Of a line; the header is 0."""
Reference = tuple[Number, int]
"""An event: the line that brought it, and its place among the events of that line."""


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line. Keys are public ones in hex; `provisioning` has the private ones, when that was asked for."""

    format: str
    version: str
    module: str
    issuers: tuple[str, ...]
    handshake_public: str
    signing_public: str
    provisioning: dict[str, Json] | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind"):
    """Any other line."""

    n: Number


class Begun(Line, frozen=True, tag="begun"):
    """The recording began while the module worked: its whole state, and the links that were open."""

    state: Json
    links: tuple[int, ...] = ()


class Booted(Line, frozen=True, tag="booted"):
    """`found`: the stored state, MessagePack in hex, None when there was none. `state`: what became of it."""

    now: int
    profile: Json
    found: str | None
    state: Json
    effects: tuple[Json, ...] = ()
    trouble: Json = None


class Opened(Line, frozen=True, tag="opened"):
    """A central connected."""

    link: int
    payload: int


class Payload(Line, frozen=True, tag="payload"):
    """The MTU of a link was negotiated."""

    link: int
    payload: int


class Closed(Line, frozen=True, tag="closed"):
    """A central is gone."""

    link: int


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the gateway made of something: events, fragments in hex, the entropy that it drew for it."""

    events: tuple[Json, ...] = ()
    sent: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    hang_up: bool = False
    flooded: bool = False


class Fragment(Line, frozen=True, tag="fragment"):
    """A central wrote a fragment (`data`, hex)."""

    now: int
    link: int
    data: str
    said: Said = Said()


class Order(Line, frozen=True, tag="order"):
    """The broker delivered something; payload and correlation in hex."""

    topic: str
    payload: str
    event: Json
    correlation: str = ""


class Told(Line, frozen=True, tag="told"):
    """A fact that came from elsewhere: car, clock, broker, disk, actuators."""

    event: Json


class Stepped(Line, frozen=True, tag="step"):
    """The core took the event `of` (None: time has passed). `undone`: the step before could not be made durable.
    `changed`: the places of the state that are new; `state`: its digest."""

    now: int
    state: str
    of: Reference | None = None
    undone: bool = False
    changed: dict[str, Json] = {}
    effects: tuple[Json, ...] = ()


class Saved(Line, frozen=True, tag="saved"):
    """The keeper has tried to write."""

    worked: bool
    owes_state: bool = False


class Did(Line, frozen=True, tag="did"):
    """An effect of the last step, by its place, was carried out. `unsure`: an acknowledgement that was not given,
    because nothing is durable."""

    effect: int
    what: str
    said: Said = Said()
    unsure: bool = False


class Published(Line, frozen=True, tag="published"):
    """What was handed to the broker; `payload` is text, or hex when it is none. `numbers`: the records in it; `seq`
    of an answer that is no record."""

    now: int
    topic: str
    payload: str
    packed: bool = False
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    correlation: str = ""
    numbers: tuple[int, ...] = ()
    seq: int | None = None


class Ended(Line, frozen=True, tag="ended"):
    """The recording was ended on purpose."""

    why: str


AnyLine = (
    Begun | Booted | Opened | Payload | Closed | Fragment | Order | Told | Stepped | Saved | Did | Published | Ended
)
"""Every line after the header."""

_decode_line = msgspec.json.Decoder(AnyLine).decode
_decode_header = msgspec.json.Decoder(Header).decode
encode = msgspec.json.Encoder().encode


def header(provisioning: Provisioning, version: str, *, with_keys: bool) -> Header:
    """The header of a recording of that module."""
    handshake, signing = (
        keys.public_to_bytes(keys.private_from_bytes(private).public_key()).hex()
        for private in (provisioning.handshake_private, provisioning.signing_private)
    )
    return Header(
        FORMAT,
        version,
        provisioning.module_id.hex(),
        tuple(issuer.hex() for issuer in provisioning.issuers),
        handshake,
        signing,
        msgspec.json.decode(encode_provisioning(provisioning)) if with_keys else None,
    )


def digest(state: State) -> str:
    """The state in a few characters."""
    return hashlib.sha256(msgspec.msgpack.encode(state)).hexdigest()[: 2 * DIGEST_BYTES]


class Recording:
    """A file that is read line by line. `torn`: what is wrong with its last line, known when all were read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.torn = ""
        with self._opened() as file:
            first = file.readline(MOST_LINE_BYTES)
        try:
            self.header = _decode_header(first)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RecordingFailed(f"{path}: it is no recording; `sharebox run --record FILE` makes one") from None
        if self.header.format != FORMAT:
            raise RecordingFailed(
                f"{path}: its format is {self.header.format[:40]!r}, not {FORMAT!r}; use the version that made it"
            )

    def lines(self) -> Iterator[AnyLine]:
        """All lines after the header. Raises RecordingFailed at one that can not be read and is not the last."""
        with self._opened() as file:
            file.readline(MOST_LINE_BYTES)
            place = 1
            while line := file.readline(MOST_LINE_BYTES):
                place += 1
                try:
                    found = _decode_line(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    if file.read(1):
                        raise RecordingFailed(
                            f"{self._path}: line {place} can not be read: {one_line(str(error))}; "
                            f"replay what is before it with `--until`"
                        ) from None
                    self.torn = (
                        f"line {place}, the last one, is torn: the power was cut while it was written, "
                        f"or it is not whole yet"
                    )
                    return
                yield found

    def _opened(self) -> IO[bytes]:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise RecordingFailed(f"{self._path}: {error.strerror}; give the name of a recording") from None
