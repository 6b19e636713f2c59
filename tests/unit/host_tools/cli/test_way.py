"""The way to the module that a command was told."""

import subprocess
import sys

import pytest

from host_tools.bench.links import Virtual
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.settings import Settings
from host_tools.cli.way import link_of
from tests.support.command import ENVIRONMENT


def test_a_link_is_what_the_settings_name() -> None:
    assert link_of(Settings({"link": "virtual"})) == Virtual("127.0.0.1", 6402)
    with pytest.raises(CliError, match="is no link") as caught:
        link_of(Settings({"link": "vitual"}))
    assert caught.value.exit_code is Exit.USAGE


def test_the_modules_console_is_reached_without_what_phones_need() -> None:
    script = (
        "import sys; import host_tools.cli.console; "
        "heavy = {'bumble', 'bleak', 'cryptography', 'aiomqtt', 'prompt_toolkit'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert ran.returncode == 0, ran.stderr
