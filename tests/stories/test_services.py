"""Connected services: how long they last, what they gate, and what is left of the SIM without them.

Monday, 2 November 2026 is day 0 of a story; days are those of UTC.
"""

import pytest

from tests.support.story import play
from tests.support.story_services import belgian


@pytest.mark.req("SVC-2", "SVC-3")
def test_a_service_works_to_midnight_of_its_last_day() -> None:
    """First registered on 3 November 2023, for three years: Tuesday, 3 November 2026 is the last day."""
    play(
        """
        10:00:00         broker up
        10:00:01         order services 1 6AK,6AP registered=2023-11-03  | result OK, until send-to-car 2026-11-03
        10:00:02         order send Hotel                                | result OK, bound for Hotel
        D1 23:59:50      order send Office                               | result OK, bound for Office
        D2 00:00:10      order send Museum                               | result SERVICE_INACTIVE, bound for Office
        D2 00:00:20      order services 2 6AK registered=2023-11-03 renewed=send-to-car/1/2026-11-04 | result OK
        D2 00:00:21      .                                               | until send-to-car 2026-12-04
        D2 00:00:30      order send Museum                               | result OK, bound for Museum
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-2")
@pytest.mark.parametrize(
    ("registered", "last", "begins", "before", "after"),
    [
        ("2024-02-29", "2027-02-28", "D118 23:59:00", "D118 23:59:50", "D119 00:00:10"),
        ("2024-02-28", "2027-02-28", "D118 23:59:00", "D118 23:59:50", "D119 00:00:10"),
        ("2024-12-31", "2027-12-31", "D424 23:59:00", "D424 23:59:50", "D425 00:00:10"),
        ("2025-02-28", "2028-02-28", "D483 23:59:00", "D483 23:59:50", "D484 00:00:10"),
    ],
)
def test_29_february_and_the_end_of_the_year(registered: str, last: str, begins: str, before: str, after: str) -> None:
    play(
        f"""
        {before}  order services 1 6AN registered={registered}  | until concierge {last}, works concierge
        {after}   .                                             | off concierge SERVICE_INACTIVE
        """,
        belgian(begins),
    )


@pytest.mark.req("SVC-2")
@pytest.mark.parametrize(
    ("words", "until"),
    [
        ("6AK registered=2023-11-03", "send-to-car 2026-11-03"),
        ("6AK,7GH registered=2023-11-03", "send-to-car forever"),
        ("7GG,7GK registered=2020-02-29", "apps 2023-02-28"),
        ("6UM registered=2023-11-03", "usb-map-updates 2026-11-03"),
        ("6AG registered=2020-02-29", "edrive 2025-02-28"),
        ("6AN registered=2023-08-31 renewed=concierge/6/2026-08-31", "concierge 2027-02-28"),
        ("6AN registered=2023-08-31 renewed=concierge/6/2026-09-01", "concierge 2027-03-01"),
        ("6AN registered=2023-01-31 renewed=concierge/1/2026-01-15,concierge/1/2026-01-15", "concierge 2026-03-31"),
        ("- registered=2023-11-03 renewed=concierge/12/2024-02-29", "concierge 2025-02-28"),
    ],
)
def test_packs_overlap_and_renewals_extend(words: str, until: str) -> None:
    play(f"10:00:00  order services 1 {words}  | until {until}", belgian("09:59:00"))


@pytest.mark.req("SVC-1")
def test_a_plan_of_another_market_or_an_unknown_pack_is_refused_whole() -> None:
    play(
        """
        09:59:30  broker up
        10:00:00  order services 1 6AP market=DE  | result ORDER_UNSUPPORTED
        10:00:01  order services 2 6AP,6XX        | result ORDER_UNSUPPORTED
        10:00:02  order services 3 6AP market=LU  | result OK, works remote-services
        10:00:03  order services 2 6AN            | result ORDER_OUTDATED, works remote-services
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-3")
def test_remote_orders_need_the_service_as_well_as_the_subscription() -> None:
    play(
        """
        10:00:00  broker up
        10:00:01  subscription 1 sharing D9T00:00:00 remote D9T00:00:00   | result OK
        10:00:02  order services 1 6AN registered=2023-11-03              | result OK
        10:00:10  order unlock as r1                                      | result SERVICE_INACTIVE, locked
        10:00:20  order services 2 6AN,6AP registered=2023-11-03          | result OK
        10:00:30  order unlock as r2                                      | result OK, unlocked
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-4", "OWN-5")
def test_another_owner_does_not_unblock_the_sim() -> None:
    play(
        """
        keys: O owner 00:00:00 - D365 00:00:00
        09:00:00  broker up
        09:00:10  order services 3 6AK,6AC       | result OK, sim active
        09:00:20  order send Hotel               | result OK, bound for Hotel
        09:00:30  O carries order services 4 6AK,6AC off | sim blocked
        09:10:00  O carries order remove Ann 2   | ok, no owner, sim blocked, bound nowhere
        09:15:00  O unlock                       | refused NOT_COUPLED
        09:20:00  broker up                      | nothing published, sim blocked
        09:30:00  crash                          | nobody called, event alert.ecall_impossible
        """,
        belgian("08:59:00"),
    )


@pytest.mark.req("SVC-4")
def test_without_the_base_services_the_sim_is_blocked_and_bookings_go_on() -> None:
    play(
        """
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 14:00:00 - 16:00:00
        09:00:00  broker up
        09:00:10  order services 1 6AP,6AC        | result OK, sim active
        10:00:10  A unlock                        | ok, unlocked, active
        10:10:00  A carries order services 2 6AP,6AC off | sim blocked, nothing published, event services.sim_changed
        10:11:00  A drive                         | ok, released, nothing published
        10:12:00  car drives                      | nothing published
        10:40:00  car parks                       | nothing published
        10:41:00  A end                           | ok, ended, armed, nothing published
        10:42:00  broker up                       | nothing published
        12:00:00  crash                           | nobody called, event alert.ecall_impossible, nothing published
        14:00:10  B unlock                        | ok, unlocked, active, nothing published
        15:00:00  order lock as r1                | nothing moved, nothing published
        """,
        belgian("08:59:00"),
    )


@pytest.mark.req("SVC-5", "SVC-8")
def test_a_vehicle_with_the_mandatory_emergency_call_keeps_its_sim_for_it_alone() -> None:
    play(
        """
        09:00:00  broker up
        09:00:10  order services 1 6AP,6AC,6AN off  | sim emergency call only, off remote-services SIM_BLOCKED
        09:30:00  car drives                        | nothing published, nobody called
        10:00:00  crash                             | called 1, nothing published, msd automatic, msd place here
        10:00:05  .                                 | called 2, nothing published
        10:00:07  centre acknowledges 1             | silent line, nothing published
        11:00:00  .                                 | called 2, nothing published
        """,
        belgian("08:59:00", legal_ecall=True),
    )


@pytest.mark.req("SVC-6")
def test_reactivation_brings_back_exactly_what_is_still_in_its_time() -> None:
    """Concierge ends with 3 November; the base services are off over that midnight."""
    play(
        """
        D0 09:00:00  broker up
        D0 10:00:00  order services 1 6AN,6AP,6AC                   | works concierge, works remote-services
        D0 11:00:00  order services 2 6AN,6AP,6AC off               | sim blocked, off concierge SIM_BLOCKED
        D1 11:00:00  order services 3 6AN,6AP,6AC                   | sim active, works concierge, works remote-services
        D1 12:00:00  order services 4 6AN,6AP,6AC off               | sim blocked
        D2 10:00:00  order services 5 6AN,6AP,6AC                   | sim active, off concierge SERVICE_INACTIVE
        D2 10:00:10  .                                              | works remote-services
        D2 10:00:20  .                                              | works intelligent-emergency-call
        """,
        belgian("08:59:00"),
    )


@pytest.mark.req("SVC-4", "SVC-6", "PRV-1")
def test_what_happened_without_a_sim_is_told_afterwards_without_the_way_that_was_driven() -> None:
    world = play(
        """
        09:00:00  broker up
        09:00:10  order services 1 6AP off          | sim blocked
        09:10:00  car drives                        | nothing published
        09:50:00  car parks                         | nothing published
        09:51:00  order services 2 6AP              | sim active, event services.sim_changed
        """,
        belgian("08:59:00"),
    )
    told = [(channel.value, at) for at, channel, _ in world.published if at > 33_000_000]
    assert {channel for channel, _ in told} >= {"event", "state"}
    driven = [at for channel, at in told if channel == "track" and at < 35_460_000]
    assert driven == []


@pytest.mark.req("SVC-7")
def test_abroad_services_degrade_and_access_does_not() -> None:
    play(
        """
        bookings: A driver 10:00:00 - 18:00:00
        09:00:00  broker up
        09:00:10  order services 1 7GK,6AC   | works concierge, works remote-services
        10:00:10  A unlock                   | ok, unlocked
        11:00:00  network 208                | off concierge OUT_OF_TERRITORY, works remote-services, works send-to-car
        11:01:00  A lock                     | ok, locked
        12:00:00  network 286                | off remote-services OUT_OF_TERRITORY, off send-to-car OUT_OF_TERRITORY
        12:01:00  A unlock                   | ok, unlocked
        12:02:00  A drive                    | ok, released
        12:03:00  order send Hotel           | result OUT_OF_TERRITORY, bound nowhere
        12:04:00  crash                      | called 1
        13:00:00  network none               | works concierge
        14:00:00  network 270                | works concierge, works remote-services
        """,
        belgian("08:59:00"),
    )


@pytest.mark.req("SVC-4", "PWR-1")
def test_a_blocked_sim_stays_blocked_over_a_power_cut() -> None:
    play(
        """
        09:00:00  broker up
        09:00:10  order services 1 6AP off   | sim blocked, nothing published
        09:00:20  power fails
        09:00:30  reboot                     | sim blocked, nothing published
        09:10:00  .                          | nothing published
        """,
        belgian("08:59:00"),
    )
