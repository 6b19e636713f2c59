"""Targets of connected services and emergency calls: orders about the car as any backend could sign them, with the core
behind them, and the minimum set of data as the emergency centre reads it."""

from functools import cache
from typing import Final

from firmware.core import module, services, sim
from firmware.core.effects import CallEmergency
from firmware.core.events import CrashDetected, NetworkServing, OrderReceived, Ticked
from firmware.core.sim import Sim
from firmware.core.state import State
from protocol import cbor, msd, orders
from protocol.errors import Code, ProtocolError
from protocol.msd import Msd
from protocol.packs import Service
from tests.fuzz.target import Target
from tests.support import core
from tests.support.credentials import ABOUT_THE_CAR

ISSUER: Final = b"an issuer"[:8]
CRASH: Final = Msd(1, True, True, "WMWXU71090TU12345", 1_792_924_200, 481_375_000, 115_755_000)
MESSAGES: Final = (
    CRASH,
    Msd(255, False, False, msd.NO_VIN, 0),
    Msd(2, True, True, CRASH.vin, 1, 1, 1, True, 90, tuple(msd.Storage), ((-512, 511), (0, 0)), 255),
)


@cache
def _parked() -> State:
    return core.a_state()


def plans(data: bytes) -> None:
    """What can be read has one form; the core takes it or says why not, and knows afterwards which services work, what
    the SIM is for and whom to call, in any country. Deactivation never takes the mandatory emergency call away."""
    try:
        order = orders.read(data, ISSUER)
    except ProtocolError as error:
        assert error.code in (Code.TOKEN_MALFORMED, Code.ORDER_UNSUPPORTED)
        return
    assert cbor.encode(orders.written(order)) == data, "a second encoding of the same order"
    state, _ = module.step(_parked(), OrderReceived(order), core.NOW)
    for mcc in (None, 206, 208, 310):
        state, _ = module.step(state, NetworkServing(mcc), core.NOW)
        for service in Service:
            services.refusal(state, service, core.NOW)
        services.standings(state, core.NOW)
    assert not sim.legal_ecall(state) or sim.of(state) is not Sim.BLOCKED
    state, effects = module.step(state, CrashDetected(), core.NOW)
    called = any(isinstance(effect, CallEmergency) for effect in effects)
    assert called is (services.emergency(state, core.NOW) is not None)
    module.step(state, Ticked(), module.next_deadline(state, core.NOW))


def calls(data: bytes) -> None:
    """What can be read can be written, and says the same when it is read again."""
    try:
        message = msd.decode(data)
    except ProtocolError as error:
        assert error.code is Code.MALFORMED
        return
    again = msd.encode(message)
    assert len(again) <= msd.MAX_BYTES
    assert msd.decode(again) == message


def _plan_seeds() -> list[bytes]:
    return [cbor.encode(orders.written(order)) for order in ABOUT_THE_CAR]


SERVICES: Final = (
    Target("plans", "orders about the car, whoever signs them", plans, _plan_seeds, tuple(map(str.encode, Service))),
    Target("calls", "emergency calls at the centre", calls, lambda: [*map(msd.encode, MESSAGES)], most_bytes=150),
)
