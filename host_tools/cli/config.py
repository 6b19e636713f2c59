"""`shareboxctl config`: every setting with its value and its origin."""

from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.settings import DEFAULTS, Settings


def config(*, shown: Shown = SHOWN) -> None:
    """Show every setting and where it comes from: environment, project file, user file or default."""
    output, settings = shown.output(), Settings({})
    for name in DEFAULTS:
        value = settings.value(name)
        fields: dict[str, object] = {"name": name, "value": value.text, "origin": value.origin}
        output.result("setting", fields, f"{name} = {value.text}  ({value.origin})")
