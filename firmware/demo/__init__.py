"""The demonstration: both sides wired together. Beside `firmware.app`, the only place that knows both."""

import asyncio
import logging
import os
import signal
import sys
import time
from typing import Final

import structlog

BROKEN_PIPE: Final = 141
"""As a shell reports a program that wrote to a closed pipe."""


def play(*, json: bool, pace: float = 1.0) -> int:
    """Play it on standard output; the exit code: 0 all claims held, 1 one did not, 6 no broker, 130 interrupted."""
    from host_tools.virtual_time import run

    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return run(_play(json, pace))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("sharebox demo: stopped\n")
        return 130
    except BrokenPipeError:
        # What is still in the buffer has nowhere to go, and would be complained about at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


async def _play(json: bool, pace: float) -> int:
    from firmware.demo.acts import play as play_acts
    from firmware.demo.stage import Failed, Stage
    from host_tools.backend.broker import BrokerFailed, BrokerMissing
    from host_tools.phone.errors import PhoneError

    started = time.monotonic()
    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does it: the broker is a process of its own, and would stay.
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    try:
        async with Stage(json_lines=json, pace=pace) as stage:
            await play_acts(stage)
            virtual_s, real_s = stage.loop.time(), time.monotonic() - started
            stage.screen.summary(
                stage.claims,
                f"All {stage.checked} checks held. {virtual_s / 60:.0f} minutes of the car's time took {real_s:.0f} s.",
                virtual_s=round(virtual_s),
                real_s=round(real_s, 1),
                checks=stage.checked,
                checks_failed=0,
            )
    except (Failed, PhoneError) as error:
        sys.stderr.write(f"sharebox demo: this did not hold: {error}\n")
        return 1
    except (BrokerMissing, BrokerFailed) as error:
        sys.stderr.write(f"sharebox demo: {error}\n")
        return 6
    return 0
