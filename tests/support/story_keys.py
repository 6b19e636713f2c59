"""Words of a story about digital keys: who has which, what is entered in the vehicle's menu, what the list deletes.

    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 10:00:00 - D7 10:00:00 of=O name=Zoe code=042917 until=20:00:00 hours=08:00-18:00 permissions=5
    10:00:00  G presents           | G denied ACTIVATION_REQUIRED, O told KEY_ACCEPTED, keys Zoe
    10:01:00  menu enters 042917   | ok, G granted, O told KEY_ACTIVATED

A `list` deletes a key at once; `G/cycle` lets it go on until the key cycle, `G/drive` until its last drive is over.
Times, and the other words: `story`.
"""

import re

import msgspec

from firmware.core.effects import Log
from firmware.core.events import CodeEntered, KeyButton, KeyDeactivated, VehicleKeyUsed
from firmware.core.keys import listed, what_now
from firmware.core.usage import Entry, Use
from protocol.errors import Code, Role
from protocol.messages import Done, KeyList, Permission
from protocol.sharing import Activation, Deletion, Hours, Key
from tests.support.story_world import BASE_MS, MODULE_ID, TIME, Answered, Held, World, milliseconds, token_id_of

EVERYTHING = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.LOCATE | Permission.BOOT)
POLICIES = {"cycle": Deletion.UNTIL_KEY_CYCLE, "drive": Deletion.AFTER_LAST_DRIVE_OR_48H}
_DECLARED = re.compile(rf"(\w+) (owner|guest|service) ({TIME.pattern}) - ({TIME.pattern})(.*)")


def printed(code: str) -> bytes:
    """What stands for an activation code in the core."""
    return b"print of " + code.encode()


# ---------------------------------------------------------------- who has which
def declare(world: World, text: str) -> None:
    """A key; signed the day before it begins, or at `issued`."""
    match = _DECLARED.fullmatch(text)
    assert match is not None, f"not a key: {text!r}"
    name, role, begins, ends = match[1], Role[match[2].upper()], match[3], match[9]
    said = dict(part.split("=", 1) for part in match[15].split())
    begins_s, expires_s = (_seconds(at) for at in (begins, ends))
    parent = world.keys[said["of"]].key if "of" in said else None
    key = Key(
        token_id=token_id_of(name),
        not_before_s=begins_s,
        expires_s=expires_s,
        issued_s=_seconds(said["issued"]) if "issued" in said else begins_s - 86_400,
        module_id=said.get("module_id", "").encode() or world.profile.module_id or MODULE_ID,
        role=role,
        permissions=int(said.get("permissions", EVERYTHING)),
        key_epoch=int(said.get("epoch", 1)),
        user=said["user"].encode().ljust(8, b"_") if "user" in said else name.encode().ljust(8, b"u"),
        holder=b"\x02" + said.get("holder", name).encode().ljust(32, b"h"),
        device_generation=int(said.get("generation", 0 if parent else 1)),
        parent=parent.token_id if parent else b"",
        name=said.get("name", name if parent else ""),
        activation=Activation.VEHICLE_CODE if "code" in said else Activation.NONE,
        code_until_s=_seconds(said.get("until", "D1 00:00:00")) if "code" in said else 0,
        hours=_hours(said["hours"]) if "hours" in said else None,
    )
    world.keys[name] = Held(key, printed(said["code"]) if "code" in said else b"", parent)


def withdrawn(world: World, name: str) -> tuple[bytes, int]:
    """A booking or a key that a list names: its token, and when that expires."""
    held: Key | None = world.keys[name].key if name in world.keys else None
    return token_id_of(name), world.bookings[name].expires_s if held is None else held.expires_s


def fading(world: World, words: list[str]) -> tuple[tuple[bytes, int, int], ...]:
    """Those of `G/cycle` and `G/drive` among the words of a list."""
    parts = [word.split("/") for word in words if "/" in word]
    return tuple((token_id_of(name), POLICIES[how], withdrawn(world, name)[1]) for name, how in parts)


# ---------------------------------------------------------------- what happens
def at_the_menu(world: World, words: list[str]) -> Answered | None:
    """Somebody stands at the vehicle's menu; None: the menu got no answer."""
    before = len(world.menu)
    match words:
        case ["enters", code]:
            world.tell(CodeEntered(printed(code), before))
        case ["enters", code, "and", "power", "fails"]:
            world.fails_at_try = True
            world.tell(CodeEntered(printed(code), before))
            world.fails_at_try = False
        case ["deactivates", name]:
            world.tell(KeyDeactivated(token_id_of(name), before))
        case _:
            raise AssertionError(f"no such thing in the menu: {' '.join(words)!r}")
    if len(world.menu) == before:
        return None
    refusal = world.menu[before]
    return Answered(Code.OK, Done()) if refusal is None else Answered(refusal.code, refusal)


def vehicle_key(world: World, button: str) -> None:
    """Somebody unlocks or locks with a vehicle key: it always works, and the module hears of it."""
    world.car.locked = button == "locks"
    world.tell(VehicleKeyUsed(KeyButton.LOCK if world.car.locked else KeyButton.UNLOCK))


# ---------------------------------------------------------------- what holds then
def claims(world: World, answer: Answered | None, effects: int, words: list[str]) -> bool | None:
    """Claims about keys; None: it is none."""
    durable = world.state.durable
    match words:
        case ["keys", "none"]:
            return not listed(world.state)
        case ["keys", *names]:
            return [entry.name for entry in listed(world.state)] == names
        case ["answer", "lists", *names]:
            return (
                answer is not None
                and isinstance(answer.body, KeyList)
                and [entry.name for entry in answer.body.keys] == names
            )
        case ["key", name, "number", number]:
            return any(e.name == name and e.number == int(number) for e in listed(world.state))
        case ["key", name, ("activated" | "waits" | "deleted" | "kept") as how]:
            entries = [entry for entry in listed(world.state) if entry.name == name]
            wanted = {"activated": True, "waits": False}.get(how)
            return bool(entries) and (
                entries[0].activated is wanted if wanted is not None else entries[0].deleted is (how == "deleted")
            )
        case ["key", name, "gone"]:
            return all(known.key.token_id != token_id_of(name) for known in durable.keys)
        case [name, "drives"]:
            return durable.driver_key is not None and durable.driver_key.token_id == token_id_of(name)
        case ["no", "key", "drives"]:
            return durable.driver_key is None
        case [name, "can", *what]:
            now = what_now(world.state, world.keys[name].key, world.mono)
            return [operation.name.lower() for operation in now.operations] == ([] if what == ["nothing"] else what)
        case [name, "lives", "until", *ends]:
            now = what_now(world.state, world.keys[name].key, world.mono)
            return [each.name.lower() for each in now.until] == ends
        case ["logged", use, by]:
            told = [
                msgspec.json.decode(e.entry.body, type=Entry) for e in world.effects[effects:] if isinstance(e, Log)
            ]
            return any(entry.use is Use(use) and by in (entry.reason, _called(entry)) for entry in told)
        case ["boot", ("open" | "closed") as wanted]:
            return world.car.boot_open is (wanted == "open")
        case _:
            return None


def _called(entry: Entry) -> str:
    return bytes.fromhex(entry.booking).decode().rstrip("tb")


def _seconds(text: str) -> int:
    """`D3T08:00:00` and `08:00:00`, UTC seconds."""
    return (BASE_MS + milliseconds(text.replace("T", " "))) // 1000


def _hours(text: str) -> Hours:
    from_min, to_min = (int(hour) * 60 + int(minute) for hour, minute in (at.split(":") for at in text.split("-")))
    return Hours(from_min, to_min)
