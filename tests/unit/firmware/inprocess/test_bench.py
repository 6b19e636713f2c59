"""The bench in this process: phones of their own, and time that is let pass."""

import pytest
import structlog

from firmware.inprocess.bench import open_bench
from host_tools.bench.bench import BenchRefused
from host_tools.bench.scenario_words import DESK_WORDS
from host_tools.phone.client import Phone
from host_tools.phone.keyring import new_key


async def test_two_phones_are_two_adapters_and_the_same_name_is_the_same_phone() -> None:
    async with open_bench() as bench:
        now_s = await bench.utc_ms() // 1000
        key = new_key()
        booking = bench.issuer.booking(
            module_id=bench.identity.module_id,
            holder=key.public_key(),
            starts_s=now_s,
            ends_s=now_s + 600,
            now_s=now_s,
            key_epoch=bench.identity.key_epoch,
        )
        file = bench.identity.booking_file(bench.issuer.token(booking))
        async with Phone(bench.link("anna"), file, key) as one, Phone(bench.link("ben"), file, key) as other:
            assert one.access.granted
            assert other.access.granted
        async with Phone(bench.link("anna"), file, key) as again:
            assert again.access.granted


async def test_time_passes_until_it_is_told_and_never_back() -> None:
    async with open_bench() as bench:
        begun_ms = await bench.utc_ms()
        await bench.until(begun_ms + 3_600_000)
        assert await bench.utc_ms() == begun_ms + 3_600_000
        await bench.until(begun_ms)
        assert await bench.utc_ms() == begun_ms + 3_600_000


async def test_the_desk_answers_and_refuses_with_its_codes() -> None:
    async with open_bench() as bench:
        answer = await bench.control("vehicle")
        assert (answer.kind, answer.data["locked"]) == ("vehicle", True)
        assert answer.lines
        with pytest.raises(BenchRefused, match="there is no such command") as refused:
            await bench.control("vehikle")
        assert refused.value.code == "UNKNOWN"


async def test_every_word_that_a_scenario_may_give_to_the_desk_is_one_of_its_commands() -> None:
    async with open_bench() as bench:
        for word in DESK_WORDS:
            assert (await bench.control(f"help {word}")).kind == "help"


async def test_the_modules_log_stays_out_of_whoever_opened_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    async with open_bench() as bench:
        await bench.control("fault disk full")
        await bench.until(await bench.utc_ms() + 300_000)
    assert not structlog.is_configured()
    assert capsys.readouterr() == ("", "")


async def test_a_log_that_was_configured_stays_so() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    try:
        async with open_bench():
            pass
        assert structlog.is_configured()
    finally:
        structlog.reset_defaults()
