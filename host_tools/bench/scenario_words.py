"""What can be said in a scenario: every phrase for what happens (`do`) and for what holds then (`expect`).

Decides the words. It does not know how they are carried out (`scenario_deeds`) or checked (`scenario_claims`).
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from host_tools.bench import scenario_key_words as of_keys
from host_tools.bench.phrases import Phrase, Phrasebook, Said, Slot
from host_tools.bench.scenario_terms import permissions, terms
from host_tools.bench.scenario_times import TIME_PATTERN, seconds, window
from protocol.errors import Code
from protocol.messages import NoticeKind, Operation, Phase
from protocol.telemetry import EventKind

DESK_WORDS: Final = (
    "ble",
    "boot",
    "broker",
    "crash",
    "door",
    "drive",
    "emergency",
    "fault",
    "gnss",
    "ignition",
    "key",
    "keys",
    "network",
    "park",
    "power",
    "reboot",
    "state",
    "stop",
    "time",
    "trace",
    "vehicle",
)
"""A line that begins with one of these goes to the desk as it stands."""
RESERVED: Final = frozenset(
    {*DESK_WORDS, "SIM", "a", "backend", "booking", "car", "desk", "menu", "module", "owner", "stranger"}
)
"""No person can be called so: these words begin a phrase."""
PERSON: Final = re.compile(r"[a-z][a-z0-9]{0,19}")

DEEDS: Final = {
    "unlocks": Operation.UNLOCK,
    "locks": Operation.LOCK,
    "enables driving": Operation.ENABLE_DRIVE,
    "disables driving": Operation.DISABLE_DRIVE,
    "ends the booking": Operation.END_BOOKING,
    "opens the boot": Operation.OPEN_BOOT,
}
LOST: Final = ", lost"
TOKENS: Final = (
    "a forged token",
    "a stranger's token",
    "another phone's token",
    "a token for another car",
    "a token for other keys",
    "half a token",
)
"""What somebody can come with instead of their booking."""
CONDITIONS: Final = {
    "locked": ("locked", True),
    "unlocked": ("locked", False),
    "immobilised": ("immobilised", True),
    "drivable": ("immobilised", False),
    "open": ("open", True),
    "closed": ("open", False),
    "moving": ("moving", True),
    "standing": ("moving", False),
    "running": ("ignition_on", True),
    "switched off": ("ignition_on", False),
}
PHASES: Final = {phase.name.lower().replace("_", " "): phase for phase in Phase}
NOTICES: Final = {notice.name.lower().replace("_", " "): notice for notice in NoticeKind}
_CODES: Final = tuple(code.name for code in Code)
_KINDS: Final = tuple(kind.value for kind in EventKind)


def _choice(words: Iterable[str], what: str, pattern: str = r".+") -> Slot:
    known = tuple(words)

    def read(word: str) -> str:
        if word not in known:
            raise ValueError(f"is no {what}")
        return word

    return Slot(read, known, pattern)


def _matching(wanted: re.Pattern[str], what: str, pattern: str) -> Slot:
    def read(word: str) -> str:
        if wanted.fullmatch(word) is None:
            raise ValueError(f"is no {what}")
        return word

    return Slot(read, pattern=pattern)


def _number(word: str) -> int:
    if not 1 <= int(word) <= 1000:
        raise ValueError("is no number from 1 to 1000")
    return int(word)


def _people(names: Iterable[str], *, phones: bool) -> Slot:
    known = tuple(names)

    def read(word: str) -> str:
        if word.removesuffix("'s old phone") not in known:
            there = f"the scenario has {', '.join(known)}" if known else "the scenario has none"
            raise ValueError(f"is nobody: {there}")
        return word

    return Slot(read, known, r"[a-z][a-z0-9]*" + (r"(?:'s old phone)?" if phones else ""))


def _slots(names: Iterable[str]) -> dict[str, Slot]:
    known = tuple(names)
    return {
        "who": _people(known, phones=True),
        "person": _people(known, phones=False),
        "token": _choice(TOKENS, "token that somebody can come with"),
        "number": Slot(_number, pattern=r"\d{1,6}"),
        "window": Slot(window, pattern=f"{TIME_PATTERN} - {TIME_PATTERN}"),
        "time": Slot(seconds, pattern=TIME_PATTERN),
        "code": _choice(_CODES, "code", r"[A-Z_]+"),
        "rule": _matching(re.compile(r"[A-Z]{2,3}-\d{1,2}"), "rule", r"\S+"),
        "words": Slot(lambda word: word, pattern=r"'.*'"),
        "permissions": Slot(permissions, pattern=r".+"),
        "notice": _choice(NOTICES, "notice to a driver"),
        "condition": _choice(CONDITIONS, "condition of the car"),
        "phase": _choice(PHASES, "phase of a booking"),
        "kind": _choice(_KINDS, "kind of event"),
        "terms": Slot(terms, pattern=r".+"),
        "standing": _choice(of_keys.STANDINGS, "state of a shared key"),
        "shown": _choice(of_keys.SHOWN, "thing that a phone can show"),
        "vin": Slot(lambda word: word, pattern=r"[A-Z0-9]{17}"),
        "packs": Slot(lambda word: tuple(word.split(", ")), pattern=r"[A-Z0-9 ,]+"),
        "sim": _choice(of_keys.SIMS, "state of a SIM"),
        "call": _choice(of_keys.CALLS, "state of an emergency call"),
    }


ACTIONS: Final[tuple[Phrase, ...]] = (
    Phrase("{who} connects", "connect", "the phone connects, proves itself and shows its newest booking"),
    Phrase("{who} connects with {token}", "connect_with", "the same with something wrong: see the list below"),
    Phrase("{who} leaves", "leave", "the phone hangs up"),
    *(
        Phrase(f"{{who}} {deed}", deed, "a command of a phone; it connects first when it is not connected")
        for deed in DEEDS
    ),
    *(
        Phrase(
            f"{{who}} {deed}, and the answer is lost",
            f"{deed}{LOST}",
            "it arrives; the connection breaks before its answer",
        )
        for deed in DEEDS
    ),
    Phrase(
        "{who} repeats the last command",
        "repeat",
        "the same command with the same identifier, connected anew if need be",
    ),
    Phrase("{who} asks what became of it", "outcome", "how the last command ended"),
    Phrase("{who} asks for the status", "status", "the access state and the state of the car"),
    Phrase("{who} locates the car", "locate", "where the car is"),
    Phrase("{who} moves to a new phone", "new_phone", "a new key for the same person; the old phone stays what it was"),
    Phrase("{who} brings the time", "bring_time", "signed by the backend for a nonce of the module"),
    Phrase("{who} brings an old time", "bring_old_time", "signed for a nonce that the module never gave out"),
    Phrase("{who} brings the last order", "bring", "what the backend signed last, carried by a phone"),
    Phrase("a stranger connects", "stranger", "a phone that connects and says nothing"),
    Phrase("a stranger leaves", "stranger_leaves", "all strangers hang up"),
    Phrase("a stranger fails {number} handshakes", "flood", "junk instead of a handshake, so many times"),
    Phrase("a stranger replays what {who} sent", "replay", "recorded from the air, to the last byte"),
    Phrase("car drives to {number} m from home", "drive", "straight there, and it stops there; the engine runs"),
    Phrase("backend gives {person} a booking {window}", "give", "a new booking, on the phone at once"),
    Phrase("backend writes the end of {person}'s booking", "write_end", "signed, for somebody to bring"),
    Phrase("backend orders the end of {person}'s booking", "order_end", "over the broker"),
    Phrase("backend revokes {person}'s booking", "revoke", "a revocation list over the broker"),
    Phrase("backend changes the keys", "change_keys", "a revocation list that asks for a newer key epoch"),
    Phrase("backend lets sharing end at {time}", "sharing_until", "the owner's subscription"),
    Phrase("backend pauses sharing", "pause", "the same, paused"),
    Phrase("backend resumes sharing", "resume", "the same, for a year"),
    Phrase("backend unlocks the car", "remote_unlock", "a remote order over the broker"),
    Phrase("backend locks the car", "remote_lock", "a remote order over the broker"),
    Phrase("backend flashes the lights", "remote_flash", "a remote order over the broker"),
    Phrase("backend sends the last order again", "send_again", "the very same bytes over the broker"),
    *of_keys.ACTIONS,
)
CLAIMS: Final[tuple[Phrase, ...]] = (
    Phrase("{who} is granted", "granted", "the slider is blue: the access state says so"),
    Phrase("{who} is refused {code}", "refused", "the last answer was a refusal with this code"),
    Phrase("{who} is refused {code} by {rule}", "refused_by", "the same, and by this rule"),
    Phrase("{who} is told {words}", "told", "the refusal's remedy contains the words in 'quotes'"),
    Phrase("{who} may try again", "temporary", "the refusal says that a retry can help"),
    Phrase("{who} need not try again", "final", "the refusal says that no retry can help"),
    Phrase("{who} succeeds", "succeeded", "the last command was carried out, or was so already"),
    Phrase("{who} had done so already", "already", "the last command found it done"),
    Phrase("{who} is warned {code}", "warned", "the last command was carried out with this warning"),
    Phrase("{who} gets no answer", "no_answer", "the last command was never answered"),
    Phrase("{who} reaches nobody", "unreachable", "the last attempt to connect found no module, or was hung up on"),
    Phrase("{who} learns {code}", "learned", "the last command had ended so"),
    Phrase("{who} may {permissions}", "permitted", "exactly these: unlock, drive, lock, locate, boot"),
    Phrase("{who} sees the car", "sees_car", "the last status held the state of the car"),
    Phrase("{who} sees nothing of the car", "sees_no_car", "the last status held none"),
    Phrase("{who} knows where the car is", "located", "the car was located"),
    Phrase("{who} is connected", "connected", "there is a session"),
    Phrase("{who} is not connected", "not_connected", "there is none, or the module hung up"),
    Phrase("{who} hears {notice}", "heard", "the module told the phone so, in this step"),
    Phrase("{who} hears nothing", "heard_nothing", "no notice came in this step"),
    Phrase("{who} has a receipt", "receipt", "signed by this module, for the booking that has ended"),
    Phrase("{who} has an offline receipt", "offline_receipt", "the same, and it says that there was no network"),
    Phrase("car is {condition}", "car", "what somebody beside the car sees"),
    Phrase("booking is {phase}", "booking", "the life of the booking in the module"),
    Phrase("owner sees the position", "position", "the broker holds a position of the car"),
    Phrase("owner sees the parking position", "parking", "the broker holds one where a driver's booking ended"),
    Phrase(
        "owner sees no position",
        "no_position",
        "the broker holds none, and the track told none while a driver had the car",
    ),
    Phrase("owner is told {kind}", "reported", "an event or alert of this kind arrived in this step"),
    Phrase("owner is not told {kind}", "not_reported", "none of this kind arrived in this step"),
    Phrase("backend is answered {code}", "answered", "the module answered the last order so"),
    Phrase("backend is not answered", "not_answered", "the module has not answered the last order"),
    Phrase("module keeps records", "queued", "something waits for the broker"),
    Phrase("module keeps no records", "not_queued", "nothing waits"),
    Phrase("module trusts its clock", "clock_sure", "a trusted source has told it the time"),
    Phrase("module doubts its clock", "clock_unsure", "it has only its floor or its RTC"),
    Phrase("desk refuses", "desk_refuses", "a line for the desk in this step could not be carried out"),
    Phrase("module is on", "powered", "it has power and has started"),
    Phrase("module is off", "unpowered", "it has no power"),
    *of_keys.CLAIMS,
)
"""Longer ones do not shadow shorter ones: slots stop where their pattern stops."""


def phrasebooks(names: Iterable[str]) -> tuple[Phrasebook, Phrasebook]:
    """What the people of a scenario can do, and what can be expected of them."""
    slots = _slots(names)
    return Phrasebook(ACTIONS, slots), Phrasebook(CLAIMS, slots)


def is_desk_command(text: str) -> bool:
    """Whether a line goes to the desk."""
    return text.split(" ", 1)[0] in DESK_WORDS


def desk_command(text: str) -> Said:
    """A line for the desk, as it stands."""
    return Said("desk", {"command": text}, text)


Reader = Callable[[str], Said]
