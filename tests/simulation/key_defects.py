"""Planted defects of digital keys, owners, services and emergency calls: plausible bugs, like those of `defects`."""

from typing import Final

from tests.simulation.planting import Defect

KEY_DEFECTS: Final = (
    Defect(
        "code_not_needed",
        "keys",
        "activated = key.activation is Activation.NONE",
        "activated = key.activation is not None",
        "A shared key is good before its code was entered.",
    ),
    Defect(
        "any_code_activates",
        "activation",
        "known.code and compare_digest(known.code, event.code)",
        "known.code and len(known.code) == len(event.code)",
        "Any code activates the first key that waits.",
    ),
    Defect(
        "try_not_durable",
        "activation",
        "    draft.required = True\n    draft.order(TryCode",
        "    draft.required = False\n    draft.order(TryCode",
        "A code is compared though its try is not on the disk.",
    ),
    Defect(
        "tries_not_counted",
        "activation",
        "tries=max(0, known.tries + more)",
        "tries=max(0, known.tries)",
        "Wrong codes are not counted.",
    ),
    Defect(
        "no_pause",
        "activation",
        "if pause_ms > 0:",
        "if pause_ms > 3_600_000:",
        "Codes may be guessed without any pause.",
    ),
    Defect(
        "no_pause_after_a_reboot",
        "activation",
        "return replace(state, code_paused_until_ms=now + PAUSES_MS[min(state.durable.code_step, LAST_STEP)])",
        "return replace(state, code_paused_until_ms=now)",
        "Whoever cuts the power need not wait for the next code.",
    ),
    Defect(
        "code_while_driving",
        "activation",
        "if not vehicle.parked(state.vehicle, now):",
        "if state.pending is not None:",
        "A code is taken while the car drives.",
    ),
    Defect(
        "lock_first_deletes",
        "deletion",
        "            if each.unlocked:\n",
        "            if each.policy:\n",
        "Locking with a vehicle key alone deletes a key for ever.",
    ),
    Defect(
        "deactivation_without_hanging_up",
        "deletion",
        "if link.key is not None and dead.token_id in (link.key.token_id, link.key.parent):",
        "if link.key is not None and dead.token_id in (link.key.parent,):",
        "Who is connected keeps the link when the key is deactivated.",
    ),
    Defect(
        "last_drive_never_ends",
        "deletion",
        "goes_on = _drives(draft.durable, each.token_id) or _asks(draft.state, each.token_id)",
        "goes_on = True",
        "A key that was to die after its last drive lives for two days.",
    ),
    Defect(
        "epoch_ignored",
        "keys",
        "if key.key_epoch != durable.key_epoch:",
        "if key.key_epoch > durable.key_epoch:",
        "Keys of an older owner still open.",
    ),
    Defect(
        "keys_beside_a_booking",
        "keys",
        "or trip.booking is None or trip.booking.user == key.user:",
        "or trip.booking is None or trip.booking.user:",
        "Keys open the car while somebody has booked it.",
    ),
    Defect(
        "hours_ignored",
        "keys",
        "or hours.outside_hours(state.clock, key, now)",
        "or None",
        "A key for the afternoon opens at night.",
    ),
    Defect(
        "dead_key_loses_a_moving_car",
        "drive",
        "    if parked:\n",
        "    if parked or why:\n",
        "A key that dies on the way takes the engine from a moving car.",
    ),
    Defect(
        "dead_key_drives_on",
        "drive",
        "return None if key is None else keys.spent(state, key, now)",
        "return None",
        "A key that died on the way keeps the engine when the car is parked.",
    ),
    Defect(
        "blocked_sim_talks",
        "sim",
        "return of(state) is Sim.ACTIVE",
        "return of(state) is not Sim.BLOCKED",
        "A SIM that is alive for emergency calls alone carries everything.",
    ),
    Defect(
        "deactivated_services_call",
        "services",
        "return Service.INTELLIGENT_ECALL if plan.base_active and not over else None",
        "return Service.INTELLIGENT_ECALL if not over else None",
        "Deactivated services make emergency calls.",
    ),
    Defect(
        "call_after_the_answer",
        "ecall",
        "if call is not None and call.number == number:",
        "if call is not None and call.number < number:",
        "The centre's answer is not understood.",
    ),
)
