"""The way to the module that a command was told. Quick: nothing is opened, and little imported."""

from host_tools.bench.links import Link, LinkError, parse_link
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.settings import Settings


def link_of(settings: Settings) -> Link:
    """The link that the settings name. Raises CliError."""
    try:
        return parse_link(settings.text("link"))
    except LinkError as error:
        raise CliError(Exit.USAGE, str(error)) from None
