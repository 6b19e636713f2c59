"""Who has which key in a story, and the codes that are in no transcript."""

import pytest

from host_tools.bench.bench import BenchFailed
from host_tools.bench.scenario_terms import Terms, terms
from protocol.messages import Permission
from protocol.provisioning import KeyFile, ShareFile
from protocol.sharing import Activation
from tests.support.scenario_stage import KEYS, staged


@pytest.mark.req("KEY-2")
async def test_a_share_keeps_to_its_terms() -> None:
    async with staged(KEYS) as stage:
        chain = stage.world.keychain
        stage.world.share(
            "olga", "ben", terms("may boot; for 10:00 - 12:00; daily 09:00 - 18:00; with a code until 11:00")
        )
        key = chain.shared("ben")
        assert (key.permissions, key.name, key.activation) == (Permission.BOOT, "Ben", Activation.VEHICLE_CODE)
        assert key.expires_s - key.not_before_s == 7_200
        assert key.expires_s - key.code_until_s == 3_600
        assert key.hours is not None
        assert (key.hours.to_min - key.hours.from_min) % 1_440 == 540
        assert len(chain.code("ben")) == 6
        assert chain.wrong_code() != chain.code("ben")
        phone = stage.world.phone("ben")
        assert phone.shown == chain.file("ben")
        assert isinstance(chain.file("ben"), ShareFile)


async def test_the_newest_key_counts_and_a_standing_one_stays_what_it_is() -> None:
    async with staged(KEYS) as stage:
        chain = stage.world.keychain
        assert isinstance(chain.file("olga"), KeyFile)
        assert chain.has_standing("olga")
        assert not chain.has_standing("ben")
        stage.world.share("olga", "ben", Terms())
        first = chain.shared("ben")
        stage.world.share("olga", "ben", Terms())
        assert chain.shared("ben") != first
        assert chain.wrong_code() == "000000"


async def test_what_nobody_gave_or_shared_cannot_be_played() -> None:
    async with staged(KEYS) as stage:
        chain = stage.world.keychain
        for ask, why in (
            (lambda: chain.file("ben"), "ben has no key"),
            (lambda: chain.standing("ben"), "ben has no key of their own"),
            (lambda: chain.shared("ben"), "nobody has shared a key with ben"),
            (lambda: chain.code("ben"), "nobody has shared a key with ben"),
        ):
            with pytest.raises(BenchFailed, match=why):
                ask()
        stage.world.share("olga", "ben", Terms())
        with pytest.raises(BenchFailed, match="ben's key has no code"):
            chain.code("ben")
        with pytest.raises(BenchFailed, match="olga cannot share that with ben: "):
            stage.world.share("olga", "ben", terms("for 09:00 - 09:30"))
