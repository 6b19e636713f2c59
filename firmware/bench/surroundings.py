"""Commands for what is around the module: Bluetooth, network, satellites, faults, and its power."""

from collections.abc import Callable
from typing import Final

from firmware.bench import kinds, signals
from firmware.bench.disk import DiskFault
from firmware.bench.grammar import Command, Option, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.looking import state as looked_at
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.core.events import Action
from firmware.ports import RadioUnavailable
from firmware.simulated.vehicle import ActuatorFault
from protocol.explain import duration

ACTIONS: Final = {action.value.replace(" ", "-"): action for action in Action}
_ACTUATOR: Final = {"dead": ActuatorFault.DEAD, "mute": ActuatorFault.NO_CONFIRMATION}
_DISK: Final = {fault.value: fault for fault in DiskFault}


async def _seen(room: Room, kind: str, line: str) -> Result:
    result = await looked_at(room, Words({}))
    return Result(kind, result.data, (line,))


# ---------------------------------------------------------------- connections
async def ble_off(room: Room, _: Words) -> Result:
    """Off the air: phones lose their links."""
    return await _switch_ble(room, False)


async def ble_on(room: Room, _: Words) -> Result:
    """On the air."""
    return await _switch_ble(room, True)


async def _switch_ble(room: Room, on: bool) -> Result:
    try:
        with room.stand.time.passing():
            await room.stand.ble.switch(on)
    except RadioUnavailable as error:
        raise DeskError(DeskCode.FAILED, f"`ble on`: {error}.") from None
    return await _seen(room, "ble", f"Bluetooth is {'on' if on else 'off'}.")


async def broker_down(room: Room, _: Words) -> Result:
    """The network is gone."""
    _switch_network(room, False)
    await room.broker.gone()
    return await _seen(room, "broker", "The network is gone.")


async def broker_up(room: Room, _: Words) -> Result:
    """It is back."""
    _switch_network(room, True)
    return await _seen(room, "broker", "The network is back.")


def _switch_network(room: Room, up: bool) -> None:
    """The emergency call goes over the same air."""
    room.broker.switch(up)
    if room.stand.emergency is not None:
        room.stand.emergency.switch(up)


async def gnss_back(room: Room, _: Words) -> Result:
    """Satellites are seen."""
    room.faults.clear("gnss lost")
    room.vehicle.regain_fix()
    return await _seen(room, "gnss", "Satellites are seen again.")


# ---------------------------------------------------------------- faults
def _begin(room: Room, words: Words, name: str, begin: Callable[[], None], end: Callable[[], None]) -> Result:
    """Begin it; it ends by the bench's clock, or with `fault clear`."""
    for_s = words.number("for") if words.has("for") else None
    try:
        fault = room.faults.begin(name, begin, end, for_s)
    except ValueError as error:
        raise DeskError(DeskCode.FAILED, f"`fault {name}`: {error}. `fault clear` ends them.") from None
    until = "until `fault clear`" if for_s is None else f"for {duration(round(for_s * 1000))}"
    data: Data = {"fault": fault.name, "ends_at_ms": fault.ends_at_ms}
    return Result("fault", data, (f"Fault: {name}, {until}.",))


async def lose_gnss(room: Room, words: Words) -> Result:
    """The last fix grows old."""
    return _begin(room, words, "gnss lost", room.vehicle.lose_fix, room.vehicle.regain_fix)


async def silence_bus(room: Room, words: Words) -> Result:
    """No samples at all."""
    car = room.vehicle
    return _begin(room, words, "bus silent", car.silence_bus, lambda: car.silence_bus(False))


async def leave_boot_ajar(room: Room, words: Words) -> Result:
    """Its contact says open."""
    car = room.vehicle
    return _begin(room, words, "boot ajar", car.leave_boot_ajar, lambda: car.leave_boot_ajar(False))


async def break_actuator(room: Room, words: Words) -> Result:
    """It does not move, or does not confirm."""
    car, name, how = room.vehicle, words.text("A"), words.text("dead|mute")
    action = ACTIONS[name]
    return _begin(
        room,
        words,
        f"actuator {name} {how}",
        lambda: car.break_actuator(action, _ACTUATOR[how]),
        lambda: car.repair_actuator(action),
    )


async def spoil_disk(room: Room, words: Words) -> Result:
    """Full, read-only, or it does not answer. One at a time."""
    how, store = words.text("HOW"), room.stand.store
    room.faults.clear("disk")
    return _begin(room, words, f"disk {how}", lambda: store.suffer(_DISK[how]), lambda: store.suffer(None))


async def hide_signal(room: Room, words: Words) -> Result:
    """The bus tells nothing about it."""
    car, field = room.vehicle, words.text("S")
    return _begin(
        room,
        words,
        f"signal {field} hidden",
        lambda: car.hide(*car.hidden, field),
        lambda: car.hide(*(car.hidden - {field})),
    )


async def list_faults(room: Room, _: Words) -> Result:
    """Which ones last, and until when."""
    now_ms = room.stand.time.utc_ms()
    rows: list[Data] = []
    lines = []
    for fault in room.faults.lasting:
        left_ms = None if fault.ends_at_ms is None else fault.ends_at_ms - now_ms
        rows.append({"fault": fault.name, "began_at_ms": fault.began_at_ms, "left_ms": left_ms})
        lines.append(fault.name if left_ms is None else f"{fault.name}, {duration(left_ms)} left")
    return Result("fault", {"faults": rows}, tuple(lines) or ("No fault.",))


async def clear_faults(room: Room, words: Words) -> Result:
    """All, or those whose names begin so."""
    wanted = " ".join(str(each) for each in words.many("NAME"))
    cleared = room.faults.clear(wanted)
    if wanted and not cleared:
        names = ", ".join(fault.name for fault in room.faults.lasting) or "no fault at all"
        raise DeskError(DeskCode.FAILED, f"`fault clear {wanted}`: no such fault lasts. There is {names}.")
    return Result("fault", {"cleared": list(cleared)}, tuple(f"Over: {name}." for name in cleared) or ("No fault.",))


# ---------------------------------------------------------------- power
async def power_cut(room: Room, _: Words) -> Result:
    """At once."""
    await room.stand.power_off(cut=True)
    return await _seen(room, "power", "The power was cut.")


async def power_off(room: Room, _: Words) -> Result:
    """In good order."""
    await room.stand.power_off(cut=False)
    return await _seen(room, "power", "The module is off.")


async def power_on(room: Room, words: Words) -> Result:
    """Boot, with an RTC that may be wrong or have lost the time."""
    await room.stand.power_on(rtc_offset_s=_rtc(words))
    return await _seen(room, "power", "The module is on.")


async def reboot(room: Room, words: Words) -> Result:
    """Off in good order, and on."""
    await room.stand.restart(rtc_offset_s=_rtc(words))
    return await _seen(room, "power", "The module has started again.")


def _rtc(words: Words) -> float | None:
    value = words.get("rtc") if words.has("rtc") else 0.0
    assert value is None or isinstance(value, float)
    return value


_FOR: Final = (Option("for", (Parameter("D", kinds.DURATION),)),)
_RTC: Final = (Option("rtc", (Parameter("RTC", kinds.OFFSET),)),)
_DO: Final = Level.OPERATE
_DEAD: Final = Parameter("dead|mute", kinds.one_of("dead|mute", *_ACTUATOR))
_NAME: Final = Parameter("NAME", kinds.text("NAME"), optional=True, many=True)
_HIDDEN: Final = Parameter("hidden", kinds.one_of("hidden", "hidden"))

COMMANDS: Final = (
    Command(("ble", "off"), _DO, "take Bluetooth off the air", ble_off),
    Command(("ble", "on"), _DO, "put it on the air", ble_on),
    Command(("broker", "down"), _DO, "take the network away", broker_down),
    Command(("broker", "up"), _DO, "give it back", broker_up),
    Command(("gnss", "lost"), _DO, "no satellites: the last fix grows old", lose_gnss, (), _FOR),
    Command(("gnss", "back"), _DO, "satellites again", gnss_back),
    Command(("fault",), Level.OBSERVE, "which faults last", list_faults),
    Command(("fault", "list"), Level.OBSERVE, "the same", list_faults),
    Command(("fault", "gnss", "lost"), _DO, "no satellites", lose_gnss, (), _FOR),
    Command(("fault", "bus", "silent"), _DO, "the vehicle bus tells nothing", silence_bus, (), _FOR),
    Command(
        ("fault", "actuator"),
        _DO,
        "it does not move, or does not confirm",
        break_actuator,
        (Parameter("A", kinds.one_of("ACTUATOR", *ACTIONS)), _DEAD),
        _FOR,
    ),
    Command(("fault", "boot", "ajar"), _DO, "the boot does not latch", leave_boot_ajar, (), _FOR),
    Command(
        ("fault", "disk"),
        _DO,
        "the disk takes nothing, or does not answer",
        spoil_disk,
        (Parameter("HOW", kinds.one_of("full|readonly|hanging", *_DISK)),),
        _FOR,
    ),
    Command(
        ("fault", "signal"),
        _DO,
        "the bus tells nothing about it",
        hide_signal,
        (Parameter("S", signals.SIGNAL), _HIDDEN),
        _FOR,
    ),
    Command(
        ("fault", "clear"),
        _DO,
        "end all, or those whose names begin so",
        clear_faults,
        (_NAME,),
        suggest=lambda room: {word for fault in room.faults.lasting for word in fault.name.split()},
    ),
    Command(("power", "cut"), _DO, "take the power away at once", power_cut),
    Command(("power", "off"), _DO, "switch the module off in good order", power_off),
    Command(("power", "on"), _DO, "switch it on", power_on, (), _RTC),
    Command(("reboot",), _DO, "off in good order, and on", reboot, (), _RTC),
)
