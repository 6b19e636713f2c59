"""The demonstration: both sides wired together. Beside `firmware.app`, the only place that knows both."""

import logging
import sys
import time

import structlog


def play(*, json: bool) -> int:
    """Play it on standard output; the exit code: 0 all claims held, 1 one did not, 6 no broker, 130 interrupted."""
    from host_tools.virtual_time import run

    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return run(_play(json))
    except KeyboardInterrupt:
        sys.stderr.write("sharebox demo: stopped\n")
        return 130


async def _play(json: bool) -> int:
    from firmware.demo.acts import play as play_acts
    from firmware.demo.stage import Failed, Stage
    from host_tools.backend.broker import BrokerFailed, BrokerMissing
    from host_tools.phone.errors import PhoneError

    started = time.monotonic()
    try:
        async with Stage(json_lines=json) as stage:
            await play_acts(stage)
            virtual_s, real_s = stage.loop.time(), time.monotonic() - started
            stage.act("Summary")
            stage.screen.say(
                "time",
                f"every claim held; {virtual_s / 60:.0f} virtual minutes in {real_s:.0f} seconds",
                virtual_s=round(virtual_s),
                real_s=round(real_s, 1),
                claims_failed=0,
            )
    except (Failed, PhoneError) as error:
        sys.stderr.write(f"sharebox demo: this did not hold: {error}\n")
        return 1
    except (BrokerMissing, BrokerFailed) as error:
        sys.stderr.write(f"sharebox demo: {error}\n")
        return 6
    return 0
