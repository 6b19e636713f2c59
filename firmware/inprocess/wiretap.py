"""Captures and key logs of a module that runs: what crosses its HCI, and the secrets of its sessions, in files.

Decides who is told when it cannot be done. The files are those of the host's tools, so both sides read alike.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from firmware.adapters.ble.tapped import tapped
from firmware.adapters.ble.transport import OpenController
from firmware.config import ConfigError
from host_tools.bench.capture import Capture, CaptureError
from host_tools.bench.keylog import VARIABLE, KeyLogError, from_environment

log = structlog.get_logger("sharebox")


@contextmanager
def captured(path: Path | None, utc_ms: Callable[[], int]) -> Iterator[Callable[[OpenController], OpenController]]:
    """What makes a controller one whose packets are kept in `path`; None: it stays as it is. Raises ConfigError."""
    if path is None:
        yield lambda controller: controller
        return
    try:
        with Capture(path, lambda: utc_ms() * 1000, noted=lambda line: log.warning("capture", note=line)) as capture:
            tap = capture.hci("module")
            log.info("capture", file=str(capture.path))
            yield lambda controller: tapped(controller, tap)
    except CaptureError as error:
        raise ConfigError(f"[ble] capture: {error}") from None


def key_log(*, bench: bool, environment: Mapping[str, str] = os.environ) -> Callable[[str], None] | None:
    """Where the secrets of sessions go; None: nowhere. Only a bench may do that (SEC-2). Raises ConfigError."""
    if environment.get(VARIABLE) and not bench:
        log.warning("key log", note=f"{VARIABLE} is not heeded: this is no bench ([bench] enabled = true)")
        return None
    try:
        take = from_environment(environment, noted=lambda line: log.warning("key log", note=line))
    except KeyLogError as error:
        raise ConfigError(str(error)) from None
    if take is not None:
        log.warning("key log", note="the secrets of all sessions are written down: for tests only")
    return take
