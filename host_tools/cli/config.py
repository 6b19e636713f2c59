"""`shareboxctl config show`: every setting with its value and its origin."""

from typing import Annotated

from cyclopts import Parameter

from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.settings import DEFAULTS, Settings


def show(
    *,
    origin: Annotated[bool, Parameter(help="Say where each value comes from.", negative="")] = False,
    shown: Shown = SHOWN,
) -> None:
    """Show every setting. A value comes from the command line, else from the environment, else from the project's
    file, else from the user's file, else it is the default."""
    output, settings = shown.output(), Settings({})
    for name in DEFAULTS:
        value = settings.value(name)
        fields: dict[str, object] = {"name": name, "value": value.text, "origin": value.origin}
        output.result("setting", fields, f"{name} = {value.text}{f'  ({value.origin})' if origin else ''}")
