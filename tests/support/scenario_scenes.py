"""Scenes in which each claim of a scenario is true once and false once: what is done, what holds then, what does not.

Each scene begins with a module that has just been put on the stand; its acts follow each other.
"""

from typing import NamedTuple

HEAD = """
format = 1
title = "Scene"
rules = ["BEN-3"]
[given]
{given}
[given.people.anna]
booked = "10:00 - 10:30"
{anna}
[given.people.ben]
booked = "10:20 - 12:00"
[[step]]
at = "10:01"
do = ["anna leaves", "ben leaves"]
expect = ["anna is granted", "ben is granted"]
"""
"""The text of a scenario that is only read: a scene is played deed by deed."""


class Act(NamedTuple):
    """`after_s`: so long after the act before."""

    after_s: int
    do: tuple[str, ...]
    holds: tuple[str, ...]
    fails: tuple[str, ...]


class Scene(NamedTuple):
    """`given` and `anna` are lines of the file."""

    acts: tuple[Act, ...]
    given: str = ""
    anna: str = ""


OPENING = Scene(
    (
        Act(
            60,
            (),
            (
                "car is locked",
                "car is closed",
                "car is standing",
                "car is switched off",
                "car is immobilised",
                "booking is none",
                "owner sees the position",
                "module is on",
                "module keeps no records",
                "anna is not connected",
                "owner is not told booking.started",
                "backend is not answered",
            ),
            (
                "car is unlocked",
                "car is open",
                "car is moving",
                "car is running",
                "car is drivable",
                "booking is active",
                "owner sees no position",
                "owner sees the parking position",
                "module is off",
                "module keeps records",
                "anna is connected",
                "owner is told booking.started",
                "backend is answered OK",
                "desk refuses",
                "anna has a receipt",
                "anna hears overdue",
            ),
        ),
        Act(
            0,
            ("ben connects",),
            ("ben is refused NOT_YET_VALID", "ben is refused NOT_YET_VALID by ACC-6", "ben is told 'Wait until'"),
            ("ben is granted", "ben is refused BOOKING_OVER", "ben is refused NOT_YET_VALID by ACC-5", "ben succeeds"),
        ),
        Act(
            0,
            ("ben asks for the status",),
            ("ben may try again", "ben sees nothing of the car", "ben may nothing", "ben is connected"),
            ("ben need not try again", "ben sees the car", "ben may unlock", "ben is told 'Hurry'"),
        ),
        Act(
            0,
            ("anna unlocks",),
            (
                "anna is granted",
                "anna succeeds",
                "car is unlocked",
                "booking is active",
                "owner is told booking.started",
            ),
            (
                "anna had done so already",
                "anna is warned OVERDUE",
                "anna is refused NOT_ADMITTED",
                "owner is not told booking.started",
                "anna may try again",
                "anna need not try again",
                "anna gets no answer",
                "anna reaches nobody",
                "anna learns OK",
                "anna knows where the car is",
                "anna is not connected",
                "car is locked",
            ),
        ),
        Act(0, ("anna unlocks",), ("anna had done so already", "anna may unlock, lock"), ("anna may unlock, drive",)),
        Act(0, ("anna asks for the status",), ("anna sees the car",), ("anna sees nothing of the car",)),
        Act(
            0,
            ("anna enables driving",),
            ("anna is refused PERMISSION_MISSING", "anna need not try again", "owner sees no position"),
            ("anna succeeds", "owner sees the position"),
        ),
        Act(0, ("anna locks, and the answer is lost",), ("anna gets no answer",), ("anna succeeds",)),
        Act(0, ("anna asks what became of it",), ("anna learns OK",), ("anna learns BUSY",)),
        Act(1700, ("anna connects",), ("anna hears nothing",), ("anna hears overdue",)),
        Act(60, (), ("anna hears overdue", "booking is overdue"), ("anna hears nothing", "anna hears cut off")),
        Act(
            0,
            ("anna unlocks",),
            ("anna is warned OVERDUE", "anna hears nothing"),
            ("anna is warned OUTSIDE_HOME_AREA",),
        ),
    ),
    anna='may = "unlock, lock"',
)
SURROUNDINGS = Scene(
    (
        Act(60, ("anna unlocks", "ignition on", "door open"), ("desk refuses", "car is open"), ("car is closed",)),
        Act(
            0,
            ("door close", "ignition on --with-key", "drive 50"),
            ("car is moving", "car is running"),
            ("car is standing", "car is switched off", "desk refuses"),
        ),
        Act(
            0,
            ("backend orders the end of anna's booking",),
            ("backend is answered OK",),
            ("backend is not answered", "backend is answered ORDER_LATE"),
        ),
        Act(10, ("broker down", "park"), (), ()),
        Act(
            20,
            (),
            ("booking is ended", "car is standing", "module keeps records"),
            ("module keeps no records", "car is moving"),
        ),
        Act(0, ("power off",), ("module is off", "anna is not connected"), ("module is on", "booking is ended")),
        Act(0, ("anna connects",), ("anna reaches nobody",), ("anna is connected", "anna is refused BOOKING_ENDED")),
        Act(0, ("power on", "broker up"), ("owner sees the parking position",), ("owner sees no position",)),
    ),
)
CLOCK = Scene(
    (
        Act(60, ("power off", "power on --rtc lost"), ("module doubts its clock",), ("module trusts its clock",)),
        Act(0, ("anna brings the time",), ("module trusts its clock",), ("module doubts its clock",)),
    ),
    given='sky = "hidden"',
)
ENDING = Scene(
    (
        Act(
            60,
            ("anna locates the car",),
            ("anna knows where the car is", "anna is granted"),
            ("anna is warned OVERDUE",),
        ),
        Act(0, ("broker down",), ("anna is granted",), ("anna has an offline receipt",)),
        Act(
            0,
            ("anna ends the booking",),
            ("anna has a receipt", "anna has an offline receipt"),
            ("ben has a receipt", "anna is granted"),
        ),
        Act(1200, ("broker up", "ben connects"), ("ben is granted",), ("ben is refused BOOKING_OVER",)),
        Act(
            10,
            ("ben ends the booking",),
            ("ben has a receipt",),
            ("ben has an offline receipt", "owner is not told booking.ended"),
        ),
    ),
)
SCENES = {"opening": OPENING, "surroundings": SURROUNDINGS, "clock": CLOCK, "ending": ENDING}
