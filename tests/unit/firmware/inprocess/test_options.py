"""What a test says about its modules, and what is wrong with it."""

from pathlib import Path

import pytest

from firmware.demo.rig import BEGINS_S
from firmware.inprocess.garage import Options
from firmware.inprocess.options import check_age, options_of


def test_a_test_that_says_nothing_gets_a_module_in_its_own_process(request: pytest.FixtureRequest) -> None:
    options = options_of(request)
    assert options == Options(test=request.node.name, link="virtual", bench=Path("."))


@pytest.mark.sharebox(mtu=23, begins="2027-01-01T08:00Z", broker="localhost:1883")
def test_the_marker_says_what_the_module_is_like(request: pytest.FixtureRequest) -> None:
    options = options_of(request)
    assert (options.mtu, options.begins_s, options.broker) == (23, 1_798_790_400, ("localhost", 1883))


@pytest.mark.sharebox(begins="2026-10-30T10:00")
def test_a_time_without_an_offset_is_utc(request: pytest.FixtureRequest) -> None:
    assert options_of(request).begins_s == BEGINS_S


@pytest.mark.parametrize(
    ("marker", "why"),
    [
        (pytest.mark.sharebox(mut=23), "the marker sharebox knows begins, broker, mtu only, by name"),
        (pytest.mark.sharebox(23), "the marker sharebox knows begins, broker, mtu only, by name"),
        (pytest.mark.sharebox(mtu=22), "mtu=22 is not from 23 to 517"),
        (pytest.mark.sharebox(mtu="large"), "mtu='large' is not from 23 to 517"),
        (pytest.mark.sharebox(begins="tomorrow"), "begins='tomorrow' is no time such as 2026-10-30T10:00Z"),
        (pytest.mark.sharebox(broker="localhost"), "broker='localhost' is not HOST:PORT"),
        (pytest.mark.sharebox(broker="localhost:99999"), "broker='localhost:99999' is not HOST:PORT"),
        (pytest.mark.asyncio(loop_scope="module"), 'Mark it @pytest.mark.asyncio(loop_scope="function")'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    marker: pytest.MarkDecorator, why: str, request: pytest.FixtureRequest
) -> None:
    request.node.add_marker(marker)
    with pytest.raises(pytest.UsageError) as raised:
        options_of(request)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_pytest_asyncio_without_loops_of_one_s_own_is_too_old(request: pytest.FixtureRequest) -> None:
    check_age(request.config.hook)
    with pytest.raises(pytest.UsageError, match=r"need pytest-asyncio 1\.4 or later"):
        check_age(object())
