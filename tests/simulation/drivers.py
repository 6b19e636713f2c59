"""People with a booking: when they come, how far they drive, when they bring the car back and how they end it."""

from typing import TYPE_CHECKING, Final

from protocol.errors import Role
from protocol.messages import Operation as Ask
from tests.simulation.chance import chance
from tests.simulation.faults import MINUTE, SECOND
from tests.simulation.phone import Phone
from tests.simulation.script import Operation

if TYPE_CHECKING:
    from tests.simulation.world import World

GRACE: Final = 30 * MINUTE


class Driver:
    """One booking from the first unlock to the end, or until it is cut off."""

    def __init__(self, world: "World", operation: Operation) -> None:
        role, length, legs, over, ending, hasty = operation.args
        self.world = world
        self.rng = chance(world.seed, operation.number, "driver")
        self.ending = str(ending)
        now = world.heap.now
        self.begins = now + self.rng.choice((0, 0, 30 * MINUTE))
        self.ends = self.begins + int(length)
        self.back = self.ends + int(over)
        user = "owner" if role == Role.OWNER else f"user{self.rng.randrange(5)}"
        booking = world.backend.booking(user, Role(int(role)), self.begins, self.ends)
        self.phone = Phone(
            world, f"phone {operation.number}", booking, hasty=int(hasty) / 100, online=self.rng.random() < 0.8
        )
        world.phones.append(self.phone)
        self._plan(int(legs))

    def _plan(self, legs: int) -> None:
        """Everything is planned beforehand; what does not work out is left out."""
        heap, rng, phone = self.world.heap, self.rng, self.phone
        arrives = self.begins + rng.randrange(5 * SECOND, 4 * MINUTE)
        due = self.ends + GRACE
        heap.at(arrives, lambda: phone.visit(Ask.STATUS, Ask.UNLOCK, Ask.ENABLE_DRIVE, stay_ms=rng.choice((0, MINUTE))))
        left = max(0, self.back - arrives - 5 * MINUTE)
        at = arrives + MINUTE
        for leg in range(legs):
            share = left // legs
            if share < 4 * MINUTE:
                break
            last = leg == legs - 1
            drives = share - MINUTE if last else rng.randrange(MINUTE, share)
            # A leg may end just around the cutoff.
            self._leg(at, drives, stops=not last)
            at += share
        if rng.random() < 0.3:
            at_locate = rng.randrange(arrives, max(arrives + 1, self.back))
            heap.at(at_locate, lambda: phone.visit(Ask.LOCATE, Ask.STATUS, Ask.OUTCOME, Ask.OUTCOME))
        if rng.random() < 0.2:
            heap.at(rng.randrange(arrives, max(arrives + 1, self.back)), lambda: phone.visit(Ask.DISABLE_DRIVE))
        heap.at(max(self.back, arrives + 2 * MINUTE), self._end)
        heap.at(due - 8 * SECOND, lambda: self.world.dense(20 * SECOND))
        heap.at(due - rng.choice((100, 1_000, 8_000)), lambda: self.world.moment("near_cutoff"))
        heap.at(due + SECOND, self._overdue)
        if rng.random() < 0.4:
            heap.at(due - 20 * SECOND, lambda: phone.visit(Ask.STATUS, stay_ms=MINUTE))
        if rng.random() < 0.5:
            late = due + rng.choice((2 * SECOND, 2 * MINUTE, 90 * MINUTE))
            heap.at(late, lambda: phone.visit(Ask.UNLOCK))

    def _leg(self, at: int, drives: int, *, stops: bool) -> None:
        heap, phone = self.world.heap, self.phone
        heap.at(at, lambda: self._drives(drives))
        if stops and self.rng.random() < 0.6:
            heap.at(at + drives + 20 * SECOND, lambda: phone.visit(Ask.LOCK))
            heap.at(at + drives + 2 * MINUTE, lambda: phone.visit(Ask.UNLOCK, Ask.ENABLE_DRIVE))
        elif stops:
            heap.at(at + drives + 20 * SECOND, lambda: phone.visit(Ask.ENABLE_DRIVE))

    def _drives(self, lasts_ms: int) -> None:
        if self.world.calm_since < 0:
            self.world.drive(lasts_ms, by_key=False)

    def _overdue(self) -> None:
        if not self.world.car.standing:
            self.world.moment("moving_overdue")

    def _end(self) -> None:
        world, phone, rng = self.world, self.phone, self.rng
        match self.ending:
            case "driver":
                if rng.random() < 0.3:
                    world.car.doors_open = True
                    world.car_changed()
                visits = (Ask.LOCK, Ask.END_BOOKING) if rng.random() < 0.7 else (Ask.END_BOOKING,)
                phone.visit(*visits)
                world.heap.after(MINUTE, lambda: phone.visit(Ask.END_BOOKING))
            case "order":
                world.broker.order(world.backend.end_order(phone.booking))
            case "revoke":
                world.broker.order(world.backend.revoke(phone.booking))
            case _:
                pass
