"""What a page may ask for. Decides how it is written; what it does is decided where it goes."""

from typing import Final

import msgspec

MOST_BYTES: Final = 4096


class ActRefused(Exception):
    """It was not done: one line."""


class DeskAct(msgspec.Struct, frozen=True, tag_field="act", tag="desk", forbid_unknown_fields=True):
    """A line for the desk."""

    line: str


class DriverAct(msgspec.Struct, frozen=True, tag_field="act", tag="driver", forbid_unknown_fields=True):
    """A press on the phone."""

    what: str


class OwnerAct(msgspec.Struct, frozen=True, tag_field="act", tag="owner", forbid_unknown_fields=True):
    """A press on the owner's side."""

    what: str


class PersonAct(msgspec.Struct, frozen=True, tag_field="act", tag="person", forbid_unknown_fields=True):
    """Whose phone it is from now on."""

    who: str


class DriveAct(msgspec.Struct, frozen=True, tag_field="act", tag="drive", forbid_unknown_fields=True):
    """Get in and drive to a place."""

    place: str


class NextAct(msgspec.Struct, frozen=True, tag_field="act", tag="next", forbid_unknown_fields=True):
    """Move time to the next deadline."""


class FaultAct(msgspec.Struct, frozen=True, tag_field="act", tag="fault", forbid_unknown_fields=True):
    """A fault begins or ends. `lasts`: a duration of the desk, empty until it is ended."""

    name: str
    on: bool
    lasts: str = ""


class MenuAct(msgspec.Struct, frozen=True, tag_field="act", tag="menu", forbid_unknown_fields=True):
    """A press in the vehicle's own menu: a code is entered, or else the key with that number deactivated."""

    code: str = ""
    number: int = 0


class StopAct(msgspec.Struct, frozen=True, tag_field="act", tag="stop", forbid_unknown_fields=True):
    """Call off what is under way."""


Press = DeskAct | DriverAct | OwnerAct | PersonAct | DriveAct | NextAct | FaultAct | MenuAct
Act = Press | StopAct

_decoder: Final[msgspec.json.Decoder[Act]] = msgspec.json.Decoder(Act)


def read_act(body: bytes) -> Act:
    """The act in a request's body. Raises ActRefused."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ActRefused("this page asks for what Sharebox does not know: load it again") from None
