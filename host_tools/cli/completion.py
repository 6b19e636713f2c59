"""`shareboxctl completion`: what a shell needs to complete commands and options, from the commands themselves."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown

Shell = Literal["bash", "zsh", "fish"]


def bash(*, shown: Shown = SHOWN) -> None:
    """Print the script for bash: `source <(shareboxctl completion bash)`."""
    _print("bash", shown)


def zsh(*, shown: Shown = SHOWN) -> None:
    """Print the script for zsh; put it as `_shareboxctl` into a directory of `fpath`."""
    _print("zsh", shown)


def fish(*, shown: Shown = SHOWN) -> None:
    """Print the script for fish: `shareboxctl completion fish | source`."""
    _print("fish", shown)


def _print(shell: Shell, shown: Shown) -> None:
    # The tree of commands imports this module by name alone.
    from host_tools.cli.main import build

    script = build().generate_completion(shell=shell)
    shown.output().result("completion", {"shell": shell, "script": script}, script.rstrip("\n"))


def install(
    *,
    shell: Annotated[Shell | None, Parameter(help="For this shell. Default: the one that runs.")] = None,
    output: Annotated[Path | None, Parameter(help="Write it here. Default: where that shell looks for it.")] = None,
    startup: Annotated[bool, Parameter(help="Have the shell load it when it starts.")] = True,
    shown: Shown = SHOWN,
) -> None:
    """Install completion for a shell; a new one knows it."""
    from cyclopts.completion.detect import ShellDetectionError

    from host_tools.cli.main import build

    try:
        where = build().install_completion(shell=shell, output=output, add_to_startup=startup and output is None)
    except ShellDetectionError:
        raise CliError(Exit.USAGE, "the shell cannot be told. Name it: --shell bash, zsh or fish.") from None
    except OSError as error:
        raise CliError(
            Exit.CONFIGURATION, f"cannot write the script: {error.strerror}. Name a place: --output."
        ) from None
    shown.output().result("installed", {"file": str(where)}, str(where))
    shown.output().say("Start a new shell to use it.")
