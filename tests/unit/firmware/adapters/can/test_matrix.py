"""Frames to facts: the matrix of the package, and one of somebody else's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.can import facts
from firmware.adapters.can.facts import KINDS
from firmware.adapters.can.matrix import OWN, OWN_SIGNALS, Identifier, Matrix, MatrixError, Wanted
from tests.support.can_car import AT_REST, DATABASE, frame

pytestmark = pytest.mark.req("HW-1")

MATRIX = Matrix()

FOREIGN = """VERSION ""
BU_: X
BO_ 2566844926 Wheels: 8 X
 SG_ Metres : 7|16@0- (0.01,0) [0|0] "m/s" X
 SG_ Mode M : 16|2@1+ (1,0) [0|0] "" X
 SG_ Terminals m1 : 24|2@1+ (1,0) [0|0] "" X
 SG_ Other m0 : 24|2@1+ (1,0) [0|0] "" X
 SG_ Level : 32|32@1- (1,0) [0|0] "" X
SIG_VALTYPE_ 2566844926 Level : 1;
"""
WHEELS = Identifier(2566844926 - 0x8000_0000, True)


def foreign(directory: Path, **wanted: Wanted) -> Matrix:
    path = directory / "foreign.dbc"
    path.write_text(FOREIGN)
    names = {"speed": facts.SPEED, "ignition": facts.IGNITION, "fuel": facts.FUEL}
    return Matrix(path, {names[name]: want for name, want in wanted.items()})


def read(message: str, **signals: float) -> dict[str, object]:
    identifier, data = frame(message, **signals)
    return dict(MATRIX.read(identifier, data))


def test_every_fact_is_in_the_matrix_of_the_package_and_every_signal_of_it_is_used() -> None:
    assert MATRIX.facts == {*KINDS}
    signals = {f"{message.name}.{signal.name}" for message in DATABASE.messages for signal in message.signals}
    assert {want.signal for want in OWN_SIGNALS.values()} == signals
    assert {message.name for message in DATABASE.messages} == {*AT_REST}
    assert {each.number for each in MATRIX.identifiers} == {message.frame_id for message in DATABASE.messages}


def test_numbers_have_the_units_of_the_facts() -> None:
    assert read("Motion", Speed=51.23) == {facts.SPEED: 51.23}
    assert read("Energy", FuelLevel=55.5, Range=480, BatteryVoltage=12.6) == {
        facts.FUEL: 55.5,
        facts.RANGE: 480_000.0,
        facts.VOLTAGE: pytest.approx(12.6),
    }
    assert read("Distance", Odometer=12345.6) == {facts.ODOMETER: pytest.approx(12345.6)}
    assert read("Mobile", CountryCode=262) == {facts.COUNTRY: 262}


@pytest.mark.parametrize(
    ("message", "signal", "number", "fact", "word"),
    [
        ("Power", "IgnitionState", 0, facts.IGNITION, "OFF"),
        ("Power", "IgnitionState", 1, facts.IGNITION, "OFF"),
        ("Power", "IgnitionState", 2, facts.IGNITION, "ON"),
        ("Power", "IgnitionState", 3, facts.IGNITION, "ON"),
        ("Power", "IgnitionState", 5, facts.IGNITION, None),
        ("Power", "IgnitionState", 7, facts.IGNITION, None),
        ("Closures", "DoorRearRight", 1, facts.DOORS[3], "true"),
        ("Closures", "DoorRearRight", 3, facts.DOORS[3], None),
        ("Closures", "Locks", 0, facts.LOCKED, "false"),
        ("Keys", "KeyButton", 2, facts.BUTTON, "LOCK"),
        ("Keys", "KeyButton", 3, facts.BUTTON, None),
        ("Crash", "CrashState", 1, facts.CRASH, "true"),
    ],
)
def test_numbers_are_words(message: str, signal: str, number: int, fact: str, word: str | None) -> None:
    assert read(message, **{signal: number})[fact] == word


@pytest.mark.parametrize(
    ("message", "signal", "number"),
    [("Motion", "Speed", 655.35), ("Energy", "FuelLevel", 127.5), ("Keys", "KeysPresent", 15)],
)
def test_what_its_sender_does_not_know_is_unknown(message: str, signal: str, number: float) -> None:
    assert None in read(message, **{signal: number}).values()


@pytest.mark.parametrize("message", sorted(AT_REST))
def test_a_frame_that_is_too_short_says_nothing(message: str) -> None:
    identifier, data = frame(message)
    for length in range(len(data)):
        assert list(MATRIX.read(identifier, data[:length])) == []
    assert list(MATRIX.read(Identifier(identifier.number, True), data)) == []


@given(st.integers(0, 0x7FF), st.booleans(), st.binary(max_size=64))
def test_garbage_raises_nothing_and_has_possible_values_only(number: int, extended: bool, data: bytes) -> None:
    for fact, value in MATRIX.read(Identifier(number, extended), data):
        kind = KINDS[fact]
        assert value is None or value in kind.words or (isinstance(value, float) and kind.least <= value <= kind.most)


def test_another_cars_database_may_have_other_units_words_and_identifiers(tmp_path: Path) -> None:
    matrix = foreign(
        tmp_path,
        speed=Wanted("Wheels.Metres", 200, 3.6),
        ignition=Wanted("Wheels.Terminals", words={"ON": (1,), "OFF": (0,)}),
        fuel=Wanted("Wheels.Level"),
    )
    assert matrix.identifiers == (WHEELS,)
    assert matrix.lasts_ms == {facts.SPEED: 200, facts.IGNITION: 500, facts.FUEL: 10_000}
    # -1.00 m/s, mode 1, terminal 15 on, 42.0
    data = bytes.fromhex("ff9c 01 01 00002842")
    assert dict(matrix.read(WHEELS, data)) == {
        facts.SPEED: pytest.approx(3.6),
        facts.IGNITION: "ON",
        facts.FUEL: 42.0,
    }
    other_mode = bytes.fromhex("ff9c 00 01 0000c07f")
    assert dict(matrix.read(WHEELS, other_mode)) == {facts.SPEED: pytest.approx(3.6), facts.FUEL: None}
    assert list(matrix.read(WHEELS, bytes.fromhex("ff9c 02 01 00002842"))) == []


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"speed": Wanted("Wheels.Speed")}, "Vehicle.Speed: the database has no signal Wheels.Speed; write MESSAGE."),
        ({"speed": Wanted("Metres")}, "no signal Metres; write MESSAGE.SIGNAL"),
        ({"speed": Wanted("Wheels.Metres", 1_001)}, "Vehicle.Speed may last at most 1000 ms"),
        ({"speed": Wanted("Wheels.Metres", -1)}, "at most 1000 ms"),
        ({"speed": Wanted("Wheels.Metres", words={"ON": (1,)})}, "can not say ON: it says a number, and no words"),
        ({"ignition": Wanted("Wheels.Terminals", words={"START": (3,)})}, "can not say START: it says OFF, ON"),
    ],
)
def test_a_list_that_does_not_do_is_one_line(tmp_path: Path, wanted: dict[str, Wanted], complaint: str) -> None:
    with pytest.raises(MatrixError) as refused:
        foreign(tmp_path, **wanted)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fact_that_there_is_none_of_is_one_line() -> None:
    with pytest.raises(MatrixError, match=r"^no fact is called Vehicle\.Mood; there are Vehicle\.Speed, "):
        Matrix(OWN, {"Vehicle.Mood": Wanted("Motion.Speed")})


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("none.dbc", None, "No such file"),
        ("text.dbc", b"Dear Sir", "name a DBC file"),
        ("binary.dbc", bytes(range(128, 256)), "name a DBC file"),
    ],
)
def test_a_database_that_can_not_be_read_is_one_line(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MatrixError, match=complaint) as refused:
        Matrix(tmp_path / name, {})
    assert "\n" not in str(refused.value)
