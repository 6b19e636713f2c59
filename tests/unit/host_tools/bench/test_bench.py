"""What a bench is to the host's tools: public facts of a module, and the one in this process found by its name."""

import msgspec
import pytest

from firmware.demo.rig import Rig
from host_tools.bench import bench as benches
from host_tools.bench.bench import Bench, BenchFailed, BenchRefused, identity_of, in_process


async def test_the_identity_is_the_public_half_of_a_provisioning_file() -> None:
    rig = Rig()
    identity = identity_of(rig.provisioning)
    assert identity.booking_file(b"token") == rig.booking_file(b"token")
    assert (identity.key_epoch, identity.home) == (rig.provisioning.key_epoch, rig.provisioning.home)
    told = msgspec.json.encode(msgspec.structs.asdict(identity))
    assert rig.provisioning.signing_private.hex().encode() not in told


async def test_the_bench_in_this_process_is_found_and_can_be_opened() -> None:
    async with in_process()() as bench:
        seen: Bench = bench
        assert len(seen.identity.module_id) == 8
        assert await seen.utc_ms() > 0


def test_without_its_entry_point_the_bench_is_found_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "GROUP", "sharebox.nobody")
    assert callable(in_process())


def test_without_the_firmware_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benches, "GROUP", "sharebox.nobody")
    monkeypatch.setattr(benches, "_FALLBACK", "no_such_package.bench:open_bench")
    with pytest.raises(BenchFailed, match=r"^no module runs in this process: .*--link\.$"):
        in_process()


def test_a_refusal_has_a_code_and_one_line() -> None:
    refused = BenchRefused("USAGE", "what: why. what to do.")
    assert (refused.code, str(refused)) == ("USAGE", "what: why. what to do.")
