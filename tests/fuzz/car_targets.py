"""Targets of what a real car says: frames on its bus, and whatever comes from a receiver."""

from functools import cache
from typing import Final

from firmware.adapters.can.heard import Heard
from firmware.adapters.can.matrix import Identifier, Matrix
from firmware.adapters.gnss.reports import Reports
from firmware.adapters.gnss.sentences import Sentences
from firmware.core import geo, module
from firmware.core.events import VehicleSampled
from firmware.core.state import State
from tests.fuzz.target import Program, Target, piece
from tests.support import core
from tests.support.can_car import AT_REST, frame
from tests.support.sentences import TPV, gga, rmc, zda

_MOST_LASTS_MS: Final = 10_000


@cache
def _matrix() -> Matrix:
    return Matrix()


@cache
def _parked() -> State:
    return core.a_state()


def bus(data: bytes) -> None:
    """Whatever frames come, what is known is possible, the core takes it, and after a silence nothing is known."""
    program, matrix = Program(data), _matrix()
    now_ms = 0
    heard = Heard(matrix.lasts_ms, lambda: now_ms)
    state = _parked()
    while program:
        number = matrix.identifiers[program.number(len(matrix.identifiers))].number
        identifier = Identifier(number ^ program.number(2), bool(program.number(8) == 7))
        for fact in heard.take(matrix.read(identifier, program.piece())).happened:
            state, _ = module.step(state, fact, core.NOW + now_ms)
        now_ms += program.number(256)
        sample = heard.look()
        assert sample.speed_kmh is None or 0 <= sample.speed_kmh <= 655
        assert sample.fuel_pct is None or 0 <= sample.fuel_pct <= 100
        assert sample.fix is None
        state, _ = module.step(state, sample, core.NOW + now_ms)
    now_ms += 1_001
    assert (heard.look().ignition_on, heard.look().speed_kmh) == (None, None)
    now_ms += _MOST_LASTS_MS
    assert heard.look() == VehicleSampled()


def receiver(data: bytes) -> None:
    """Whatever comes on the line or from gpsd, a fix is on Earth and in a year that can be. The first byte: which."""
    decoder = Reports(lambda: 5) if data[:1] == b"{" else Sentences(lambda: 5)
    for at in range(0, len(data), 7):
        for fix in decoder.feed(data[at : at + 7]):
            assert fix.taken_at_ms == 5
            assert isinstance(decoder, Reports) or geo.usable(fix) is fix


def _bus_seeds() -> list[bytes]:
    numbers = [identifier.number for identifier in _matrix().identifiers]
    at_rest = [(numbers.index(identifier.number), frame) for identifier, frame in map(frame, AT_REST)]
    one = [bytes([at, 0, 0]) + piece(said) + b"\x32" for at, said in at_rest]
    return [*one, b"".join(one), b"".join(one) * 3]


def _receiver_seeds() -> list[bytes]:
    drive = b"".join(rmc(f"1200{second:02d}.00") + gga(f"1200{second:02d}.00") for second in range(3))
    return [rmc() + gga(), drive, zda() + gga() + gga("120001.00"), TPV.encode() + b"\r\n", TPV.encode() * 2 + b"\n"]


CAR: Final = (
    Target("bus", "frames on a car's bus", bus, _bus_seeds, most_bytes=600),
    Target("receiver", "sentences and reports of a GNSS receiver", receiver, _receiver_seeds, (b"$GPRMC,", b'"TPV"')),
)
