"""What the SIM in the car is for: everything, the mandatory emergency call alone, or nothing (SVC-4, SVC-5).

Decides whether anything may leave over the mobile network. Deactivating the base services blocks the SIM; a vehicle
with the mandatory emergency call keeps it for that call, and no other byte passes. A module that was never told which
services were bought behaves as if all were: it is a bench, or older than these orders.
"""

from enum import Enum, unique

from firmware.core import entitlement
from firmware.core.state import State
from protocol.packs import Service


@unique
class Sim(Enum):
    """What it is for."""

    ACTIVE = "active"
    ECALL_ONLY = "emergency call only"
    BLOCKED = "blocked"


def of(state: State) -> Sim:
    """The SIM is blocked by deactivation alone, and never where the law wants it."""
    plan = state.durable.services
    if plan is None or plan.base_active:
        return Sim.ACTIVE
    return Sim.ECALL_ONLY if legal_ecall(state) else Sim.BLOCKED


def uplink(state: State) -> bool:
    """Whether anything but an emergency call may leave."""
    return of(state) is Sim.ACTIVE


def legal_ecall(state: State) -> bool:
    """Whether the vehicle has the mandatory emergency call: its papers say so, or a pack that it was sold with."""
    plan = state.durable.services
    sold = plan is not None and entitlement.bought(plan, Service.LEGAL_ECALL)
    return state.profile.vehicle.legal_ecall or sold
