"""The GATT table as a client meets it, PDU by PDU over virtual air."""

from collections.abc import AsyncIterator

import pytest

from protocol import gatt, messages
from tests.support.radio_bench import ATT_CID, CCCD, FROM_MODULE, PUBLIC_INFO, TO_MODULE, RadioBench, RawCentral


@pytest.fixture
async def bench() -> AsyncIterator[RadioBench]:
    async with RadioBench() as bench:
        yield bench


@pytest.fixture
async def central(bench: RadioBench) -> RawCentral:
    return await bench.connected()


def uuid(text: str) -> str:
    return bytes.fromhex(text.replace("-", ""))[::-1].hex()


def le(handle: int) -> str:
    return handle.to_bytes(2, "little").hex()


async def test_the_handles_are_those_that_the_tests_use(central: RawCentral) -> None:
    await central.negotiate(517)
    for handle, characteristic in (
        (TO_MODULE, gatt.TO_MODULE_UUID),
        (FROM_MODULE, gatt.FROM_MODULE_UUID),
        (PUBLIC_INFO, gatt.PUBLIC_INFO_UUID),
    ):
        assert (await central.ask(f"04 {le(handle)} {le(handle)}")).hex() == "0502" + le(handle) + uuid(characteristic)
    assert (await central.ask(f"04 {le(CCCD)} {le(CCCD)}")).hex() == "0501" + le(CCCD) + "0229"


@pytest.mark.req("BLE-1")
async def test_the_service_is_found_by_its_identifier_at_the_smallest_mtu(central: RawCentral) -> None:
    assert (await central.ask("06 0100 ffff 0028" + uuid(gatt.SERVICE_UUID))).hex() == "070c001300"


async def test_the_properties_are_write_notify_and_read(central: RawCentral) -> None:
    await central.negotiate(517)
    declarations = []
    start = 0x0C
    while (answer := await central.ask(f"08 {le(start)} ffff 0328"))[0] == 0x09:
        size = answer[1]
        entries = [answer[at : at + size] for at in range(2, len(answer), size)]
        declarations += [(entry[2], entry[5:].hex()) for entry in entries]
        start = int.from_bytes(entries[-1][:2], "little") + 1
    assert declarations == [
        (0x0C, uuid(gatt.TO_MODULE_UUID)),
        (0x10, uuid(gatt.FROM_MODULE_UUID)),
        (0x02, uuid(gatt.PUBLIC_INFO_UUID)),
    ]


@pytest.mark.req("ACC-3", "PRV-7")
async def test_everything_that_can_be_read_is_the_same_for_every_module() -> None:
    async def everything_readable(seed: int) -> dict[int, bytes]:
        async with RadioBench(seed=seed) as bench:
            central = await bench.connected()
            await central.negotiate(517)
            answers = [await central.ask(f"0a {le(handle)}") for handle in range(1, 0x20)]
            return {handle: answer[1:] for handle, answer in enumerate(answers, 1) if answer[0] == 0x0B}

    one, other = await everything_readable(1), await everything_readable(2)
    assert one == other
    values = set(one.values())
    assert {b"Sharebox", b"Sharebox module"} <= values
    assert one[PUBLIC_INFO] == messages.encode_public_info(messages.PublicInfo())
    assert TO_MODULE not in one
    assert FROM_MODULE not in one


@pytest.mark.req("BLE-1")
async def test_public_information_longer_than_the_mtu_is_read_in_pieces(central: RawCentral) -> None:
    whole = messages.encode_public_info(messages.PublicInfo())
    first = await central.ask(f"0a {le(PUBLIC_INFO)}")
    assert first == b"\x0b" + whole[:22]
    assert await central.ask(f"0c {le(PUBLIC_INFO)} ffff") == bytes.fromhex(f"010c{le(PUBLIC_INFO)}07")


@pytest.mark.parametrize("handle", [TO_MODULE, FROM_MODULE])
async def test_what_is_not_readable_is_not_read_in_any_way(central: RawCentral, handle: int) -> None:
    assert (await central.ask(f"0a {le(handle)}")).hex() == f"010a{le(handle)}02"
    assert (await central.ask(f"0c {le(handle)} 0000")).hex() == f"010c{le(handle)}02"
    characteristic = gatt.TO_MODULE_UUID if handle == TO_MODULE else gatt.FROM_MODULE_UUID
    assert (await central.ask(f"08 0100 ffff {uuid(characteristic)}")).hex() == f"0108{le(handle)}02"


@pytest.mark.req("SEC-1")
async def test_nothing_but_two_attributes_can_be_written(central: RawCentral, bench: RadioBench) -> None:
    before = [await central.ask(f"0a {le(handle)}") for handle in range(1, 0x14)]
    for handle in range(1, 0x14):
        if handle not in (TO_MODULE, CCCD):
            assert (await central.ask(f"12 {le(handle)} ff")).hex() == f"0112{le(handle)}03"
            central.send(ATT_CID, bytes.fromhex(f"52 {le(handle)} ff"))
    assert (await central.ask("12 9900 ff")).hex() == "0112990001"
    assert [await central.ask(f"0a {le(handle)}") for handle in range(1, 0x14)] == before
    assert not bench.recorder.all_of("fragment")


async def test_both_kinds_of_write_arrive_in_the_order_they_were_sent(central: RawCentral, bench: RadioBench) -> None:
    for number in range(200):
        opcode = "12" if number % 3 else "52"
        central.send(ATT_CID, bytes.fromhex(f"{opcode} {le(TO_MODULE)}") + bytes((number,)))
    await bench.recorder.until("fragment", bench.link(), bytes((199,)))
    assert bench.recorder.all_of("fragment") == [(bench.link(), bytes((n,))) for n in range(200)]


@pytest.mark.req("BLE-1")
async def test_long_writes_are_refused_and_leave_nothing(central: RawCentral, bench: RadioBench) -> None:
    assert (await central.ask(f"16 {le(TO_MODULE)} 0000 aabb")).hex() == "0116000006"
    assert (await central.ask("18 01")).hex() == "0118000006"
    assert await central.write(b"after") == b"\x13"
    assert bench.recorder.all_of("fragment") == [(bench.link(), b"after")]


async def test_a_listener_with_a_bug_is_answered_for_at_once_and_the_next_write_works(
    central: RawCentral, bench: RadioBench
) -> None:
    bench.recorder.broken = True
    assert (await central.write(b"x")).hex() == f"0112{le(TO_MODULE)}0e"
    bench.recorder.broken = False
    assert await central.write(b"y") == b"\x13"


# ---------------------------------------------------------------- subscription
@pytest.mark.parametrize(
    ("value", "code"), [("", "0d"), ("01", "0d"), ("010000", "0d"), ("0200", "fd"), ("0300", "13"), ("ffff", "13")]
)
async def test_a_subscription_that_is_none_is_refused_and_changes_nothing(
    central: RawCentral, value: str, code: str
) -> None:
    await central.subscribe()
    assert (await central.ask(f"12 {le(CCCD)} {value}")).hex() == f"0112{le(CCCD)}{code}"
    assert (await central.ask(f"0a {le(CCCD)}")).hex() == "0b0100"


async def test_only_subscribers_are_notified(central: RawCentral, bench: RadioBench) -> None:
    await bench.radio.notify(bench.link(), b"before")
    await central.subscribe()
    await bench.radio.notify(bench.link(), b"during")
    assert await central.ask(f"12 {le(CCCD)} 0000") == b"\x13"
    await bench.radio.notify(bench.link(), b"after")
    assert await central.ask(f"0a {le(CCCD)}") == b"\x0b\x00\x00"
    assert central.fragments == [b"during"]


async def test_one_central_does_not_subscribe_for_another(bench: RadioBench) -> None:
    one, other = await bench.connected(), await bench.connected()
    await one.subscribe()
    for link in (1, 2):
        await bench.radio.notify(link, b"for %d" % link)
    await one.ask(f"0a {le(CCCD)}")
    assert await other.ask(f"0a {le(CCCD)}") == b"\x0b\x00\x00"
    assert (one.fragments, other.fragments) == ([b"for 1"], [])


async def test_a_subscription_ends_with_its_connection(bench: RadioBench) -> None:
    first = await bench.connected()
    await first.subscribe()
    await bench.radio.hang_up(bench.link())
    second = await bench.connected()
    assert await second.ask(f"0a {le(CCCD)}") == b"\x0b\x00\x00"
