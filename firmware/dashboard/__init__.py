"""The dashboard: a module with its car, phones and a broker in one process, on a local page.

Beside `firmware.app`, the demonstration and the bench in process, one of the places that know both sides.
"""

import logging
import sys
from contextlib import ExitStack, suppress
from typing import Final

import structlog

USAGE: Final = 2
CONFIGURATION: Final = 6


def play(*, port: int, show: bool, scenario: str | None = None) -> int:
    """Serve until it is stopped; `show`: open the page in the browser; `scenario`: one of the library, or a file. The
    exit code: 0 stopped as asked, 2 there is no such scenario, 6 the port is taken."""
    import asyncio
    import webbrowser

    from firmware.dashboard.opening import leading_to
    from firmware.dashboard.server import Unusable, listening, serve
    from firmware.dashboard.world import open_world, paced
    from firmware.pace import PacedLoop
    from host_tools.bench.scenario_file import ScenarioFaults, read
    from host_tools.bench.scenario_library import UnknownScenario, find

    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    try:
        story = None if scenario is None else read(find(scenario))
    except (UnknownScenario, ScenarioFaults) as error:
        sys.stderr.write("".join(f"sharebox dashboard: {line}\n" for line in str(error).splitlines()))
        return USAGE
    try:
        taken = listening(port)
    except Unusable as error:
        sys.stderr.write(f"sharebox dashboard: {error}\n")
        return CONFIGURATION
    with ExitStack() as stack:

        def at(address: str) -> None:
            sys.stdout.write(f"Sharebox is at {address} (Ctrl-C ends it)\n")
            sys.stdout.flush()
            if show:
                # Without a place for the file nothing is opened: the address stands in the terminal.
                with suppress(OSError):
                    webbrowser.open(stack.enter_context(leading_to(address)))

        asyncio.run(serve(lambda say: open_world(say, paced, story), PacedLoop, taken, at))
    return 0
