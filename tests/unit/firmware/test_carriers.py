"""Several carriers as one radio."""

import asyncio

import pytest
from structlog.testing import capture_logs

from firmware.carriers import RETRY_S, Carriers
from firmware.core.airtime import Airtime, Pace
from firmware.ports import LinkId, LinkListener, RadioUnavailable
from tests.support.serial_ends import Links


class Carrier:
    """A `RadioPort` that does what the test says; `missing`: how often it can not be had."""

    def __init__(self, missing: int = 0, why: str = "no adapter") -> None:
        self.missing = missing
        self.why = why
        self.steps: list[object] = []
        self.listener: LinkListener | None = None

    async def start(self, listener: LinkListener) -> None:
        if self.missing:
            self.missing -= 1
            raise RadioUnavailable(f"{self.why}; plug one in")
        self.listener = listener
        self.steps.append("start")

    async def notify(self, link: LinkId, fragment: bytes) -> None:
        self.steps.append((link, fragment))

    def advise(self, airtime: Airtime) -> None:
        self.steps.append(airtime)

    async def hang_up(self, link: LinkId) -> None:
        self.steps.append(link)
        self.tell().link_closed(link)

    async def stop(self) -> None:
        self.steps.append("stop")

    def tell(self) -> LinkListener:
        assert self.listener is not None
        return self.listener


@pytest.mark.req("BEN-2")
async def test_links_of_all_carriers_have_numbers_of_their_own() -> None:
    ble, line, links = Carrier(), Carrier(), Links()
    carriers = Carriers([ble, line])
    await carriers.start(links)
    ble.tell().link_opened(1, 20)
    line.tell().link_opened(1, 514)
    ble.tell().payload_changed(1, 244)
    line.tell().fragment_received(1, b"over the line")
    ble.tell().fragment_received(1, b"over the air")
    await carriers.notify(2, b"to the line")
    await carriers.notify(1, b"to the air")
    await carriers.hang_up(2)
    await carriers.hang_up(2)
    await carriers.notify(2, b"too late")
    line.tell().fragment_received(1, b"too late")
    line.tell().payload_changed(1, 20)
    line.tell().link_closed(1)
    await carriers.stop()
    assert links.news == [
        ("opened", 1, 20),
        ("opened", 2, 514),
        ("payload", 1, 244),
        ("fragment", 2, b"over the line"),
        ("fragment", 1, b"over the air"),
        ("closed", 2),
    ]
    assert ble.steps == ["start", (1, b"to the air"), "stop"]
    assert line.steps == ["start", (1, b"to the line"), 1, "stop"]


async def test_a_number_is_never_used_twice_also_after_a_reboot() -> None:
    carrier = Carrier()
    carriers = Carriers([carrier])
    for wanted in (1, 2):
        links = Links()
        await carriers.start(links)
        carrier.tell().link_opened(wanted + 40, 20)
        carrier.tell().link_closed(wanted + 40)
        await carriers.stop()
        assert links.news == [("opened", wanted, 20), ("closed", wanted)]


@pytest.mark.req("BEN-2")
async def test_a_missing_carrier_does_not_take_the_others_along_and_is_tried_again() -> None:
    ble, line, links = Carrier(missing=5), Carrier(), Links()
    carriers = Carriers([ble, line])
    with capture_logs() as logs:
        await carriers.start(links)
        line.tell().link_opened(1, 514)
        assert links.news == [("opened", 1, 514)]
        await asyncio.sleep(sum(RETRY_S[:3]) + 0.5)
        ble.why = "no rights"
        await asyncio.sleep(sum(RETRY_S[3:]) + 1)
    ble.tell().link_opened(1, 20)
    assert links.news[-1] == ("opened", 2, 20)
    assert [entry["event"] for entry in logs] == [
        "a carrier is missing, the others work",
        "a carrier is still missing",
        "the missing carrier is there",
    ]
    await carriers.stop()


async def test_a_missing_carrier_is_not_tried_any_more_when_the_module_stops() -> None:
    ble = Carrier(missing=1)
    carriers = Carriers([ble, Carrier()])
    await carriers.start(Links())
    await carriers.stop()
    await asyncio.sleep(3600)
    assert ble.steps == ["stop"]


async def test_when_no_carrier_can_be_had_the_first_ones_reason_is_given() -> None:
    carriers = Carriers([Carrier(missing=1, why="no adapter"), Carrier(missing=1, why="no line")])
    with pytest.raises(RadioUnavailable, match="no adapter; plug one in"):
        await carriers.start(Links())


async def test_a_start_that_breaks_stops_the_others() -> None:
    class Broken(Carrier):
        async def start(self, listener: LinkListener) -> None:
            raise RuntimeError("a bug")

    line = Carrier()
    with pytest.raises(RuntimeError, match="a bug"):
        await Carriers([line, Broken()]).start(Links())
    assert line.steps == ["start", "stop"]


async def test_all_carriers_are_advised_those_that_do_not_advertise_as_well() -> None:
    ble, line = Carrier(), Carrier()
    advice = Airtime(Pace.SLOW, 3)
    Carriers([ble, line]).advise(advice)
    assert ble.steps == line.steps == [advice]
