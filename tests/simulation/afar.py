"""What is ordered from afar, judged: once, in time, paid for, and never while a driver has the car (SVC-3, SUB-2).

It knows what the backend has signed, and how wrong the module's clock may honestly be.
"""

from typing import TYPE_CHECKING, Final

from firmware.core.effects import Actuate
from firmware.core.events import Action
from firmware.core.state import Durable
from protocol.errors import Role
from protocol.orders import Coupling, Order, OrderKind
from protocol.tokens import Booking
from tests.simulation.tenure import Signed

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor

ACTION_OF: Final = {OrderKind.UNLOCK: Action.UNLOCK, OrderKind.LOCK: Action.LOCK, OrderKind.FLASH: Action.FLASH}


class Afar:
    """The auditor of one module's orders from afar."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.moved: set[bytes] = set()
        """Orders that have moved something, ever: no card and no reboot brings them back."""
        self.newest = 0
        """The highest number of a subscription that was on the disk."""

    def ordered(self, effect: Actuate, signed: Signed, holder: Booking | None, durable: Durable) -> bool:
        """Whether this action is one from afar; then it is judged."""
        if not isinstance(signed, Order) or signed.order_id != effect.command_id:
            return False
        fail, world, clock = self.auditor.fail, self.auditor.world, self.auditor.clock
        what = signed.kind.name
        world.reach(f"afar: {what}")
        if ACTION_OF.get(signed.kind) is not effect.action:
            fail("another_action", f"{effect.action.value} for {what}")
        if holder is not None and holder.role is not Role.OWNER:
            fail("moved_during_a_booking", f"{what} from afar")
        if signed.order_id in self.moved:
            fail("order_executed_twice", what)
        self.moved.add(signed.order_id)
        now_ms = world.utc_ms - clock.late_ms()
        if now_ms > signed.expires_s * 1000:
            fail("late_order_carried_out", what)
        told = durable.subscription
        if told is None or now_ms >= told.remote_until_s * 1000:
            fail("nobody_has_paid", what)
        self.auditor.subscriber.moves_from_afar(what)
        if self.auditor.parked_for() < 5_000 or self.auditor.moving:
            fail("moved_from_afar_unparked", f"{what}, parked for {self.auditor.parked_for()} ms")
        if effect.action is Action.LOCK and self.auditor.doors_open:
            fail("locked_open_doors", what)
        disk = world.device.disk.durable
        if disk is None or not any(entry.order_id == signed.order_id for entry in disk.orders):
            fail("moved_before_durable", what)
        return True

    def begins(self, durable: Durable) -> None:
        """SUB-2: a booking begins."""
        told, world = durable.subscription, self.auditor.world
        if told is None:
            return
        if told.paused or world.utc_ms - self.auditor.clock.late_ms() >= told.sharing_until_s * 1000:
            self.auditor.fail("began_without_a_subscription", f"number {told.number}")

    def committed(self, durable: Durable) -> None:
        """SUB-1: what the backend signed, and numbers that only rise; a bounded memory of orders."""
        told = durable.subscription
        number = 0 if told is None else told.number
        if number < self.newest:
            self.auditor.fail("subscription_fell", f"from {self.newest} to {number}")
        self.newest = number
        signed = [order.details for order in self.auditor.world.backend.orders]
        coupled = {each.subscription for each in signed if isinstance(each, Coupling)}
        if told is not None and told not in signed and told.number not in coupled:
            self.auditor.fail("subscription_invented", repr(told))
        if len(durable.orders) > 64:
            self.auditor.fail("unbounded", "remembered orders outgrow their limit")
